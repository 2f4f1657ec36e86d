"""How the pairs of a group are scored: by the first encoder alone, and suspects by both.

A model is made of a sample of the group, and scores all of its pairs afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cmtp.similarity.containment import gram_statistics
from cmtp.similarity.decide import SUSPECT
from cmtp.similarity.features import (
    Centre,
    FeatureScale,
    PairTexts,
    centre_of,
    centred_similarity,
    combined_score,
    features_of,
    spread_of,
)
from cmtp.similarity.shuffled import SampleCodes, near_twins, ranks_among, shuffled_pairs
from cmtp.similarity.vectors import PairVectors

FIRST_WEIGHT: Final = 0.3
"""Weight of T beside the second encoder's similarity, both in standard deviations of shuffled pairs: the two err on
different pairs."""


@dataclass(frozen=True)
class GroupModel:
    """The first encoder's score T of a group's pairs, and what shuffled pairs score.

    Attributes:
        scale: how T is made of the features.
        null: float32 [m], T of the sample's shuffled pairs, ascending.
    """

    scale: FeatureScale
    null: np.ndarray

    def scores(self, texts: PairTexts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """T of queries `left` with passages `right`: float32 [n]."""
        return combined_score(features_of(self.scale, texts, left, right), self.scale.spread)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """U of some scores; see `ranks_among`."""
        return ranks_among(self.null, scores)

    @property
    def suspects_among_shuffled(self) -> float:
        """The share of shuffled pairs that are suspects; `SUSPECT`, unless scores are equal there."""
        return float((self.ranks(self.null) < SUSPECT).mean())


@dataclass(frozen=True)
class ScoredSample:
    """A group's sample as the first encoder sees it.

    Attributes:
        model: of the group.
        scores: float32 [n], T of the sampled pairs.
        judged: bool [n], False for those whose query has a near twin elsewhere.
    """

    model: GroupModel
    scores: np.ndarray
    judged: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """U of the pairs that are judged."""
        return self.model.ranks(self.scores[self.judged])

    @property
    def suspects(self) -> np.ndarray:
        """Rows of the judged pairs that are suspects, in the order of the sample: int64."""
        return np.flatnonzero(self.judged & (self.model.ranks(self.scores) < SUSPECT))

    @property
    def suspect_part(self) -> float:
        """The share of the judged pairs that are suspects."""
        return len(self.suspects) / max(int(self.judged.sum()), 1)


def score_sample(texts: PairTexts, codes: SampleCodes) -> ScoredSample | None:
    """Make the model of a group from its sample, and score the sample.

    Args:
        texts: of the sampled pairs, in an order that says nothing about them.
        codes: of the same pairs.

    Returns:
        None if no two pairs can be shuffled with one another, or nothing can be measured on those.
    """
    left, right = shuffled_pairs(codes)
    if len(left) == 0:
        return None
    scale = FeatureScale(centre_of(texts.vectors), gram_statistics(texts.queries, texts.passages), np.zeros(0))
    shuffled = features_of(scale, texts, left, right)
    scale = FeatureScale(scale.centre, scale.grams, spread_of(shuffled))
    if not scale.spread.any():
        return None
    model = GroupModel(scale, np.sort(combined_score(shuffled, scale.spread)))
    rows = np.arange(len(codes.group))
    return ScoredSample(model, model.scores(texts, rows, rows), ~near_twins(texts.vectors.query, codes))


@dataclass(frozen=True)
class SecondModel:
    """The score C of suspects by both encoders, and what shuffled pairs score that are suspects too.

    Attributes:
        centre: means of the second encoder's vectors of sampled suspects.
        spread: float64 [2], standard deviations among shuffled pairs: of the second encoder's similarity, and of T.
        null: float32 [m], C of those shuffled pairs, ascending.
    """

    centre: Centre
    spread: np.ndarray
    null: np.ndarray

    def scores(self, vectors: PairVectors, first: np.ndarray) -> np.ndarray:
        """C of n suspects: float32 [n].

        Args:
            vectors: by the second encoder.
            first: T of the same pairs.
        """
        rows = np.arange(len(first))
        return _both(centred_similarity(vectors, self.centre, rows, rows), first, self.spread)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """U of some scores; see `ranks_among`."""
        return ranks_among(self.null, scores)


def second_model(model: GroupModel, texts: PairTexts, codes: SampleCodes, vectors: PairVectors) -> SecondModel | None:
    """The model of both encoders, from sampled suspects.

    Shuffled pairs count where they are suspects themselves. A wrong pair that is suspect is then as likely to have any
    rank among them (a conformal p-value: Bates et al. 2023).

    Args:
        model: of the group, by the first encoder.
        texts: of the suspects.
        codes: of the same.
        vectors: of the same, by the second encoder.

    Returns:
        None if no two suspects can be shuffled with one another.
    """
    left, right = shuffled_pairs(codes)
    first = model.scores(texts, left, right)
    suspect = model.ranks(first) < SUSPECT
    if not suspect.any():
        return None
    centre = centre_of(vectors)
    similarity = centred_similarity(vectors, centre, left[suspect], right[suspect])
    spread = spread_of(np.column_stack([similarity, first[suspect]]))
    return SecondModel(centre, spread, np.sort(_both(similarity, first[suspect], spread)))


def _both(similarity: np.ndarray, first: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return combined_score(np.column_stack([similarity, first]), spread, np.array([1.0, FIRST_WEIGHT]))
