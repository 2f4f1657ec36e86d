"""BM25 over words: a miner that reads no meaning, but misses no word (extra ``bm25``)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import bm25s


class WordIndex:
    """A pool's passages by their words. k1 and b are Lucene's, 1.2 and 0.75.

    Raises:
        ImportError: bm25s or rjieba is missing.
    """

    def __init__(self, passages: pa.Array) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise ImportError("mine.miner bm25 and mix need bm25s and rjieba: pip install 'cmtp[bm25]'") from error
        self._index: bm25s.BM25 = bm25s.BM25(k1=1.2, b=0.75, backend="numba", csc_backend="scipy")
        # Numbers in place of words, given out as they come: the library numbers a set, whose order differs by process.
        self._numbers: dict[str, int] = {}
        numbers = [
            [self._numbers.setdefault(word, len(self._numbers)) for word in words(text.as_py())] for text in passages
        ]
        self._empty = not self._numbers
        if not self._empty:
            self._index.index((numbers, self._numbers), create_empty_token=False, show_progress=False)
        self._size = len(passages)

    def nearest(self, texts: pa.Array, k: int) -> np.ndarray:
        """The passages with the highest scores.

        Args:
            texts: [n] strings, the queries.
            k: at most the number of passages.

        Returns:
            Rows int64 [n, k]: best first, equal scores by row; -1 after the last that has a word of the query.
        """
        rows = np.full((len(texts), k), -1, np.int64)
        if self._empty:
            return rows
        asked = [[self._numbers[word] for word in words(text.as_py()) if word in self._numbers] for text in texts]
        known = np.flatnonzero([bool(one) for one in asked])
        if not len(known):
            return rows
        found, scores = self._index.retrieve(
            [asked[i] for i in known], k=k, show_progress=False, n_threads=0, sorted=True, return_as="tuple"
        )
        order = np.lexsort((found, -scores), axis=1)
        found, scores = np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)
        rows[known] = np.where(scores > 0, found, -1)
        return rows


def words(text: str) -> list[str]:
    """The words of a text: jieba's, in one case and width, without punctuation and space."""
    import rjieba

    cut = rjieba.cut(unicodedata.normalize("NFKC", text).casefold())
    return [word for word in cut if any(char.isalnum() for char in word)]
