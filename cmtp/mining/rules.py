"""Which candidates may stand as negatives: one rule after the other, each counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from cmtp.kernels.dot import row_dots
from cmtp.mining.cross_encoder import Rescore
from cmtp.mining.overlap import Picked, alike
from cmtp.mining.pool import Pool, Queries, cosines
from cmtp.mining.settings import MineSettings


class NegativeRule(NamedTuple):
    """Why a candidate is not a negative.

    Attributes:
        reason: what the rule says of the candidate.
        settings: which settings let more candidates through.
    """

    reason: str
    settings: str


_RANKS = "mine.last_rank"
NEGATIVE_RULES = {
    "same_document": NegativeRule("it stands in the positive's document", _RANKS),
    "same_query": NegativeRule("it belongs to the same query", _RANKS),
    "too_short": NegativeRule("it is a short text", "mine.min_chars"),
    "margin": NegativeRule("it scores too close to the positive", "mine.relative_margin"),
    "absolute_margin": NegativeRule("it scores too close to the positive", "mine.absolute_margin"),
    "max_score": NegativeRule("it scores too high", "mine.max_score"),
    "near_positive": NegativeRule("its words are nearly the positive's", "mine.max_jaccard and mine.max_contained"),
    "near_query": NegativeRule("it answers nearly the same query", "mine.max_query_jaccard"),
    "near_answer": NegativeRule("it says the same as the positive by the encoder's judgement", "mine.max_answer_ratio"),
    "unrelated": NegativeRule("it has no topic in common with the positive", "mine.min_related"),
    "cross_encoder": NegativeRule(
        "it answers the query by the cross-encoder's judgement", "mine.cross_encoder and mine.cross_margin"
    ),
}
"""The rules in the order of the tests."""

ANSWERS_COMPARED = 8192
"""Candidates that one step of the rule ``near_answer`` compares with their positives by vector."""


@dataclass(frozen=True)
class Candidates:
    """n lists of candidates for negatives, one per query.

    Attributes:
        rows: [n, k] int64, rows of the pool, best first; -1: nothing.
        scores: [n, k] float32, cosines with the query.
        first: place in a list from which candidates may be taken.
        kind: what the negatives among them will be called.
    """

    rows: np.ndarray
    scores: np.ndarray
    first: int
    kind: str


class Judged(NamedTuple):
    """Which candidates were chosen.

    Attributes:
        chosen: [n, k] bool.
        scores: [n, k] float32, as they will be written.
    """

    chosen: np.ndarray
    scores: np.ndarray


class Cells(NamedTuple):
    """c candidates out of lists.

    Attributes:
        query: [c] int64, places of their queries.
        row: [c] int64, rows of the pool.
        score: [c] float32, as it will be written.
    """

    query: np.ndarray
    row: np.ndarray
    score: np.ndarray


def highest_score(positive: np.ndarray, margin: float) -> np.ndarray:
    """Highest score a negative may have: NV-Retriever's TopK-PercPos (arXiv 2407.15831), (1 - margin) × positive."""
    return positive - margin * np.abs(positive)  # type: ignore[no-any-return]


def _none(cells: Cells) -> np.ndarray:
    return np.zeros(len(cells.row), bool)


