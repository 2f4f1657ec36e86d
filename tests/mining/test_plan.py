import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.mining.plan import (
    SHARED,
    Draw,
    MiningPlan,
    PoolPlan,
    draw_from_band,
    groups_of,
    lowest_keys,
    plan_mining,
    sample_cut,
)
from cmtp.mining.settings import MineSettings

SCORES = st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9]), min_size=1, max_size=30)


def keys_of(n):
    return np.arange(n, dtype=np.uint64)[::-1] * np.uint64(2**58) + np.uint64(1)


@given(SCORES, st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 40))
def test_a_draw_takes_as_many_as_asked_out_of_the_band(scores, share, most):
    scores, keys = np.array(scores, np.float32), keys_of(len(scores))
    settings = MineSettings(share=share, max_queries=most)
    draw = draw_from_band(scores, keys, settings)
    chosen, band = draw.holds(scores, keys), draw.band(scores)
    assert chosen.sum() == min(int(np.ceil(share * len(scores))), most, band.sum())
    assert not (chosen & ~band).any()
    if chosen.sum() < band.sum():
        assert keys[chosen].max() < keys[band & ~chosen].min()


def test_the_band_leaves_out_the_least_and_the_most_similar():
    scores = np.arange(20, dtype=np.float32) / 20
    draw = draw_from_band(scores, keys_of(20), MineSettings(share=1))
    assert np.flatnonzero(draw.band(scores)).tolist() == list(range(6, 19))  # 30 % below, 5 % above
    alone = draw_from_band(scores[:1], keys_of(1), MineSettings())
    assert alone.holds(scores[:1], keys_of(1)).all()


def test_a_band_that_is_empty_is_refused():
    with pytest.raises(ValueError, match="highest_quantile"):
        MineSettings(lowest_quantile=0.5, highest_quantile=0.5)


@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=30), st.integers(1, 40))
def test_a_pool_is_a_sample_of_the_size_asked(keys, most):
    keys = np.array(sorted(keys), np.uint64)
    assert lowest_keys(keys, sample_cut(keys, most)).sum() == min(most, len(keys))


def test_the_plan_survives_json():
    draws = {("法律", "title_body"): Draw(0.25, 0.5, 2**64 - 1), ("百科", "question_passage"): None}
    pools = {(SHARED, "retrieval"): PoolPlan({"百科": None, "法律": 2**63 + 1}, ["百科"])}
    plan = MiningPlan(draws, pools)
    assert MiningPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def table(counts):
    """Rows of (source, relation) → how many, with similarities that rise."""
    names = [name for name, n in counts.items() for _ in range(n)]
    n = len(names)
    return pa.table(
        {
            "source": [source for source, _ in names],
            "relation": [relation for _, relation in names],
            "similarity": np.linspace(0.1, 0.9, n).astype(np.float32),
        }
    )


def planned(counts, **settings):
    rows = table(counts)
    return plan_mining(rows, keys_of(rows.num_rows), MineSettings(**settings))


def test_retrieval_tasks_share_a_pool_and_texts_of_one_kind_have_their_own():
    rows = table({("b", "title_body"): 1, ("a", "question_answer"): 1, ("a", "similar_question"): 1})
    groups = groups_of(rows)
    assert list(groups) == [("a", "retrieval"), ("a", "similar_question"), ("b", "retrieval")]
    plan, sizes, _ = plan_mining(rows, keys_of(3), MineSettings(min_pool=0))
    assert sizes == {("a", "retrieval"): 1, ("a", "similar_question"): 1, ("b", "retrieval"): 1}
    assert plan.pools["a", "retrieval"] == PoolPlan({"a": None}, ["a"])


def test_labelled_pairs_are_drawn_whole_and_the_others_counted():
    counts = {("a", "question_passage"): 40, ("a", "title_body"): 100, ("judged", "question_answer"): 7}
    plan, _, not_drawn = planned(counts, labelled=["judged"])
    assert plan.draws["a", "question_passage"] is None
    assert plan.draws["judged", "question_answer"] is None
    rows, keys = table(counts), keys_of(147)
    weak = np.array([relation == "title_body" for relation in rows["relation"].to_pylist()])
    drawn = plan.queries("a", "title_body", rows["similarity"].to_numpy(), keys) & weak
    assert drawn.sum() == 10
    assert not_drawn == {"outside_band": 35, "not_drawn": 55}


def test_small_sources_share_a_pool_that_a_sample_of_the_large_ones_fills():
    counts = {("small", "question_answer"): 5, ("tiny", "title_body"): 3, ("large", "title_body"): 50}
    plan, sizes, _ = planned(counts, min_pool=10, shared_pool=20)
    assert list(plan.pools) == [(SHARED, "retrieval"), ("large", "retrieval")]
    shared = plan.pools[SHARED, "retrieval"]
    assert shared.searchers == ["small", "tiny"]
    assert sizes == {(SHARED, "retrieval"): 20, ("large", "retrieval"): 50}
    keys = Counter({name: int(lowest_keys(keys_of(58)[8:], shared.passages[name]).sum()) for name in ("large",)})
    assert keys["large"] == 12
    full, sizes, _ = planned(counts, min_pool=10, shared_pool=6)
    assert set(full.pools[SHARED, "retrieval"].passages) == {"small", "tiny"}
    assert sizes[SHARED, "retrieval"] == 8  # the small ones are never cut for the room that the large ones may fill


def test_a_source_alone_has_its_own_pool_however_small():
    plan, _, _ = planned({("only", "title_body"): 3})
    assert list(plan.pools) == [("only", "retrieval")]
