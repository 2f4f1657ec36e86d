from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmtp.dedup.keyed import grouped, repeated


def test_repeated_finds_every_key_that_occurs_more_than_once():
    generator = np.random.default_rng(3)
    keys = generator.integers(0, 1 << 63, 5000, dtype=np.uint64)
    keys[:400] = keys[1000:1400]
    assert repeated(keys).tolist() == [*range(400), *range(1000, 1400)]
    assert repeated(np.zeros(0, np.uint64)).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2))))
def test_rows_of_a_key_stand_together_in_order(rows):
    keys = np.array([one[0] * 0xDEADBEEF12345679 % 2**64 for one in rows], np.uint64)
    order = np.array([one[1] for one in rows], np.uint64)
    positions, starts = grouped(keys, order)
    found = [positions[a:b].tolist() for a, b in pairwise(starts)]
    expected = {}
    for i, one in enumerate(rows):
        expected.setdefault(one[0], []).append(i)
    assert found == [sorted(v, key=lambda i: (order[i], i)) for v in expected.values() if len(v) > 1]


def test_a_large_group_is_in_order_too():
    order = np.random.default_rng(1).integers(0, 50, 1000).astype(np.uint64)
    positions, starts = grouped(np.full(1000, 7, np.uint64), order)
    assert positions.tolist() == sorted(range(1000), key=lambda i: (order[i], i))
    assert starts.tolist() == [0, 1000]
