"""Kernels of union-find: from edges to components, from components to batches."""

from __future__ import annotations

import numpy as np

from cmtp.kernels.jit import kernel


@kernel
def join_edges(parent: np.ndarray, size: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Union by lowest row, with path halving: the same roots in whatever order the edges come. Marks the rows met."""
    for i in range(len(a)):
        x, y = a[i], b[i]
        size[x] = size[y] = 1
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        if x < y:
            parent[y] = x
        else:
            parent[x] = y


@kernel
def count_members(parent: np.ndarray, size: np.ndarray) -> None:
    """Let every row point to its root; size becomes the number of members at a root, and 0 elsewhere."""
    for i in range(len(parent)):  # a parent is never above its child, so one pass upwards is enough
        root = parent[parent[i]]
        parent[i] = root
        if root != i:
            size[i] = 0
            size[root] += 1


@kernel
def assign_batches(
    parent: np.ndarray, size: np.ndarray, most: int, batch: np.ndarray, slots: np.ndarray
) -> tuple[int, int]:
    """Number the batches in order of their lowest rows; returns how many there are and the largest component's size."""
    batches, filled, largest = 0, 0, 0
    current = -1  # the batch that takes small components
    for row in range(len(parent)):
        root = parent[row]
        if root != row:
            batch[row] = batch[root]
        elif size[row] > most:
            batch[row] = batches
            slots[batches] = (size[row] + most - 1) // most
            batches += 1
        elif size[row] > 0:
            if current < 0 or filled + size[row] > most:
                current, filled = batches, 0
                slots[batches] = 1
                batches += 1
            filled += size[row]
            batch[row] = current
        largest = max(largest, size[row])
    return batches, largest


@kernel
def window_edges(
    row: np.ndarray, starts: np.ndarray, window: int, large: int, large_window: int, out: np.ndarray
) -> int:
    """Write the edges of all bands, better row in the upper half, or only count them where `out` is empty."""
    count = 0
    for band in range(len(starts) - 1):
        first, last = starts[band], starts[band + 1]
        reach = window if last - first < large else large_window
        for i in range(first + 1, last):
            nearest = max(first, i - reach)
            if len(out) == 0:
                count += i - nearest + (nearest > first)
                continue
            if nearest > first:
                out[count] = np.uint64(row[first]) << np.uint64(32) | np.uint64(row[i])
                count += 1
            for j in range(nearest, i):
                out[count] = np.uint64(row[j]) << np.uint64(32) | np.uint64(row[i])
                count += 1
    return count
