import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmtp.mining.select import Cut, best_cut, plan_from_json, plan_to_json, pool_cut

SCORES = st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9]), min_size=1, max_size=30)


@given(SCORES, st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 40))
def test_the_cut_lets_in_the_best_and_exactly_as_many_as_asked(scores, share, most):
    scores = np.array(scores, np.float32)
    keys = np.arange(len(scores), dtype=np.uint64)[::-1] * np.uint64(2**58) + np.uint64(1)
    chosen = best_cut(scores, keys, share, most).holds(scores, keys)
    assert chosen.sum() == min(int(np.ceil(share * len(scores))), most)
    if not chosen.all():
        assert scores[chosen].min() >= scores[~chosen].max()


@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=30), st.integers(1, 40))
def test_a_pool_is_a_sample_of_the_size_asked(keys, most):
    keys = np.array(sorted(keys), np.uint64)
    last = pool_cut(keys, most)
    assert len(keys) if last is None else (keys <= np.uint64(last)).sum() == min(most, len(keys))


def test_the_plan_survives_json():
    cuts = {("法律", "title_body"): Cut(0.25, 2**64 - 1), ("百科", "title_body"): Cut(0.5, 3)}
    pools = {("百科", "retrieval"): None, ("法律", "retrieval"): 2**63 + 1}
    assert plan_from_json(plan_to_json(cuts, pools)) == (cuts, pools)
