"""BM25 over the terms of texts (extra ``bm25``). Terms are words, bigrams, or whatever a function gives.

The formula is Lucene's: a term that n of N texts hold weighs ln(1 + (N - n + ½) / (n + ½)), and k1 = 1.2, b = 0.75
(Robertson & Zaragoza 2009). bm25s computes it; all weights are computed when the index is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import bm25s


class Bm25Index:
    """Texts by their terms.

    Args:
        texts: m texts.
        terms: gives the terms of a text, each as often as it occurs, for example `cmtp.text.words.Segmenter.words`.

    Raises:
        ImportError: bm25s is missing.
    """

    def __init__(self, texts: Iterable[str], terms: Callable[[str], list[str]]) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise ImportError("BM25 needs bm25s: pip install 'cmtp[bm25]'") from error
        self._terms = terms
        self._index: bm25s.BM25 = bm25s.BM25(k1=1.2, b=0.75, backend="numba", csc_backend="scipy")
        # Terms are numbered in order of first occurrence. The library would number a set, in another order per process.
        self._numbers: dict[str, int] = {}
        numbers = [[self._numbers.setdefault(term, len(self._numbers)) for term in terms(text)] for text in texts]
        if self._numbers:
            self._index.index((numbers, self._numbers), create_empty_token=False, show_progress=False)

    def nearest(self, queries: Iterable[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The texts with the highest scores.

        Args:
            queries: n queries.
            k: at most the number of texts.

        Returns:
            Rows int64 and scores float32, [n, k] each: best first, equal scores by row; -1 and 0 after the last text
            that has a term of the query.
        """
        numbers = [[self._numbers[term] for term in self._terms(text) if term in self._numbers] for text in queries]
        rows, scores = np.full((len(numbers), k), -1, np.int64), np.zeros((len(numbers), k), np.float32)
        searched = np.flatnonzero([bool(row) for row in numbers])
        if len(searched):
            found, found_scores = self._index.retrieve(
                [numbers[i] for i in searched], k=k, show_progress=False, n_threads=0, sorted=True, return_as="tuple"
            )
            order = np.lexsort((found, -found_scores), axis=1)
            found, found_scores = np.take_along_axis(found, order, 1), np.take_along_axis(found_scores, order, 1)
            rows[searched], scores[searched] = np.where(found_scores > 0, found, -1), np.maximum(found_scores, 0)
        return rows, scores
