"""Train the learned score from a user's labels, and say how good it is.

1. Hold a tenth of the texts out, by their hash: a text that occurs twice is on one side only.
2. Fit a logistic regression to the others once per loss weight; the one with the best macro-F1 on the held-out tenth
   wins.
3. Fit Platt's scale and shift to its scores of the held-out tenth, so that a score becomes a probability. The figures
   of the held-out tenth are this model's.
4. Fit the winner again, to all texts; this model, with the scale and shift of step 3, is the result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.optimize
import scipy.sparse
import xxhash

from cmtp.errors import UsageError
from cmtp.filters.labelled import read_labelled, read_unlabelled
from cmtp.filters.learned import BITS, LONGEST, Model, ngram_slots, sigmoid
from cmtp.filters.scores import Floats, Labels, ScoreFigures, macro_f1, score_figures

PENALTIES: Final = (1.0, 4.0, 10.0)
"""Weights of the loss against the squared weights (LIBLINEAR's C) that are tried."""
ITERATIONS: Final = 40
"""Iterations of L-BFGS at most; each fit starts from the weights of the one before."""
HELD_OUT: Final = 10
"""One text in ten is held out."""
LEAST: Final = 50
"""Texts of each label, at least."""
KEYWORDS: Final = (20, 50, 100, 200, 500, 1000, 2000)
"""Lengths of the keyword list that the baseline tries."""
SHARES_ABOVE: Final = (0.5, 0.9, 0.95, 0.99)
"""Probabilities above which the share of unlabelled texts is printed."""


@dataclass(frozen=True)
class Trained:
    """A model and what was measured.

    Attributes:
        model: the result.
        model_figures: by the name of the set of texts.
        keyword_f1: macro-F1 of the keyword list on the same sets.
        keywords: length of the list.
        above: for unlabelled texts, by the file's name: probability, and the share of texts that reach it.
    """

    model: Model
    model_figures: dict[str, ScoreFigures]
    keyword_f1: dict[str, float]
    keywords: int
    above: dict[str, list[tuple[float, float]]]

    def lines(self) -> list[str]:
        """What to print: a block per set."""
        about = self.model.about
        out = [f"{about['texts']:,} texts, {about['positive']:,} with label 1; loss weight {about['penalty']:g}"]
        for name, measured in self.model_figures.items():
            out += [f"{name}: {measured.texts:,} texts", *(f"  {line}" for line in measured.lines())]
            out.append(f"  macro-F1 of a list of the {self.keywords} most telling n-grams: {self.keyword_f1[name]:.3f}")
        for name, shares in self.above.items():
            out.append(f"{name}: " + ", ".join(f"{share:.2%} above {limit:g}" for limit, share in shares))
        return out


def train_score(
    labelled: Path,
    dev: Path | None = None,
    other: Path | None = None,
    text: str | None = None,
    label: str | None = None,
) -> Trained:
    """Train and measure a model.

    Args:
        labelled: a table (`cmtp.sources.tables`) with a text and a label 0 or 1 in each row.
        dev: a table of the same columns that is only measured on.
        other: a table of texts from elsewhere, without labels: how many of them would be rejected.
        text: column of the texts; None: found by its name.
        label: column of the labels; None: found by its name.

    Raises:
        UsageError: a table or column that cannot be used, or too few texts of a label.
    """
    texts, labels = read_labelled(labelled, text, label)
    zeros, ones = np.bincount(labels, minlength=2).tolist()
    if min(zeros, ones) < LEAST:
        raise UsageError(f"{labelled}: {zeros} texts with label 0 and {ones} with 1; each needs {LEAST}")
    held = _held_out(texts)
    held_texts = texts.filter(pl.Series(held))
    features = ngram_matrix(texts)
    penalty, chosen = _choose(features, labels, held)
    scale, shift = platt_scale(chosen.scores(held_texts), labels[held])
    about = {
        "texts": len(texts),
        "positive": ones,
        "sha256": hashlib.sha256(labelled.read_bytes()).hexdigest(),
        "penalty": penalty,
    }
    final = replace(fit_logistic(features, labels, penalty, chosen), scale=scale, shift=shift, about=about)
    keywords = keyword_list(features[~held], labels[~held])
    sets = {"held-out tenth": (held_texts, labels[held], replace(chosen, scale=scale, shift=shift))}
    if dev is not None:
        sets[dev.name] = (*read_labelled(dev, text, label), final)
    measured, keyword_f1 = {}, {}
    for name, (its_texts, truth, model) in sets.items():
        measured[name] = score_figures(model.probabilities(its_texts), truth)
        keyword_f1[name] = macro_f1(_any_of(ngram_matrix(its_texts), keywords), truth)
    about["held_out"] = measured["held-out tenth"].as_json()
    above = {}
    if other is not None:
        chances = final.probabilities(read_unlabelled(other, text))
        above[other.name] = [(limit, float((chances >= limit).mean())) for limit in SHARES_ABOVE]
    return Trained(final, measured, keyword_f1, len(keywords), above)


def _held_out(texts: pl.Series) -> npt.NDArray[np.bool_]:
    digests = (xxhash.xxh3_64_intdigest(value.encode()) for value in texts)
    return np.fromiter((digest % HELD_OUT == 0 for digest in digests), np.bool_, len(texts))


def ngram_matrix(texts: pl.Series) -> scipy.sparse.csr_matrix:
    """The texts' n-grams as rows of unit length, shape [texts, 2^BITS]."""
    starts, indices = ngram_slots(texts)
    sizes = np.diff(starts)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return scipy.sparse.csr_matrix((values, indices, starts), shape=(len(texts), 1 << BITS))


def fit_logistic(features: scipy.sparse.csr_matrix, labels: Labels, penalty: float, near: Model | None = None) -> Model:
    """Logistic regression with a squared penalty, by L-BFGS.

    Minimises penalty × Σ log(1 + e^(-y (w·x + b))) + |w|² / 2, where y is 1 or -1: the loss of LIBLINEAR's and
    scikit-learn's L2 logistic regression, its C being the penalty, the bias not penalised.

    Args:
        features: shape [texts, 2^BITS].
        labels: shape [texts].
        penalty: weight of the loss.
        near: a model to start from; None: from zero.
    """
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
    best = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x
    return Model(best[:-1].astype(np.float32), float(best[-1]), LONGEST)


def _choose(features: scipy.sparse.csr_matrix, labels: Labels, held: npt.NDArray[np.bool_]) -> tuple[float, Model]:
    """The loss weight with the best macro-F1 on the held-out texts, and the model fitted with it to the others."""
    tried: list[tuple[float, float, Model]] = []
    for penalty in PENALTIES:
        model = fit_logistic(features[~held], labels[~held], penalty, tried[-1][2] if tried else None)
        scores = features[held] @ model.weights + model.bias
        tried.append((macro_f1((scores > 0).astype(np.int64), labels[held]), penalty, model))
    return max(tried, key=lambda attempt: attempt[:2])[1:]


def platt_scale(scores: Floats, labels: Labels) -> tuple[float, float]:
    """Scale and shift of Platt (1999), with his smoothed targets: the probability is sigmoid(scale × score + shift)."""
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
    """The baseline: hashed n-grams of which any means label 1.

    They are those with the highest odds of label 1 among n-grams of at least ten texts; the length that gives the best
    macro-F1 on these texts wins.
    """
    present = features.sign()
    ones = np.asarray(present[labels == 1].sum(axis=0)).ravel()
    zeros = np.asarray(present[labels == 0].sum(axis=0)).ravel()
    odds = np.log((ones + 1) / (zeros + 1)) * (ones + zeros >= 10)
    order = np.argsort(-odds, kind="stable")
    return max((order[:n] for n in KEYWORDS), key=lambda top: macro_f1(_any_of(features, top), labels))


def _any_of(features: scipy.sparse.csr_matrix, columns: npt.NDArray[np.int64]) -> Labels:
    wanted = np.zeros(features.shape[1])
    wanted[columns] = 1
    return np.asarray(features @ wanted > 0).astype(np.int64)
