"""Recognises a record's layout by its fields, and makes a document of it.

A layout is a list of roles, each with the field names that may fill it, best first. The first layout all of whose
required roles are filled is taken; a recipe's mapping wins over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from cmtp.recipe import SourceMapping
from cmtp.sources import builders
from cmtp.sources.builders import Values
from cmtp.sources.document import Broken, Document, Several
from cmtp.sources.known import FIELD_NAMES, LAYOUTS, Layout
from cmtp.sources.two_texts import labelled

MIN_TEXT: Final = 20
"""Characters from which a field of an unknown name may be the one a layout lacks."""


@lru_cache(maxsize=1024)
def _candidates(fields: tuple[str, ...]) -> tuple[tuple[Layout, dict[str, str]], ...]:
    """Layouts whose required roles these fields fill, each with the field per role."""
    by_name = {name.strip().lower(): name for name in reversed(fields)}
    found = []
    for layout in LAYOUTS:
        roles = {}
        for role, names in (layout.required | layout.optional).items():
            taken = next((by_name[name] for name in names if name in by_name), None)
            if taken is not None:
                roles[role] = taken
        if all(role in roles for role in layout.required):
            found.append((layout, roles))
    return tuple(found)


def _fits(layout: Layout, values: Values) -> bool:
    if any(not isinstance(values[role], list) for role in layout.lists):
        return False
    return layout.name != "SQuAD" or (bool(values["paragraphs"]) and all(_is_context(p) for p in values["paragraphs"]))


def _is_context(value: Any) -> bool:
    return isinstance(value, dict) and "context" in value


def known(fields: Iterable[str]) -> bool:
    """Whether records with these fields may be of a known layout."""
    return bool(_candidates(tuple(fields)))


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
        mapping: the recipe's, where there is one for the file.
        language: zh, en or any: which half of records that hold both is read.
    """
    if not isinstance(record, dict):
        return _unknown(origin, source, {"found": type(record).__name__})
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
            halves.append(layout.build(values, origin, source))
        elif not halves:
            return layout.build(values, origin, source)
    read = [half for half in halves if not isinstance(half, Broken | Several)]
    if len(read) > 1:
        return Several(origin, source, read)
    if halves:
        return read[0] if read else halves[0]
    return _incomplete(record, origin, source) or _unknown(origin, source, {"fields": _names(record)})


def _names(record: Values) -> list[str]:
    return [str(name)[:40] for name in list(record)[:20]]


def _incomplete(record: Values, origin: str, source: str) -> Broken | None:
    """A record of a known layout that lacks one field, and has no other text that might stand in its place."""
    by_name = {name.strip().lower(): name for name in record}
    if any(
        isinstance(value, str) and len(value) >= MIN_TEXT and name not in FIELD_NAMES for name, value in record.items()
    ):
        return None
    for layout in LAYOUTS:
        missing = [role for role, names in layout.required.items() if not any(name in by_name for name in names)]
        if len(missing) == 1 and len(layout.required) > 1:
            evidence = {"missing": missing[0], "layout": layout.name, "fields": _names(record)}
            return Broken(origin, source, "empty_field", evidence, layout.relation)
    return None


def _unknown(origin: str, source: str, evidence: dict[str, Any]) -> Broken:
    path = origin.rsplit("#", 1)[0].split("!", 1)[0]
    fields = evidence.get("fields", [])
    example = {
        "files": path,
        "relation": "title_body",
        "query": fields[0] if fields else "FIELD OF THE QUERY",
        "passage": fields[1] if len(fields) > 1 else "FIELD OF THE PASSAGE",
    }
    return Broken(origin, source, "unknown_layout", evidence | {"recipe": {"sources": [example]}})


def _mapped(record: Values, origin: str, source: str, mapping: SourceMapping) -> Document | Broken:
    assert mapping.query
    assert mapping.passage
    missing = [name for name in (mapping.query, mapping.passage, mapping.label) if name and name not in record]
    if missing:
        return _unknown(origin, source, {"missing": missing, "fields": _names(record)})
    query, passage = record[mapping.query], record[mapping.passage]
    match mapping.relation if mapping.label is None else "":
        case "title_body":
            return builders.article({"title": query, "body": passage}, origin, source)
        case "title_abstract":
            return builders.abstract({"title": query, "abstract": passage}, origin, source)
        case "question_answer":
            return builders.question({"question": query, "answers": passage}, origin, source)
        case "question_passage":
            return builders.context({"question": query, "context": passage}, origin, source)
        case "query_document":
            return builders.query_documents({"query": query, "documents": passage}, origin, source)
    assert mapping.relation
    label = record.get(mapping.label) if mapping.label else None
    return labelled(query, passage, label, mapping.relation, origin, source)
