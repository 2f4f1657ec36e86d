"""Labelled sentence pairs in local files: Spearman for grades, average precision for yes or no.

A score on such a file is named by the file. It is not a score on C-MTEB, whose test splits are others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from cmtp.errors import UsageError
from cmtp.evaluate.measures import average_precision

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


def read_pairs_file(path: Path) -> Pairs:
    """Read tab-separated text (with or without a header), CSV or JSON lines with sentence1, sentence2, label.

    Raises:
        UsageError: unreadable, another form, a label that is neither a number nor one of NLI's, or one label only.
    """
    left, right, labels = [], [], []
    try:
        for number, row in enumerate(_rows(path), 1):
            if len(row) < 3:
                raise UsageError(f"{path}: row {number} has {len(row)} fields; sentence, sentence, label are needed")
            label = row[-1].strip()
            if label == NO_LABEL:
                continue
            left.append(row[-3])
            right.append(row[-2])
            try:
                labels.append(NLI[label] if label in NLI else float(label))
            except ValueError as error:
                raise UsageError(
                    f"{path}: row {number}: label {label!r} is no number and none of {', '.join(NLI)}"
                ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from error
    if len(set(labels)) < 2:
        raise UsageError(f"{path}: {len(labels)} rows with {len(set(labels))} different labels; nothing to compare")
    return Pairs(path.name, left, right, np.array(labels))


def _rows(path: Path) -> Iterator[Sequence[str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        if path.suffix in (".json", ".jsonl"):
            for line in lines:
                row = json.loads(line)
                yield row["sentence1"], row["sentence2"], str(row["label"])
            return
        if path.suffix == ".csv":
            rows: Iterator[Sequence[str]] = csv.reader(lines)
        else:
            rows = (line.rstrip("\r\n").split("\t") for line in lines if line.strip())
        for number, row in enumerate(rows):
            if number == 0 and row[-1].strip() == "label":
                continue
            yield row


def score_pairs(pairs: Pairs, embed: Callable[[list[str]], np.ndarray]) -> tuple[str, float]:
    """Name of the measure and its value: cosine against the labels.

    Args:
        pairs: the labelled sentences.
        embed: texts to [n, d] L2-normalised vectors; sentence pairs get no instruction.
    """
    cosine = (embed(pairs.left) * embed(pairs.right)).sum(axis=1)
    if pairs.binary:
        return "average precision", average_precision(cosine, pairs.labels == 1)
    return "Spearman", float(spearmanr(cosine, pairs.labels).statistic)
