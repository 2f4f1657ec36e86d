"""Shuffled pairs, near twins, ranks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmtp.similarity.shuffled import SampleCodes, has_twin, near_twins, ranks_among, shuffled_pairs

CODES = st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=25).map(
    lambda rows: SampleCodes(*np.array(rows, np.int64).reshape(-1, 4).T)
)


@given(CODES, st.integers(1, 12))
def test_only_pairs_of_one_group_that_have_nothing_in_common_are_put_together(codes, draws):
    left, right = shuffled_pairs(codes, draws)
    assert (codes.group[left] == codes.group[right]).all()
    for code in codes[1:]:
        assert (code[left] != code[right]).all()
    together = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(together) == len(left)
    for row in range(len(codes.group)):
        may = sum(
            all((code[row] != code)[other] for code in codes[1:])
            for other in np.flatnonzero(codes.group == codes.group[row])
        )
        assert (left == row).sum() <= min(draws, may)


def test_every_query_meets_the_next_passages_of_its_group():
    n = np.arange(5)
    left, right = shuffled_pairs(SampleCodes(np.array([0, 1, 0, 1, 0]), n, n, n), draws=2)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [
        (0, 2), (0, 4), (1, 3), (2, 0), (2, 4), (3, 1), (4, 0), (4, 2),
    ]  # fmt: skip


def test_ten_draws_of_a_large_group():
    n = np.arange(100)
    left, right = shuffled_pairs(SampleCodes(n * 0, n, n, n))
    assert np.bincount(left).tolist() == [10] * 100
    assert np.bincount(right).tolist() == [10] * 100


def test_a_near_twin_is_nearly_the_same_query_of_another_document():
    vectors = np.array([[1, 0], [0.99, 0.1411], [1, 0], [0, 1], [0.9, 0.4359]], np.float32)
    document, query = np.array([0, 1, 2, 3, 0]), np.array([0, 1, 0, 3, 4])
    codes = SampleCodes(np.zeros(5, np.int64), document, query, np.arange(5))
    # 0 and 2 are one query, so they are no twins of each other, but of 1; 4 lies at .9 of 0, in the same document,
    # and of 2, in another.
    assert near_twins(vectors, codes).tolist() == [True, True, True, False, True]
    alone = has_twin(
        vectors[3:], np.array([-1, 0]), np.array([-1, 4]), vectors[:1], SampleCodes(*(x[:1] for x in codes))
    )
    assert alone.tolist() == [False, False]
    assert has_twin(vectors[1:2], np.array([-1]), np.array([-1]), vectors, codes).tolist() == [True]


def test_ranks_count_ties_half():
    null = np.array([1, 2, 2, 5], np.float32)
    assert ranks_among(null, np.array([0, 1, 2, 3, 5, 6], np.float32)).tolist() == [0, 0.125, 0.5, 0.75, 0.875, 1]
