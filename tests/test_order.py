import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.order import order_keys, range_of

IDS = st.lists(st.integers(0, 2**128 - 1).map(lambda n: f"{n:032x}"), max_size=40)


@given(IDS, st.integers(0, 5))
def test_keys_depend_on_id_and_seed_alone(ids, cut):
    whole = order_keys(pa.array(ids, pa.string()), 42)
    chunks = pa.chunked_array([pa.array(ids[:cut], pa.string()), pa.array(ids[cut:], pa.string())])
    assert np.array_equal(order_keys(chunks, 42), whole)
    assert np.array_equal(order_keys(pa.array(["0" * 32, *ids], pa.string()).slice(1), 42), whole)
    if ids:
        assert not np.array_equal(order_keys(pa.array(ids, pa.string()), 43), whole)


def test_keys_are_spread_evenly_over_the_ranges():
    ids = pa.array([f"{n:032x}" for n in range(0, 7_000 * 2**64, 2**64)])  # neighbours, the worst case for a hash
    counts = np.bincount(range_of(order_keys(ids, 42), 7), minlength=7)
    assert counts.sum() == 7_000
    assert counts.min() > 900  # 1,000 expected, standard deviation 29
    assert counts.max() < 1_100


def test_known_value_of_splitmix64():
    # splitmix64 seeded with 0 gives e220a8397b1dcdaf first (reference implementation by Vigna)
    assert order_keys(pa.array(["0" * 32]), 0)[0] == 0xE220A8397B1DCDAF


def test_an_id_of_another_form_is_refused():
    with pytest.raises(ValueError, match="32 hex digits"):
        order_keys(pa.array(["abc"]), 42)


def test_ranges_cover_the_ends():
    ends = np.array([0, 2**64 - 1], np.uint64)
    for ranges in (1, 2, 3, 400):
        assert range_of(ends, ranges).tolist() == [0, ranges - 1]
