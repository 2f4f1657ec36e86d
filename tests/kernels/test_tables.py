"""Hash tables, against Python's dictionaries."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.kernels.tables import count_key, find_entry, grouped, key_counts, repeated, table_shift


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


@pytest.mark.parametrize(("slots", "shift"), [(1, 64), (2, 63), (64, 58), (1 << 20, 44)])
def test_shift_of_a_table(slots, shift):
    assert table_shift(slots) == shift


@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=40), max_size=5))
def test_keys_are_counted_by_owner(owners):
    table, shift = key_counts(256), table_shift(64)
    for owner, keys in enumerate(owners):
        met = Counter()
        for key in keys:
            assert count_key(table, shift, owner, np.uint64(key)) == met[key]
            met[key] += 1


@given(st.lists(st.integers(1, 2**40 - 1), max_size=48, unique=True))
def test_entries_are_found_again_and_absent_ones_have_an_empty_slot(keys):
    entries, shift, bits = np.zeros(64, np.uint64), table_shift(64), np.uint64(8)
    for value, key in enumerate(keys, 1):
        slot = find_entry(entries, shift, np.uint64(key), bits)
        assert entries[slot] == 0
        entries[slot] = key << 8 | value
    for value, key in enumerate(keys, 1):
        assert entries[find_entry(entries, shift, np.uint64(key), bits)] == key << 8 | value
