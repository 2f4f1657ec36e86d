"""Sets as sorted arrays, against Python's sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.kernels.sets import common_counts, count_common, jaccard, jaccard_reaches, sort_unique

SETS = st.lists(st.sets(st.integers(0, 30), max_size=20), min_size=1, max_size=6)


def arrays(sets):
    values = np.array([value for one in sets for value in sorted(one)], np.uint64)
    return values, np.cumsum([0, *map(len, sets)])


@given(st.lists(st.integers(0, 9)))
def test_sort_unique(values):
    array = np.array(values, np.uint64)
    assert array[: sort_unique(array)].tolist() == sorted(set(values))


@given(SETS, st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_intersection_and_similarity(sets, threshold):
    values, starts = arrays(sets)
    pairs = [(a, b) for a in range(len(sets)) for b in range(len(sets))]
    left, right = np.array(pairs, np.int64).T
    common = [len(sets[a] & sets[b]) for a, b in pairs]
    assert common_counts(values, starts, left, right).tolist() == common
    similarity = [len(sets[a] & sets[b]) / max(len(sets[a] | sets[b]), 1) for a, b in pairs]
    for (a, b), true in zip(pairs, similarity, strict=True):
        assert jaccard(values, starts, a, b, threshold) == (true if true >= max(threshold, 1e-9) else -1)
    reached = [true >= max(threshold, 1e-9) for true in similarity]
    assert jaccard_reaches(values, starts, left, right, threshold).tolist() == reached


@pytest.mark.parametrize(("needed", "count"), [(0.0, 2), (2.0, 2), (2.5, -1), (4.0, -1)])
def test_too_few_in_common(needed, count):
    values, starts = arrays([{1, 2, 3}, {2, 3, 4, 5}])
    assert count_common(values, starts, 0, 1, needed) == count
