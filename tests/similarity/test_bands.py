import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.similarity.bands import WRONG, ScoredSample, bands_for_agreement


def disagree(cheap, keep, band):
    return ((cheap < band.low) & keep) | ((cheap >= band.high) & ~keep)


def sample(n, noise, rows=1000, seed=0):
    """Pairs about .5, shuffled ones about 0; the expensive encoder cuts at .1, the cheap one sees it with noise."""
    rng = np.random.default_rng([seed, n])
    expensive, wrong = rng.normal(0.5, 0.3, n), rng.normal(0, 0.1, n)
    blurred = [(scores + rng.normal(0, noise, n)).astype(np.float32) for scores in (expensive, wrong)]
    return ScoredSample(blurred[0], expensive >= 0.1, rows, blurred[1], wrong >= 0.1)


def test_a_cheap_encoder_that_is_right_decides_everything():
    found = bands_for_agreement({"a": sample(500, 0.0)}, 0.99)
    assert found.share == 0
    assert found.agreement >= 0.99
    assert found.bands["a"].low == found.bands["a"].high


def test_a_cheap_encoder_that_knows_nothing_decides_little():
    rng = np.random.default_rng(0)
    blind = [rng.random(1000).astype(np.float32) for _ in range(2)]
    found = bands_for_agreement(
        {"a": ScoredSample(blind[0], rng.random(1000) < 0.5, 1000, blind[1], rng.random(1000) < 0.1)}, 0.99
    )
    assert found.share > 0.9
    assert found.agreement >= 0.99


def test_more_noise_or_more_agreement_takes_a_wider_band():
    shares = [bands_for_agreement({"a": sample(2000, noise)}, 0.99).share for noise in (0.02, 0.1, 0.2)]
    assert shares == sorted(shares)
    shares = [bands_for_agreement({"a": sample(2000, 0.1)}, agreement).share for agreement in (0.95, 0.99, 0.999)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_unseen_pairs_agree_as_measured():
    """The share in the facts is a promise about the rest of the build: held to 40,000 further pairs of the kind."""
    found = bands_for_agreement({"a": sample(2000, 0.1)}, 0.99)
    unseen = sample(40_000, 0.1, seed=7)
    assert found.agreement >= 0.99
    assert 1 - disagree(unseen.cheap, unseen.keep, found.bands["a"]).mean() >= found.agreement - 0.003
    shuffled = 1 - disagree(unseen.wrong, unseen.wrong_keep, found.bands["a"]).mean()
    assert shuffled == pytest.approx(found.shuffled_agreement, abs=0.02)


def test_shuffled_pairs_count_where_the_pairs_hold_no_wrong_ones():
    """All pairs are kept, so a band of nothing agrees on every one of them, and would keep every wrong one too."""
    rng = np.random.default_rng(3)
    cheap, wrong = rng.normal(0.5, 0.2, 1000).astype(np.float32), rng.normal(0, 0.2, 1000).astype(np.float32)
    found = bands_for_agreement(
        {"a": ScoredSample(cheap, np.ones(1000, bool), 1000, wrong, np.zeros(1000, bool))}, 0.99
    )
    assert found.shuffled_agreement > 0.85
    assert 0 < found.share < 0.5


def test_a_sample_that_does_not_bear_it_out_leaves_nothing_to_the_cheap_encoder():
    rng = np.random.default_rng(0)
    few = [rng.random(30).astype(np.float32) for _ in range(2)]
    found = bands_for_agreement(
        {"a": ScoredSample(few[0], rng.random(30) < 0.5, 1000, few[1], rng.random(30) < 0.1)}, 0.99
    )
    assert (found.share, found.agreement) == (1.0, 1.0)
    assert found.bands["a"].to_json().keys().isdisjoint({"low", "high"})


def test_errors_are_spent_where_they_save_most():
    """A clear group needs no band; the disagreement allowed goes to the other, and large groups count by their rows."""
    samples = {"clear": sample(1000, 0.0, rows=9000), "noisy": sample(1000, 0.15, rows=1000)}
    found = bands_for_agreement(samples, 0.99)
    assert found.bands["clear"].share == 0
    alone = bands_for_agreement({"noisy": samples["noisy"]}, 0.99)
    assert found.bands["noisy"].share < alone.share
    assert found.share == pytest.approx(found.bands["noisy"].share * 0.1, abs=1e-3)


@pytest.mark.parametrize(("refused", "low"), [(3, -np.inf), (5, 1.0)])
def test_a_lost_pair_counts_as_two_errors(refused, low):
    """Of the pairs with the lower score the expensive encoder keeps 2: to reject them all costs 4, to keep them all
    costs 1 for each that it refuses.
    """
    cheap = np.array(([0] * (2 + refused) + [1] * 5) * 20, np.float32)
    keep = np.array(([True] * 2 + [False] * refused + [True] * 5) * 20)
    none = np.zeros(0, np.float32)
    found = bands_for_agreement({"a": ScoredSample(cheap, keep, 100, none, none.astype(bool))}, 0.4)
    assert found.share == 0
    assert found.bands["a"].low == low


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40),
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=20),
    st.sampled_from([0.8, 0.9, 1.0]),
)
def test_the_sample_itself_never_disagrees_more_than_allowed(rows, shuffled, agreement):
    """Ties included: no limit parts equal scores."""
    parts = [
        (np.array([a for a, _ in some], np.float32), np.array([b for _, b in some], bool)) for some in (rows, shuffled)
    ]
    scored = ScoredSample(*parts[0], 10, *parts[1])
    band = bands_for_agreement({"a": scored}, agreement).bands["a"]
    errors = disagree(*parts[0], band).mean() + (WRONG * disagree(*parts[1], band).mean() if shuffled else 0)
    assert errors <= (1 - agreement) * (1 + WRONG) + 1e-9
    assert band.low <= band.high
    inside = (scored.cheap >= band.low) & (scored.cheap < band.high)
    assert band.share == pytest.approx(inside.mean(), abs=1e-3)
