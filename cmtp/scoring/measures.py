"""Ranking measures per query, and intervals on their differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


def interval_text(interval: Interval) -> str:
    """Mean, interval and whether it is resolved."""
    text = f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
    return text if interval.resolved else f"{text}, not resolved"


def top_k(scores: Callable[[int, int], FloatArray], queries: int, k: int, block: int = 256) -> NDArray[np.int64]:
    """The rows of the best passages, int64 [q, k]: best first, equal scores by row number.

    Args:
        scores: ``scores(start, stop)`` gives the scores of these queries with all p passages, [stop - start, p].
        queries: number of queries.
        k: passages per query.
        block: queries scored at a time.
    """
    ranked = []
    for start in range(0, queries, block):
        part = np.asarray(scores(start, min(start + block, queries)), dtype=np.float32)
        ranked.append(np.argsort(-part, axis=1, kind="stable")[:, :k])
    return np.concatenate(ranked)


def ndcg(ranked: NDArray[np.int64], relevant: list[set[int]], k: int = 10) -> FloatArray:
    """[q] nDCG@k with binary gains (Järvelin & Kekäläinen 2002).

    Args:
        ranked: [q, k or more] rows of the passages found, best first; -1 after the last one found.
        relevant: [q] rows of the right passages, at least one for each query.
        k: number of ranks that are scored.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    values = np.zeros(len(relevant))
    for i, right in enumerate(relevant):
        gains = np.array([row in right for row in ranked[i, :k]], dtype=float)
        values[i] = (gains * discount[: len(gains)]).sum() / discount[: min(k, len(right))].sum()
    return values


def recall(ranked: NDArray[np.int64], relevant: list[set[int]], k: int) -> FloatArray:
    """[q] share of the right passages among the first k. Arguments as for `ndcg`."""
    return np.array(
        [len(right & set(row[:k].tolist())) / len(right) for row, right in zip(ranked, relevant, strict=True)]
    )


def bootstrap(a: FloatArray, b: FloatArray, draws: int = 2000, seed: int = 0) -> Interval:
    """Paired bootstrap of mean(a - b) over queries and seeds.

    Args:
        a: [s, q] a value per seed and query; [q] is one seed.
        b: values to subtract, of the same shape.
        draws: number of resamples. Each draws queries, and independently of them seeds.
        seed: of the resampling.

    Raises:
        ValueError: the shapes differ.
    """
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    if a.shape != b.shape:
        raise ValueError(f"paired values have shapes {a.shape} and {b.shape}")
    difference = a - b
    seeds, queries = difference.shape
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for i in range(draws):
        rows = random.integers(0, seeds, seeds)
        means[i] = difference[rows][:, random.integers(0, queries, queries)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(difference.mean()), float(low), float(high))