class Judge:
    """Applies the rules to candidates of queries.

    Attributes:
        rescored: where there is a cross-encoder, its scores of positives: [n] float32.
    """

    def __init__(self, queries: Queries, pool: Pool, settings: MineSettings, rescore: Rescore | None) -> None:
        self.queries, self.pool, self.settings = queries, pool, settings
        self._rescore = rescore
        self._least_chars = np.minimum(pc.utf8_length(queries.passages).to_numpy(), settings.min_chars)
        self.rescored = np.empty(0, np.float32)
        if rescore is not None:
            self.rescored = rescore(queries.texts.to_pylist(), queries.passages.to_pylist())

    def judge(self, candidates: Candidates, of: np.ndarray, wanted: int, counts: Counter[str]) -> Judged:
        """Choose the first `wanted` candidates of every list that break no rule.

        1. Apply the cheap rules to all candidates.
        2. The first `wanted` of each list that are left are chosen.
        3. Apply the expensive rules to those of them that were not tested yet, and strike out what breaks one.
        4. Repeat from 2 until all that are chosen are tested.

        Args:
            candidates: n lists; list i belongs to query of[i].
            of: [n] int64, places of queries.
            wanted: negatives to be found in each list.
            counts: raised by the candidates that each rule takes; one counts for the first rule that takes it.
        """
        left = self._pass_cheap_rules(candidates, of, counts)
        scores = candidates.scores.copy()
        tested = np.zeros_like(left)
        while True:
            chosen = left & (np.cumsum(left, axis=1) <= wanted)
            lists, places = np.nonzero(chosen & ~tested)
            if not len(lists):
                return Judged(chosen, scores)
            tested[lists, places] = True
            for name, breaks in (
                ("near_positive", self._near_positive),
                ("near_query", self._near_query),
                ("near_answer", self._near_answer),
                ("unrelated", self._unrelated if candidates.kind != "random" else _none),
                ("cross_encoder", self._cross_encoder),
            ):
                cells = Cells(of[lists], candidates.rows[lists, places], scores[lists, places])
                bad = breaks(cells)
                scores[lists, places] = cells.score
                left[lists[bad], places[bad]] = False
                counts[name] += int(bad.sum())
                lists, places = lists[~bad], places[~bad]

    def _pass_cheap_rules(self, candidates: Candidates, of: np.ndarray, counts: Counter[str]) -> np.ndarray:
        """Which candidates break no rule that needs codes and scores alone: [n, k] bool."""
        queries, pool, settings, rows = self.queries, self.pool, self.settings, candidates.rows
        positive = queries.scores[of]
        left = rows >= 0
        left[:, : candidates.first] = False
        same_query = pool.queries_of.has(queries.query[of], rows)
        # Texts of one kind: where a belongs to b and b to c, a belongs to c.
        same_query |= pool.queries_of.has(np.where(queries.symmetric[of], queries.positive[of], -1), rows)
        for name, bad in (
            ("same_document", pool.documents_of.has(queries.doc[of], rows)),
            ("same_query", same_query),
            ("too_short", pool.lengths[rows] < self._least_chars[of][:, None]),
            ("margin", candidates.scores > highest_score(positive, settings.relative_margin)[:, None]),
            ("absolute_margin", candidates.scores > (positive - np.float32(settings.absolute_margin))[:, None]),
            ("max_score", candidates.scores > np.float32(settings.max_score)),
        ):
            counts[name] += int((left & bad).sum())
            left &= ~bad
        return left

    def _near_positive(self, cells: Cells) -> np.ndarray:
        queries, settings = self.queries, self.settings
        same_row = queries.row[cells.query] == cells.row  # a text of punctuation alone has no n-grams
        positives, passages = Picked(queries.passages, cells.query), Picked(self.pool.passages, cells.row)
        return same_row | alike(positives, passages, settings.max_jaccard, settings.max_contained)  # type: ignore[no-any-return]

    def _near_query(self, cells: Cells) -> np.ndarray:
        """A passage has one or several queries; each is compared with the candidate's query.

        Texts of one kind stand for each other, so the passage itself is compared with the query, and its queries with
        the positive.
        """
        queries, pool, most = self.queries, self.pool, self.settings.max_query_jaccard
        codes, starts = pool.queries_of.by_row
        counts = starts[cells.row + 1] - starts[cells.row]
        cell = np.repeat(np.arange(len(cells.row)), counts)  # each cell as often as its passage has queries
        nth = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
        others = Picked(pool.queries, codes[starts[cells.row][cell] + nth])
        symmetric = queries.symmetric[cells.query]
        bad = np.zeros(len(cells.row), bool)
        bad[cell[alike(Picked(queries.texts, cells.query[cell]), others, most)]] = True
        if symmetric.any():
            passages = Picked(pool.passages, cells.row)
            bad |= symmetric & alike(Picked(queries.texts, cells.query), passages, most)
            near = alike(Picked(queries.passages, cells.query[cell]), others, most)
            bad[cell[near & symmetric[cell]]] = True
        return bad

    def _near_answer(self, cells: Cells) -> np.ndarray:
        """Vectors are centred by the means of the pool and its queries: what all texts of a side share says nothing.

        A query whose own score is then 0 or less rules nothing out.
        """
        queries, pool, ratio = self.queries, self.pool, self.settings.max_answer_ratio
        bad = np.zeros(len(cells.row), bool)
        if ratio is None or queries.centre is None or pool.centre is None:
            return bad
        for start in range(0, len(bad), ANSWERS_COMPARED):
            part = slice(start, start + ANSWERS_COMPARED)
            query = cells.query[part]
            positives = queries.positives[query] - pool.centre
            own = row_dots(queries.vectors[query] - queries.centre, positives)
            to_positive = row_dots(pool.vectors.take(cells.row[part]) - pool.centre, positives)
            bad[part] = (own > 0) & (to_positive >= np.float32(ratio) * own)
        return bad

    def _unrelated(self, cells: Cells) -> np.ndarray:
        """Vectors are centred as in `_near_answer`: what all passages share is no topic."""
        queries, pool, share = self.queries, self.pool, self.settings.min_related
        bad = np.zeros(len(cells.row), bool)
        if share is None or pool.centre is None or not len(pool.chance):
            return bad
        least = pool.chance[int(share * len(pool.chance))]
        for start in range(0, len(bad), ANSWERS_COMPARED):
            part = slice(start, start + ANSWERS_COMPARED)
            positives = queries.positives[cells.query[part]] - pool.centre
            bad[part] = cosines(pool.vectors.take(cells.row[part]) - pool.centre, positives) < least
        return bad

    def _cross_encoder(self, cells: Cells) -> np.ndarray:
        """Writes the cross-encoder's scores."""
        if self._rescore is None or not len(cells.row):
            return np.zeros(len(cells.row), bool)
        texts = self.queries.texts.take(cells.query).to_pylist()
        cells.score[:] = self._rescore(texts, self.pool.passages.take(cells.row).to_pylist())
        return cells.score > highest_score(self.rescored[cells.query], self.settings.cross_margin)
