"""Near misses of each query, without the ones that would be false negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from cmtp.mining.overlap import alike
from cmtp.mining.scan import search
from cmtp.recipe import MineSettings

DRAWS_PER_NEGATIVE = 8
"""Random passages drawn for each negative that is wanting, before the list is left short."""


@dataclass(frozen=True)
class Pool:
    """The distinct passages of a source that negatives come from.

    Attributes:
        passages: [m] string, distinct.
        vectors: [m, dim] float32, L2-normalised.
        doc: sorted int64, document code × m + row, for every document a passage stands in.
        query: sorted int64, query code × m + row, for every query a passage belongs to.
    """

    passages: pa.Array
    vectors: np.ndarray
    doc: np.ndarray
    query: np.ndarray

    @classmethod
    def of(cls, passages: pa.Array, vectors: np.ndarray, doc: np.ndarray, query: np.ndarray) -> Pool:
        """Make a pool of n pairs, several of which may share a passage.

        Args:
            passages: [n] string.
            vectors: [n, dim] float32.
            doc: [n] int64, code of the pair's document.
            query: [n] int64, code of the pair's query.
        """
        coded = pc.dictionary_encode(passages)
        row = coded.indices.to_numpy().astype(np.int64)
        size = len(coded.dictionary)
        if size < len(row):
            vectors = vectors[np.unique(row, return_index=True)[1]]
        return cls(coded.dictionary, vectors, np.unique(doc * size + row), np.unique(query * size + row))

    def in_document(self, doc: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether passage rows[i, j] stands in document doc[i]: [n, k] bool."""
        return _contains(self.doc, doc[:, None] * len(self.passages) + rows)

    def of_query(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether passage rows[i, j] belongs to query query[i]: [n, k] bool."""
        return _contains(self.query, query[:, None] * len(self.passages) + rows)


def _contains(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[at] == keys  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Queries:
    """The rows to find negatives for, in the codes of the pool (-1: not in the pool).

    Attributes:
        ids: [n] pair_id, seeds of the random negatives.
        vectors: [n, dim] float32, L2-normalised.
        passages: [n] string, the positives.
        scores: [n] float32, cosine of query and positive.
        doc: [n] int64.
        query: [n] int64.
    """

    ids: list[str]
    vectors: np.ndarray
    passages: pa.Array
    scores: np.ndarray
    doc: np.ndarray
    query: np.ndarray


@dataclass(frozen=True)
class Negative:
    """One negative: its row in the pool, cosine with the query, rank in the search from 1 (-1: random)."""

    row: int
    score: float
    rank: int


DROPPED = ("same_document", "same_query", "margin", "near_positive")
"""Why a candidate is no negative: from the positive's document; belongs to the same query; scores too close to the
positive; says the same as the positive."""


def find_negatives(
    queries: Queries, pool: Pool, settings: MineSettings, seed: int
) -> tuple[list[list[Negative]], dict[str, int]]:
    """Search, remove false negatives, fill up.

    Returns:
        For each query at most `settings.negatives`, hardest first, random ones last; and how many candidates within
        the rank window each rule removed (a candidate counts for the first rule that fits), with how many random
        negatives were drawn and how many were left wanting.
    """
    counts = dict.fromkeys((*DROPPED, "mined", "random", "short"), 0)
    rows, scores = search(queries.vectors, pool.vectors, min(settings.last_rank, len(pool.passages)))
    keep = _judge(queries, pool, rows, scores, settings, counts)
    limit = _limit(queries.scores, settings.relative_margin)
    found = []
    for i in range(len(queries.ids)):
        ranks = np.flatnonzero(keep[i])[: settings.negatives]
        negatives = [Negative(int(rows[i, j]), float(scores[i, j]), int(j) + 1) for j in ranks]
        counts["mined"] += len(negatives)
        if len(negatives) < settings.negatives and settings.fill == "random":
            drawn = _draw(queries, pool, i, negatives, float(limit[i]), settings, seed)
            counts["random"] += len(drawn)
            negatives += drawn
        counts["short"] += settings.negatives - len(negatives)
        found.append(negatives)
    return found, counts


def _limit(positive: np.ndarray, margin: float) -> np.ndarray:
    """Highest score a negative may have: NV-Retriever's TopK-PercPos (arXiv 2407.15831), (1 - margin) × positive."""
    return positive - margin * np.abs(positive)


def _judge(
    queries: Queries, pool: Pool, rows: np.ndarray, scores: np.ndarray, settings: MineSettings, counts: dict[str, int]
) -> np.ndarray:
    """Which candidates may stand as negatives: [n, k] bool. The dear test comes last, on as many as may be needed."""
    window = np.zeros_like(rows, bool)
    window[:, settings.first_rank - 1 :] = True
    same_doc = pool.in_document(queries.doc, rows)
    same_query = pool.of_query(queries.query, rows)
    close = scores > _limit(queries.scores, settings.relative_margin)[:, None]
    keep = window & ~same_doc & ~same_query & ~close
    counts["same_document"] += int((window & same_doc).sum())
    counts["same_query"] += int((window & ~same_doc & same_query).sum())
    counts["margin"] += int((window & ~same_doc & ~same_query & close).sum())
    tested = np.zeros_like(keep)
    while True:
        # Only the first `negatives` of each list matter: test those, strike out, and look again until none falls.
        first = keep & (np.cumsum(keep, axis=1) <= settings.negatives) & ~tested
        if not first.any():
            return keep
        left, right = np.nonzero(first)
        tested |= first
        near = alike(
            queries.passages, left, pool.passages, rows[left, right], settings.max_jaccard, settings.max_contained
        )
        keep[left[near], right[near]] = False
        counts["near_positive"] += int(near.sum())


def _draw(
    queries: Queries, pool: Pool, i: int, have: list[Negative], limit: float, settings: MineSettings, seed: int
) -> list[Negative]:
    """Random passages for query i, keyed by its id, under the same rules as searched ones."""
    wanted = settings.negatives - len(have)
    start = xxhash.xxh3_64_intdigest(queries.ids[i].encode(), seed=seed % 2**64)
    rows = np.random.Generator(np.random.PCG64(start)).integers(0, len(pool.passages), wanted * DRAWS_PER_NEGATIVE)
    rows = rows[np.sort(np.unique(rows, return_index=True)[1])]
    taken = {one.row for one in have}
    scores = pool.vectors[rows] @ queries.vectors[i]
    own = pool.in_document(queries.doc[i : i + 1], rows[None]) | pool.of_query(queries.query[i : i + 1], rows[None])
    fit = ~own[0] & (scores <= limit)
    rows, scores = rows[fit], scores[fit]
    near = alike(
        queries.passages, np.full(len(rows), i), pool.passages, rows, settings.max_jaccard, settings.max_contained
    )
    drawn = [
        Negative(int(row), float(score), -1)
        for row, score, bad in zip(rows, scores, near, strict=True)
        if not bad and int(row) not in taken
    ]
    return drawn[:wanted]


def codes(values: pa.Array | pa.ChunkedArray, dictionary: pa.Array) -> np.ndarray:
    """Place of each value in a dictionary of distinct values: [n] int64, -1 where it is not in it."""
    return pc.fill_null(pc.index_in(values, dictionary), -1).to_numpy().astype(np.int64)
