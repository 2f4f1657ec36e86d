"""nDCG and recall compared with trec_eval."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from cmtp.scoring.measures import ndcg, recall

PASSAGES = 30


@given(
    st.lists(
        st.tuples(
            st.permutations(range(PASSAGES)).map(lambda order: order[:20]),
            st.sets(st.integers(0, PASSAGES - 1), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 20),
)
def test_trec_eval_gives_the_same_values(queries, k):
    ranked, relevant = np.array([order for order, _ in queries]), [right for _, right in queries]
    judged = {str(q): {str(row): 1 for row in right} for q, right in enumerate(relevant)}
    run = {str(q): {str(row): float(-i) for i, row in enumerate(order)} for q, (order, _) in enumerate(queries)}
    measured = pytrec_eval.RelevanceEvaluator(judged, {f"ndcg_cut_{k}", f"recall_{k}"}).evaluate(run)
    for values, name in ((ndcg(ranked, relevant, k), f"ndcg_cut_{k}"), (recall(ranked, relevant, k), f"recall_{k}")):
        assert values == pytest.approx([measured[str(q)][name] for q in range(len(queries))], abs=1e-9)
