"""What of a query stands in its passage: weighted shares of its bigrams, its characters and its identifiers.

An encoder's vector of ``create-if-missing``, of 2.1.9 or of a line of code says little. These say whether the passage
holds them.

1. The grams of a text are its bigrams and characters, in the comparison form, and its identifiers: runs of ASCII
   letters, or of ASCII digits, in lower case. ``TiDB-2.1`` holds the identifiers tidb, 2 and 1.
2. A gram's weight is its inverse document frequency among the passages of a sample: ln((n + 1) / (df + 1)). A gram that
   stands in every passage says nothing and weighs 0.
3. The containment of a query in a passage, for each of the three kinds, is the weight of the query's grams that the
   passage holds, over the weight of all of them.
4. It is centred as the vectors' scores are: the mean of this query over the sample's passages is taken off, and the
   mean of this passage over the sample's queries. A long passage holds a little of every query.

Containment is linear in the grams of either side, so both means are sums over grams too, and `GramStatistics` holds
what is to be added up. Where a query has no gram of a kind, the centred containment is 0: nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.kernels.jit import inlined, kernel
from cmtp.kernels.sets import sort_unique
from cmtp.kernels.tables import first_slot, table_shift
from cmtp.text.buffers import string_buffers
from cmtp.text.compare import Folded, fold

GRAM_KINDS: Final = ("bigrams", "characters", "identifiers")
"""In the order of all columns here."""

# A gram is a number whose two lowest bits are its kind, from 1, so that none is 0.
_BIGRAM: Final = np.uint64(1)
_CHARACTER: Final = np.uint64(2)
_IDENTIFIER: Final = np.uint64(3)
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_2: Final = np.uint64(2)
_3: Final = np.uint64(3)
_POINT_BITS: Final = np.uint64(21)
_FNV_BASIS: Final = np.uint64(0xCBF29CE484222325)
_FNV_PRIME: Final = np.uint64(0x100000001B3)


class TextGrams(NamedTuple):
    """A column of texts as their grams are read from it.

    Attributes:
        folded: comparison forms, of which bigrams and characters are taken.
        data: uint8, UTF-8 of all texts, of which identifiers are taken.
        offsets: int64 [n + 1], where each text begins in `data`.
    """

    folded: Folded
    data: np.ndarray
    offsets: np.ndarray

    @property
    def most(self) -> int:
        """Room for the grams of any one text, repetitions counted."""
        lengths, sizes = self.folded.lengths, np.diff(self.offsets)
        return int((2 * lengths + sizes).max(initial=0)) + 1


def text_grams(texts: pa.Array | pa.ChunkedArray) -> TextGrams:
    """The texts of a string column."""
    return TextGrams(fold(texts), *string_buffers(texts))


@dataclass(frozen=True)
class GramStatistics:
    """What a sample of pairs says about grams; made by `gram_statistics`.

    Attributes:
        passages: passages in the sample.
        known: uint64 [k], ascending: the grams of the sample's passages.
        weight: float64 [k], of each.
        share: float64 [k], of the passages that hold each.
        asked: uint64 [m], ascending: the grams of the sample's queries.
        demand: float64 [m]: a gram's part of its query's weight, as a mean over the queries.
        mean: float64 [3], mean containment of all queries in all passages, by kind.
    """

    passages: int
    known: np.ndarray
    weight: np.ndarray
    share: np.ndarray
    asked: np.ndarray
    demand: np.ndarray
    mean: np.ndarray


def gram_statistics(queries: TextGrams, passages: TextGrams) -> GramStatistics:
    """The statistics of a sample.

    Args:
        queries: of the sample's pairs, n ≥ 1.
        passages: of the same pairs.
    """
    n = len(passages.offsets) - 1
    found, _ = _gram_sets(passages, passages.most)
    known, counts = np.unique(found, return_counts=True)
    weight = np.log((n + 1.0) / (counts + 1.0)).astype(np.float32).astype(np.float64)
    share = counts / n
    grams, starts = _gram_sets(queries, queries.most)
    place = np.minimum(np.searchsorted(known, grams), max(len(known) - 1, 0))
    is_known = known[place] == grams if len(known) else np.zeros(len(grams), bool)
    gram_weight = np.full(len(grams), _unseen(n))
    gram_weight[is_known] = weight[place[is_known]]
    row = np.repeat(np.arange(n), np.diff(starts))
    kind = (grams & _3).astype(np.int64) - 1
    total = np.bincount(3 * row + kind, gram_weight, 3 * n)
    defined = (total.reshape(n, 3) > 0).sum(axis=0)
    part = gram_weight / np.maximum(total[3 * row + kind], 1e-300) / np.maximum(defined[kind], 1)
    asked, place_asked = np.unique(grams, return_inverse=True)
    demand = np.bincount(place_asked, part, len(asked))
    held = np.zeros(len(grams))
    held[is_known] = share[place[is_known]]
    mean = np.bincount(kind, part * held, 3)
    return GramStatistics(n, known=known, weight=weight, share=share, asked=asked, demand=demand, mean=mean)


def centred_containment(
    statistics: GramStatistics, queries: TextGrams, passages: TextGrams, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Containments above their means: [n, 3] float32, rounded to 5 digits; columns as GRAM_KINDS.

    Args:
        statistics: of the sample.
        queries: texts, …
        passages: and others.
        left: int64 [n], row of each pair's query.
        right: int64 [n], row of its passage.
    """
    out = np.zeros((len(left), 3))
    known = _table(statistics.known, np.stack([statistics.weight, statistics.share], axis=1))
    asked = _table(statistics.asked, statistics.demand[:, None])
    _contain(queries, passages, left, right, _Tables(known, asked, _unseen(statistics.passages), statistics.mean), out)
    return np.round(out, 5).astype(np.float32)


