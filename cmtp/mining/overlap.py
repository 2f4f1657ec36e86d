"""Which passages say the same as the positive: character n-grams in common, as dedup counts them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.dedup.kernel import shingle_sets
from cmtp.kernels.jit import kernel
from cmtp.text.compare import fold

WIDTH = 5
"""Characters per n-gram, dedup's default; short texts are compared by shorter ones (cmtp.dedup.kernel)."""


class Picked(NamedTuple):
    """n texts out of an array, some perhaps several times.

    Attributes:
        texts: the array.
        rows: [n] int64.
    """

    texts: pa.Array
    rows: np.ndarray


def alike(left: Picked, right: Picked, max_jaccard: float, max_contained: float | None = None) -> np.ndarray:
    """Whether text i of the left says the same as text i of the right, or one says a part of the other: [n] bool.

    Args:
        left: n texts.
        right: n texts.
        max_jaccard: Jaccard similarity from which they say the same; above 0.
        max_contained: share of the shorter one's n-grams that the other holds from which one says a part of the other.
            None: that is not asked.
    """
    if not len(left.rows):
        return np.zeros(0, bool)
    used_left, at_left = np.unique(left.rows, return_inverse=True)
    used_right, at_right = np.unique(right.rows, return_inverse=True)
    texts = pa.concat_arrays([left.texts.take(pa.array(used_left)), right.texts.take(pa.array(used_right))])
    shingles, starts = shingle_sets(fold(texts), WIDTH)
    sizes = np.diff(starts)
    at_right = at_right + len(used_left)
    common = _common(shingles, starts, at_left, at_right)
    union = sizes[at_left] + sizes[at_right] - common
    same = common >= max_jaccard * union
    if max_contained is not None:
        same |= common >= max_contained * np.minimum(sizes[at_left], sizes[at_right])
    return (common > 0) & same  # type: ignore[no-any-return]


@kernel
def _common(shingles: np.ndarray, starts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Shingles that each two texts have in common: [n] int64."""
    out = np.zeros(len(left), np.int64)
    for k in range(len(left)):
        i, end_i = starts[left[k]], starts[left[k] + 1]
        j, end_j = starts[right[k]], starts[right[k] + 1]
        while i < end_i and j < end_j:
            if shingles[i] == shingles[j]:
                out[k] += 1
                i += 1
                j += 1
            elif shingles[i] < shingles[j]:
                i += 1
            else:
                j += 1
    return out
