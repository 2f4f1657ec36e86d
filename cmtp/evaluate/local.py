"""Evaluation data in local files, in four forms. The fields of the first row show the form of a file.

- Sentence pairs with a label: STS for grades, pair classification for yes or no.
- Queries with positives and negatives: reranking.
- Labelled texts: classification and clustering.
- A folder with a corpus, queries and judgements: retrieval.

A score on such a file is named by the file. It is not a score on C-MTEB, which has other test splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmtp.errors import UsageError
from cmtp.sources.tables import TableRow, rows_or_error

NLI = {"entailment": 1.0, "neutral": 0.0, "contradiction": 0.0}
"""Labels of inference sets, as numbers: 1 if the second sentence follows from the first."""

NO_LABEL = "-"
"""Label of rows on which the annotators did not agree. They are left out."""


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs with labels."""

    name: str
    left: list[str]
    right: list[str]
    labels: np.ndarray
    """[n] grades, or 0 and 1."""

    @property
    def binary(self) -> bool:
        """Whether all labels are 0 or 1."""
        return set(np.unique(self.labels)) <= {0.0, 1.0}


@dataclass(frozen=True)
class Ranked:
    """Queries, each with passages to rank: the form of the finetune table and of FlagEmbedding."""

    name: str
    queries: list[str]
    pos: list[list[str]]
    neg: list[list[str]]


@dataclass(frozen=True)
class Labelled:
    """Texts, each with the name of its class."""

    name: str
    texts: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Searched:
    """Queries, a corpus, and judgements."""

    name: str
    queries: dict[str, str]
    """Text by id."""
    corpus: dict[str, str]
    relevant: dict[str, dict[str, int]]
    """Grades of passages by query."""


LocalData = Pairs | Ranked | Labelled | Searched


HEADER = ("sentence1", "sentence2", "label", "text", "query", "query-id", "corpus-id", "score")
"""Field names of a header. A first row of separated values that has one of them is a header."""

NumberedRows = list[tuple[int, TableRow]]
"""Rows, each with the number that messages give it."""


def read_local(path: Path) -> LocalData:
    """Read a file or folder.

    Any table that `cmtp.sources.tables` reads (CSV, TSV, JSON, JSON lines, Parquet, compressed or not, UTF-8 or
    GB18030) with one of these sets of fields:

    - sentence1, sentence2 and label (or score); separated values without a header have them as their last three fields;
    - query, pos and neg;
    - text and label.

    Or a folder in BEIR's form: corpus.jsonl and queries.jsonl (_id, text), and qrels.tsv or qrels/test.tsv (query-id,
    corpus-id, score).

    Raises:
        UsageError: the file cannot be read, has another form, or has labels without a difference.
    """
    if path.is_dir():
        return _searched(path)
    rows = list(_rows(path))
    if not rows:
        raise UsageError(f"{path}: no rows")
    fields = rows[0][1].keys()
    if {"query", "pos", "neg"} <= fields:
        return _ranked(path, rows)
    if {"sentence1", "sentence2", "label"} <= fields:
        return _pairs(path, rows)
    if {"text", "label"} <= fields:
        return _labelled(path, rows)
    raise UsageError(
        f"{path}: fields {', '.join(sorted(fields))}; needed are sentence1, sentence2 and label, or query, pos and "
        "neg, or text and label"
    )


def _pairs(path: Path, rows: NumberedRows) -> Pairs:
    left, right, labels = [], [], []
    for number, row in rows:
        label = _text(path, number, row, "label").strip()
        if label == NO_LABEL:
            continue
        left.append(_text(path, number, row, "sentence1"))
        right.append(_text(path, number, row, "sentence2"))
        try:
            labels.append(NLI[label] if label in NLI else float(label))
        except ValueError as error:
            raise UsageError(
                f"{path}: row {number}: label {label!r} is neither a number nor one of {', '.join(NLI)}"
            ) from error
    if len(set(labels)) < 2:
        raise UsageError(f"{path}: {len(labels)} rows with {len(set(labels))} different labels; nothing to compare")
    return Pairs(path.name, left, right, np.array(labels))


