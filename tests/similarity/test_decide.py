"""What is decided about a group, on ranks whose origin is known."""

import numpy as np
import pytest

from cmtp.similarity.decide import SUSPECT, GroupVerdict, fit_suspects, judge_alone, judge_probe
from tests.similarity.test_wrong_share import ranks


def group(n, wrong, unclear=0.0, seed=0):
    """Ranks by the first encoder; which pairs are wrong; ranks by the second encoder, which sees all right pairs.

    `unclear`: share of right pairs that the first encoder takes for wrong ones, and share of those it is not sure of.
    """
    rng = np.random.default_rng(seed)
    is_wrong = np.arange(n) < int(n * wrong)
    first = np.where(is_wrong, rng.random(n), 0.99 + 0.01 * rng.random(n))
    each = int(n * unclear)
    first[n - each :] = rng.random(each)
    first[n - 2 * each : n - each] = 0.9 + 0.08 * rng.random(each)
    return first, is_wrong, np.where(is_wrong, rng.random(n), 0.95 + 0.05 * rng.random(n))


def both(n, wrong, unclear=0.0, seed=0):
    """The verdict of both encoders, and which pairs are rejected."""
    first, is_wrong, second = group(n, wrong, unclear, seed)
    alone = judge_alone(first)
    suspects = np.flatnonzero(first < SUSPECT)
    part = len(suspects) / n
    asked = np.random.default_rng(seed).permutation(suspects)[:300]
    verdict = judge_probe(alone, second[asked], part, SUSPECT)
    goes = np.zeros(n, bool)
    if verdict.decision == "cut":
        verdict = fit_suspects(verdict, second[suspects], part, SUSPECT)
        goes[suspects] = second[suspects] < verdict.limit
    return alone, verdict, goes, is_wrong


@pytest.mark.parametrize("seed", range(5))
def test_a_good_encoder_alone_finds_what_is_planted(seed):
    first, is_wrong, _ = group(2000, 0.1, seed=seed)
    verdict = judge_alone(first)
    goes = first < verdict.limit
    assert verdict.decision == "cut"
    assert goes[is_wrong].mean() >= 0.85
    assert goes[~is_wrong].mean() <= 0.01


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_cut_where_nothing_is_wrong(seed):
    assert judge_alone(group(2000, 0.0, seed=seed)[0]).decision == "clean"
    alone, verdict, goes, _ = both(2000, 0.0, unclear=0.1, seed=seed)
    assert (alone.decision, verdict.decision) == ("cannot_tell", "clean")
    assert alone.wrong.estimate == pytest.approx(0.1, abs=0.03)
    assert verdict.wrong.estimate <= 0.01
    assert not goes.any()


def test_an_encoder_with_blind_spots_does_not_cut_alone():
    verdict = judge_alone(group(2000, 0.1, unclear=0.1)[0])
    assert (verdict.decision, verdict.limit) == ("cannot_tell", 0.0)


@pytest.mark.parametrize("wrong", [0.1, 0.2, 0.3])
def test_the_second_encoder_says_how_many_are_wrong_and_which(wrong):
    _, verdict, goes, is_wrong = both(2000, wrong, unclear=0.1)
    assert verdict.decision == "cut"
    assert verdict.wrong.low <= wrong <= verdict.wrong.high
    assert goes[is_wrong].mean() >= 0.85
    assert goes[~is_wrong].mean() <= 0.02


def test_more_wrong_pairs_mean_more_rejected():
    found = [both(4000, wrong, unclear=0.1)[2].sum() for wrong in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)]
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] > 0.8 * 0.4 * 4000


def test_where_most_pairs_look_wrong_nothing_is_cut():
    verdict = judge_alone(ranks(2000, 0.7))
    assert (verdict.decision, verdict.limit) == ("too_many", 0.0)
    assert np.isnan(verdict.steps.of(np.array([0.1]))).all()
    assert judge_probe(verdict, np.linspace(0, 1, 300), 0.8, 0.97).decision == "too_many"


def test_a_second_encoder_that_does_not_know_either():
    """Half of the group are suspects, and the second encoder spreads them evenly over its upper half."""
    alone = GroupVerdict("cannot_tell", clear=0.5)
    assert judge_probe(alone, 0.5 + np.arange(300) / 600, part=0.5, null_part=0.97).decision == "blind"


def test_no_suspects_are_no_wrong_pairs():
    verdict = judge_probe(GroupVerdict("cannot_tell"), np.zeros(0), 0.0, 0.97)
    assert (verdict.decision, verdict.wrong.high) == ("clean", 0.0)
