import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.similarity.calibrate import calibrate, centred, shuffle


def test_the_cut_lets_the_stated_share_of_shuffled_pairs_pass():
    shuffled = np.linspace(0, 0.5, 1001)
    true = np.linspace(0.4, 1.0, 1001)
    found = calibrate(true, shuffled, shuffled_share=0.1, max_loss=0.5)
    assert found.threshold == pytest.approx(0.45, abs=0.001)
    assert found.shuffled_pass == pytest.approx(0.1, abs=0.002)
    assert found.pairs_lost == pytest.approx(0.05 / 0.6, abs=0.002)
    assert found.auc == pytest.approx(1 - 0.1**2 / 2 / (0.5 * 0.6), abs=0.002)


def test_a_scorer_that_says_nothing_takes_no_more_than_the_stated_loss():
    same = np.linspace(0, 1, 1001)
    found = calibrate(same, same, shuffled_share=0.1, max_loss=0.2)
    assert found.auc == pytest.approx(0.5, abs=0.001)
    assert found.pairs_lost == pytest.approx(0.2, abs=0.002)
    assert found.shuffled_pass == pytest.approx(0.8, abs=0.002)


def test_centring_takes_off_what_all_of_the_group_share():
    """Two axes of meaning and one that every text has: the passage with most of the third is like every query."""
    query = np.array([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8]], np.float32)
    passage = np.array([[0.6, 0.0, 0.8], [0.0, 0.28, 0.96]], np.float32)
    means = query.mean(axis=0), passage.mean(axis=0)
    true = centred(np.einsum("ij,ij->i", query, passage), query, passage, *means)
    np.testing.assert_allclose(true, np.einsum("ij,ij->i", query - means[0], passage - means[1]), atol=1e-5)
    crossed = centred(np.einsum("ij,ij->i", query, passage[::-1]), query, passage[::-1], *means)
    assert (query[0] @ passage[1]) > 0.7  # as near as many a true pair
    assert (true > 0).all()
    assert (crossed < 0).all()


def test_histograms_hold_every_pair_once():
    found = calibrate(np.array([-0.9, 0.0, 0.049, 0.05, 1.0]), np.array([0.1]), 0.1, 0.2)
    assert found.true == {"-0.20": 1, "0.00": 2, "0.05": 1, "0.95": 1}
    assert found.shuffled == {"0.10": 1}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=30))
def test_shuffled_pairs_stay_in_their_group_and_leave_their_document(rows):
    group = np.array([one[0] for one in rows])
    document = np.array([one[1] for one in rows])
    left, right = shuffle(group, np.arange(len(rows))[::-1].astype(np.uint64), document)
    assert (group[left] == group[right]).all()
    assert (document[left] != document[right]).all()
    assert len(set(left.tolist())) == len(left)
    assert len(set(right.tolist())) == len(right)
