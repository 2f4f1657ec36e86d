"""No passage serves too many queries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmtp.mining.hubs import Uses, allowed


def uses(rows):
    """Rows (query, passage, score, kind)."""
    query, passage, score, kind = zip(*rows, strict=True)
    return Uses(np.array(query), np.array(passage), np.array(score, np.float32), np.array(kind, object))


def test_a_passage_stays_with_the_queries_it_is_nearest_to():
    rows = [(0, 7, 0.5, "mined"), (1, 7, 0.9, "mined"), (2, 7, 0.7, "mined"), (2, 8, 0.1, "mined")]
    keep = allowed(uses(rows), np.zeros(3, int), np.arange(3, dtype=np.uint64), 0.7)
    assert keep.tolist() == [False, True, True, True]


def test_equal_scores_are_decided_by_the_key_and_each_source_counts_alone():
    rows = [(0, 7, 0.5, "mined"), (1, 7, 0.5, "mined"), (2, 7, 0.1, "mined")]
    keep = allowed(uses(rows), np.array([0, 0, 1]), np.array([9, 3, 5], np.uint64), 0.1)
    assert keep.tolist() == [False, True, True]


def test_labelled_negatives_are_not_counted_out():
    rows = [(query, -1, 0.5, "curated") for query in range(5)]
    assert allowed(uses(rows), np.zeros(5, int), np.arange(5, dtype=np.uint64), 0.1).all()


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.3])), unique_by=lambda r: r[:2]
    ),
    st.sampled_from([0.1, 0.3, 1.0]),
    st.randoms(use_true_random=False),
)
def test_no_passage_serves_more_and_the_order_of_the_rows_does_not_matter(rows, share, random):
    if not rows:
        return
    source, keys = np.array([0] * 5 + [1] * 5), np.arange(10, dtype=np.uint64)
    rows = [(*row, "mined") for row in rows]
    kept = {row for row, keep in zip(rows, allowed(uses(rows), source, keys, share), strict=True) if keep}
    for passage in range(4):
        for queries in (range(5), range(5, 10)):
            used = [row for row in rows if row[1] == passage and row[0] in queries]
            assert len(kept & set(used)) == min(len(used), max(int(5 * share), 1))
    shuffled = random.sample(rows, len(rows))
    again = allowed(uses(shuffled), source, keys, share)
    assert {row for row, keep in zip(shuffled, again, strict=True) if keep} == kept
