"""A pool of passages, the queries that search it, and what a passage belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import codes_in, distinct
from cmtp.kernels.dot import row_dots
from cmtp.mining.dense import VectorIndex
from cmtp.relations import RELATIONS

CENTRE_MIN: Final = 100
"""Texts from which their mean says what they have in common."""

CENTRE_MAX: Final = 4096
"""Texts that a mean is taken of: those with the lowest keys where there are more."""

CHANCE_PASSAGES: Final = 500
"""Passages whose cosines with one another say how close two passages are by chance."""


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

    def of_codes(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The passages of some codes [n]: places in `codes` and rows, int64 [·] each, in order; none below 0.

        With codes ``[3, -1]``, of which 3 has the rows 5 and 8, it is ``[0, 0], [5, 8]``.
        """
        start = np.searchsorted(self.keys, codes * self.size)
        end = np.where(codes < 0, start, np.searchsorted(self.keys, (codes + 1) * self.size))
        place = np.repeat(np.arange(len(codes)), end - start)
        nth = np.arange(len(place)) - np.repeat(np.cumsum(end - start) - (end - start), end - start)
        return place, self.keys[start[place] + nth] % self.size

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
        chance: float32, cosines of passages drawn at random, relative to the centre, ascending; empty: too few.
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
    chance: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def of(
        cls,
        passages: pa.Array,
        vectors: VectorIndex,
        owners: pa.Table,
        centre: np.ndarray | None = None,
        name: str = "",
        chance: np.ndarray | None = None,
    ) -> Pool:
        """Make a pool.

        Args:
            passages: [m] large_string, distinct.
            vectors: of the passages.
            owners: columns ``query``, ``doc_id`` and ``row``: the passage of that row belongs to the query and stands
                in the document. A passage may have several.
            centre: as the attribute.
            name: as the attribute.
            chance: as the attribute; None: too few.
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
            chance=np.empty(0, np.float32) if chance is None else chance,
        )

    @cached_property
    def lengths(self) -> np.ndarray:
        """[m] int64, characters of each passage."""
        return pc.utf8_length(self.passages).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


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

    def take(self, rows: np.ndarray) -> Queries:
        """Some of the queries, in the order given."""
        chosen = {
            one.name: value.take(pa.array(rows)) if isinstance(value, pa.Array) else value[rows]
            for one in fields(self)
            if isinstance(value := getattr(self, one.name), pa.Array | np.ndarray) and one.name != "centre"
        }
        return replace(self, ids=[self.ids[row] for row in rows.tolist()], **chosen)


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


def chance_cosines(vectors: np.ndarray, centre: np.ndarray | None) -> np.ndarray | None:
    """How close two passages are by chance: cosines of the first `CHANCE_PASSAGES` with one another.

    Args:
        vectors: [n, dim] float32, of passages in an order that says nothing.
        centre: [dim] float32, taken off; None: nothing can be said.

    Returns:
        float32, ascending; None without a centre.
    """
    if centre is None:
        return None
    sample = vectors[:CHANCE_PASSAGES] - centre
    left, right = np.triu_indices(len(sample), 1)
    return np.sort(cosines(sample[left], sample[right]))


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosine of left[i] and right[i], both [n, dim] float32: [n] float32, 0 where one of them is 0."""
    lengths = np.sqrt(row_dots(left, left) * row_dots(right, right))
    return row_dots(left, right) / np.where(lengths > 0, lengths, np.float32(np.inf))
