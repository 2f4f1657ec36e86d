"""Exact search for the nearest passages: a scan in int8 finds all that can be among them, float32 decides.

A score of the scan differs from the true one by at most ε = |q̂||p - p̂| + |q - q̂||p| (Cauchy-Schwarz; q̂ and p̂ are what
int8 holds). So the k nearest are among the passages that the scan puts at most 2ε below its own k-th, and after these
are scored in float32 nothing is lost: the result is that of a float32 search, up to its rounding. Vectors of the pool
are taken relative to their mean, which shifts all scores of a query alike and makes ε smaller.

Where the processor lacks the instruction (`tile`), or a query has too many near misses, faiss searches in float32.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numba
import numpy as np

from cmtp.kernels.jit import compiled, inlined, kernel
from cmtp.mining.tile import PASSAGES, QUERIES, lowest_bit, supported, tile

BLOCK = 256
"""Queries scanned together: their bytes stay in the second cache while the pool goes by."""

ROOM = 8192
"""Candidates held per query; when they are full, those that fell below the limit are dropped."""

BUCKETS = 512
"""Of the histogram of a query's scores, by which the limit rises."""

SAFETY = np.float32(1e-5)
"""Added to ε, relative to the largest score there can be: the rounding of float32 sums."""


@dataclass(frozen=True)
class Packed:
    """A pool in int8.

    Attributes:
        bytes: uint8 [panels, steps, 48, 4]: value + 128, four dimensions of 48 passages side by side.
        scale: float32 [panels × 48].
        mean: float32 [dim], taken off before.
        length: longest vector, as held.
        error: longest difference between a vector and what is held of it.
    """

    bytes: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    length: float
    error: float


SMALL = 20_000_000
"""Products of queries and passages below which faiss is done before the kernel would be compiled (about 6 s, once)."""


