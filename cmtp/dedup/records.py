"""What a row of each exchange's files holds. `cmtp.dedup` says who writes and who reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.exchange import U8, U32, U64, Array, Columns
from cmtp.dedup.policy import compact
from cmtp.relations import RELATIONS


class Use(IntEnum):
    """How a query uses its passage; rows of one use are counted and compared with each other alone."""

    TITLED = 0
    """The query is a title or heading."""
    ASKED = 1
    """Somebody asked, and the passage was the answer; or both sides are texts of one kind."""
    WRITTEN = 2
    """The query was written for the passage, and so were others."""


_USES: Final = pa.table(
    {
        "relation": pa.array(RELATIONS),
        "use": pa.array(
            [
                Use.TITLED if one.query == "title" else Use.WRITTEN if one.shares_passage else Use.ASKED
                for one in RELATIONS.values()
            ],
            pa.uint8(),
        ),
    }
)


def uses_of(table: pa.Table) -> U8:
    """uint8[rows]: the `Use` of each pair, by its relation."""
    found = pc.index_in(table["relation"].cast(pa.string()), _USES["relation"].combine_chunks())
    return _USES["use"].take(found).to_numpy()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class KeyRows(Columns):
    """A row in the exact exchanges.

    Attributes:
        row: its number.
        rank: of the policy, see `policy.ranks`; lower is better.
        document: key of its document's texts, which decides between equal ranks, see `policy.document_keys`.
        text: key of its own texts, which decides next.
        origin: upper half of its doc_id, which decides between copies of a document.
        id_high: upper half of its pair_id.
        id_low: lower half.
        use: a Use.
        swapped: 1 where the passage's hash is the lower one; a pair and its swapped copy have one pair key.
        pair_a: upper half of the 128-bit key of the pair.
        pair_b: lower half.
        query_a: upper half of the 128-bit hash of the query.
        query_b: lower half.
        passage_a: upper half of the 128-bit hash of the passage.
        passage_b: lower half.
    """

    row: U32
    rank: U32
    document: U64
    text: U64
    origin: U64
    id_high: U64
    id_low: U64
    use: U8
    swapped: U8
    pair_a: U64
    pair_b: U64
    query_a: U64
    query_b: U64
    passage_a: U64
    passage_b: U64

    @property
    def policy_order(self) -> list[Array]:
        """The columns that order rows that share a text, most significant first."""
        return [self.rank, self.document, self.text, self.origin, self.id_high, self.id_low]

    @property
    def copy_order(self) -> list[Array]:
        """The columns that order copies of one pair, most significant first.

        Of copies of equal rank that are a question in one place and a title in another, the question comes first: as a
        title it may lose its passage to another title, and then the pair would be nowhere.
        """
        rank, *others = self.policy_order
        return [rank, Use.WRITTEN - self.use, *others]


@dataclass(frozen=True)
class OrderRows(Columns):
    """A row's place in the policy; the attributes are as in KeyRows."""

    row: U32
    rank: U32
    document: U64
    text: U64

    @property
    def order(self) -> U64:
        """See `policy.compact`."""
        return compact(self.rank, self.document)


@dataclass(frozen=True)
class BandRows(Columns):
    """A band key of a row.

    Attributes:
        key: of the band.
        order: place in the policy, see `policy.compact`.
        row: number of the row.
    """

    key: U64
    order: U64
    row: U32


@dataclass(frozen=True)
class SketchRows(Columns):
    """The sketch of a row: the lowest byte of every slot of its MinHash signature, as a binary value."""

    row: U32
    sketch: pa.ChunkedArray | pa.Array


@dataclass(frozen=True)
class RejectedBits(Columns):
    """Eight rows: bit i of entry n is set if row 8 n + i was rejected."""

    bits: U8

    @classmethod
    def of_rows(cls, rows: Array, total: int) -> RejectedBits:
        """The bits of some row numbers among `total`."""
        rejected = np.zeros(total, bool)
        rejected[rows] = True
        return cls(np.packbits(rejected, bitorder="little"))

    def has(self, rows: U32) -> Array:
        """bool[rows]: whether each row was rejected."""
        bit = self.bits[rows >> np.uint32(3)] >> (rows & np.uint32(7)).astype(np.uint8)
        return np.asarray(bit & np.uint8(1) == 1)


@dataclass(frozen=True)
class Edges(Columns):
    """Two rows that share a band; the better one first."""

    better: U32
    worse: U32


@dataclass(frozen=True)
class MemberRows(Columns):
    """A row that shares a band with others, and the slot its text goes to."""

    row: U32
    slot: U32


@dataclass(frozen=True)
class TextRows(Columns):
    """A row that is compared by its text.

    Attributes:
        row: its number.
        document: hash of its document, or of the row alone where rows of one document are compared.
        use: only rows of one use are compared: a Use, or for WRITTEN a hash of the query, so that a near copy of a
            passage keeps its own questions.
        rank: of the policy.
        document_key: as `document` in KeyRows.
        text_key: as `text` in KeyRows.
        id_high: upper half of the pair_id.
        id_low: lower half.
        sketch: as in SketchRows.
        text: the side that is compared.
        query: the query where it is needed besides; else null.
    """

    row: U32
    document: U64
    use: U64
    rank: U32
    document_key: U64
    text_key: U64
    id_high: U64
    id_low: U64
    sketch: pa.ChunkedArray | pa.Array
    text: pa.ChunkedArray | pa.Array
    query: pa.ChunkedArray | pa.Array

    @property
    def policy_order(self) -> list[Array]:
        """The columns that order copies, most significant first."""
        return [self.rank, self.document_key, self.text_key, self.id_high, self.id_low]


@dataclass(frozen=True)
class EvaluationRows(Columns):
    """An evaluation text.

    Attributes:
        file: name of its file.
        text: the text.
        size: number of its different n-grams.
        form_a: upper half of the 128-bit hash of its comparison form.
        form_b: lower half.
    """

    file: pa.ChunkedArray | pa.Array
    text: pa.ChunkedArray | pa.Array
    size: U32
    form_a: U64
    form_b: U64


@dataclass(frozen=True)
class GramRows(Columns):
    """A different n-gram of the evaluation texts, in ascending order; `start`: where its postings start."""

    gram: U64
    start: Array


@dataclass(frozen=True)
class PostingRows(Columns):
    """Number of an evaluation text that has an n-gram; those of one n-gram stand together."""

    text: U32
