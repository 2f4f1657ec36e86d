"""Evaluation data in local files, in four forms that are told apart by their fields.

Sentence pairs with a label (STS for grades, pair classification for yes or no), queries with positives and negatives
(reranking), labelled texts (classification and clustering), and folders with a corpus, queries and judgements
(retrieval). A score on such a file is named by the file. It is not a score on C-MTEB, whose test splits are others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmtp.errors import UsageError

NLI = {"entailment": 1.0, "neutral": 0.0, "contradiction": 0.0}
"""Labels of inference sets: whether the second sentence follows."""

NO_LABEL = "-"
"""Rows on which the annotators did not agree."""


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
        """Whether the labels are yes and no."""
        return set(np.unique(self.labels)) <= {0.0, 1.0}


@dataclass(frozen=True)
class Ranked:
    """Queries, each with the passages to be put in order: the finetune table's form, and FlagEmbedding's."""

    name: str
    queries: list[str]
    pos: list[list[str]]
    neg: list[list[str]]


@dataclass(frozen=True)
class Labelled:
    """Texts of classes."""

    name: str
    texts: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Searched:
    """Queries over a corpus."""

    name: str
    queries: dict[str, str]
    """Text by id."""
    corpus: dict[str, str]
    relevant: dict[str, dict[str, int]]
    """Grades of passages by query."""


LocalData = Pairs | Ranked | Labelled | Searched


def read_local(path: Path) -> LocalData:
    """Read a file or folder.

    Tab-separated text (with or without a header), CSV, or JSON lines, with sentence1, sentence2 and label; JSON lines
    with query, pos and neg; any of the three with text and label; a folder with corpus.jsonl, queries.jsonl (_id, text)
    and qrels.tsv or qrels/test.tsv (query-id, corpus-id, score), BEIR's form.

    Raises:
        UsageError: unreadable, another form, labels that say nothing.
    """
    try:
        if path.is_dir():
            return _searched(path)
        rows = list(_rows(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from error
    if not rows:
        raise UsageError(f"{path}: no rows")
    fields = rows[0].keys()
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


def _pairs(path: Path, rows: list[dict[str, Any]]) -> Pairs:
    left, right, labels = [], [], []
    for number, row in enumerate(rows, 1):
        label = _text(path, number, row, "label").strip()
        if label == NO_LABEL:
            continue
        left.append(_text(path, number, row, "sentence1"))
        right.append(_text(path, number, row, "sentence2"))
        try:
            labels.append(NLI[label] if label in NLI else float(label))
        except ValueError as error:
            raise UsageError(
                f"{path}: row {number}: label {label!r} is no number and none of {', '.join(NLI)}"
            ) from error
    if len(set(labels)) < 2:
        raise UsageError(f"{path}: {len(labels)} rows with {len(set(labels))} different labels; nothing to compare")
    return Pairs(path.name, left, right, np.array(labels))


def _ranked(path: Path, rows: list[dict[str, Any]]) -> Ranked:
    found = Ranked(path.name, [], [], [])
    for number, row in enumerate(rows, 1):
        pos, neg = (_texts(path, number, row, name) for name in ("pos", "neg"))
        if pos and neg:  # without either there is no order to judge
            found.queries.append(_text(path, number, row, "query"))
            found.pos.append(pos)
            found.neg.append(neg)
    if not found.queries:
        raise UsageError(f"{path}: none of {len(rows)} rows has both pos and neg; nothing to put in order")
    return found


def _labelled(path: Path, rows: list[dict[str, Any]]) -> Labelled:
    texts = [_text(path, number, row, "text") for number, row in enumerate(rows, 1)]
    labels = [_text(path, number, row, "label").strip() for number, row in enumerate(rows, 1)]
    if len(set(labels)) < 2:
        raise UsageError(f"{path}: {len(labels)} rows with {len(set(labels))} different labels; nothing to compare")
    return Labelled(path.name, texts, labels)


def _searched(path: Path) -> Searched:
    texts: dict[str, dict[str, str]] = {}
    for name in ("corpus", "queries"):
        file = path / f"{name}.jsonl"
        texts[name] = {
            _text(file, number, row, "_id"): " ".join(
                filter(None, [row.get("title"), _text(file, number, row, "text")])
            )
            for number, row in enumerate(_rows(file), 1)
        }
    judged = next((file for file in (path / "qrels.tsv", path / "qrels" / "test.tsv") if file.is_file()), None)
    if judged is None:
        raise UsageError(f"{path}: neither qrels.tsv nor qrels/test.tsv")
    relevant: dict[str, dict[str, int]] = {}
    for number, row in enumerate(_rows(judged), 1):
        query, passage = (_text(judged, number, row, name) for name in ("query-id", "corpus-id"))
        if query not in texts["queries"] or passage not in texts["corpus"]:
            raise UsageError(f"{judged}: row {number}: {query} or {passage} is in neither queries nor corpus")
        if int(row.get("score") or 1) > 0:
            relevant.setdefault(query, {})[passage] = int(row.get("score") or 1)
    if not relevant:
        raise UsageError(f"{judged}: no query has a relevant passage")
    queries = {key: text for key, text in texts["queries"].items() if key in relevant}
    return Searched(path.name, queries, texts["corpus"], relevant)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows by field; text without a header has sentence1, sentence2 and label as its last three fields."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        if path.suffix in (".json", ".jsonl"):
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise UsageError(f"{path}: line {number}: not JSON: {error}") from error
                if not isinstance(row, dict):
                    raise UsageError(f"{path}: line {number}: not a JSON object")
                yield row
            return
        if path.suffix == ".csv":
            split: Iterator[list[str]] = csv.reader(lines)
        else:
            split = (line.rstrip("\r\n").split("\t") for line in lines if line.strip())
        names: list[str] | None = None
        for number, row in enumerate(split, 1):
            if number == 1 and {"label", "corpus-id"} & {field.strip() for field in row}:
                names = [field.strip().lower() for field in row]
                continue
            if names is None:
                if len(row) < 3:
                    raise UsageError(
                        f"{path}: row {number} has {len(row)} fields; sentence, sentence, label are needed"
                    )
                yield {"sentence1": row[-3], "sentence2": row[-2], "label": row[-1]}
            elif len(row) != len(names):
                raise UsageError(f"{path}: row {number} has {len(row)} fields, the header has {len(names)}")
            else:
                yield dict(zip(names, row, strict=True))


def _text(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: row {number}: {name} is {value!r}, not a text")
    return str(value)


def _texts(path: Path, number: int, row: dict[str, Any], name: str) -> list[str]:
    """A list of texts; a bare string is a list of one, not of its characters."""
    value = row.get(name) or []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"{path}: row {number}: {name} is not a list of texts")
    return value