def _ranked(path: Path, rows: NumberedRows) -> Ranked:
    ranked = Ranked(path.name, [], [], [])
    for number, row in rows:
        pos, neg = (_texts(path, number, row, name) for name in ("pos", "neg"))
        if pos and neg:  # with one kind alone every ranking is right
            ranked.queries.append(_text(path, number, row, "query"))
            ranked.pos.append(pos)
            ranked.neg.append(neg)
    if not ranked.queries:
        raise UsageError(f"{path}: none of {len(rows)} rows has both pos and neg; nothing to put in order")
    return ranked


def _labelled(path: Path, rows: NumberedRows) -> Labelled:
    texts = [_text(path, number, row, "text") for number, row in rows]
    labels = [_text(path, number, row, "label").strip() for number, row in rows]
    if len(set(labels)) < 2:
        raise UsageError(f"{path}: {len(labels)} rows with {len(set(labels))} different labels; nothing to compare")
    return Labelled(path.name, texts, labels)


def _searched(path: Path) -> Searched:
    corpus, queries = (_texts_by_id(_file_of(path, name)) for name in ("corpus.jsonl", "queries.jsonl"))
    judged = _file_of(path, "qrels.tsv", "qrels/test.tsv")
    relevant: dict[str, dict[str, int]] = {}
    for number, row in _rows(judged):
        query, passage = (_text(judged, number, row, name) for name in ("query-id", "corpus-id"))
        if query not in queries or passage not in corpus:
            raise UsageError(f"{judged}: row {number}: {query} or {passage} is in neither queries nor corpus")
        grade = int(row.get("score") or 1)
        if grade > 0:
            relevant.setdefault(query, {})[passage] = grade
    if not relevant:
        raise UsageError(f"{judged}: no query has a relevant passage")
    return Searched(path.name, {key: text for key, text in queries.items() if key in relevant}, corpus, relevant)


def _texts_by_id(path: Path) -> dict[str, str]:
    """The texts of corpus.jsonl or queries.jsonl by id. A title is put before its text."""
    texts = {}
    for number, row in _rows(path):
        parts = [row.get("title"), _text(path, number, row, "text")]
        texts[_text(path, number, row, "_id")] = " ".join(filter(None, parts))
    return texts


def _file_of(folder: Path, *names: str) -> Path:
    """The first file that has one of these names, compressed or not."""
    for name in names:
        for file in sorted(folder.glob(f"{name}*")):
            return file
    raise UsageError(
        f"{folder}: no {' or '.join(names)}; a folder to search in has corpus.jsonl, queries.jsonl and qrels.tsv"
    )


def _rows(path: Path) -> Iterator[tuple[int, TableRow]]:
    """The rows of a table, with field names in lower case. The grades of sentence pairs are called label.

    Raises:
        UsageError: a record that cannot be read, or too few fields without a header.
    """
    for number, row in rows_or_error(str(path), HEADER):
        named = {str(name).strip().lower(): value for name, value in row.items()}
        if _without_header(list(named)):
            if len(named) < 3:
                raise UsageError(f"{path}: row {number} has {len(named)} fields; sentence, sentence, label are needed")
            named = dict(zip(("sentence1", "sentence2", "label"), list(named.values())[-3:], strict=True))
        if "sentence1" in named and "score" in named:
            named.setdefault("label", named["score"])
        yield number, named


def _without_header(names: list[str]) -> bool:
    """Whether the file has no header, so that the reader of tables has named the fields itself.

    It names them 1, 2, 3 …, but four fields that end with a label it names query, page, para and label.
    """
    return all(name.isdigit() for name in names) or names == ["query", "page", "para", "label"]


def _text(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: row {number}: {name} is {value!r}, not a text")
    return str(value)


def _texts(path: Path, number: int, row: dict[str, Any], name: str) -> list[str]:
    """A list of texts. A string is a list of one text, not of its characters."""
    value = row.get(name) or []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"{path}: row {number}: {name} is not a list of texts")
    return value
