"""Negatives of each query: those that a source gives, near misses without the false ones, and a filling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xxhash

from cmtp.mining.cross_encoder import Rescore
from cmtp.mining.miners import OpenMiner, open_miners
from cmtp.mining.pool import Pool, Queries
from cmtp.mining.rules import NEGATIVE_RULES, Candidates, Judge, Judged
from cmtp.mining.settings import MineSettings

DRAWS_PER_NEGATIVE = 8
"""Random passages drawn for each negative that is missing, before the list is left short."""

KINDS = ("curated", "mined", "bm25", "random")
"""Where negatives come from, as the column ``neg_kinds`` says; miners from outside add their own."""


@dataclass(frozen=True)
class Negative:
    """One negative.

    Attributes:
        text: the passage.
        score: the cosine with the query, or the cross-encoder's score.
        rank: in the search that found it, from 1; -1: not searched.
        kind: curated, mined (by the encoder), bm25, random, or the name of a miner from outside.
        row: of the pool; -1: a curated one, which need not be there.
    """

    text: str
    score: float
    rank: int
    kind: str
    row: int = -1


class Mined(NamedTuple):
    """What mining came to.

    Attributes:
        negatives: of each query, at most `MineSettings.negatives` (or all curated ones): hardest first, random last.
        positive_scores: [n] float32, of the positives by whatever scored the negatives.
        counts: candidates within the rank window that each rule removed (`NEGATIVE_RULES`), negatives of each kind
            (`KINDS`), and ``short``, the number of missing negatives. With several miners a passage may be counted
            several times.
    """

    negatives: list[list[Negative]]
    positive_scores: np.ndarray
    counts: Counter[str]


def find_negatives(
    queries: Queries,
    pool: Pool,
    settings: MineSettings,
    *,
    seed: int,
    miners: Sequence[OpenMiner] | None = None,
    rescore: Rescore | None = None,
    curated: list[list[Negative]] | None = None,
) -> Mined:
    """Search, remove false negatives, fill up.

    1. Each miner searches; the rules remove false negatives from what it found.
    2. A query takes its curated negatives, then the best of each miner in turn.
    3. Where that leaves too few, random passages fill up, under the same rules.

    For example, for pairs in memory, with the columns that `Queries.of` asks for; q and p are their vectors::

        passages, row, first = distinct(large_strings(pairs["passage"]))
        owners = pairs.select(["query", "doc_id"]).append_column("row", pa.array(row))
        pool = Pool.of(passages, Matrix(p[first]), owners, mean_of(p[first]))
        queries = Queries.of(pairs, pool, q, p, mean_of(q))
        mined = find_negatives(queries, pool, MineSettings(negatives=4), seed=42)
        [negative.text for negative in mined.negatives[0]]

    Args:
        queries: n of them.
        pool: at least one passage.
        settings: of the recipe.
        seed: of the random negatives.
        miners: None: those of the settings.
        rescore: the cross-encoder, where there is one.
        curated: negatives of each query that the source gives; the rules do not touch them.
    """
    counts = Counter(dict.fromkeys((*NEGATIVE_RULES, *KINDS, "short"), 0))
    n = len(queries.ids)
    found = [[] for _ in range(n)] if curated is None else [list(negatives) for negatives in curated]
    judge = Judge(queries, pool, settings, rescore)
    everyone = np.arange(n)
    k, first = min(settings.last_rank, len(pool.passages)), settings.first_rank - 1
    by_miner = []
    for kind, miner in open_miners(settings.miner, pool) if miners is None else miners:
        hits = miner.nearest(queries, k)
        scores = pool.vectors.score(queries.vectors, hits.rows) if hits.scores is None else hits.scores
        candidates = Candidates(hits.rows, scores, first, kind)
        by_miner.append(_negatives(candidates, pool, judge.judge(candidates, everyone, settings.negatives, counts)))
    for i in range(n):
        _take_in_turn(found[i], [negatives[i] for negatives in by_miner], settings.negatives)
    if settings.fill == "random":
        _fill(found, judge, seed)
    for negatives in found:
        counts.update(negative.kind for negative in negatives)
        counts["short"] += max(settings.negatives - len(negatives), 0)
    return Mined(found, queries.scores if rescore is None else judge.rescored, counts)


def _negatives(candidates: Candidates, pool: Pool, judged: Judged) -> list[list[Negative]]:
    """The candidates that were chosen, by list."""
    lists, places = np.nonzero(judged.chosen)
    rows = candidates.rows[lists, places]
    texts = pool.passages.take(pa.array(rows)).to_pylist()
    scores = judged.scores[lists, places].tolist()
    searched = candidates.kind != "random"
    negatives: list[list[Negative]] = [[] for _ in candidates.rows]
    for i, place, text, score, row in zip(lists.tolist(), places.tolist(), texts, scores, rows.tolist(), strict=True):
        negatives[i].append(Negative(text, score, place + 1 if searched else -1, candidates.kind, row))
    return negatives


def _take_in_turn(found: list[Negative], lists: list[list[Negative]], most: int) -> None:
    """Raise `found` to `most`: the first of each list, then the second of each; no text twice."""
    texts = {negative.text for negative in found}
    for place in range(max(map(len, lists), default=0)):
        for negatives in lists:
            if len(found) < most and place < len(negatives) and negatives[place].text not in texts:
                texts.add(negatives[place].text)
                found.append(negatives[place])


def _fill(found: list[list[Negative]], judge: Judge, seed: int) -> None:
    """Random passages for the queries that have too few, drawn by their ids, under the same rules as searched ones."""
    pool, queries, most = judge.pool, judge.queries, judge.settings.negatives
    short = np.array([i for i, negatives in enumerate(found) if len(negatives) < most], np.int64)
    if not len(short):
        return
    size = most * DRAWS_PER_NEGATIVE
    rows = np.full((len(short), size), -1, np.int64)
    for row, i in zip(rows, short, strict=True):
        id_seed = xxhash.xxh3_64_intdigest(queries.ids[i].encode(), seed=seed % 2**64)
        drawn = np.random.Generator(np.random.PCG64(id_seed)).integers(0, len(pool.passages), size)
        first = np.sort(np.unique(drawn, return_index=True)[1])
        row[: len(first)] = drawn[first]
    candidates = Candidates(rows, pool.vectors.score(queries.vectors[short], rows), 0, "random")
    # A drawn passage may be one that the search found, so as many are chosen as if there were none.
    judged = judge.judge(candidates, short, most, Counter())
    for i, negatives in zip(short.tolist(), _negatives(candidates, pool, judged), strict=True):
        _take_in_turn(found[i], [negatives], most)
