"""Which passages say the same as the positive: character n-grams in common, as dedup counts them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cmtp.dedup.kernel import shingle_sets
from cmtp.kernels.jit import kernel
from cmtp.text.compare import fold

WIDTH = 5
"""Characters per n-gram, dedup's default; short texts are compared by shorter ones (cmtp.dedup.kernel)."""


def alike(
    a: pa.Array, left: np.ndarray, b: pa.Array, right: np.ndarray, max_jaccard: float, max_contained: float = 2.0
) -> np.ndarray:
    """Whether a[left[i]] and b[right[i]] say the same, or one says a part of what the other does: [n] bool.

    Args:
        a: texts.
        left: [n] rows of a.
        b: texts.
        right: [n] rows of b.
        max_jaccard: Jaccard similarity from which they do; above 0.
        max_contained: share of the shorter one's n-grams in the other from which they do; above 1: never.
    """
    if not len(left):
        return np.zeros(0, bool)
    used_a, at_a = np.unique(left, return_inverse=True)
    used_b, at_b = np.unique(right, return_inverse=True)
    texts = pa.concat_arrays([a.take(pa.array(used_a)), b.take(pa.array(used_b))])
    shingles, starts = shingle_sets(fold(texts), WIDTH)
    sizes = np.diff(starts)
    at_b = at_b + len(used_a)
    common = _common(shingles, starts, at_a, at_b)
    both, least = sizes[at_a] + sizes[at_b] - common, np.minimum(sizes[at_a], sizes[at_b])
    return (common > 0) & ((common >= max_jaccard * both) | (common >= max_contained * least))


@kernel
def _common(shingles, starts, left, right):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
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
