"""Which candidates may stand as negatives: one rule after the other, each counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cmtp.mining.overlap import alike
from cmtp.mining.pool import Pool, Queries
from cmtp.recipe import MineSettings

RULES = (
    "same_document",
    "same_query",
    "margin",
    "absolute_margin",
    "max_score",
    "near_positive",
    "near_query",
    "near_answer",
    "cross_encoder",
)
"""Why a candidate is no negative, in the order of the tests: from the positive's document; belongs to the same query;
scores too close to the positive, or too high; says the same as the positive; answers a query that is nearly the same;
says the same as the positive by the encoder's judgement; answers the query by the cross-encoder's."""

VECTORS_HELD = 8192
"""Candidates whose vectors are compared with the positives' at once."""

Score = Callable[[list[str], list[str]], np.ndarray]
"""Queries and passages, [n] each, to scores [n] float32."""


@dataclass(frozen=True)
class Candidates:
    """What a search found, or a draw.

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


def limit(positive: np.ndarray, margin: float) -> np.ndarray:
    """Highest score a negative may have: NV-Retriever's TopK-PercPos (arXiv 2407.15831), (1 - margin) × positive."""
    return positive - margin * np.abs(positive)


class Judge:
    """Applies the rules to candidates of queries.

    Attributes:
        rescored: where there is a cross-encoder, its scores of positives: [n] float32.
    """

    def __init__(self, queries: Queries, pool: Pool, settings: MineSettings, rescore: Score | None) -> None:
        self.queries, self.pool, self.settings = queries, pool, settings
        self._rescore = rescore
        self.rescored = np.empty(0, np.float32)
        if rescore is not None:
            self.rescored = rescore(queries.texts.to_pylist(), queries.passages.to_pylist())

    def judge(
        self, given: Candidates, of: np.ndarray, wanted: np.ndarray, counts: Counter[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the first candidates of every list that break no rule.

        Args:
            given: candidates; list i belongs to query of[i].
            of: [n] int64, places of queries.
            wanted: [n] int64, negatives to be found in each list. Later candidates are not tested by the dear rules.
            counts: raised by the candidates that each rule takes; one counts for the first rule that fits.

        Returns:
            bool [n, k], at most `wanted` true in each list; and scores as they will be written, [n, k] float32.
        """
        keep = self._cheap(given, of, counts)
        scores = given.scores.copy()
        tested = np.zeros_like(keep)
        while True:
            # Only the first `wanted` of each list matter: test those, strike out, and look again until none falls.
            chosen = keep & (np.cumsum(keep, axis=1) <= wanted[:, None])
            first = chosen & ~tested
            if not first.any():
                return chosen, scores
            at: tuple[np.ndarray, ...] = np.nonzero(first)
            tested |= first
            for name, test in (
                ("near_positive", self._near_positive),
                ("near_query", self._near_query),
                ("near_answer", self._near_answer),
                ("cross_encoder", self._cross_encoder),
            ):
                bad = test(of[at[0]], given.rows[at], scores, at)
                keep[at[0][bad], at[1][bad]] = False
                counts[name] += int(bad.sum())
                at = at[0][~bad], at[1][~bad]

    def _cheap(self, given: Candidates, of: np.ndarray, counts: Counter[str]) -> np.ndarray:
        queries, pool, settings, rows = self.queries, self.pool, self.settings, given.rows
        positive = queries.scores[of]
        keep = rows >= 0
        keep[:, : given.first] = False
        same = pool.asked.has(queries.query[of], rows)
        # Of a is b and b is c, c is a's too: in tasks whose two sides are of one kind.
        same |= pool.asked.has(np.where(queries.symmetric[of], queries.positive[of], -1), rows)
        for name, bad in (
            ("same_document", pool.documents.has(queries.doc[of], rows)),
            ("same_query", same),
            ("margin", given.scores > limit(positive, settings.relative_margin)[:, None]),
            ("absolute_margin", given.scores > (positive - np.float32(settings.absolute_margin))[:, None]),
            ("max_score", given.scores > np.float32(settings.max_score)),
        ):
            counts[name] += int((keep & bad).sum())
            keep &= ~bad
        return keep

    def _near_positive(
        self, of: np.ndarray, rows: np.ndarray, _scores: np.ndarray, _at: tuple[np.ndarray, ...]
    ) -> np.ndarray:
        queries, pool, settings = self.queries, self.pool, self.settings
        same = queries.row[of] == rows  # a text of punctuation alone has no n-grams
        return same | alike(queries.passages, of, pool.passages, rows, settings.max_jaccard, settings.max_contained)

    def _near_query(
        self, of: np.ndarray, rows: np.ndarray, _scores: np.ndarray, _at: tuple[np.ndarray, ...]
    ) -> np.ndarray:
        queries, pool, most = self.queries, self.pool, self.settings.max_query_jaccard
        codes, starts = pool.asked_of
        counts = starts[rows + 1] - starts[rows]
        place = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        asked = codes[starts[rows][place] + within]
        symmetric = queries.symmetric[of]
        bad = np.zeros(len(rows), bool)
        bad[place[alike(queries.texts, of[place], pool.queries, asked, most)]] = True
        if symmetric.any():
            bad |= symmetric & alike(queries.texts, of, pool.passages, rows, most)
            bad[place[alike(queries.passages, of[place], pool.queries, asked, most) & symmetric[place]]] = True
        return bad

    def _near_answer(
        self, of: np.ndarray, rows: np.ndarray, _scores: np.ndarray, _at: tuple[np.ndarray, ...]
    ) -> np.ndarray:
        """Centred by the means of the pool and its queries: what all texts of a side have in common says nothing.

        A query whose own score is then 0 or less rules nothing out.
        """
        queries, pool, ratio = self.queries, self.pool, self.settings.max_answer_ratio
        bad = np.zeros(len(rows), bool)
        if ratio is None or queries.centre is None or pool.centre is None:
            return bad
        for start in range(0, len(rows), VECTORS_HELD):
            some = slice(start, start + VECTORS_HELD)
            positives = queries.positives[of[some]] - pool.centre
            own = np.einsum("ij,ij->i", queries.vectors[of[some]] - queries.centre, positives)
            found = np.einsum("ij,ij->i", pool.vectors.take(rows[some]) - pool.centre, positives)
            bad[some] = (own > 0) & (found >= np.float32(ratio) * own)
        return bad

    def _cross_encoder(
        self, of: np.ndarray, rows: np.ndarray, scores: np.ndarray, at: tuple[np.ndarray, ...]
    ) -> np.ndarray:
        if self._rescore is None or len(rows) == 0:
            return np.zeros(len(rows), bool)
        texts = self.queries.texts.take(of).to_pylist()
        found = self._rescore(texts, self.pool.passages.take(rows).to_pylist())
        scores[at] = found
        return found > limit(self.rescored[of], self.settings.cross_margin)
