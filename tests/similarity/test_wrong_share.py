"""The estimate of the share of wrong pairs: by hand, and on pairs whose share is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.similarity.wrong_share import clearly_right, unclear_right, wrong_share


def ranks(n, wrong, *, like_wrong=0.0, seed=0):
    """Ranks of n pairs: wrong ones are uniform, of the right ones some are, too, and the others lie near 1."""
    rng = np.random.default_rng(seed)
    uniform = int(n * wrong) + int(n * (1 - wrong) * like_wrong)
    return rng.permutation(np.r_[rng.random(uniform), 0.95 + 0.05 * rng.random(n - uniform)])


def test_by_hand():
    found = wrong_share(np.array([0.1, 0.4, 0.5, 0.7, 0.95, 0.99, 1.0, 1.0, 1.0, 1.0]))
    assert found.estimate == pytest.approx(2 * 2 / 10)
    # Wilson, z = 1.645, 2 of 10: (.2 + 2.706/20 ± 1.645 · √(.016 + 2.706/400)) / (1 + .2706)
    assert (found.low, found.high) == (pytest.approx(2 * 0.06836, abs=1e-3), pytest.approx(2 * 0.45949, abs=1e-2))
    assert found.to_json()["estimate"] == 0.4


def test_a_part_of_the_group():
    """Of 1,000 pairs 100 are suspects, as 95 % of the shuffled ones are; 20 of these score below the middle."""
    part = np.r_[np.full(20, 0.2), np.full(80, 0.99)]
    assert wrong_share(part, part=0.1, null_part=0.95).estimate == pytest.approx(0.1 / 0.95 * 2 * 0.2)


@pytest.mark.parametrize("planted", [0.0, 0.01, 0.03, 0.1, 0.3, 0.6])
def test_planted_shares_are_recovered(planted):
    found = [wrong_share(ranks(2000, planted, seed=seed)) for seed in range(20)]
    assert np.mean([one.estimate for one in found]) == pytest.approx(planted, abs=0.01)
    assert np.mean([one.low <= planted + 1e-9 <= one.high + 2e-9 for one in found]) >= 0.8


def test_right_pairs_that_score_like_wrong_ones_are_counted_with_them():
    assert wrong_share(ranks(20000, 0.1, like_wrong=0.05)).estimate == pytest.approx(0.1 + 0.05 * 0.9, abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.data())
def test_another_wrong_pair_never_lowers_the_estimate_and_order_does_not_matter(values, data):
    before = wrong_share(np.array(values))
    assert 0 <= before.low <= before.estimate <= before.high <= 1
    row = data.draw(st.integers(0, len(values) - 1))
    lower = [*values[:row], data.draw(st.floats(0, values[row])), *values[row + 1 :]]
    after = wrong_share(np.array(data.draw(st.permutations(lower))))
    assert after.estimate >= before.estimate
    assert after.low >= before.low


def test_the_share_of_right_pairs_that_stand_clear():
    """Half are wrong, and a tenth of those score above .9; of the right ones four in five do."""
    u = np.r_[np.full(45, 0.4), np.full(5, 0.95), np.full(40, 0.99), np.full(10, 0.8)]
    assert clearly_right(u, 0.5) == pytest.approx((0.45 - 0.1 * 0.5) / 0.5)
    assert clearly_right(u, 0.5, rank=0.98) == pytest.approx((0.40 - 0.02 * 0.5) / 0.5)
    assert clearly_right(u, 1.0) == 1.0  # nothing is known of right pairs where there are none


def test_the_share_that_the_second_encoder_leaves_unclear():
    """A fifth of the group are suspects, all pairs are right, and three quarters of the suspects score high."""
    u = np.r_[np.full(25, 0.3), np.full(75, 0.95)]
    assert unclear_right(u, 0.0, part=0.2, null_part=0.95) == pytest.approx(0.05)
    assert unclear_right(u, 0.05, part=0.2, null_part=0.95) == pytest.approx((0.05 - 0.9 * 0.95 * 0.05) / 0.95)
