"""A pool of passages, the queries that search it, and what a passage belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from cmtp.columns import codes_in, distinct
from cmtp.mining.dense import VectorIndex
from cmtp.relations import RELATIONS

CENTRE_MIN: Final = 100
"""Texts from which their mean says what they have in common."""

CENTRE_MAX: Final = 4096
"""Texts that a mean is taken of: those with the lowest keys where there are more."""


@dataclass(frozen=True)
class Membership:
    """Which passages of a pool belong to which document, or to which query. Documents and queries are codes from 0.

    Attributes:
        keys: sorted int64, code × size + row, each once.
        size: passages of the pool.
    """

    keys: np.ndarray
    size: int

    @classmethod
    def of(cls, codes: np.ndarray, rows: np.ndarray, size: int) -> Membership:
        """Make it: passage rows[i] belongs to codes[i], both int64."""
        return cls(np.unique(codes * size + rows), size)

    def has(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether passage rows[i, j] belongs to codes[i]: [n, k] bool; false for a row or a code below 0."""
        wanted = codes[:, None] * self.size + rows
        places = np.minimum(np.searchsorted(self.keys, wanted), max(len(self.keys) - 1, 0))
        there = self.keys[places] == wanted if len(self.keys) else np.zeros(rows.shape, bool)
        return there & (rows >= 0) & (codes >= 0)[:, None]

    @cached_property
    def by_row(self) -> tuple[np.ndarray, np.ndarray]:
        """The codes of each passage: codes int64 [·], and where those of each row start, int64 [size + 1]."""
        rows = self.keys % self.size
        order = np.argsort(rows, kind="stable")
        return (self.keys // self.size)[order], np.searchsorted(rows[order], np.arange(self.size + 1))


@dataclass(frozen=True)
class Pool:
    """The distinct passages that negatives come from, and the distinct queries that they belong to.

    Attributes:
        passages: [m] large_string, distinct.
        vectors: of the passages.
        queries: [q] large_string, distinct.
        documents: [d] large_string, distinct: ids of the documents that the passages stand in.
        queries_of: which passages belong to which of `queries`.
        documents_of: which passages stand in which of `documents`.
        centre: [dim] float32, mean of the vectors; None: too few.
        name: no other pool of a build has it; empty where nothing is to be kept under it.
    """

    passages: pa.Array
    vectors: VectorIndex
    queries: pa.Array
    documents: pa.Array
    queries_of: Membership
    documents_of: Membership
    centre: np.ndarray | None = None
    name: str = ""

    @classmethod
    def of(
        cls,
        passages: pa.Array,
        vectors: VectorIndex,
        owners: pa.Table,
        centre: np.ndarray | None = None,
        name: str = "",
    ) -> Pool:
        """Make a pool.

        Args:
            passages: [m] large_string, distinct.
            vectors: of the passages.
            owners: columns ``query``, ``doc_id`` and ``row``: the passage of that row belongs to the query and stands
                in the document. A passage may have several.
            centre: as the attribute.
            name: as the attribute.
        """
        queries, query, _ = distinct(large_strings(owners["query"]))
        documents, document, _ = distinct(large_strings(owners["doc_id"]))
        row = owners["row"].to_numpy()
        return cls(
            passages=passages,
            vectors=vectors,
            queries=queries,
            documents=documents,
            queries_of=Membership.of(query, row, len(passages)),
            documents_of=Membership.of(document, row, len(passages)),
            centre=centre,
            name=name,
        )


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
        centre: [dim] float32, mean of the vectors of all queries that search the pool; None: too few.
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

    @classmethod
    def of(
        cls, rows: pa.Table, pool: Pool, vectors: np.ndarray, positives: np.ndarray, centre: np.ndarray | None = None
    ) -> Queries:
        """Queries that search a pool.

        Args:
            rows: columns ``pair_id``, ``query``, ``passage``, ``relation``, ``doc_id`` and ``score``.
            pool: the pool.
            vectors: [n, dim] float32, of the queries.
            positives: [n, dim] float32, of the passages.
            centre: as the attribute.
        """
        texts, passages = large_strings(rows["query"]), large_strings(rows["passage"])
        relations = rows["relation"].cast(pa.string()).to_pylist()
        return cls(
            ids=rows["pair_id"].to_pylist(),
            texts=texts,
            vectors=vectors,
            passages=passages,
            positives=positives,
            scores=rows["score"].to_numpy(),
            doc=codes_in(rows["doc_id"], pool.documents),
            query=codes_in(texts, pool.queries),
            positive=codes_in(passages, pool.queries),
            row=codes_in(passages, pool.passages),
            symmetric=np.array([RELATIONS[relation].symmetric for relation in relations], bool),
            centre=centre,
        )


def large_strings(column: pa.ChunkedArray) -> pa.Array:
    """A column of texts as large_string in one piece: a pool may hold more than 2 GiB of them."""
    return pa.concat_arrays(
        [chunk.cast(pa.large_string()) for chunk in column.chunks] or [pa.array([], pa.large_string())]
    )


def lowest(keys: np.ndarray) -> np.ndarray:
    """Rows that a mean is taken of: int64, in order of their keys, so that the order of the rows does not matter."""
    return np.argsort(keys, kind="stable")[:CENTRE_MAX]


def mean_of(vectors: np.ndarray) -> np.ndarray | None:
    """Their mean, [dim] float32; None where they are fewer than `CENTRE_MIN`."""
    return vectors.mean(axis=0, dtype=np.float64).astype(np.float32) if len(vectors) >= CENTRE_MIN else None
