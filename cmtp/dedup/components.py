"""Kernels of union-find: from edges to components, from components to jobs."""

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
def assign_jobs(parent: np.ndarray, size: np.ndarray, most: int, job: np.ndarray, slots: np.ndarray) -> tuple[int, int]:
    """Number the jobs in order of their lowest rows; returns how many there are and the largest component's size."""
    jobs, held, largest = 0, 0, 0
    current = -1  # the job that takes small components
    for row in range(len(parent)):
        root = parent[row]
        if root != row:
            job[row] = job[root]
        elif size[row] > most:
            job[row] = jobs
            slots[jobs] = (size[row] + most - 1) // most
            jobs += 1
        elif size[row] > 0:
            if current < 0 or held + size[row] > most:
                current, held = jobs, 0
                slots[jobs] = 1
                jobs += 1
            held += size[row]
            job[row] = current
        largest = max(largest, size[row])
    return jobs, largest
