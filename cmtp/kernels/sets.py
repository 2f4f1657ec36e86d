"""Sets as sorted arrays without repetitions. Many sets lie one after the other in one array.

Set i is ``values[starts[i]:starts[i + 1]]``; there is one more start than sets.
"""

from __future__ import annotations

import numpy as np

from cmtp.kernels.jit import kernel


@kernel
def sort_unique(values: np.ndarray) -> int:
    """Sort in place and move the distinct values to the front, in order. Returns their number."""
    values.sort()
    unique = 0
    for i in range(len(values)):
        if i == 0 or values[i] != values[unique - 1]:
            values[unique] = values[i]
            unique += 1
    return unique


@kernel
def count_common(values: np.ndarray, starts: np.ndarray, a: int, b: int, needed: float) -> int:
    """The number of values that the sets a and b share; -1 as soon as it is certain to be lower than `needed`."""
    i, end_i = starts[a], starts[a + 1]
    j, end_j = starts[b], starts[b + 1]
    common = 0
    while i < end_i and j < end_j:
        if common + min(end_i - i, end_j - j) < needed:
            return -1
        if values[i] == values[j]:
            common += 1
            i += 1
            j += 1
        elif values[i] < values[j]:
            i += 1
        else:
            j += 1
    return common if common >= needed else -1


@kernel
def jaccard(values: np.ndarray, starts: np.ndarray, a: int, b: int, threshold: float) -> float:
    """Jaccard similarity of the sets a and b, or -1 as soon as it is certain to be below the threshold.

    For sets that share no value it is -1, whatever the threshold.
    """
    size = starts[a + 1] - starts[a] + starts[b + 1] - starts[b]
    # |A ∩ B| / (|A| + |B| - |A ∩ B|) >= t  ⇔  |A ∩ B| >= t (|A| + |B|) / (1 + t)
    needed = threshold * size / (1.0 + threshold) - 1e-9
    common = count_common(values, starts, a, b, needed)
    return float(common / (size - common)) if common > 0 else -1.0


@kernel
def jaccard_reaches(
    values: np.ndarray, starts: np.ndarray, left: np.ndarray, right: np.ndarray, threshold: float
) -> np.ndarray:
    """Whether the sets left[i] and right[i] have a Jaccard similarity of at least `threshold`: [n] bool."""
    out = np.empty(len(left), np.bool_)
    for i in range(len(left)):
        out[i] = jaccard(values, starts, left[i], right[i], threshold) >= 0
    return out


@kernel
def common_counts(values: np.ndarray, starts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The number of values that the sets left[i] and right[i] share: [n] int64."""
    out = np.empty(len(left), np.int64)
    for i in range(len(left)):
        out[i] = count_common(values, starts, left[i], right[i], 0.0)
    return out
