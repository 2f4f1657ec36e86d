"""Train the learned score from a user's labels: read, fit, calibrate, and say how good it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.optimize
import scipy.sparse
import xxhash

from cmtp.errors import UsageError
from cmtp.filters.learned import BITS, LONGEST, Model, grams, sigmoid
from cmtp.filters.scores import Figures, figures, macro_f1

PENALTIES: Final = (1.0, 4.0, 10.0)
"""Weights of the loss against the squared weights (LIBLINEAR's C); the best on the held-out tenth wins."""
_ITERATIONS: Final = 40
"""Of L-BFGS, from the weights of the loss weight before."""
_HELD_OUT: Final = 10
"""One text in so many, by its hash, is held out for the choice of the penalty and for calibration."""
_LEAST: Final = 50
"""Fewest texts of each label."""
_KEYWORDS: Final = (20, 50, 100, 200, 500, 1000, 2000)
"""Lengths of the keyword list that the baseline tries."""
_TEXT_NAMES: Final = ("text", "content", "sentence", "passage", "comment", "文本", "内容", "正文")
_LABEL_NAMES: Final = ("label", "labels", "target", "class", "toxic", "标签", "类别")

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A model and what was measured: its own figures and those of keywords, by the name of the set."""

    model: Model
    model_figures: dict[str, Figures]
    keyword_f1: dict[str, float]
    keywords: int
    above: dict[str, list[tuple[float, float]]]

    def lines(self) -> list[str]:
        """What to print: a block per set."""
        about = self.model.about
        out = [f"{about['texts']:,} texts, {about['positive']:,} with label 1; loss weight {about['penalty']:g}"]
        for name, seen in self.model_figures.items():
            out += [f"{name}: {seen.texts:,} texts", *(f"  {line}" for line in seen.lines())]
            out.append(f"  macro-F1 of a list of the {self.keywords} most telling n-grams: {self.keyword_f1[name]:.3f}")
        for name, shares in self.above.items():
            out.append(f"{name}: " + ", ".join(f"{share:.2%} above {at:g}" for at, share in shares))
        return out


def train(labelled: Path, dev: Path | None, other: Path | None, text: str | None, label: str | None) -> Trained:
    """Train and measure a model.

    Args:
        labelled: CSV, TSV, JSONL or Parquet with a text and a label 0 or 1 in each row.
        dev: a file of the same columns that is only measured on.
        other: a file of texts from elsewhere, without labels: how many of them would be rejected.
        text: column of the texts; None: found by its name, or the only one with strings.
        label: column of the labels; None: found by its name.

    Raises:
        UsageError: a file or column that cannot be used, or too few texts of a label.
    """
    texts, labels = read_labelled(labelled, text, label)
    counts = np.bincount(labels, minlength=2)
    if counts.min() < _LEAST:
        raise UsageError(f"{labelled}: {counts[0]} texts with label 0 and {counts[1]} with 1; each needs {_LEAST}")
    digests = (xxhash.xxh3_64_intdigest(value.encode()) for value in texts)
    held = np.fromiter((digest % _HELD_OUT == 0 for digest in digests), np.bool_, len(texts))
    features = matrix(texts)
    penalty, model = _choose(features, labels, held)
    scale, shift = calibrate(model.scores(texts.filter(pl.Series(held))), labels[held])
    tested = replace(model, scale=scale, shift=shift)
    about = {
        "texts": len(texts),
        "positive": int(counts[1]),
        "sha256": hashlib.sha256(labelled.read_bytes()).hexdigest(),
        "penalty": penalty,
    }
    final = replace(fit(features, labels, penalty, model), scale=scale, shift=shift, about=about)
    listed = keyword_list(features[~held], labels[~held])
    sets = {"held-out tenth": (texts.filter(pl.Series(held)), labels[held], tested)}
    if dev is not None:
        sets[dev.name] = (*read_labelled(dev, text, label), final)
    own, keywords = {}, {}
    for name, (some, truth, judge) in sets.items():
        own[name] = figures(judge.probabilities(some), truth)
        keywords[name] = macro_f1(_any_of(matrix(some), listed), truth)
    about["held_out"] = own["held-out tenth"].as_json()
    above = {}
    if other is not None:
        chances = final.probabilities(read_texts(other, text))
        above[other.name] = [(at, float((chances >= at).mean())) for at in (0.5, 0.9, 0.95, 0.99)]
    return Trained(final, own, keywords, len(listed), above)


def matrix(texts: pl.Series) -> scipy.sparse.csr_matrix:
    """The texts' n-grams as rows of unit length, shape [texts, 2^BITS]."""
    starts, indices = grams(texts)
    sizes = np.diff(starts)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return scipy.sparse.csr_matrix((values, indices, starts), shape=(len(texts), 1 << BITS))


def fit(features: scipy.sparse.csr_matrix, labels: Labels, penalty: float, near: Model | None = None) -> Model:
    """Logistic regression with a squared penalty, by L-BFGS, which starts from a model that is near."""
    sign = np.where(labels == 1, 1.0, -1.0)
    across = features.T.tocsr()

    def loss(point: Floats) -> tuple[float, Floats]:
        margin = sign * (features @ point[:-1] + point[-1])
        pull = -sign * sigmoid(-margin)
        value = penalty * np.logaddexp(0, -margin).sum() + 0.5 * point[:-1] @ point[:-1]
        return float(value), np.append(penalty * (across @ pull) + point[:-1], penalty * pull.sum())

    start = np.zeros(features.shape[1] + 1)
    if near is not None:
        start[:-1], start[-1] = near.weights, near.bias
    best = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    return Model(best[:-1].astype(np.float32), float(best[-1]), LONGEST)


def _choose(features: scipy.sparse.csr_matrix, labels: Labels, held: npt.NDArray[np.bool_]) -> tuple[float, Model]:
    """The loss weight with the best macro-F1 on the held-out texts, and the model fitted with it on the others."""
    tried: list[tuple[float, float, Model]] = []
    seen, judged = features[~held], features[held]
    for penalty in PENALTIES:
        model = fit(seen, labels[~held], penalty, tried[-1][2] if tried else None)
        scores = judged @ model.weights + model.bias
        tried.append((macro_f1((scores > 0).astype(np.int64), labels[held]), penalty, model))
    return max(tried, key=lambda one: one[:2])[1:]


def calibrate(scores: Floats, labels: Labels) -> tuple[float, float]:
    """Scale and shift of Platt (1999), with his smoothed targets."""
    ones = int(labels.sum())
    high, low = (ones + 1) / (ones + 2), 1 / (len(labels) - ones + 2)
    target = np.where(labels == 1, high, low)

    def loss(point: Floats) -> tuple[float, Floats]:
        z = point[0] * scores + point[1]
        error = sigmoid(z) - target
        return float((np.logaddexp(0, z) - target * z).sum()), np.array([error @ scores, error.sum()])

    scale, shift = scipy.optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(scale), float(shift)


def keyword_list(features: scipy.sparse.csr_matrix, labels: Labels) -> npt.NDArray[np.int64]:
    """The n-grams that tell label 1 best, as many as give the best macro-F1 where any of them means 1."""
    present = features.sign()
    ones = np.asarray(present[labels == 1].sum(axis=0)).ravel()
    zeros = np.asarray(present[labels == 0].sum(axis=0)).ravel()
    odds = np.log((ones + 1) / (zeros + 1)) * (ones + zeros >= 10)
    order = np.argsort(-odds, kind="stable")
    return max((order[:n] for n in _KEYWORDS), key=lambda top: macro_f1(_any_of(features, top), labels))


def _any_of(features: scipy.sparse.csr_matrix, columns: npt.NDArray[np.int64]) -> Labels:
    mark = np.zeros(features.shape[1])
    mark[columns] = 1
    return np.asarray(features @ mark > 0).astype(np.int64)


def read_labelled(path: Path, text: str | None, label: str | None) -> tuple[pl.Series, Labels]:
    """Texts and labels of a file; rows without a text are left out.

    Raises:
        UsageError: no such column, or a label that is neither 0 nor 1.
    """
    frame = _read(path)
    texts = frame[_column(path, frame, text, _TEXT_NAMES, "text")]
    name = _column(path, frame, label, _LABEL_NAMES, "label")
    labels = frame[name].cast(pl.String).str.strip_chars().replace({"true": "1", "false": "0", "1.0": "1", "0.0": "0"})
    wrong = labels.filter(~labels.is_in(["0", "1"]) | labels.is_null())
    if len(wrong):
        raise UsageError(f"{path}: {name} = {wrong[0]!r}: a label is 0 or 1")
    there = texts.is_not_null()
    return texts.filter(there), labels.filter(there).cast(pl.Int64).to_numpy()


def read_texts(path: Path, text: str | None) -> pl.Series:
    """The texts of a file without labels."""
    frame = _read(path)
    return frame[_column(path, frame, text if text in frame.columns else None, _TEXT_NAMES, "text")].drop_nulls()


def _read(path: Path) -> pl.DataFrame:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": lambda p: pl.read_csv(p, infer_schema=False),
        ".tsv": lambda p: pl.read_csv(p, separator="\t", infer_schema=False, quote_char=None),
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: cannot tell the format; known: {', '.join(sorted(readers))}")
    try:
        frame = reader(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the file: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path}: cannot read the file: {error}") from error
    return frame.rename({name: name.removeprefix("\ufeff") for name in frame.columns})


def _column(path: Path, frame: pl.DataFrame, given: str | None, names: tuple[str, ...], what: str) -> str:
    if given is not None:
        if given not in frame.columns:
            raise UsageError(f"{path}: there is no column {given!r}; there are {', '.join(frame.columns)}")
        return given
    named: list[Any] = [column for name in names for column in frame.columns if column.lower() == name]
    if not named:
        raise UsageError(f"{path}: no column of {what}s among {', '.join(frame.columns)}; name it with --{what}")
    return str(named[0])