def _unseen(passages: int) -> float:
    """Weight of a gram that no passage of the sample holds."""
    return float(np.float32(np.log(passages + 1.0)))


class _GramTable(NamedTuple):
    """Values by gram: keys uint64 [2^n], 0 where a slot is empty, and values float64 [2^n, width]."""

    keys: np.ndarray
    values: np.ndarray


class _Tables(NamedTuple):
    """Statistics as `_contain` reads them."""

    known: _GramTable
    asked: _GramTable
    unseen: float
    mean: np.ndarray


def _table(keys: np.ndarray, values: np.ndarray) -> _GramTable:
    size = 1 << max(2 * len(keys), 1).bit_length()
    table = _GramTable(np.zeros(size, np.uint64), np.zeros((size, values.shape[1])))
    _fill(table, keys, values)
    return table


@inlined
def _slot_of(keys: np.ndarray, shift: np.uint64, gram: np.uint64) -> np.uint64:
    """The slot of a gram, or the empty slot where it belongs."""
    last = np.uint64(keys.size - 1)
    slot = first_slot(gram, shift)
    while keys[slot] != _0 and keys[slot] != gram:
        slot = (slot + _1) & last
    return slot


@kernel
def _fill(table: _GramTable, keys: np.ndarray, values: np.ndarray) -> None:
    shift = table_shift(len(table.keys))
    for i in range(len(keys)):
        slot = _slot_of(table.keys, shift, keys[i])
        table.keys[slot] = keys[i]
        table.values[slot] = values[i]


