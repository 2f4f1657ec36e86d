"""Which pairs the cheap encoder of a cascade may decide, and which the expensive one has to look at.

Of every group the cheap scores below `low` are rejected and those from `high` on kept, as long as the expensive encoder
would nearly always say the same; the band between is its own. How much disagreement the two ends of each group are
given is a matter of price: an error is spent where it saves most rows.

The pairs of a good source hold few wrong ones, and a band could agree on 99 % of them and let every wrong one pass.
So shuffled pairs count beside them (WRONG) where the bands are chosen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

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
class Sample:
    """A group's sample, scored by both encoders.

    Attributes:
        cheap: [n] cheap scores.
        keep: [n] what the expensive encoder decides.
        rows: pairs of the group in the build; weighs the sample.
        wrong: [m] cheap scores of shuffled pairs.
        wrong_keep: [m] what the expensive encoder decides about those.
    """

    cheap: np.ndarray
    keep: np.ndarray
    rows: int
    wrong: np.ndarray
    wrong_keep: np.ndarray

    def part(self, fold: int, *, inside: bool) -> Sample:
        """The pairs of one fold, or all others."""
        pairs, wrong = ((np.arange(len(one)) % FOLDS == fold) == inside for one in (self.cheap, self.wrong))
        return Sample(self.cheap[pairs], self.keep[pairs], self.rows, self.wrong[wrong], self.wrong_keep[wrong])


@dataclass(frozen=True)
class Band:
    """Cheap scores low ≤ s < high go to the expensive encoder; below is rejected, from high on kept.

    Attributes:
        low: may be -inf, high may be inf.
        share: of the group's pairs in the band, by the sample.
        agreement: share of the sampled pairs that end as the expensive encoder would have it; the band was chosen on
            the same pairs, so unseen ones do a little worse.
        shuffled_agreement: the same of the shuffled pairs.
    """

    low: float
    high: float
    share: float
    agreement: float
    shuffled_agreement: float

    def to_json(self) -> dict[str, object]:
        """JSON form, without a limit that is infinite."""
        return {name: value for name, value in asdict(self).items() if np.isfinite(value)}


@dataclass(frozen=True)
class Choice:
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


Limits = dict[str, tuple[float, float]]
"""low and high of every group."""


def choose(samples: dict[str, Sample], agreement: float) -> Choice:
    """Find the narrowest bands whose decisions agree with the expensive encoder's on a share of all pairs.

    Args:
        samples: by group, in the seeded order of the build, so that every tenth pair is a fair fold.
        agreement: at least this share. Where the sample does not bear it out, no pair is left to the cheap encoder.
    """
    folds = [
        [{name: one.part(k, inside=inside) for name, one in samples.items()} for inside in (False, True)]
        for k in range(FOLDS)
    ]
    for tightening in TIGHTENING:
        allowed = (1 - agreement) * tightening
        unseen = [_agreement(held, _narrowest(rest, allowed)) for rest, held in folds]
        found = np.mean(unseen, axis=0)
        if found[0] >= agreement:
            limits = _narrowest(samples, allowed)
            break
    else:  # too few pairs to know: the expensive encoder sees them all
        limits, found = dict.fromkeys(samples, (-np.inf, np.inf)), np.ones(2)
    bands = {}
    for name, one in samples.items():
        low, high = limits[name]
        inside = (one.cheap >= low) & (one.cheap < high)
        agreed = [round(value, 4) for value in _agreement({name: one}, limits)]
        bands[name] = Band(low, high, round(float(inside.mean()), 4), *agreed)
    total = sum(one.rows for one in samples.values())
    share = sum(bands[name].share * one.rows for name, one in samples.items()) / total
    return Choice(bands, round(float(share), 4), *(round(float(value), 4) for value in found))


def _narrowest(samples: dict[str, Sample], allowed: float) -> Limits:
    """Limits of every group with at most the allowed share of disagreement over all groups, shuffled pairs included.

    At a price per error each end of each group takes the rows that are worth it, independently (Lagrange); the lowest
    price that keeps to what is allowed is found by bisection.
    """
    total = sum(one.rows for one in samples.values())
    weights = {name: one.rows / max(len(one.cheap), 1) / total for name, one in samples.items()}
    ends = {name: _ends(one) for name, one in samples.items()}

    def at(price: float) -> tuple[Limits, float]:
        limits, errors = {}, 0.0
        for name, (scores, rows, below, above) in ends.items():
            low = int(np.argmax(rows - price * below))
            high = int(np.argmax(rows[-1] - rows - price * above))
            if low > high:  # no band: the ends meet where they err least
                low = high = int(np.argmin(below + above))
            limits[name] = (-np.inf if low == 0 else float(scores[low]), float(scores[high]))
            errors += weights[name] * (below[low] + above[high])
        return limits, errors / (1 + WRONG)

    cheap, dear = 1e-3, 1e3 * max(len(one.cheap) + 1 for one in samples.values())
    for _ in range(40):
        price = float(np.sqrt(cheap * dear))
        if at(price)[1] > allowed:
            cheap = price
        else:
            dear = price
    return at(dear)[0]


def _ends(one: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a limit at each distinct score would come to, inf last.

    Returns:
        scores; pairs below each; errors if all below is rejected; errors if all from there on is kept. [k] each.
    """
    cheap = np.concatenate([one.cheap, one.wrong]).astype(np.float64)
    keep = np.concatenate([one.keep, one.wrong_keep])
    pair = np.r_[np.ones(len(one.cheap)), np.zeros(len(one.wrong))]
    weight = np.where(pair == 1, 1.0, WRONG * len(one.cheap) / max(len(one.wrong), 1))
    scores, place = np.unique(cheap, return_inverse=True)
    rows, kept, refused = (
        np.r_[0.0, np.cumsum(np.bincount(place, value, len(scores)))]
        for value in (pair, LOST * weight * keep, weight * ~keep)
    )
    return np.r_[scores, np.inf], rows, kept, refused[-1] - refused


def _agreement(samples: dict[str, Sample], limits: Limits) -> tuple[float, float]:
    """Share of the pairs that end as the expensive encoder would have it, and of the shuffled pairs.

    Groups are weighed by their rows.
    """
    total = sum(one.rows for one in samples.values())
    agreed = np.zeros(2)
    for name, one in samples.items():
        low, high = limits[name]
        for k, (cheap, keep) in enumerate(((one.cheap, one.keep), (one.wrong, one.wrong_keep))):
            wrong = ((cheap < low) & keep) | ((cheap >= high) & ~keep)
            agreed[k] += one.rows * (1 - float(wrong.mean() if len(wrong) else 0.0))
    pairs, shuffled = agreed / total
    return float(pairs), float(shuffled)
