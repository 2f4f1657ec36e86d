"""How many of a group's pairs are wrong: an estimate with an interval, and what it cannot know.

A wrong pair's rank u among shuffled pairs is uniform on [0, 1], and a right pair's is near 1. So twice the share of
pairs with u < .5 is an estimate of the share of wrong pairs (Storey 2002 with λ = .5; Schweder & Spjøtvoll 1982)::

    π̂ = 2 · #{u < .5} / n

Right pairs that score like shuffled ones, of which an encoder cannot tell that they are right, are counted with the
wrong ones: π̂ → π + ρ (1 - π), with ρ their share. Scores of the same encoder cannot tell ρ from π by any method (the
mixture is not identifiable; Blanchard, Lee & Scott 2010). Another encoder can.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

SCORED_LIKE_WRONG: Final = 0.5
"""λ: ranks below it are counted."""

CLEARLY_RIGHT: Final = 0.9
"""Rank from which on a score says that a pair is right."""

Z: Final = 1.645
"""Of the intervals: 90 % of them hold the true value, and 95 % of the lower limits lie below it."""


@dataclass(frozen=True)
class WrongShare:
    """Share of wrong pairs.

    Attributes:
        estimate: π̂.
        low: its lower limit.
        high: its upper limit.
    """

    estimate: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """JSON form."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def wrong_share(ranks: np.ndarray, part: float = 1.0, null_part: float = 1.0) -> WrongShare:
    """Estimate the share of wrong pairs.

    Args:
        ranks: u of n ≥ 1 pairs; all of the group, or those of a part of it that was chosen by another score.
        part: share of the group's pairs in that part.
        null_part: share of the shuffled pairs in that part. The null of `ranks` is made of those.
    """
    n = len(ranks)
    below = float((ranks < SCORED_LIKE_WRONG).sum()) / n
    middle, half = _wilson(below, n)
    scale = part / null_part / SCORED_LIKE_WRONG
    estimate, low, high = (min(max(scale * share, 0.0), 1.0) for share in (below, middle - half, middle + half))
    return WrongShare(estimate, low, high)


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Middle and half of Wilson's interval for a share of n."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * (share * (1 - share) / n + Z * Z / (4 * n * n)) ** 0.5
    return middle, half


def clearly_right(ranks: np.ndarray, wrong: float, rank: float = CLEARLY_RIGHT) -> float:
    """The share of right pairs that score above most shuffled ones: U90 where `rank` is .9.

    Args:
        ranks: u of the group's pairs.
        wrong: share of wrong pairs, some of which score as high.
        rank: above which share of the shuffled pairs.
    """
    above = float((ranks > rank).sum()) / len(ranks)
    return min(max((above - (1 - rank) * wrong) / max(1 - wrong, 1e-9), 0.0), 1.0)


def unclear_right(ranks: np.ndarray, wrong: float, part: float, null_part: float) -> float:
    """The share of right pairs that another encoder does not see either: in the part, below nine tenths of its null.

    Args:
        ranks: u by the other encoder of the pairs in the part.
        wrong: share of wrong pairs in the group.
        part: share of the group's pairs in the part.
        null_part: share of the shuffled pairs in the part.
    """
    below = float((ranks < CLEARLY_RIGHT).sum()) / len(ranks)
    share = (part * below - CLEARLY_RIGHT * null_part * wrong) / max(1 - wrong, 1e-9)
    return min(max(share, 0.0), 1.0)
