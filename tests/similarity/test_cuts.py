import numpy as np
import pytest

from cmtp.similarity.cuts import MORE_ERROR, combined, weigh

SETTINGS = {"cascade_weight": 0.3, "shuffled_share": 0.08, "max_loss": 0.2}


def scores(apart, seed):
    """Of 2,000 pairs and as many shuffled ones: normal, `apart` standard deviations from each other."""
    rng = np.random.default_rng(seed)
    true, wrong = rng.normal(apart, 1, 2000), rng.normal(0, 1, 2000)
    return true.astype(np.float32), wrong.astype(np.float32)


def error(dear, cheap, weight):
    true, wrong = combined(dear[0], cheap[0], weight), combined(dear[1], cheap[1], weight)
    return float((true[:, None] < wrong[None, :]).mean())


def test_where_the_expensive_encoder_tells_pairs_apart_the_cheap_one_has_the_weight_of_the_recipe():
    dear, cheap = scores(4, 1), scores(4, 2)
    assert weigh(dear, cheap, SETTINGS) == pytest.approx(0.3 * dear[1].std() / cheap[1].std(), abs=1e-4)


@pytest.mark.parametrize(("apart", "heavier"), [(0.7, True), (0.0, False)])
def test_where_it_does_not_a_cheap_score_that_says_something_weighs_more(apart, heavier):
    dear, cheap = scores(0.8, 1), scores(apart, 2)
    least = 0.3 * float(dear[1].std() / cheap[1].std())
    found = weigh(dear, cheap, SETTINGS)
    assert (found > 2 * least) == heavier
    assert error(dear, cheap, found) <= error(dear, cheap, least) * (1 + MORE_ERROR) + 1e-3
