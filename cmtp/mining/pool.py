"""A pool of passages, the queries that search it, and who a passage belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CENTRE_MIN: Final = 100
"""Texts from which their mean says what they have in common."""

CENTRE_MAX: Final = 4096
"""Texts of which the mean is taken: those of the lowest keys where there are more."""


class Vectors(Protocol):
    """Where the vectors of a pool's passages lie."""

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 and cosines float32, [n, k] each, best first; -1 and -inf where there are fewer."""
        ...

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows: [len(rows), dim] float32."""
        ...


@dataclass(frozen=True)
class Belongings:
    """Which passages belong to which code: of a document, or of a query.

    Attributes:
        keys: sorted int64, code × size + row, each once.
        size: passages of the pool.
    """

    keys: np.ndarray
    size: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[np.ndarray, np.ndarray]], size: int) -> Belongings:
        """Make it from codes (int64) and rows (int64); codes below 0 are nowhere in the pool and left out."""
        keys = [code[code >= 0] * size + row[code >= 0] for code, row in pairs]
        return cls(np.unique(np.concatenate(keys)), size)

    def has(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether passage rows[i, j] belongs to codes[i]: [n, k] bool; false for a row or a code below 0."""
        wanted = codes[:, None] * self.size + rows
        at = np.minimum(np.searchsorted(self.keys, wanted), max(len(self.keys) - 1, 0))
        found = self.keys[at] == wanted if len(self.keys) else np.zeros(rows.shape, bool)
        return found & (rows >= 0) & (codes >= 0)[:, None]  # type: ignore[no-any-return]

    def by_row(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of each row: codes int64, and where those of each row start, int64 [size + 1]."""
        rows = self.keys % self.size
        order = np.argsort(rows, kind="stable")
        return (self.keys // self.size)[order], np.searchsorted(rows[order], np.arange(self.size + 1))


@dataclass(frozen=True)
class Pool:
    """The distinct passages that negatives come from.

    Attributes:
        passages: [m] large_string, distinct.
        vectors: theirs.
        queries: [q] large_string, distinct: the queries that the passages belong to.
        documents: which document a passage stands in.
        asked: which of `queries` a passage belongs to.
        asked_of: the same by row: codes, and where those of each row start.
        centre: mean of the vectors; None: too few.
    """

    passages: pa.Array
    vectors: Vectors
    queries: pa.Array
    documents: Belongings
    asked: Belongings
    asked_of: tuple[np.ndarray, np.ndarray]
    centre: np.ndarray | None

    @classmethod
    def of(
        cls,
        passages: pa.Array,
        vectors: Vectors,
        queries: pa.Array,
        documents: list[tuple[np.ndarray, np.ndarray]],
        asked: list[tuple[np.ndarray, np.ndarray]],
        centre: np.ndarray | None,
    ) -> Pool:
        """Make a pool; `documents` and `asked` are codes and the rows that belong to them."""
        belongs = Belongings.of(asked, len(passages))
        documented = Belongings.of(documents, len(passages))
        return cls(passages, vectors, queries, documented, belongs, belongs.by_row(), centre)


@dataclass(frozen=True)
class Queries:
    """The rows to find negatives for, in the codes of the pool (-1: not in the pool).

    Attributes:
        ids: [n] pair_id, seeds of the random negatives.
        texts: [n] large_string.
        vectors: [n, dim] float32, L2-normalised.
        passages: [n] large_string, the positives.
        positives: [n, dim] float32, their vectors.
        scores: [n] float32, cosine of query and positive.
        doc: [n] int64, code of the document.
        query: [n] int64, code of the query among the pool's queries.
        positive: [n] int64, code of the positive's text among the pool's queries.
        row: [n] int64, the positive's row in the pool.
        symmetric: [n] bool, whether query and passage are texts of one kind.
        centre: mean of the vectors of all queries that search the pool; None: too few.
    """

    ids: list[str]
    texts: pa.Array
    vectors: np.ndarray
    passages: pa.Array
    positives: np.ndarray
    scores: np.ndarray
    doc: np.ndarray
    query: np.ndarray
    positive: np.ndarray
    row: np.ndarray
    symmetric: np.ndarray
    centre: np.ndarray | None


def lowest(keys: np.ndarray) -> np.ndarray:
    """Rows of which the mean is taken: int64, in the order of their keys, so that it does not depend on their own."""
    return np.argsort(keys, kind="stable")[:CENTRE_MAX]


def mean_of(vectors: np.ndarray) -> np.ndarray | None:
    """Their mean, [dim] float32; None where they are fewer than `CENTRE_MIN`."""
    return vectors.mean(axis=0, dtype=np.float64).astype(np.float32) if len(vectors) >= CENTRE_MIN else None


def codes(values: pa.Array | pa.ChunkedArray, dictionary: pa.Array) -> np.ndarray:
    """Place of each value in a dictionary of distinct values: [n] int64, -1 where it is not in it."""
    return pc.fill_null(pc.index_in(values, dictionary), -1).to_numpy().astype(np.int64)


def distinct(values: pa.Array) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Distinct values in order of first occurrence, the place of each value among them, and where each occurs first."""
    coded = pc.dictionary_encode(values)
    place = coded.indices.to_numpy().astype(np.int64)
    return coded.dictionary, place, np.unique(place, return_index=True)[1]
