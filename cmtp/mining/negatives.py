"""Negatives of each query: those that a source gives, near misses without the false ones, and a filling."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import xxhash

from cmtp.mining.pool import Pool, Queries
from cmtp.mining.rules import RULES, Candidates, Judge, Score
from cmtp.mining.words import WordIndex
from cmtp.recipe import MineSettings

DRAWS_PER_NEGATIVE = 8
"""Random passages drawn for each negative that is wanting, before the list is left short."""

DRAWN_BLOCK = 256
"""Queries whose random passages are scored together."""


@dataclass(frozen=True)
class Negative:
    """One negative.

    Attributes:
        text: the passage.
        score: as the judge scored it: cosine, or cross-encoder.
        rank: in the search that found it, from 1; -1: not searched.
        kind: curated, mined (by the encoder), bm25 or random.
    """

    text: str
    score: float
    rank: int
    kind: str


def find_negatives(
    queries: Queries,
    pool: Pool,
    settings: MineSettings,
    seed: int,
    words: WordIndex | None = None,
    rescore: Score | None = None,
    given: list[list[Negative]] | None = None,
) -> tuple[list[list[Negative]], np.ndarray, Counter[str]]:
    """Search, remove false negatives, fill up.

    Args:
        queries: n of them.
        pool: at least one passage.
        settings: of the recipe.
        seed: of the random negatives.
        words: for the miners bm25 and mix.
        rescore: the cross-encoder, where there is one.
        given: curated negatives of each query; they come first.

    Returns:
        For each query at most `settings.negatives` (or all given ones), hardest first, random ones last; the scores of
        the positives, [n] float32; and how many candidates within the rank window each rule removed, with how many
        negatives there are of each kind and how many are wanting. With two miners a passage may be counted twice.
    """
    counts = Counter(dict.fromkeys((*RULES, "curated", "mined", "bm25", "random", "short"), 0))
    n = len(queries.ids)
    found = [list(one) for one in given] if given is not None else [[] for _ in range(n)]
    judge = Judge(queries, pool, settings, rescore)
    everyone = np.arange(n)
    lists = [
        _taken(one, everyone, pool, *judge.judge(one, everyone, np.full(n, settings.negatives), counts))
        for one in _search(queries, pool, settings, words)
    ]
    for i in range(n):
        _take_in_turn(found[i], [one[i] for one in lists], settings.negatives)
    if settings.fill == "random":
        _fill(found, judge, seed)
    for one in found:
        counts.update(negative.kind for negative in one)
        counts["short"] += max(settings.negatives - len(one), 0)
    return found, judge.rescored if rescore is not None else queries.scores, counts


def _search(queries: Queries, pool: Pool, settings: MineSettings, words: WordIndex | None) -> list[Candidates]:
    """The window of ranks of each miner, from rank 1."""
    k, first = min(settings.last_rank, len(pool.passages)), settings.first_rank - 1
    found = []
    if settings.miner != "bm25":
        found.append(Candidates(*pool.vectors.nearest(queries.vectors, k), first, "mined"))
    if words is not None:
        rows = words.nearest(queries.texts, k)
        found.append(Candidates(rows, _cosines(queries, pool, rows), first, "bm25"))
    return found


def _cosines(queries: Queries, pool: Pool, rows: np.ndarray) -> np.ndarray:
    """Cosine of query i and passage rows[i, j]: [n, k] float32; -inf where there is none."""
    scores = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), DRAWN_BLOCK):
        some = rows[start : start + DRAWN_BLOCK]
        vectors = pool.vectors.take(np.maximum(some, 0).ravel()).reshape(*some.shape, -1)
        scores[start : start + DRAWN_BLOCK] = np.einsum(
            "id,ijd->ij", queries.vectors[start : start + len(some)], vectors
        )
    scores[rows < 0] = -np.inf
    return scores


def _taken(
    candidates: Candidates, of: np.ndarray, pool: Pool, chosen: np.ndarray, scores: np.ndarray
) -> list[list[Negative]]:
    """The candidates chosen, by list."""
    left, right = np.nonzero(chosen)
    texts = pool.passages.take(pa.array(candidates.rows[left, right])).to_pylist()
    lists: list[list[Negative]] = [[] for _ in of]
    ranked = candidates.kind != "random"
    for i, j, text in zip(left.tolist(), right.tolist(), texts, strict=True):
        lists[i].append(Negative(text, float(scores[i, j]), j + 1 if ranked else -1, candidates.kind))
    return lists


def _take_in_turn(found: list[Negative], lists: list[list[Negative]], most: int) -> None:
    """Raise `found` to `most`: the first of each list, then the second of each; no text twice."""
    have = {one.text for one in found}
    for place in range(max(map(len, lists), default=0)):
        for one in lists:
            if len(found) < most and place < len(one) and one[place].text not in have:
                have.add(one[place].text)
                found.append(one[place])


def _fill(found: list[list[Negative]], judge: Judge, seed: int) -> None:
    """Random passages for the queries that have too few, keyed by their ids, under the same rules as searched ones."""
    pool, settings = judge.pool, judge.settings
    short = np.array([i for i, one in enumerate(found) if len(one) < settings.negatives], np.int64)
    size = settings.negatives * DRAWS_PER_NEGATIVE
    rows = np.full((len(short), size), -1, np.int64)
    for place, i in enumerate(short):
        start = xxhash.xxh3_64_intdigest(judge.queries.ids[i].encode(), seed=seed % 2**64)
        drawn = np.random.Generator(np.random.PCG64(start)).integers(0, len(pool.passages), size)
        first = np.sort(np.unique(drawn, return_index=True)[1])
        rows[place, : len(first)] = drawn[first]
    of_short = replace(judge.queries, vectors=judge.queries.vectors[short])
    candidates = Candidates(rows, _cosines(of_short, pool, rows), 0, "random")
    wanted = np.full(len(short), settings.negatives)  # what the search found may be drawn again
    drawn_lists = _taken(candidates, short, pool, *judge.judge(candidates, short, wanted, Counter()))
    for i, one in zip(short.tolist(), drawn_lists, strict=True):
        _take_in_turn(found[i], [one], settings.negatives)
