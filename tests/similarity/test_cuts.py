"""Cuts from scores alone: what is shuffled, what is measured, which weight a cheap score gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.similarity.cuts import (
    HEAVIER,
    MORE_ERROR,
    WHOLE,
    GroupCut,
    SampledGroup,
    Scores,
    calibrate_cut,
    centre_of,
    combined,
    cuts_from_table,
    cuts_to_table,
    find_cut,
    group_cut,
    pair_scores,
    shuffle,
    weigh,
)
from cmtp.similarity.settings import SimilaritySettings
from cmtp.similarity.vectors import PairVectors


def test_the_cut_lets_the_stated_share_of_shuffled_pairs_pass():
    shuffled = np.linspace(0, 0.5, 1001)
    true = np.linspace(0.4, 1.0, 1001)
    found = calibrate_cut(Scores(true, shuffled), shuffled_share=0.1, max_loss=0.5)
    assert found.threshold == pytest.approx(0.45, abs=0.001)
    assert found.shuffled_pass == pytest.approx(0.1, abs=0.002)
    assert found.pairs_lost == pytest.approx(0.05 / 0.6, abs=0.002)
    assert found.auc == pytest.approx(1 - 0.1**2 / 2 / (0.5 * 0.6), abs=0.002)


def test_a_scorer_that_says_nothing_takes_no_more_than_the_stated_loss():
    same = np.linspace(0, 1, 1001)
    found = calibrate_cut(Scores(same, same), shuffled_share=0.1, max_loss=0.2)
    assert found.auc == pytest.approx(0.5, abs=0.001)
    assert found.pairs_lost == pytest.approx(0.2, abs=0.002)
    assert found.shuffled_pass == pytest.approx(0.8, abs=0.002)


def test_centring_takes_off_what_all_of_the_group_share():
    """Two axes of meaning and one that every text has: the passage with most of the third is like every query."""
    query = np.array([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8]], np.float32)
    passage = np.array([[0.6, 0.0, 0.8], [0.0, 0.28, 0.96]], np.float32)
    pairs = PairVectors(query, passage)
    centre = centre_of(pairs)
    true = pair_scores(pairs, centre)
    np.testing.assert_allclose(true, np.einsum("ij,ij->i", query - centre[0], passage - centre[1]), atol=1e-5)
    np.testing.assert_array_equal(pair_scores(pairs, centre, pair_scores(pairs, None)), true)
    crossed = pair_scores(PairVectors(query, passage[::-1]), centre)
    assert (query[0] @ passage[1]) > 0.7  # as near as many a true pair
    assert (true > 0).all()
    assert (crossed < 0).all()


def test_histograms_hold_every_pair_once():
    found = calibrate_cut(Scores(np.array([-0.9, 0.0, 0.049, 0.05, 1.0]), np.array([0.1])), 0.1, 0.2)
    assert found.true == {"-0.20": 1, "0.00": 2, "0.05": 1, "0.95": 1}
    assert found.shuffled == {"0.10": 1}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=30))
def test_shuffled_pairs_stay_in_their_group_and_leave_their_document(rows):
    group = np.array([code for code, _ in rows])
    document = np.array([code for _, code in rows])
    left, right = shuffle(group, np.arange(len(rows))[::-1].astype(np.uint64), document)
    assert (group[left] == group[right]).all()
    assert (document[left] != document[right]).all()
    assert len(set(left.tolist())) == len(left)
    assert len(set(right.tolist())) == len(right)


SETTINGS = SimilaritySettings(cascade_weight=0.3, shuffled_share=0.08, max_loss=0.2)


def scores(apart, seed):
    """Of 2,000 pairs and as many shuffled ones: normal, `apart` standard deviations from each other."""
    rng = np.random.default_rng(seed)
    true, wrong = rng.normal(apart, 1, 2000), rng.normal(0, 1, 2000)
    return Scores(true.astype(np.float32), wrong.astype(np.float32))


def error(expensive, cheap, weight):
    true, wrong = combined(expensive.true, cheap.true, weight), combined(expensive.shuffled, cheap.shuffled, weight)
    return float((true[:, None] < wrong[None, :]).mean())


def test_where_the_expensive_encoder_tells_pairs_apart_the_cheap_one_has_the_weight_of_the_recipe():
    expensive, cheap = scores(4, 1), scores(4, 2)
    assert weigh(expensive, cheap, SETTINGS) == pytest.approx(
        0.3 * expensive.shuffled.std() / cheap.shuffled.std(), abs=1e-4
    )


@pytest.mark.parametrize(("apart", "heavier"), [(0.7, True), (0.0, False)])
def test_where_it_does_not_a_cheap_score_that_says_something_weighs_more(apart, heavier):
    expensive, cheap = scores(0.8, 1), scores(apart, 2)
    least = 0.3 * float(expensive.shuffled.std() / cheap.shuffled.std())
    found = weigh(expensive, cheap, SETTINGS)
    assert (found > 2 * least) == heavier
    assert error(expensive, cheap, found) <= error(expensive, cheap, least) * (1 + MORE_ERROR) + 1e-3


def test_heavier_weights_are_round_numbers_at_the_default():
    assert [round(times * 0.3, 9) for times in HEAVIER] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0]


def test_a_fixed_threshold_decides_alone_on_plain_cosines():
    rng = np.random.default_rng(5)
    pairs = PairVectors(*(rng.normal(size=(2, 40, 8)).astype(np.float32)))
    group = SampledGroup(np.arange(40), np.arange(40), np.roll(np.arange(40), 1))
    found = find_cut(group, pairs, pairs, SimilaritySettings(threshold=0.25))
    assert (found.cut.threshold, found.cut.centre, found.cut.weight, found.calibration) == (0.25, None, 0.0, None)
    np.testing.assert_array_equal(found.scores.true, pair_scores(pairs, None))
    assert found.cut.cheap_centre is not None  # the band of a cascade is still found on centred scores


def test_a_group_is_cut_by_its_own_cut_then_by_that_of_all_then_by_the_uncalibrated_one():
    own, whole = GroupCut(0.1), GroupCut(0.2)
    assert group_cut("a", {"a": own, WHOLE: whole}, 0.3) is own
    assert group_cut("b", {"a": own, WHOLE: whole}, 0.3) is whole
    assert group_cut("b", {"a": own}, 0.3) == GroupCut(0.3)
    unknown = group_cut("b", {"a": own}, None)
    assert not unknown.known
    assert unknown.low == unknown.high == unknown.threshold == -np.inf  # all kept, none left to an expensive encoder


def test_cuts_survive_the_way_through_their_table():
    centre = (np.array([0.5, 1], np.float32), np.array([0, 2], np.float32))
    cuts = {"a": GroupCut(0.5, centre, low=0.25, high=0.75, cheap_centre=centre, weight=0.125), "b": GroupCut(0.25)}
    back = cuts_from_table(cuts_to_table(cuts))
    assert back["b"] == cuts["b"]
    for name in ("threshold", "low", "high", "weight"):
        assert getattr(back["a"], name) == getattr(cuts["a"], name)
    for name in ("centre", "cheap_centre"):
        np.testing.assert_array_equal(getattr(back["a"], name), centre)
    assert cuts_from_table(cuts_to_table({})) == {}
