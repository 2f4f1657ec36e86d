"""Where each source and relation of a build is cut: measured on a sample, kept as a table.

Known for sure are pairs that do not belong together: shuffled ones, a query with another document's passage. The cut is
the score that a stated share of them would pass. A group whose scores say little (poems and their titles) would lose
most of its true pairs that way, so the cut is never put where more than a stated share of the pairs as they are would
go. A group, here and in all of the stage, is a source and a relation.

1. `shuffle` pairs every sampled query with the passage of another document of its group.
2. `pair_scores` scores both kinds of pairs, centred by the group's means.
3. With a cascade, `weigh` says how much the cheap encoder's score counts beside the expensive one's, and `combined`
   adds the two.
4. `calibrate_cut` finds the threshold. `find_cut` does steps 2 to 4 for one group.
5. `group_cut` chooses the cut of a group that may be too small for one of its own.

With a fixed threshold (`SimilaritySettings.calibrates` is false) steps 2 to 4 shrink to plain cosines of the deciding
encoder and that threshold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.columns import vector_column, vectors_of
from cmtp.similarity.settings import SimilaritySettings
from cmtp.similarity.vectors import PairVectors

WHOLE = "*"
"""Name of the group that holds all pairs: its cut serves groups too small for one of their own."""

BIN = 0.05
"""Width of the histograms' bins."""

BINS = np.round(np.arange(-4, 21) * BIN, 2)
"""Edges of the histograms; what lies beyond an edge counts into the first or last bin."""

HEAVIER = tuple(tenths / 3 for tenths in (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20))
"""Multiples of `cascade_weight` that are tried where the expensive encoder says little. At its default of 0.3 the
weights are 0.3, 0.4, … 1.0, and then 1.2, 1.5 and 2.0 standard deviations: fine steps where the error changes, coarse
ones where the cheap score decides nearly alone."""

MORE_ERROR = 0.02
"""Share by which the error (1 - AUC) may grow for a heavier weight."""

Centre = tuple[np.ndarray, np.ndarray]
"""Means of a group's query and passage vectors, [dim] each."""


def centre_of(vectors: PairVectors) -> Centre:
    """The means of the vectors of pairs."""
    return vectors.query.mean(axis=0), vectors.passage.mean(axis=0)


class Scores(NamedTuple):
    """Scores of a group's sample, float32.

    Attributes:
        true: [n], of the pairs as they are.
        shuffled: [m], of shuffled pairs.
    """

    true: np.ndarray
    shuffled: np.ndarray


class SampledGroup(NamedTuple):
    """A group's pairs in a sample, and its shuffled pairs.

    Attributes:
        rows: [n], rows of the pairs in the sample.
        left: [m], rows whose query is shuffled …
        right: [m], … with the passage of these rows.
    """

    rows: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def scores(self, vectors: PairVectors, centre: Centre | None) -> Scores:
        """Scores by an encoder, from its vectors of the whole sample."""
        shuffled = PairVectors(vectors.query[self.left], vectors.passage[self.right])
        return Scores(pair_scores(vectors.take(self.rows), centre), pair_scores(shuffled, centre))


