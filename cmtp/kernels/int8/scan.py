"""Exact search for the nearest passages. A scan in int8 finds all that can be among them, and float64 decides.

The numbers. The pool's mean is subtracted from every pool vector, which shifts all scores of a query by the same amount
and makes the error smaller. A pool vector p is then stored as p̂ = int8 values × a scale of its own, a query q as q̂.
The scan's score q̂·p̂ differs from the true one by at most ε = |q̂||p - p̂| + |q - q̂||p| (Cauchy-Schwarz), where the
pool's largest lengths stand for each passage's own.

The search, for each block of queries:

1. Go through the pool in panels of 48 passages, and through the queries in groups of 8; `tile` scores each group and
   panel and marks the scores that reach their query's limit.
2. Put those passages among the query's candidates, and count their scores in a histogram.
3. When the buckets from `level` + 1 upward hold at least k scores, raise `level`, and with it the limit: the lower edge
   of bucket `level`, less 2ε.
4. When a query has `ROOM` candidates, drop those that are now below the limit. If more than half are left, give the
   query up.
5. `cmtp.kernels.dot.decide` scores the candidates in float64 and keeps the k nearest.

Invariants of steps 2 to 4, for each query that is not given up:

- I1. At least k of the passages seen have a scan score at or above the edge of bucket `level`, or `level` is 0.
- I2. The limit is that edge less 2ε (-inf while `level` is 0), and never falls.
- I3. Every passage seen whose scan score reaches the limit is among the candidates.

So no passage among the k nearest is lost. A passage below the limit has a scan score below edge - 2ε, hence a true
score below edge - ε. By I1 there are k passages with scan scores ≥ edge, hence true scores ≥ edge - ε: all of them are
nearer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from cmtp.kernels.dot import RoughCandidates, decide
from cmtp.kernels.int8.tile import PASSAGES, QUERIES, lowest_bit, supported, tile
from cmtp.kernels.jit import inlined, kernel

QUERIES_PER_BLOCK = 256
"""Queries scanned together. Their bytes stay in the second-level cache during the pass through the pool."""

ROOM = 8192
"""Most candidates of a query (step 4)."""

BUCKETS = 512
"""Buckets of the histogram of a query's scores (step 3)."""

SAFETY = np.float32(1e-5)
"""Added to ε, relative to the largest score there can be: the rounding of float32 sums."""

MIN_QUERIES = 1024
"""Queries from which bringing the pool into int8 pays: with 512 the scan took 1.45 times as long as faiss, with 2,048
it took 0.58 times as long."""

MIN_PRODUCTS = 20_000_000
"""Products of queries and passages below which faiss is done before the kernel would be compiled (about 6 s, once)."""


class PackedPool(NamedTuple):
    """A pool in int8.

    Attributes:
        bytes: uint8 [panels, steps, 48, 4]: value + 128, four dimensions of 48 passages side by side.
        scale: float32 [panels × 48], scales of the passages.
        mean: float32 [dim], of the pool.
        rows: number of passages.
        length: largest length of p̂ over all passages.
        error: largest length of p - p̂.
    """

    bytes: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    rows: int
    length: float
    error: float


class PackedQueries(NamedTuple):
    """A block of n queries in int8; scores and limits are in units of the query's own scale.

    Attributes:
        bytes: int8 [groups, steps, 8, 4], four dimensions of 8 queries side by side.
        bias: int32 [groups × 8], start of a query's sums. It cancels the 128 that is added to the pool's values.
        scale: float32 [n], scales of the queries.
        reach: float32 [n], largest score there can be.
        error: float32 [n], ε.
    """

    bytes: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    reach: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Found:
    """The nearest passages.

    Attributes:
        rows: [n, k] int64, best first, equal scores by row.
        scores: [n, k] float32.
        given_up: int64, the queries that had too many near misses; their rows and scores mean nothing.
    """

    rows: np.ndarray
    scores: np.ndarray
    given_up: np.ndarray


def nearest(queries: np.ndarray, pool: np.ndarray, k: int) -> Found | None:
    """The k passages with the highest dot product: see the package's contract.

    Args:
        queries: [n, dim] float32, contiguous.
        pool: [m, dim] float32, contiguous; m ≥ 1.
        k: at most m.

    Returns:
        None if the processor lacks the instruction, or the search is so small that faiss is as fast.
    """
    few = len(queries) < MIN_QUERIES or len(queries) * len(pool) < MIN_PRODUCTS
    if few or k * 4 > ROOM or not supported():
        return None
    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    packed = pack(pool)

    def search(start: int) -> np.ndarray:
        part = slice(start, start + QUERIES_PER_BLOCK)
        candidates = near_misses(queries[part], packed, k)
        decide(queries[part], pool, candidates, rows[part], scores[part])
        return start + np.flatnonzero(candidates.counts < 0)

    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as threads:  # type: ignore[attr-defined]
        given_up = list(threads.map(search, range(0, len(queries), QUERIES_PER_BLOCK)))
    return Found(rows, scores, np.concatenate(given_up))


def pack(pool: np.ndarray) -> PackedPool:
    """Convert a pool [m, dim] float32 into int8."""
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
    return PackedPool(held, scale, mean, m, length, error)


