"""Which pairs are mostly wrong: the posterior of a pair by its rank, and the rank below which pairs are rejected.

With π the share of wrong pairs and f the density of the ranks of all pairs, a pair of rank u is wrong with the
probability π · 1 / f(u), since wrong pairs are uniform. It is the local false discovery rate (Efron 2004), except that
here the wrong pairs are the null, and a pair is rejected where it is high.

f rises: a higher rank never makes a pair look more wrong. The best estimate under that condition is the slope of the
greatest convex minorant of the ranks' distribution function (Grenander 1956; for this use Langaas et al. 2005,
Strimmer 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class PosteriorSteps:
    """The posterior as a falling step function of the rank.

    Attributes:
        edges: float64 [k], ascending, the first is 0: where each step begins.
        values: float64 [k], the posterior from each edge up to the next one.
    """

    edges: np.ndarray
    values: np.ndarray

    def of(self, ranks: np.ndarray) -> np.ndarray:
        """The posteriors at some ranks: float64 [n]."""
        return self.values[np.searchsorted(self.edges, ranks, side="right") - 1]


class Limits(NamedTuple):
    """What rejections must keep to.

    Attributes:
        local: least posterior of any pair that is rejected.
        mean: least mean posterior of all that are.
    """

    local: float
    mean: float


def rising_density(ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grenander's estimate of a density on [0, 1] that rises.

    Args:
        ranks: n ≥ 1 of them.

    Returns:
        edges, float64 [k]: where each step begins, the first at 0; and the density on each step. The steps are the
        segments of the greatest convex minorant of the points (u_(i), (i - 1) / n) and (1, 1).
    """
    ordered = np.sort(ranks)
    shares = np.arange(len(ordered)) / len(ordered)
    inside = ordered < 1.0  # at 1 the function is 1, whatever lies there
    points = [(0.0, 0.0)]
    for x, y in [*zip(ordered[inside].tolist(), shares[inside].tolist(), strict=True), (1.0, 1.0)]:
        if x == points[-1][0]:  # of several points above one another the lowest one, which came first, counts
            continue
        while len(points) > 1 and _slope(points[-2], points[-1]) >= _slope(points[-1], (x, y)):
            points.pop()
        points.append((x, y))
    edges = np.array([x for x, _ in points[:-1]])
    return edges, np.array([_slope(a, b) for a, b in pairwise(points)])


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])


def posterior_steps(ranks: np.ndarray, wrong: float) -> PosteriorSteps:
    """The posterior of being wrong, by rank.

    Args:
        ranks: u of the n ≥ 1 pairs.
        wrong: share of wrong pairs among them; in a part chosen by another score, density of the wrong ones' ranks
            there.
    """
    edges, density = rising_density(ranks)
    values = np.minimum(wrong / np.maximum(density, 1e-12), 1.0) if wrong > 0 else np.zeros(len(density))
    return PosteriorSteps(edges, values)


def reject_below(ranks: np.ndarray, steps: PosteriorSteps, limits: Limits) -> float:
    """The highest rank c such that the pairs with u < c are mostly wrong: 0 if there is none.

    Args:
        ranks: u of the pairs that may be rejected.
        steps: their posterior.
        limits: what each of those below c, and their mean, must reach.
    """
    ends = np.r_[steps.edges[1:], np.inf]
    total, count, found = 0.0, 0, 0.0
    ordered = np.sort(ranks)
    begins = np.searchsorted(ordered, np.r_[steps.edges, np.inf], side="left")
    for value, end, size in zip(steps.values.tolist(), ends.tolist(), np.diff(begins).tolist(), strict=True):
        total, count = total + value * size, count + size
        if value < limits.local:
            break
        if count and total >= limits.mean * count:
            found = end
    return min(found, 1.0)
