"""Which passages say the same as the positive: character n-grams in common, as dedup counts them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.kernels.sets import common_counts
from cmtp.text.compare import fold
from cmtp.text.ngrams import shingle_sets

WIDTH = 5
"""Characters per n-gram, dedup's default; short texts are compared by shorter ones (`cmtp.text.ngrams`)."""


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
    common = common_counts(shingles, starts, at_left, at_right)
    union = sizes[at_left] + sizes[at_right] - common
    same = common >= max_jaccard * union
    if max_contained is not None:
        same |= common >= max_contained * np.minimum(sizes[at_left], sizes[at_right])
    return (common > 0) & same  # type: ignore[no-any-return]