def _round(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each row: int8 values, scale, length of values × scale, and length of its difference from the row."""
    top = np.abs(rows).max(axis=1)
    scale = np.where(top > 0, top / np.float32(127), np.float32(1)).astype(np.float32)
    values = np.rint(rows / scale[:, None]).astype(np.int8)
    held = values * scale[:, None]
    return values, scale, np.linalg.norm(held, axis=1), np.linalg.norm(rows - held, axis=1)


def near_misses(queries: np.ndarray, packed: PackedPool, k: int) -> RoughCandidates:
    """Candidates of n queries: all passages that can be among the k nearest, and others. Counts of -1: given up."""
    block = _pack_queries(queries, packed)
    rows, rough = np.empty((len(queries), ROOM), np.int32), np.empty((len(queries), ROOM), np.float32)
    counts = _scan(block, packed, k, rows, rough)
    # From units of the query's scale, relative to the pool's mean, to dot products.
    shift = queries @ packed.mean
    most = int(max(counts.max(), k))
    scores = rough[:, :most] * block.scale[:, None] + shift[:, None]
    rounding = SAFETY * np.linalg.norm(queries, axis=1) * np.linalg.norm(packed.mean)
    error = (block.error * block.scale + rounding).astype(np.float32)
    return RoughCandidates(np.ascontiguousarray(rows[:, :most]), scores, counts, error)


def _pack_queries(queries: np.ndarray, packed: PackedPool) -> PackedQueries:
    n, dim = queries.shape
    groups, steps = -(-n // QUERIES), packed.bytes.shape[1]
    values, scale, lengths, errors = _round(queries)
    filled = np.zeros((groups * QUERIES, steps * 4), np.int8)
    filled[:n, :dim] = values
    held = np.ascontiguousarray(filled.reshape(groups, QUERIES, steps, 4).transpose(0, 2, 1, 3))
    bias = np.zeros(groups * QUERIES, np.int32)
    bias[:n] = -128 * values.sum(axis=1, dtype=np.int32)
    reach = lengths * packed.length / scale
    error = (lengths * packed.error + errors * (packed.length + packed.error)) / scale + SAFETY * reach
    return PackedQueries(held, bias, scale, reach.astype(np.float32), error.astype(np.float32))


@kernel
def _scan(block: PackedQueries, packed: PackedPool, k: int, rows: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """Steps 1 to 4. Write candidates (rows) and their scores (rough), [n, ROOM] each. Returns counts; -1: given up.

    I1 to I3 hold at the start of every round of the loop over a query's hits.
    """
    n = len(rows)
    counts, level, above = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    histogram = np.zeros((n, BUCKETS), np.int32)
    limit = np.full(len(block.bias), np.inf, np.float32)  # a group's places beyond the last query reach no limit
    limit[:n] = -np.inf
    scores, masks = np.empty((QUERIES, PASSAGES), np.float32), np.empty(QUERIES, np.uint64)
    for panel in range(len(packed.bytes)):
        for group in range(len(block.bytes)):
            inputs = (
                block.bytes[group].ctypes.data,
                packed.bytes[panel].ctypes.data,
                block.bias[group * QUERIES :].ctypes.data,
                packed.scale[panel * PASSAGES :].ctypes.data,
                limit[group * QUERIES :].ctypes.data,
            )
            tile(block.bytes.shape[1], inputs, (scores.ctypes.data, masks.ctypes.data))  # type: ignore[call-arg]
            for i in range(QUERIES):
                hits, q = masks[i], group * QUERIES + i
                while hits:
                    j = lowest_bit(hits)
                    hits &= hits - np.uint64(1)
                    row, score = panel * PASSAGES + j, scores[i, j]
                    if row >= packed.rows or score < limit[q]:  # padding of the last panel, or the limit rose since
                        continue
                    if counts[q] == ROOM:
                        counts[q] = _drop(rows[q], rough[q], limit[q])
                        if counts[q] > ROOM // 2:
                            counts[q] = -1
                            limit[q] = np.inf
                            break
                    rows[q, counts[q]], rough[q, counts[q]] = row, score
                    counts[q] += 1
                    bucket = _bucket(score, block.reach[q])
                    histogram[q, bucket] += 1
                    if bucket >= level[q]:
                        above[q] += 1
                        while above[q] - histogram[q, level[q]] >= k:
                            above[q] -= histogram[q, level[q]]
                            level[q] += 1
                            limit[q] = _edge(level[q], block.reach[q]) - 2 * block.error[q]
    for q in range(n):
        if counts[q] > 0:
            counts[q] = _drop(rows[q][: counts[q]], rough[q][: counts[q]], limit[q])
    return counts


@inlined
def _bucket(score: np.float32, reach: np.float32) -> int:
    """Bucket of a score. The buckets divide the range from -reach to reach equally."""
    place = int((score + reach) * (BUCKETS / (2 * max(reach, np.float32(1e-30)))))
    return min(max(place, 0), BUCKETS - 1)


@inlined
def _edge(bucket: int, reach: np.float32) -> np.float32:
    """Lowest score of a bucket."""
    return np.float32(bucket * (2 * reach / BUCKETS) - reach)


@kernel
def _drop(rows: np.ndarray, scores: np.ndarray, limit: np.float32) -> int:
    """Move the candidates at or above the limit to the front, in order; returns their number."""
    kept = 0
    for i in range(len(rows)):
        if scores[i] >= limit:
            rows[kept], scores[kept] = rows[i], scores[i]
            kept += 1
    return kept
