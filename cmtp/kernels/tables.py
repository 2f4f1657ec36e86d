"""Hash tables for kernels. Numba's own dictionaries take ten times as long per key.

All use open addressing: a key is looked for from its first slot on, one slot after the other, until it or an empty slot
is found. A table has 2^n slots, at least a quarter of which stay empty.

- Rows by key: `repeated` and `grouped` find the rows that share a 64-bit key.
- `KeyCounts` counts keys, and becomes empty without being cleared.
- Packed entries hold a key and a value in one number: `find_entry`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cmtp.kernels.hashing import GOLDEN
from cmtp.kernels.jit import inlined, kernel

_INSERTION = 24
"""Rows up to which a group is sorted by insertion."""

_1 = np.uint64(1)


@inlined
def first_slot(key: np.uint64, shift: np.uint64) -> np.uint64:
    """The slot in which a key is looked for first. The shift is 64 - n for a table of 2^n slots."""
    return (key * GOLDEN) >> shift


@kernel
def table_shift(slots: int) -> np.uint64:
    """The shift for a number of slots, which is a power of two: 61 for 8."""
    shift = np.uint64(64)
    while slots > 1:
        slots >>= 1
        shift -= _1
    return shift


def repeated(keys: np.ndarray) -> np.ndarray:
    """The rows of all keys that occur more than once, ascending: int64.

    Args:
        keys: uint64 [rows].
    """
    leaders, sizes = _leaders_of(keys)
    return np.flatnonzero(sizes[leaders] > 1)


def grouped(keys: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of every key that occurs more than once, side by side, in a quarter of the time of a sort by key.

    Args:
        keys: uint64 [rows].
        order: uint64 [rows]. The rows of a key are sorted by it; rows with equal values keep their order.

    Returns:
        Rows int64 [:], by key, the keys in order of first occurrence; and int64 [groups + 1], where each key starts.
    """
    leaders, sizes = _leaders_of(keys)
    shared = sizes > 1
    starts = np.append(0, np.cumsum(sizes[shared]))
    rows = np.empty(starts[-1], np.int64)
    _place(leaders, sizes, rows)
    _sort_groups(rows, starts, order)
    return rows, starts


def _leaders_of(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The leader of each row (the first row with its key), and how many rows each row leads: int32 [rows] each."""
    leaders, sizes = np.empty(len(keys), np.int32), np.zeros(len(keys), np.int32)
    bits = max(2 * len(keys) - 1, 1).bit_length()
    _lead(keys, np.full(1 << bits, -1, np.int32), np.uint64(64 - bits), leaders, sizes)
    return leaders, sizes


@kernel
def _lead(keys: np.ndarray, table: np.ndarray, shift: np.uint64, leaders: np.ndarray, sizes: np.ndarray) -> None:
    """Fill in leaders and sizes; `table` int32 has the first row of each key, -1 in empty slots."""
    last = np.uint64(len(table) - 1)
    for i in range(len(keys)):
        slot = first_slot(keys[i], shift)
        while table[slot] >= 0 and keys[table[slot]] != keys[i]:
            slot = (slot + _1) & last
        if table[slot] < 0:
            table[slot] = i
        leaders[i] = table[slot]
        sizes[leaders[i]] += 1


@kernel
def _place(leaders: np.ndarray, sizes: np.ndarray, rows: np.ndarray) -> None:
    """Write the rows of each group; `sizes` becomes where the next row of a leader goes, -1 for a row alone."""
    total = 0
    for i in range(len(leaders)):
        first = leaders[i]
        if first == i:
            size = sizes[i]
            sizes[i] = total if size > 1 else -1
            total += size if size > 1 else 0
        if sizes[first] >= 0:
            rows[sizes[first]] = i
            sizes[first] += 1


@kernel
def _sort_groups(rows: np.ndarray, starts: np.ndarray, order: np.ndarray) -> None:
    for group in range(len(starts) - 1):
        first, last = starts[group], starts[group + 1]
        if last - first > _INSERTION:
            within = rows[first:last].copy()
            rows[first:last] = within[np.argsort(order[within], kind="mergesort")]
            continue
        for i in range(first + 1, last):
            row, j = rows[i], i
            while j > first and order[rows[j - 1]] > order[row]:
                rows[j] = rows[j - 1]
                j -= 1
            rows[j] = row


class KeyCounts(NamedTuple):
    """A table that counts keys for one owner after the other; the next owner's table is empty.

    Attributes:
        keys: uint64, the key in each slot.
        owners: int64, who wrote the slot last; -1: nobody.
        counts: int32, how often that owner met the key.
    """

    keys: np.ndarray
    owners: np.ndarray
    counts: np.ndarray


@kernel
def key_counts(slots: int) -> KeyCounts:
    """An empty table of 2^n slots."""
    return KeyCounts(np.zeros(slots, np.uint64), np.full(slots, -1, np.int64), np.zeros(slots, np.int32))


@kernel
def count_key(table: KeyCounts, shift: np.uint64, owner: int, key: np.uint64) -> int:
    """Count a key; returns how often the owner met it before.

    Args:
        table: of which the first 2^(64 - shift) slots are used: the same for one owner.
        shift: see `first_slot`.
        owner: 0 or more, never one that had the table before the last.
        key: to count.
    """
    last = (_1 << (np.uint64(64) - shift)) - _1
    slot = first_slot(key, shift)
    while table.owners[slot] == owner:
        if table.keys[slot] == key:
            table.counts[slot] += 1
            return int(table.counts[slot]) - 1
        slot = (slot + _1) & last
    table.owners[slot] = owner
    table.keys[slot] = key
    table.counts[slot] = 1
    return 0


@inlined
def find_entry(entries: np.ndarray, shift: np.uint64, key: np.uint64, value_bits: np.uint64) -> np.uint64:
    """The slot of a key's entry, or the empty slot where it belongs.

    Args:
        entries: uint64 [2^n], ``key << value_bits | value``; 0: empty.
        shift: see `first_slot`.
        key: to find.
        value_bits: bits of a value.
    """
    last = np.uint64(entries.size - 1)
    slot = first_slot(key, shift)
    while entries[slot] != 0 and (entries[slot] >> value_bits) != key:
        slot = (slot + _1) & last
    return slot
