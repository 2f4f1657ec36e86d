"""Collections in several files: passages, queries, and judgements that name both by their ids.

T2Ranking, mMARCO-zh (with the judgements of MS MARCO), cMedQA v2, Multi-CPR, and BEIR's form. Judgements and queries
are held in memory, passages are streamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from cmtp.sources.builders import text_of
from cmtp.sources.discover import RawFile
from cmtp.sources.document import Broken, JudgedPassage
from cmtp.sources.labels import NEGATIVE, UNCERTAIN
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.part import Part
from cmtp.sources.read import PartReader, Row, find_mapping
from cmtp.sources.recognise import split_name

JUDGEMENTS, QUERIES, PASSAGES = "judgements", "queries", "passages"
"""Roles, in the order they are read in."""

_ROLES: Final = (
    (JUDGEMENTS, re.compile(r"(?:^|[/._-])(?:qrels|candidates|triples)(?:[/._-]|$)", re.IGNORECASE)),
    (QUERIES, re.compile(r"(?:^|[._-])(?:query|queries|questions?)(?:[._-]|$)", re.IGNORECASE)),
    (PASSAGES, re.compile(r"(?:^|[._-])(?:collection|corpus|answers?)(?:[._-]|$)", re.IGNORECASE)),
)
_FORMATS: Final = ("csv", "text", "jsonl", "json")

COLLECTIONS: Final = {
    "T2Ranking": "collection.tsv, queries.train.tsv, qrels.train.tsv (grades from 0 to 3; 2 is the first that answers)",
    "mMARCO-zh": "chinese_collection.tsv, chinese_queries.train.tsv, qrels.train.tsv of MS MARCO",
    "cMedQA v2": "answer.csv, question.csv, train_candidates.txt (a question with one right and one wrong answer)",
    "Multi-CPR": "corpus.tsv, train.query.txt, qrels.train.tsv",
    "BEIR's form": "corpus.jsonl, queries.jsonl, qrels/train.tsv",
}
"""Known collections in several files, and how those are called."""

LISTED: Final = "listed"
"""The label of a passage that a file without grades names for a query."""
ANSWERING_GRADE: Final = 2
"""From this grade on a passage answers the query where grades go beyond 1 (T2Ranking's measure for retrieval)."""


def find_collections(files: list[RawFile], mappings: list[SourceMapping]) -> list[list[tuple[RawFile, str]]]:
    """The collections among files: each with its files and their roles, judgements first.

    Judgements belong with the queries and passages that lie in their folder or below it, else in the nearest folder
    above that has both. Files called so that find no company stand alone, and so do those of other formats and those
    whose relation the recipe gives.
    """
    named = [(file, role) for file in files if (role := _role(file.path, mappings)) is not None]
    by_folder: dict[str, list[tuple[RawFile, str]]] = {}
    for file, role in named:
        if role == JUDGEMENTS:
            folder = _home(file.path, named)
            if folder is not None:
                by_folder.setdefault(folder, []).append((file, role))
    found = []
    for folder, judgements in sorted(by_folder.items()):
        texts = [(file, role) for file, role in named if role != JUDGEMENTS and file.path.startswith(folder)]
        nearer = [other for other in by_folder if other != folder and other.startswith(folder)]
        texts = [one for one in texts if not any(one[0].path.startswith(other) for other in nearer)]
        found.append([*judgements, *sorted(texts, key=lambda one: (one[1] != QUERIES, one[0].path))])
    return found


def _role(path: str, mappings: list[SourceMapping]) -> str | None:
    name, kind, _ = split_name(path)
    mapping = find_mapping(path, mappings)
    if kind not in _FORMATS or (mapping is not None and mapping.relation is not None):
        return None
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return next((role for role, pattern in _ROLES if pattern.search(name)), JUDGEMENTS if folder == "qrels" else None)


def _home(path: str, named: list[tuple[RawFile, str]]) -> str | None:
    """The nearest folder (with its slash) at or above a file that holds queries and passages, too; None without one.

    The raw folder itself counts only where it is the collection: its files, or the judgements, lie right in it.
    """
    folder = path.rpartition("/")[0]
    while folder:
        if {QUERIES, PASSAGES} <= {role for file, role in named if file.path.startswith(f"{folder}/")}:
            return f"{folder}/"
        folder = folder.rpartition("/")[0]
    roles = {role for file, role in named if "/" not in path or "/" not in file.path}
    return "" if {QUERIES, PASSAGES} <= roles else None


class CollectionReader:
    """Iterating gives a JudgedPassage per judged passage, in the order of the passages, and Broken records.

    Attributes:
        readers: of the files, as far as they were read; they tell encoding, hash and size.
    """

    def __init__(self, parts: list[Part], mappings: list[SourceMapping], max_negatives: int) -> None:
        self.readers: list[PartReader] = []
        self._parts = parts
        self._mappings = mappings
        self._max_negatives = max_negatives

    def _rows(self, role: str) -> Iterator[Row | Broken]:
        for part in self._parts:
            if part.role == role:
                reader = PartReader(part, self._mappings)
                self.readers.append(reader)
                for item in reader:
                    if isinstance(item, Row | Broken):
                        yield item

    def __iter__(self) -> Iterator[JudgedPassage | Broken]:
        judged = _Judgements(self._max_negatives)
        for row in self._rows(JUDGEMENTS):
            fault = judged.take(row) if isinstance(row, Row) else row
            if fault is not None:
                yield replace(fault, source=self._parts[0].source)
        queries: dict[str, str] = {}
        for row in self._rows(QUERIES):
            if isinstance(row, Broken):
                yield row
                continue
            number, text = _text(row.values)
            if number in judged.queries and text:
                queries.setdefault(number, text)
        source = self._parts[0].source
        yield from judged.without_query(queries, source)
        for row in self._rows(PASSAGES):
            if isinstance(row, Broken):
                yield row
                continue
            number, text = _text(row.values)
            wanted = judged.by_passage.pop(number, None) if text else None
            if wanted:
                found = [
                    (queries[query], label, judged.verdict(label)) for query, label, _ in wanted if query in queries
                ]
                if found:
                    yield JudgedPassage(row.origin, source, text, found)
        yield from judged.over(queries, source)
        for number, wanted in judged.by_passage.items():
            for query, _, origin in wanted:
                if query in queries:
                    yield _missing(origin, source, "passage", number, queries[query])


class _Judgements:
    """What the judgements say: by passage, the queries with label and origin."""

    def __init__(self, max_negatives: int) -> None:
        self.by_passage: dict[str, list[tuple[str, str, str]]] = {}
        self.queries: dict[str, str] = {}
        self._seen = set[tuple[str, str]]()
        self._negatives: dict[str, int] = {}
        self._max_negatives = max_negatives
        self._graded = False

    def take(self, row: Row) -> Broken | None:
        """Take a judgement; the Broken record where it is none."""
        found = _judgement(row)
        if found is None:
            if row.origin.endswith("#1"):
                return None  # a header that does not look like one (qid, -, pid, rel)
            return Broken(row.origin, "", "bad_row", {"row": [str(value)[:60] for value in row.values.values()][:6]})
        for query, passage, label in found:
            self._graded = self._graded or (label != LISTED and float(label) > 1)
            self.queries.setdefault(query, row.origin)
            if (query, passage) in self._seen:
                continue
            if label != LISTED and float(label) == 0:
                count = self._negatives[query] = self._negatives.get(query, 0) + 1
                if count > self._max_negatives:
                    continue
            self._seen.add((query, passage))
            self.by_passage.setdefault(passage, []).append((query, label, row.origin))
        return None

    def verdict(self, label: str) -> str:
        """Why a pair of this label is no positive; empty where it is one."""
        if label == LISTED:
            return ""
        grade = float(label)
        if self._graded:
            return "" if grade >= ANSWERING_GRADE else UNCERTAIN if grade > 0 else NEGATIVE
        return "" if grade > 0 else NEGATIVE

    def over(self, queries: dict[str, str], source: str) -> Iterator[Broken]:
        """A Broken record per query that has more negatives than are taken."""
        for query, count in self._negatives.items():
            if count > self._max_negatives and query in queries:
                evidence = {"negatives": count, "max_negatives": self._max_negatives}
                yield Broken(
                    self.queries[query], source, "over_max_negatives", evidence, "query_document", queries[query]
                )

    def without_query(self, queries: dict[str, str], source: str) -> Iterator[Broken]:
        """A Broken record per judged query whose text is in no file."""
        for query, origin in self.queries.items():
            if query not in queries:
                yield _missing(origin, source, "query", query)


def _missing(origin: str, source: str, what: str, number: str, query: str | None = None) -> Broken:
    return Broken(origin, source, "missing_text", {"missing": what, "id": number[:80]}, "query_document", query)


_GRADE: Final = re.compile(r"-?\d+(?:\.\d+)?")
_PASSAGE_NAMES: Final = ("pid", "pos_ans_id", "ans_id", "corpus-id", "corpus_id", "docid", "passage_id")
_LABEL_NAMES: Final = ("rel", "label", "score", "relevance")
_NEGATIVE_NAMES: Final = ("neg_ans_id", "neg_pid", "neg")


def _judgement(row: Row) -> list[tuple[str, str, str]] | None:
    """(query, passage, label) of a row: by the names of its columns, else by their number; None where it is none.

    Two columns: query, passage. Three: query, passage, grade; in a file of candidates or triples query, right passage,
    wrong passage. Four: TREC's query, iteration, passage, grade.
    """
    values = [str(value).strip() for value in row.values.values()]
    names = [name.strip().lower() for name in row.values]
    if not 2 <= len(values) <= 5 or not all(values):
        return None
    passage = next((names.index(name) for name in _PASSAGE_NAMES if name in names), 2 if len(values) == 4 else 1)
    negative = next((names.index(name) for name in _NEGATIVE_NAMES if name in names), None)
    label = next((names.index(name) for name in _LABEL_NAMES if name in names), None)
    if len(values) == 3 and negative is None and re.search("candidates|triples", row.origin, re.IGNORECASE):
        negative, label = 2, None
    elif label is None and negative is None and len(values) > 2:
        label = len(values) - 1
    grade = values[label] if label is not None else LISTED
    if not (grade == LISTED or _GRADE.fullmatch(grade)) or values[0].lower() in ("qid", "query-id"):
        return None
    found = [(values[0], values[passage], grade)]
    return found if negative is None else [*found, (values[0], values[negative], "0")]


def _text(values: dict[str, Any]) -> tuple[str, str]:
    """Id and text of a query or passage: the first column, and the one named so, else all others (title and text)."""
    columns = list(values.values())
    if len(columns) < 2:
        return "", ""
    named = next((values[name] for name in ("text", "content", "passage", "query") if name in values), None)
    text = " ".join(filter(None, map(text_of, columns[1:]))) if named is None else text_of(named)
    return str(columns[0]).strip().lstrip("\ufeff"), text
