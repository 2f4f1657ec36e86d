"""Finds the similarity from which a passage belongs to its query, for each source and relation of a build.

Known for sure are pairs that do not belong together: shuffled ones. The cut is the similarity that a stated share of
them would pass. A group whose scores say little (poems and their titles) would lose most of its true pairs that way, so
the cut is never put where more than a stated share of the pairs as they are would go.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

BIN = 0.05
"""Width of the histograms' bins."""

BINS = np.round(np.arange(-4, 21) * BIN, 2)
"""Edges of the histograms; what lies beyond an edge counts into the first or last bin."""


@dataclass(frozen=True)
class Calibration:
    """What was measured of a group, and the cut.

    Attributes:
        pairs: pairs sampled.
        auc: probability that a pair scores above a shuffled pair; .5 says nothing, 1 everything.
        threshold: lowest centred similarity kept.
        shuffled_pass: share of the shuffled pairs at or above it.
        pairs_lost: share of the pairs below it.
        true: pairs by bin of BINS, keyed by the lower edge; only bins that hold some.
        shuffled: shuffled pairs likewise.
    """

    pairs: int
    auc: float
    threshold: float
    shuffled_pass: float
    pairs_lost: float
    true: dict[str, int]
    shuffled: dict[str, int]

    def to_json(self) -> dict[str, object]:
        """JSON form."""
        return asdict(self)


def calibrate(true: np.ndarray, shuffled: np.ndarray, shuffled_share: float, max_loss: float) -> Calibration:
    """Find the cut.

    Args:
        true: [n] centred similarities of the pairs as they are, n ≥ 1.
        shuffled: [m] centred similarities of pairs of a query with another pair's passage, m ≥ 1.
        shuffled_share: share of the shuffled pairs that may pass.
        max_loss: most of the pairs that may be lost.
    """
    cut = min(np.quantile(shuffled, 1 - shuffled_share), np.quantile(true, max_loss))
    threshold = np.round(float(cut), 3)
    return Calibration(
        pairs=len(true),
        auc=round(auc(true, shuffled), 4),
        threshold=float(threshold),
        shuffled_pass=round(float((shuffled >= threshold).mean()), 4),
        pairs_lost=round(float((true < threshold).mean()), 4),
        true=_histogram(true),
        shuffled=_histogram(shuffled),
    )


def centred(
    similarity: np.ndarray, query: np.ndarray, passage: np.ndarray, query_mean: np.ndarray, passage_mean: np.ndarray
) -> np.ndarray:
    """Similarity above what the two texts have with their group at large: (q - q̄)·(p - p̄).

    A passage that is a little like every query of its source (a long one, one of common words) scores high with the
    wrong queries too; taking that off separates true from shuffled pairs better in every source measured
    (docs/similarity.md). Hubness is the field's word for it; CSLS (Conneau et al. 2018, arXiv 1710.04087) takes off
    the mean of the nearest instead.

    Args:
        similarity: [n] q·p.
        query: [n, dim].
        passage: [n, dim].
        query_mean: [dim], mean of the group's queries.
        passage_mean: [dim].

    Returns:
        [n] float32, rounded to 5 digits as similarities are.
    """
    score = similarity - query @ passage_mean - passage @ query_mean + query_mean @ passage_mean
    rounded: np.ndarray = np.round(score, 5).astype(np.float32)
    return rounded


def shuffle(group: np.ndarray, order: np.ndarray, document: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each row with another row of its group whose document is another: its next one in a seeded order.

    Args:
        group: [n] code of source and relation.
        order: [n] distinct keys.
        document: [n] code of the document.

    Returns:
        rows, and the row each is shuffled with; a row whose neighbour is of its own document is left out.
    """
    by_group = np.lexsort((order, group))
    following = np.empty_like(by_group)
    starts = np.flatnonzero(np.r_[True, group[by_group][1:] != group[by_group][:-1]])
    ends = np.r_[starts[1:], len(group)]
    for start, end in zip(starts, ends, strict=True):
        following[start:end] = np.roll(by_group[start:end], -1)
    differ = document[by_group] != document[following]
    return by_group[differ], following[differ]


def auc(true: np.ndarray, shuffled: np.ndarray) -> float:
    """Area under the ROC curve by ranks; ties count half (Mann–Whitney)."""
    ordered = np.sort(shuffled)
    below = np.searchsorted(ordered, true, side="left") + np.searchsorted(ordered, true, side="right")
    return float(below.mean() / 2 / len(shuffled))


def _histogram(values: np.ndarray) -> dict[str, int]:
    counts, _ = np.histogram(np.clip(values, BINS[0], BINS[-1] - 1e-6), BINS)
    return {f"{edge:.2f}": int(n) for edge, n in zip(BINS[:-1], counts, strict=True) if n}