def search(queries: np.ndarray, pool: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k passages with the highest dot product.

    Args:
        queries: [n, dim] float32, contiguous.
        pool: [m, dim] float32, contiguous; m ≥ 1.
        k: at most m.

    Returns:
        Rows int64 and scores float32, [n, k] each: best first, equal scores by row. The number of threads does not
        matter.
    """
    if not supported() or k * 4 > ROOM or len(queries) * len(pool) < SMALL:
        return _search_float(queries, pool, k)
    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    packed = pack(pool)
    starts = range(0, len(queries), BLOCK)

    def scan(start: int) -> None:
        some = slice(start, start + BLOCK)
        full = _search_block(queries[some], pool, packed, rows[some], scores[some])
        if len(full):
            rows[start + full], scores[start + full] = _search_float(queries[start + full], pool, k)

    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as threads:  # type: ignore[attr-defined]
        for _ in threads.map(scan, starts):
            pass
    return rows, scores


def pack(pool: np.ndarray) -> Packed:
    """Bring a pool [m, dim] into the scan's form."""
    m, dim = pool.shape
    panels, steps = -(-m // PASSAGES), -(-dim // 4)
    mean = pool.mean(axis=0, dtype=np.float64).astype(np.float32)
    held = np.full((panels, steps, PASSAGES, 4), 128, np.uint8)
    scale = np.zeros(panels * PASSAGES, np.float32)
    length = error = 0.0
    block = PASSAGES * 256  # bounds the copies made on the way
    for start in range(0, m, block):
        rows = pool[start : start + block] - mean
        values, scales, lengths, errors = _round(rows)
        scale[start : start + len(rows)] = scales
        length, error = max(length, lengths.max()), max(error, errors.max())
        filled = np.zeros((-(-len(rows) // PASSAGES) * PASSAGES, steps * 4), np.int16)
        filled[: len(rows), :dim] = values
        shaped = (filled + 128).astype(np.uint8).reshape(-1, PASSAGES, steps, 4)
        held[start // PASSAGES : start // PASSAGES + len(shaped)] = shaped.transpose(0, 2, 1, 3)
    return Packed(held, scale, mean, length, error)


def _round(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """int8 values of each row, its scale, and the lengths of what they hold and of what they miss."""
    top = np.abs(rows).max(axis=1)
    scale = np.where(top > 0, top / np.float32(127), np.float32(1)).astype(np.float32)
    values = np.rint(rows / scale[:, None]).astype(np.int8)
    held = values * scale[:, None]
    return values, scale, np.linalg.norm(held, axis=1), np.linalg.norm(rows - held, axis=1)


def _search_block(
    queries: np.ndarray, pool: np.ndarray, packed: Packed, rows: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Fill rows and scores; returns the queries that had too many candidates."""
    n, dim = queries.shape
    groups, steps = -(-n // QUERIES), packed.bytes.shape[1]
    values, scale, lengths, errors = _round(queries)
    filled = np.zeros((groups * QUERIES, steps * 4), np.int8)
    filled[:n, :dim] = values
    held = np.ascontiguousarray(filled.reshape(groups, QUERIES, steps, 4).transpose(0, 2, 1, 3))
    bias = np.zeros(groups * QUERIES, np.int32)
    bias[:n] = -128 * values.sum(axis=1, dtype=np.int32)
    # All in units of the query's own scale, as the scan's scores are.
    reach = lengths * packed.length / scale
    slack = (lengths * packed.error + errors * (packed.length + packed.error)) / scale + SAFETY * reach
    limit = np.full(groups * QUERIES, np.inf, np.float32)
    limit[:n] = -np.inf
    found = np.empty((n, ROOM), np.int32)
    rough = np.empty((n, ROOM), np.float32)
    counts, level = _scan(
        held, packed.bytes, packed.scale, bias, limit, reach, slack, len(pool), rows.shape[1], found, rough
    )
    fits = counts >= 0
    shift = queries @ packed.mean
    _decide(queries, pool, shift, scale, reach, slack, found, rough, counts, level, rows, scores)
    return np.flatnonzero(~fits)


@kernel
def _scan(held, panels, scale, bias, limit, reach, slack, m, k, found, rough):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Candidates of each query in found (rows) and rough (scores), their number (-1: too many), and the histogram
    bucket of the k-th best.
    """
    n = len(found)
    groups, steps = held.shape[0], held.shape[1]
    counts, level, above = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    histogram = np.zeros((n, BUCKETS), np.int32)
    scores, masks = np.empty((QUERIES, PASSAGES), np.float32), np.empty(QUERIES, np.uint64)
    for panel in range(len(panels)):
        for group in range(groups):
            tile(
                held[group].ctypes.data,
                panels[panel].ctypes.data,
                steps,
                bias[group * QUERIES :].ctypes.data,
                scale[panel * PASSAGES :].ctypes.data,
                limit[group * QUERIES :].ctypes.data,
                scores.ctypes.data,
                masks.ctypes.data,
            )
            for i in range(QUERIES):
                mask = masks[i]
                q = group * QUERIES + i
                while mask:
                    j = lowest_bit(mask)
                    mask &= mask - np.uint64(1)
                    row = panel * PASSAGES + j
                    score = scores[i, j]
                    if row >= m or score < limit[q]:
                        continue
                    if counts[q] == ROOM:
                        counts[q] = _drop(found[q], rough[q], limit[q])
                        if counts[q] > ROOM // 2:
                            counts[q] = -1
                            limit[q] = np.inf
                            break
                    found[q, counts[q]], rough[q, counts[q]] = row, score
                    counts[q] += 1
                    bucket = _bucket(score, reach[q])
                    histogram[q, bucket] += 1
                    if bucket >= level[q]:
                        above[q] += 1
                        while above[q] - histogram[q, level[q]] >= k:
                            above[q] -= histogram[q, level[q]]
                            level[q] += 1
                            limit[q] = _edge(level[q], reach[q]) - 2 * slack[q]
    return counts, level


@inlined
def _bucket(score, reach):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    place = int((score + reach) * (BUCKETS / (2 * max(reach, np.float32(1e-30)))))
    return min(max(place, 0), BUCKETS - 1)


@inlined
def _edge(bucket, reach):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Lowest score of a bucket."""
    return np.float32(bucket * (2 * reach / BUCKETS) - reach)


@kernel
def _drop(rows, scores, limit):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Move the candidates at or above the limit to the front, in order; returns their number."""
    kept = 0
    for at in range(len(rows)):
        if scores[at] >= limit:
            rows[kept], scores[kept] = rows[at], scores[at]
            kept += 1
    return kept


@compiled(fastmath={"reassoc", "contract"})
def _dot(a, b):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@kernel
def _decide(queries, pool, shift, scale, reach, slack, found, rough, counts, level, rows, scores):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Score candidates in float32, the best of the scan first and then those that can still matter; keep the best."""
    k = rows.shape[1]
    place, true = np.empty(ROOM, np.int64), np.empty(ROOM, np.float32)
    for q in range(len(queries)):
        if counts[q] < 0:
            continue
        best = _edge(level[q], reach[q])
        n = 0
        for at in range(counts[q]):
            if rough[q, at] >= best or level[q] == 0:
                place[n], true[n] = found[q, at], _dot(queries[q], pool[found[q, at]])
                n += 1
        kth = np.sort(true[:n])[n - k] if n >= k else np.float32(-np.inf)
        bound = (kth - shift[q]) / scale[q] - slack[q]
        if level[q] > 0:
            for at in range(counts[q]):
                if bound <= rough[q, at] < best:
                    place[n], true[n] = found[q, at], _dot(queries[q], pool[found[q, at]])
                    n += 1
        by_row = np.argsort(place[:n])
        order = by_row[np.argsort(-true[:n][by_row], kind="mergesort")]
        for j in range(k):
            rows[q, j], scores[q, j] = place[order[j]], true[order[j]]


def _search_float(queries: np.ndarray, pool: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    scores, rows = faiss.knn(queries, pool, k, metric=faiss.METRIC_INNER_PRODUCT)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)