@kernel
def _read_grams(texts: TextGrams, row: int, out: np.ndarray) -> int:
    """Write all grams of a text, repetitions too; returns how many."""
    codes, count = texts.folded.codes, 0
    before = _0
    for i in range(texts.folded.ends[row], texts.folded.ends[row + 1]):
        code = np.uint64(codes[i])
        out[count] = code << _2 | _CHARACTER
        count += 1
        if i > texts.folded.ends[row]:
            out[count] = (before << _POINT_BITS | code) << _2 | _BIGRAM
            count += 1
        before = code
    run, last = _FNV_BASIS, 0  # of the identifier at hand; 1: letters, 2: digits
    for i in range(texts.offsets[row], texts.offsets[row + 1]):
        byte = texts.data[i]
        now = 0
        if 48 <= byte <= 57:
            now = 2
        elif 65 <= byte <= 90 or 97 <= byte <= 122:
            byte |= 32
            now = 1
        if now != last and last:
            out[count] = run << _2 | _IDENTIFIER
            count += 1
            run = _FNV_BASIS
        if now:
            run = (run ^ np.uint64(byte)) * _FNV_PRIME
        last = now
    if last:
        out[count] = run << _2 | _IDENTIFIER
        count += 1
    return count


def _gram_sets(texts: TextGrams, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct grams of every text, one text after the other, and where each begins."""
    n = len(texts.offsets) - 1
    out = np.empty(2 * len(texts.folded.codes) + int(texts.offsets[-1] - texts.offsets[0]) + n, np.uint64)
    starts = np.zeros(n + 1, np.int64)
    _collect(texts, np.empty(most, np.uint64), out, starts)
    return out[: starts[-1]], starts


@kernel
def _collect(texts: TextGrams, room: np.ndarray, out: np.ndarray, starts: np.ndarray) -> None:
    for row in range(len(starts) - 1):
        count = sort_unique(room[: _read_grams(texts, row, room)])
        out[starts[row] : starts[row] + count] = room[:count]
        starts[row + 1] = starts[row] + count


@kernel
def _contain(
    queries: TextGrams, passages: TextGrams, left: np.ndarray, right: np.ndarray, tables: _Tables, out: np.ndarray
) -> None:
    room = np.empty(max(_most(queries), _most(passages)), np.uint64)
    bits = 1
    while 1 << bits < 2 * _most(queries):
        bits += 1
    own_keys, own_weight = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits)
    asked_by = np.full(len(tables.asked.keys), -1, np.int64)
    known_shift, asked_shift = table_shift(len(tables.known.keys)), table_shift(len(tables.asked.keys))
    for pair in range(len(left)):
        total, usual, held, general = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
        count = _read_grams(queries, left[pair], room)
        slots = 4
        while slots < 2 * count:
            slots *= 2
        own, weights = own_keys[:slots], own_weight[:slots]  # a table just large enough stays in the cache
        own[:] = _0
        own_shift = table_shift(slots)
        for i in range(count):
            slot = _slot_of(own, own_shift, room[i])
            if own[slot] == _0:
                own[slot] = room[i]
                kind = int(room[i] & _3) - 1
                place = _slot_of(tables.known.keys, known_shift, room[i])
                weight, share = tables.unseen, 0.0
                if tables.known.keys[place] != _0:
                    weight, share = tables.known.values[place, 0], tables.known.values[place, 1]
                weights[slot] = weight
                total[kind] += weight
                usual[kind] += weight * share
        for i in range(_read_grams(passages, right[pair], room)):
            kind = int(room[i] & _3) - 1
            slot = _slot_of(own, own_shift, room[i])
            if own[slot] != _0:
                held[kind] += weights[slot]
                weights[slot] = 0.0  # the next time it does not count
            place = _slot_of(tables.asked.keys, asked_shift, room[i])
            if tables.asked.keys[place] != _0 and asked_by[place] != pair:
                asked_by[place] = pair
                general[kind] += tables.asked.values[place, 0]
        for kind in range(3):
            if total[kind] > 0:
                out[pair, kind] = (held[kind] - usual[kind]) / total[kind] - general[kind] + tables.mean[kind]


@kernel
def _most(texts: TextGrams) -> int:
    most = 0
    for row in range(len(texts.offsets) - 1):
        length = texts.folded.ends[row + 1] - texts.folded.ends[row]
        most = max(most, 2 * length + texts.offsets[row + 1] - texts.offsets[row])
    return most + 1
