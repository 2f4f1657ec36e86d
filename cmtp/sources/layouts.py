"""Recognises a record's layout by its fields, and makes a document of it.

A layout is a list of roles, each with the field names that may fill it, best first:

1. A recipe's mapping for the file decides, where it names fields.
2. Otherwise the first layout is taken all of whose required roles have a field in the record.
3. A record that no layout fits is `unknown_layout`. Its evidence has a mapping to start from, where two of its fields
   hold text.
4. Where the layout fits and the query or the passage is blank, the record is `empty_field`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from cmtp.sources import builders, labels
from cmtp.sources.builders import Values, texts_of
from cmtp.sources.document import Broken, Document, Several
from cmtp.sources.layouts_data import LAYOUTS, RecordLayout
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.two_texts import labelled


@lru_cache(maxsize=1024)
def _candidates(fields: tuple[str, ...]) -> tuple[tuple[RecordLayout, dict[str, str]], ...]:
    """Layouts whose required roles these fields fill, each with the field per role."""
    by_name = {name.strip().lower(): name for name in reversed(fields)}
    candidates = []
    for layout in LAYOUTS:
        roles = {}
        for role, names in (layout.required | layout.optional).items():
            field = next((by_name[name] for name in names if name in by_name), None)
            if field is not None:
                roles[role] = field
        if all(role in roles for role in layout.required):
            candidates.append((layout, roles))
    return tuple(candidates)


def _fits(layout: RecordLayout, values: Values) -> bool:
    if any(not isinstance(values[role], list) for role in layout.lists):
        return False
    return layout.fits is None or layout.fits(values)


def columns_for(fields: Iterable[str], mapping: SourceMapping | None) -> list[str] | None:
    """The fields of a table that its layout reads; None where no layout is known."""
    fields = list(fields)
    if mapping is not None and mapping.query is not None:
        return [name for name in fields if name in (mapping.query, mapping.passage, mapping.label)]
    used = {name for _, roles in _candidates(tuple(fields)) for name in roles.values()}
    return [name for name in fields if name in used] or None


def read_record(
    record: Any, origin: str, source: str, mapping: SourceMapping | None, language: str = "zh"
) -> Document | Broken:
    """Make a document of a record by the recipe's mapping or by its fields.

    Args:
        record: a JSON object or a row of a table.
        origin: of the record.
        source: its name.
        mapping: the recipe's, where it has one for the file.
        language: zh, en or any: which half of records that hold both is read.
    """
    if not isinstance(record, dict):
        return Broken(origin, source, "unknown_layout", {"found": type(record).__name__})
    if mapping is not None and mapping.relation is not None:
        return _mapped(record, origin, source, mapping)
    halves: list[Document | Broken] = []
    for layout, roles in _candidates(tuple(record)):
        if layout.language and language not in ("any", layout.language):
            continue
        values = {role: record[name] for role, name in roles.items()}
        if not _fits(layout, values):
            continue
        if layout.language and language == "any":
            halves.append(_own_names(layout.build(values, origin, source), roles))
        elif not halves:
            return _own_names(layout.build(values, origin, source), roles)
    read = [half for half in halves if not isinstance(half, Broken | Several)]
    if len(read) > 1:
        return Several(origin, source, read)
    if halves:
        return read[0] if read else halves[0]
    return Broken(origin, source, "unknown_layout", unknown_layout(record, origin))


def _own_names(item: Document | Broken, fields: Mapping[str, str]) -> Document | Broken:
    """The item; where a field is blank, the evidence names it as the file does."""
    if not isinstance(item, Broken) or item.reason != "empty_field":
        return item
    role = item.evidence["empty"]
    # of a conversation the answer is blank, and all there is to name is the field of its turns
    return replace(item, evidence={"empty": fields.get(role) or next(iter(fields.values()))})


_BUILDERS: Final[dict[str, tuple[Callable[[Values, str, str], Document | Broken], str, str]]] = {
    "title_body": (builders.article, "title", "body"),
    "title_abstract": (builders.abstract, "title", "abstract"),
    "question_answer": (builders.question, "question", "answers"),
    "question_passage": (builders.context, "question", "context"),
    "query_document": (builders.query_documents, "query", "documents"),
}
"""What makes the document of a mapped record without a label, with the roles of query and passage; by relation. Other
relations, and labelled records, are two texts as they are."""


def _mapped(record: Values, origin: str, source: str, mapping: SourceMapping) -> Document | Broken:
    assert mapping.query
    assert mapping.passage
    assert mapping.relation
    missing = [name for name in (mapping.query, mapping.passage, mapping.label) if name and name not in record]
    if missing:
        evidence = {"missing": missing} | unknown_layout(record, origin)
        return Broken(origin, source, "unknown_layout", evidence)
    query, passage = record[mapping.query], record[mapping.passage]
    if mapping.label is None and mapping.relation in _BUILDERS:
        build, query_role, passage_role = _BUILDERS[mapping.relation]
        item = build({query_role: query, passage_role: passage}, origin, source)
    else:
        query_role, passage_role = "query", "passage"
        values = {query_role: query, passage_role: passage, "label": record.get(mapping.label or "")}
        item = labelled(values, origin, source, relation=mapping.relation, roles=(query_role, passage_role))
    return _own_names(item, {query_role: mapping.query, passage_role: mapping.passage})


# --- records of an unknown layout

MAX_QUERY: Final = 100
"""Characters of the longest text that is proposed as a query beside a longer one."""

_QUERY_ROLES: Final = frozenset({"title", "question", "query", "topic", "left"})
_QUERY_NAMES: Final = frozenset(
    name for layout in LAYOUTS for role, names in layout.required.items() if role in _QUERY_ROLES for name in names
)
"""Names that a query has in known layouts."""

_WORDS: Final = re.compile(r"[\u3400-\u9fff]|[^\W\d_]{2,} +[^\W\d_]{2,}")
"""Chinese, or two words: not an id, a date, a number or an address."""


def unknown_layout(record: Values, origin: str) -> dict[str, Any]:
    """Evidence for a record that no layout fits: its fields, and under ``recipe`` a mapping to start from.

    The mapping is chosen by the values, not by the order of the fields:

    1. Fields that hold text are looked at: not ids, dates, numbers, addresses.
    2. The query is the field that a known layout would take for one; else the longest text of at most `MAX_QUERY`
       characters beside a longer or equal one; else the second longest text.
    3. The passage is the longest other text. Only an answer may be shorter than its query.
    4. A question has an answer, and beside another question it is a similar one. A list of objects holds answers, too.
       Anything else is a title over its text.

    No mapping is proposed where two such fields are not found.
    """
    evidence: dict[str, Any] = {"fields": [str(name)[:40] for name in list(record)[:20]]}
    texts = {name: "\n".join(texts_of(value)) for name, value in record.items()}
    texts = {name: text for name, text in texts.items() if _WORDS.search(text) and "://" not in text[:10]}
    by_length = sorted(texts, key=lambda name: len(texts[name]))  # of equally long texts the first comes first
    named = [name for name in by_length if name.strip().lower() in _QUERY_NAMES]
    short = [name for name in by_length[:-1] if len(texts[name]) <= MAX_QUERY]
    query = next((names[-1] for names in (named, short, by_length[:-1]) if names), None)
    passage = next((name for name in reversed(by_length) if name != query), None)
    if query is None or passage is None:
        return evidence
    relation = _likely_relation(texts[query], texts[passage], record[passage])
    if len(texts[passage]) < len(texts[query]) and relation == "title_body":
        return evidence
    file = origin.rsplit("#", 1)[0].split("!", 1)[0]
    mapping = {"files": file, "relation": relation, "query": query, "passage": passage}
    return evidence | {"recipe": {"sources": [mapping]}}


def _likely_relation(query: str, passage: str, value: Any) -> str:
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return "question_answer"  # several answers, with their votes
    if not labels.is_question(query):
        return "title_body"
    return "similar_question" if len(passage) <= MAX_QUERY and labels.is_question(passage) else "question_answer"
