"""The score T of a pair: its vectors, and what of the query stands in the passage.

    T = w₀ · z(vectors) + w₁ · z(bigrams) + w₂ · z(characters) + w₃ · z(identifiers)

z is a feature above its means (see `centred_similarity` and `containment`), over its standard deviation among shuffled
pairs, within ±6. The weights are those of a logistic regression of right against shuffled pairs over eight public
sources, poems left out (`python -m benchmarks.similarity_weights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from cmtp.similarity.containment import GramStatistics, TextGrams, centred_containment
from cmtp.similarity.vectors import PairVectors

FEATURE_WEIGHTS: Final = np.array([0.88, 0.38, 0.49, 0.53])
"""Of vectors, bigrams, characters, identifiers."""

MOST_SPREADS: Final = 6.0
"""Standard deviations that one feature may count."""

_BLOCK: Final = 8192
"""Pairs whose vectors are laid side by side at once."""

Centre = tuple[np.ndarray, np.ndarray]
"""Means of a group's query and passage vectors, [dim] each."""


class PairTexts(NamedTuple):
    """What features are measured on: vectors and grams of distinct texts or of pairs, row by row."""

    vectors: PairVectors
    queries: TextGrams
    passages: TextGrams


@dataclass(frozen=True)
class FeatureScale:
    """How T is made of a group's features.

    Attributes:
        centre: means of the sample's vectors.
        grams: statistics of the sample's texts.
        spread: float64 [4], standard deviation of each feature among shuffled pairs; 0 leaves the feature out.
    """

    centre: Centre
    grams: GramStatistics
    spread: np.ndarray


def centre_of(vectors: PairVectors) -> Centre:
    """The means of the vectors of pairs, rounded so that the order of a sum does not show."""
    query, passage = (np.round(side.mean(axis=0, dtype=np.float64), 6).astype(np.float32) for side in vectors)
    return query, passage


def centred_similarity(vectors: PairVectors, centre: Centre, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The similarity above what the two texts have with their group at large, (q - q̄)·(p - p̄): float32 [n], rounded.

    A passage that is a little like every query of its source (a long one, one of common words) scores high with wrong
    queries too. Hubness is the field's word for it; CSLS (Conneau et al. 2018, arXiv 1710.04087) takes off the mean of
    the nearest instead.

    Args:
        vectors: texts'.
        centre: q̄ and p̄.
        left: int64 [n], row of each pair's query.
        right: int64 [n], row of its passage.
    """
    score = np.empty(len(left), np.float32)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, start + _BLOCK)
        query, passage = vectors.query[left[block]] - centre[0], vectors.passage[right[block]] - centre[1]
        score[block] = np.einsum("ij,ij->i", query, passage)
    return np.round(score, 5)


def features_of(scale: FeatureScale, texts: PairTexts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The four features above their means: float32 [n, 4]."""
    similarity = centred_similarity(texts.vectors, scale.centre, left, right)
    contained = centred_containment(scale.grams, texts.queries, texts.passages, left, right)
    return np.column_stack([similarity, contained])


def combined_score(features: np.ndarray, spread: np.ndarray, weights: np.ndarray = FEATURE_WEIGHTS) -> np.ndarray:
    """T of n pairs: float32 [n], rounded to 4 digits.

    Args:
        features: [n, k].
        spread: [k], standard deviations among shuffled pairs.
        weights: [k].
    """
    measured = spread > 0
    scaled = np.clip(features[:, measured] / spread[measured], -MOST_SPREADS, MOST_SPREADS) * weights[measured]
    return np.round(scaled.sum(axis=1), 4).astype(np.float32)  # type: ignore[no-any-return]


def spread_of(features: np.ndarray) -> np.ndarray:
    """Standard deviations of shuffled pairs' features, rounded: float64 [k]."""
    return np.round(features.std(axis=0, dtype=np.float64), 6)  # type: ignore[no-any-return]