@dataclass(frozen=True)
class GroupCut:
    """Where a group is cut.

    Attributes:
        threshold: lowest score kept, by the encoder that decides; -inf keeps all.
        centre: what its scores are centred by; None: they are plain cosines.
        low: cheap scores from here up to `high` are decided by the expensive encoder of a cascade; below, the pair is
            rejected.
        high: from here on the pair is kept.
        cheap_centre: what the cheap scores are centred by; None: there is no cascade, or nothing is known of the group.
        weight: of the cheap score beside the expensive encoder's.
    """

    threshold: float
    centre: Centre | None = None
    low: float = -np.inf
    high: float = np.inf
    cheap_centre: Centre | None = None
    weight: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a cut at all."""
        return self.threshold > -np.inf


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


class FoundCut(NamedTuple):
    """A group's cut, and what it rests on.

    Attributes:
        cut: without the band of a cascade, which depends on all groups.
        calibration: None with a fixed threshold.
        scores: by which the threshold decides.
        cheap: by the cheap encoder; None: there is no cascade.
    """

    cut: GroupCut
    calibration: Calibration | None
    scores: Scores
    cheap: Scores | None


def find_cut(
    group: SampledGroup, deciding: PairVectors, cheap: PairVectors | None, settings: SimilaritySettings
) -> FoundCut:
    """Find the cut of a group; steps 2 to 4 of the module.

    Args:
        group: its rows in the sample.
        deciding: vectors of the sample by the encoder that decides.
        cheap: vectors by the cheap encoder of a cascade; None: there is no cascade.
        settings: of the stage.
    """
    cheap_centre = None if cheap is None else centre_of(cheap.take(group.rows))
    cheap_scores = None if cheap is None else group.scores(cheap, cheap_centre)
    if settings.threshold is not None:
        cut = GroupCut(settings.threshold, cheap_centre=cheap_centre)
        return FoundCut(cut, None, group.scores(deciding, None), cheap_scores)
    centre = centre_of(deciding.take(group.rows))
    scores = group.scores(deciding, centre)
    weight = 0.0
    if cheap_scores is not None:
        weight = weigh(scores, cheap_scores, settings)
        scores = _together(scores, cheap_scores, weight)
    found = calibrate_cut(scores, settings.shuffled_share, settings.max_loss)
    return FoundCut(
        GroupCut(found.threshold, centre, cheap_centre=cheap_centre, weight=weight), found, scores, cheap_scores
    )


def group_cut(group: str, cuts: dict[str, GroupCut], uncalibrated: float | None) -> GroupCut:
    """A group's cut: its own, else that of all pairs, else one on the plain cosine.

    Args:
        group: its name.
        cuts: by group, as far as they were found.
        uncalibrated: cosine from which a pair is kept where no cut was found; None: not known. Then all pairs of the
            group are kept, and no expensive encoder sees them.
    """
    found = cuts.get(group) or cuts.get(WHOLE)
    if found is not None:
        return found
    return GroupCut(-np.inf, high=-np.inf) if uncalibrated is None else GroupCut(uncalibrated)


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


def pair_scores(vectors: PairVectors, centre: Centre | None, similarity: np.ndarray | None = None) -> np.ndarray:
    """Scores of n pairs: [n] float32, rounded to 5 digits.

    A score is the similarity above what the two texts have with their group at large: (q - q̄)·(p - p̄). A passage that
    is a little like every query of its source (a long one, one of common words) scores high with the wrong queries too.
    Taking that off separates true from shuffled pairs better in every source measured (docs/similarity.md). Hubness is
    the field's word for it; CSLS (Conneau et al. 2018, arXiv 1710.04087) takes off the mean of the nearest instead.

    Args:
        vectors: of the pairs.
        centre: q̄ and p̄; None: the scores are plain cosines.
        similarity: [n] cosines q·p where they are there already.
    """
    query, passage = vectors
    if similarity is None:
        similarity = np.round(np.einsum("ij,ij->i", query, passage), 5).astype(np.float32)
    if centre is None:
        return similarity
    query_mean, passage_mean = centre
    score = similarity - query @ passage_mean - passage @ query_mean + query_mean @ passage_mean
    return np.round(score, 5).astype(np.float32)  # type: ignore[no-any-return]


def combined(expensive: np.ndarray, cheap: np.ndarray, weight: float) -> np.ndarray:
    """The expensive encoder's scores with the cheap ones put to use beside them: [n] float32.

    Two encoders err on different pairs; in eleven of fourteen groups of real pairs the sum tells true from shuffled
    ones better than the better one alone (benchmarks/similarity.md).
    """
    if weight == 0:
        return expensive
    return np.round(expensive + np.float32(weight) * cheap, 5).astype(np.float32)


def weigh(expensive: Scores, cheap: Scores, settings: SimilaritySettings) -> float:
    """Weight of the cheap score beside the expensive encoder's.

    1. The weight is `cascade_weight`, counted in standard deviations of shuffled pairs: a cheap score one of its
       standard deviations higher counts as much as an expensive one `cascade_weight` standard deviations higher.
    2. Where the cut then still keeps to `shuffled_share`, that is the weight.
    3. Where `max_loss` sets the cut, the expensive encoder does not tell the group's pairs apart (poems and their
       titles). There the weight is the heaviest multiple of HEAVIER that costs at most MORE_ERROR, since that leaves
       fewer pairs to be encoded for little.
    """
    unit = float(expensive.shuffled.std() / max(cheap.shuffled.std(), 1e-6))

    def weight_of(times: float) -> float:
        return round(times * settings.cascade_weight * unit, 5)

    def error(scores: Scores) -> float:
        return 1 - auc(*scores)

    usual = _together(expensive, cheap, weight_of(1.0))
    if np.quantile(usual.true, settings.max_loss) >= np.quantile(usual.shuffled, 1 - settings.shuffled_share):
        return weight_of(1.0)
    allowed = error(usual) * (1 + MORE_ERROR)
    return weight_of(max(times for times in HEAVIER if error(_together(expensive, cheap, weight_of(times))) <= allowed))


def _together(expensive: Scores, cheap: Scores, weight: float) -> Scores:
    return Scores(combined(expensive.true, cheap.true, weight), combined(expensive.shuffled, cheap.shuffled, weight))


def calibrate_cut(scores: Scores, shuffled_share: float, max_loss: float) -> Calibration:
    """Find the threshold of a group.

    Args:
        scores: of the pairs as they are, n ≥ 1, and of shuffled pairs, m ≥ 1.
        shuffled_share: share of the shuffled pairs that may pass.
        max_loss: most of the pairs that may be lost.
    """
    true, shuffled = scores
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


def auc(true: np.ndarray, shuffled: np.ndarray) -> float:
    """Area under the ROC curve by ranks; ties count half (Mann–Whitney)."""
    ordered = np.sort(shuffled)
    below = np.searchsorted(ordered, true, side="left") + np.searchsorted(ordered, true, side="right")
    return float(below.mean() / 2 / len(shuffled))


def _histogram(values: np.ndarray) -> dict[str, int]:
    counts, _ = np.histogram(np.clip(values, BINS[0], BINS[-1] - 1e-6), BINS)
    return {f"{edge:.2f}": int(n) for edge, n in zip(BINS[:-1], counts, strict=True) if n}


def cuts_to_table(cuts: dict[str, GroupCut]) -> pa.Table:
    """Table form: a row per group; a centre that is None is a vector of NaN."""
    columns: dict[str, Any] = {"group": pa.array([*cuts], pa.string())}
    for name in ("threshold", "low", "high", "weight"):
        columns[name] = pa.array([getattr(cut, name) for cut in cuts.values()], pa.float32())
    for name in ("centre", "cheap_centre"):
        centres = [getattr(cut, name) for cut in cuts.values()]
        for side, column in enumerate((f"{name}_query", f"{name}_passage")):
            shape = next((centre[side] for centre in centres if centre is not None), np.zeros(1, np.float32))
            none = np.full_like(shape, np.nan)
            rows = np.array([none if centre is None else centre[side] for centre in centres], np.float32)
            columns[column] = vector_column(rows.reshape(len(cuts), len(shape)))
    return pa.table(columns)


def cuts_from_table(table: pa.Table) -> dict[str, GroupCut]:
    """The inverse of `cuts_to_table`."""

    def centres(name: str) -> list[Centre | None]:
        sides = zip(vectors_of(table[f"{name}_query"]), vectors_of(table[f"{name}_passage"]), strict=True)
        return [None if np.isnan(query).any() else (query, passage) for query, passage in sides]

    numbers = [table[name].to_pylist() for name in ("threshold", "low", "high", "weight")]
    rows = zip(table["group"].to_pylist(), *numbers, centres("centre"), centres("cheap_centre"), strict=True)
    return {
        group: GroupCut(threshold, centre, low=low, high=high, cheap_centre=cheap_centre, weight=weight)
        for group, threshold, low, high, weight, centre, cheap_centre in rows
    }
