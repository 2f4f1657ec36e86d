import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cmtp.mining.plan import Cut, MiningPlan, best_cut, groups_of, plan_mining, sample_cut

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
    last = sample_cut(keys, most)
    assert len(keys) if last is None else (keys <= np.uint64(last)).sum() == min(most, len(keys))


def test_the_plan_survives_json():
    cuts = {("法律", "title_body"): Cut(0.25, 2**64 - 1), ("百科", "title_body"): Cut(0.5, 3)}
    plan = MiningPlan(cuts, {("百科", "retrieval"): None, ("法律", "retrieval"): 2**63 + 1})
    assert MiningPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_retrieval_tasks_share_a_pool_and_texts_of_one_kind_have_their_own():
    relations = ["title_body", "question_answer", "similar_question", "title_body"]
    rows = pa.table({"source": ["b", "a", "a", "a"], "relation": relations, "similarity": [0.1, 0.2, 0.3, 0.4]})
    groups = groups_of(rows)
    assert list(groups) == [("a", "retrieval"), ("a", "similar_question"), ("b", "retrieval")]
    assert list(groups["a", "retrieval"]) == ["question_answer", "title_body"]
    plan, sizes = plan_mining(rows, np.arange(4, dtype=np.uint64), share=1.0, max_queries=9, max_pool=1)
    assert sizes == {("a", "retrieval"): 1, ("a", "similar_question"): 1, ("b", "retrieval"): 1}
    assert plan.pools == {("a", "retrieval"): 1, ("a", "similar_question"): None, ("b", "retrieval"): None}
    assert set(plan.cuts) == {
        ("a", "question_answer"),
        ("a", "title_body"),
        ("a", "similar_question"),
        ("b", "title_body"),
    }
