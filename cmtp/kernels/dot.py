"""Dot products with the same bits on any processor, and the choice of the nearest passages by them.

A sum in float32 depends on the order of its terms, and that order depends on the width of the processor's registers.
Here products and sums are float64, and the vectors come from fp16, as the encode stage stores them. Then the result is
exact: a value of fp16 is a multiple of 2^-24, so a product of two is a multiple of 2^-48, and a sum of products below
32 in size has at most 53 bits. Whatever the order, no bit is lost. For other vectors the result is right to about 1e-16
of the lengths' product, which rounding to float32 hides nearly always.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cmtp.kernels.jit import compiled, kernel

_ANY_ORDER = {"reassoc", "contract"}
"""The compiler may sum in any order: the result is exact (see above)."""


class RoughCandidates(NamedTuple):
    """For each of n queries, passages that may be among the k nearest, with rough scores.

    Attributes:
        rows: [n, c] int32, rows of the pool.
        scores: [n, c] float32, rough scores: each differs from the true one by at most the query's `error`.
        counts: [n] int64, the number of candidates in each row; below 0: the query is not decided.
        error: [n] float32, the largest difference between a rough and a true score.
    """

    rows: np.ndarray
    scores: np.ndarray
    counts: np.ndarray
    error: np.ndarray


def dots(queries: np.ndarray, pool: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Score some passages for each query.

    Args:
        queries: [n, dim] float32.
        pool: [m, dim] float32.
        rows: [n, k] int64, rows of the pool; -1: none.

    Returns:
        [n, k] float32: dot product of query i and passage rows[i, j]; -inf where there is none.
    """
    scores = np.empty(rows.shape, np.float32)
    _dots(queries, pool, rows, scores)
    return scores


def row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot product of a[i] and b[i], both [n, dim] float32: [n] float32."""
    return dots(a, b, np.arange(len(a))[:, None])[:, 0]


@compiled(fastmath=_ANY_ORDER)
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@kernel
def _dots(queries: np.ndarray, pool: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> None:
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            row = rows[i, j]
            scores[i, j] = _dot(queries[i], pool[row]) if row >= 0 else -np.inf


@kernel
def decide(
    queries: np.ndarray, pool: np.ndarray, candidates: RoughCandidates, rows: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Score the candidates that can matter, and keep the k nearest of each query.

    For each query:

    1. Sort the candidates by rough score.
    2. Score the first k. Their lowest true score, t, is a lower bound on the k-th best true score.
    3. Score further candidates as long as rough score + error ≥ t. Those after them cannot be among the k.
    4. Sort what was scored by true score, then by row; write the first k.

    Args:
        queries: [n, dim] float32.
        pool: [m, dim] float32.
        candidates: `RoughCandidates`, at least k for each query that is to be decided.
        rows: [n, k] int64, written: best first, equal scores by row.
        scores: [n, k] float32, written.

    Returns:
        [n] bool: whether step 3 scored all candidates. Then a passage that is not a candidate might be nearer, unless
        the caller knows that the candidates include all passages that can be among the k.
    """
    k = rows.shape[1]
    exhausted = np.zeros(len(queries), np.bool_)
    true = np.empty(candidates.rows.shape[1], np.float64)
    for q in range(len(queries)):
        count = candidates.counts[q]
        if count < 0:
            continue
        rough = candidates.scores[q, :count]
        by_rough = np.argsort(-rough)
        bound, n = np.inf, 0
        while n < count:
            place = by_rough[n]
            if n >= k and np.float64(rough[place]) + candidates.error[q] < bound:
                break
            true[n] = _dot(queries[q], pool[candidates.rows[q, place]])
            if n < k:
                bound = min(bound, true[n])
            n += 1
        exhausted[q] = n == count
        found = candidates.rows[q][by_rough[:n]]
        by_row = np.argsort(found)
        order = by_row[np.argsort(-true[:n][by_row], kind="mergesort")]
        for j in range(k):
            rows[q, j], scores[q, j] = found[order[j]], true[order[j]]
    return exhausted
