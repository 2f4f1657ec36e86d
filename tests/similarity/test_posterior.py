"""The posterior by rank: hand-computed steps, scikit-learn's isotonic regression, and planted wrong pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from cmtp.similarity.posterior import Limits, PosteriorSteps, posterior_steps, reject_below, rising_density
from tests.similarity.test_wrong_share import ranks

LIMITS = Limits(local=0.5, mean=0.75)


def test_by_hand():
    """Four ranks. The points (.5, 0), (.6, ¼), (.8, ½), (.9, ¾), (1, 1): no mass below .5, then slopes 2, 2.5, 2.5."""
    edges, density = rising_density(np.array([0.8, 0.5, 0.9, 0.6]))
    np.testing.assert_allclose(edges, [0, 0.5, 0.8])
    np.testing.assert_allclose(density, [0, 0.5 / 0.3, 2.5])


def test_uniform_ranks_have_one_density():
    edges, density = rising_density(np.arange(100) / 100)
    np.testing.assert_allclose(edges[:1], [0])
    np.testing.assert_allclose(density, 1)


def test_ranks_of_one_by_hand():
    """The points (0, 0), (.6, ½), (1, 1): the pair at 1 lies in the last step, and pulls no point down."""
    edges, density = rising_density(np.array([0.0, 0.0, 0.6, 1.0]))
    np.testing.assert_allclose(edges, [0, 0.6])
    np.testing.assert_allclose(density, [0.5 / 0.6, 0.5 / 0.4])


@given(st.lists(st.integers(0, 200).map(lambda i: i / 200), min_size=1, max_size=80), st.randoms())
@settings(max_examples=80)
def test_it_is_the_isotonic_density(values, random):
    """The slopes of the greatest convex minorant are the isotonic regression of the raw slopes between ranks."""
    ordered = np.sort(values)
    x, first = np.unique(ordered, return_index=True)
    x, y = (np.r_[0, x], np.r_[0, first / len(ordered)]) if x[0] > 0 else (x, first / len(ordered))
    x, y = (x, np.r_[y[:-1], 1.0]) if x[-1] == 1 else (np.r_[x, 1.0], np.r_[y, 1.0])
    width = np.diff(x)
    fitted = IsotonicRegression().fit_transform(np.arange(len(width)), np.diff(y) / width, sample_weight=width)
    shuffled = list(values)
    random.shuffle(shuffled)
    edges, density = rising_density(np.array(shuffled))
    assert (np.diff(density) > 0).all()
    np.testing.assert_allclose(density[np.searchsorted(edges, x[:-1], side="right") - 1], fitted, atol=1e-9)


def test_the_posterior_falls_and_stays_a_probability():
    steps = posterior_steps(ranks(2000, 0.1), 0.1)
    assert (np.diff(steps.values) <= 0).all()
    assert ((steps.values >= 0) & (steps.values <= 1)).all()
    assert steps.of(np.array([0.0, 0.5, 1.0])).tolist() == sorted(steps.of(np.array([0.0, 0.5, 1.0])).tolist())[::-1]


def test_nothing_is_rejected_where_nothing_is_wrong():
    u = ranks(2000, 0.1)
    assert reject_below(u, posterior_steps(u, 0.0), LIMITS) == 0
    assert reject_below(u, PosteriorSteps(np.zeros(1), np.full(1, 0.49)), LIMITS) == 0


def test_rejections_stop_at_the_local_limit_and_at_the_mean():
    u = np.r_[np.full(10, 0.1), np.full(10, 0.3), np.full(10, 0.5), np.full(10, 0.7)]
    steps = PosteriorSteps(np.array([0, 0.2, 0.4, 0.6]), np.array([1.0, 0.8, 0.6, 0.1]))
    assert reject_below(u, steps, LIMITS) == 0.6  # mean .8
    assert reject_below(u, steps, Limits(local=0.7, mean=0.0)) == 0.4
    assert reject_below(u, steps, Limits(local=0.5, mean=0.85)) == 0.4
    assert reject_below(u, steps, Limits(local=0.0, mean=0.0)) == 1.0


@pytest.mark.parametrize("planted", [0.05, 0.1, 0.3])
def test_rejected_pairs_are_mostly_the_wrong_ones(planted):
    """Right pairs lie above .95, so nearly all wrong ones below can be told."""
    rng = np.random.default_rng(3)
    wrong, right = rng.random(int(2000 * planted)), 0.95 + 0.05 * rng.random(int(2000 * (1 - planted)))
    u = np.r_[wrong, right]
    limit = reject_below(u, posterior_steps(u, planted), LIMITS)
    assert (wrong < limit).mean() >= 0.9
    assert (right < limit).mean() <= 0.001


def test_more_wrong_pairs_never_mean_fewer_rejected():
    """Quantiles stand in for samples: only the dose differs; a twentieth of the right pairs score
    like wrong ones.
    """
    found = []
    for planted in np.arange(0.02, 0.5, 0.02):
        wrong = (np.arange(int(4000 * planted)) + 0.5) / int(4000 * planted)
        n = 4000 - len(wrong)
        right = np.r_[(np.arange(n // 20) + 0.5) / (n // 20), 1 - 0.2 * ((np.arange(n - n // 20) + 0.5) / n) ** 2]
        u = np.r_[wrong, right]
        found.append((wrong < reject_below(u, posterior_steps(u, planted), LIMITS)).sum())
    assert found == sorted(found)
    assert found[-1] > 0.8 * 4000 * 0.48
