"""Which pairs the cheap encoder of a cascade may decide, and which the expensive one has to see.

Every group gets a band of cheap scores. Below `low` a pair is rejected, from `high` on it is kept, and between them the
expensive encoder decides. Outside the band it would nearly always say the same. How much disagreement the two ends of
each group are given is a matter of price: an error is spent where it saves the most pairs.

1. `_ends` counts, for every limit that an end of a band could have, the pairs it would decide and the errors it would
   make, on the sample that both encoders scored.
2. `_narrowest` puts a price on an error, lets each end take the limit that is worth it, and finds by bisection the
   lowest price at which all errors together stay within what is allowed.
3. `bands_for_agreement` checks the bands on pairs that they were not chosen on, and tightens them until those keep to
   it, too.

The pairs of a good source hold few wrong ones, and a band could agree on 99 % of them and let every wrong one pass.
So shuffled pairs count beside them (WRONG) where the bands are chosen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

TIGHTENING = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
"""Shares of the allowed disagreement that are tried in turn until unseen pairs keep to the whole of it."""

FOLDS = 10
"""Unseen pairs: bands chosen on nine tenths of the sample, measured on the tenth left out."""

WRONG = 0.2
"""Errors on shuffled pairs count as if there were this many of them per pair: a source with many wrong ones. With half
of it a cascade of e5-small removes .4 % fewer of planted wrong pairs, and encodes .4 % fewer."""

LOST = 2.0
"""A pair that the cheap encoder alone would lose counts as this many errors: most pairs of a source are true ones."""


@dataclass(frozen=True)
class ScoredSample:
    """A group's sample, scored by both encoders.

    Attributes:
        cheap: float32 [n], cheap scores of the pairs.
        keep: bool [n], what the expensive encoder decides about them.
        rows: pairs of the group in the build; weighs the sample.
        wrong: float32 [m], cheap scores of shuffled pairs.
        wrong_keep: bool [m], what the expensive encoder decides about those.
    """

    cheap: np.ndarray
    keep: np.ndarray
    rows: int
    wrong: np.ndarray
    wrong_keep: np.ndarray

    def part(self, fold: int, *, inside: bool) -> ScoredSample:
        """The pairs of one fold, or all others."""
        pairs, wrong = ((np.arange(len(scores)) % FOLDS == fold) == inside for scores in (self.cheap, self.wrong))
        return ScoredSample(self.cheap[pairs], self.keep[pairs], self.rows, self.wrong[wrong], self.wrong_keep[wrong])


Samples = dict[str, ScoredSample]
"""By group."""


class BandLimits(NamedTuple):
    """Cheap scores low ≤ s < high go to the expensive encoder; below is rejected, from high on kept."""

    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """The band of a group, and what it comes to.

    Attributes:
        low: see `BandLimits`; may be -inf.
        high: may be inf.
        share: of the group's pairs in the band, by the sample.
        agreement: share of the sampled pairs that end as the expensive encoder would have it. The band was chosen on
            the same pairs, so unseen ones do a little worse.
        shuffled_agreement: the same of the shuffled pairs.
    """

    low: float
    high: float
    share: float
    agreement: float
    shuffled_agreement: float

    def to_json(self) -> dict[str, object]:
        """JSON form; a limit that is infinite is left out."""
        return {name: value for name, value in asdict(self).items() if np.isfinite(value)}


@dataclass(frozen=True)
class ChosenBands:
    """The bands, and what they come to over the whole build.

    Attributes:
        bands: by group.
        share: of all pairs in a band.
        agreement: share of unseen pairs that end as the expensive encoder would have it, by FOLDS.
        shuffled_agreement: the same of unseen shuffled pairs.
    """

    bands: dict[str, Band]
    share: float
    agreement: float
    shuffled_agreement: float


def bands_for_agreement(samples: Samples, agreement: float) -> ChosenBands:
    """Find the narrowest bands whose decisions agree with the expensive encoder's on a share of all pairs.

    Args:
        samples: by group, in the seeded order of the build, so that every tenth pair is a fair fold.
        agreement: at least this share. Where the sample does not bear it out, no pair is left to the cheap encoder.
    """
    folds = [
        [{name: sample.part(k, inside=inside) for name, sample in samples.items()} for inside in (False, True)]
        for k in range(FOLDS)
    ]
    for tightening in TIGHTENING:
        allowed = (1 - agreement) * tightening
        unseen = np.mean([_agreement(left_out, _narrowest(rest, allowed)) for rest, left_out in folds], axis=0)
        if unseen[0] >= agreement:
            limits = _narrowest(samples, allowed)
            break
    else:  # too few pairs to know: the expensive encoder sees them all
        limits, unseen = dict.fromkeys(samples, BandLimits(-np.inf, np.inf)), np.ones(2)
    bands = {}
    for name, sample in samples.items():
        low, high = limits[name]
        inside = (sample.cheap >= low) & (sample.cheap < high)
        agreed = [round(value, 4) for value in _agreement({name: sample}, limits)]
        bands[name] = Band(low, high, round(float(inside.mean()), 4), *agreed)
    total = sum(sample.rows for sample in samples.values())
    share = sum(bands[name].share * sample.rows for name, sample in samples.items()) / total
    return ChosenBands(bands, round(float(share), 4), *(round(float(value), 4) for value in unseen))


def _narrowest(samples: Samples, allowed: float) -> dict[str, BandLimits]:
    """Limits of every group with at most the allowed share of disagreement over all groups, shuffled pairs included.

    At a price per error each end of each group takes the pairs that are worth it, independently (Lagrange). The lowest
    price that keeps to what is allowed is found by bisection.
    """
    total = sum(sample.rows for sample in samples.values())
    weights = {name: sample.rows / max(len(sample.cheap), 1) / total for name, sample in samples.items()}
    ends = {name: _ends(sample) for name, sample in samples.items()}

    def at_price(price: float) -> tuple[dict[str, BandLimits], float]:
        limits, errors = {}, 0.0
        for name, group in ends.items():
            low = int(np.argmax(group.below - price * group.rejecting))
            high = int(np.argmax(group.below[-1] - group.below - price * group.keeping))
            if low > high:  # no band: the ends meet where they err least
                low = high = int(np.argmin(group.rejecting + group.keeping))
            limits[name] = BandLimits(-np.inf if low == 0 else float(group.limits[low]), float(group.limits[high]))
            errors += weights[name] * (group.rejecting[low] + group.keeping[high])
        return limits, errors / (1 + WRONG)

    too_low, high_enough = 1e-3, 1e3 * max(len(sample.cheap) + 1 for sample in samples.values())
    for _ in range(40):
        price = float(np.sqrt(too_low * high_enough))
        if at_price(price)[1] > allowed:
            too_low = price
        else:
            high_enough = price
    return at_price(high_enough)[0]


class _Ends(NamedTuple):
    """What a limit would come to, for each distinct cheap score and inf: float64 [k] each.

    Attributes:
        limits: the scores, ascending; the last is inf.
        below: pairs with a lower score.
        rejecting: errors if all below the limit is rejected.
        keeping: errors if all from the limit on is kept.
    """

    limits: np.ndarray
    below: np.ndarray
    rejecting: np.ndarray
    keeping: np.ndarray


def _ends(sample: ScoredSample) -> _Ends:
    cheap = np.concatenate([sample.cheap, sample.wrong]).astype(np.float64)
    keep = np.concatenate([sample.keep, sample.wrong_keep])
    pair = np.r_[np.ones(len(sample.cheap)), np.zeros(len(sample.wrong))]
    weight = np.where(pair == 1, 1.0, WRONG * len(sample.cheap) / max(len(sample.wrong), 1))
    scores, row = np.unique(cheap, return_inverse=True)
    below, lost, refused = (
        np.r_[0.0, np.cumsum(np.bincount(row, value, len(scores)))]
        for value in (pair, LOST * weight * keep, weight * ~keep)
    )
    return _Ends(np.r_[scores, np.inf], below, lost, refused[-1] - refused)


def _agreement(samples: Samples, limits: dict[str, BandLimits]) -> tuple[float, float]:
    """Share of the pairs that end as the expensive encoder would have it, and of the shuffled pairs.

    Groups are weighed by their rows.
    """
    total = sum(sample.rows for sample in samples.values())
    agreed = np.zeros(2)
    for name, sample in samples.items():
        low, high = limits[name]
        for k, (cheap, keep) in enumerate(((sample.cheap, sample.keep), (sample.wrong, sample.wrong_keep))):
            wrong = ((cheap < low) & keep) | ((cheap >= high) & ~keep)
            agreed[k] += sample.rows * (1 - float(wrong.mean() if len(wrong) else 0.0))
    pairs, shuffled = agreed / total
    return float(pairs), float(shuffled)
