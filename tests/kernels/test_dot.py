"""Dot products that are exact for vectors of fp16, and the choice of the nearest by them."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cmtp.kernels.dot import RoughCandidates, decide, dots, row_dots


def halves(rng, n, dim):
    """Unit vectors in fp16."""
    vectors = rng.normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


@given(dim=st.integers(1, 200), seed=st.integers(0, 99))
def test_a_dot_product_is_the_exact_one_rounded_once(dim, seed):
    queries, pool = halves(np.random.default_rng(seed), 2, dim), halves(np.random.default_rng(seed + 1), 3, dim)
    scores = dots(queries, pool, np.array([[0, 2], [1, -1]]))
    for i, j, row in ((0, 0, 0), (0, 1, 2), (1, 0, 1)):
        true = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(queries[i], pool[row], strict=True))
        assert scores[i, j] == np.float32(float(true))
    assert scores[1, 1] == -np.inf


def test_no_order_of_the_dimensions_changes_a_bit():
    rng = np.random.default_rng(1)
    a, b = halves(rng, 50, 512), halves(rng, 50, 512)
    for _ in range(5):
        order = rng.permutation(512)
        np.testing.assert_array_equal(
            row_dots(a, b), row_dots(np.ascontiguousarray(a[:, order]), np.ascontiguousarray(b[:, order]))
        )


@given(m=st.integers(1, 60), share=st.floats(0, 1), error=st.floats(0, 0.5), seed=st.integers(0, 99))
def test_rough_scores_within_their_error_decide_nothing(m, share, error, seed):
    rng = np.random.default_rng(seed)
    queries, pool = halves(rng, 4, 8), halves(rng, m, 8)
    k = max(int(share * m), 1)
    true = queries.astype(np.float64) @ pool.T.astype(np.float64)
    rough = (true + rng.uniform(-0.99, 0.99, true.shape) * error).astype(np.float32)
    shuffled = rng.permuted(np.tile(np.arange(m, dtype=np.int32), (4, 1)), axis=1)
    candidates = RoughCandidates(
        shuffled, np.take_along_axis(rough, shuffled, 1), np.array([m, m, m, -1]), np.full(4, error + 1e-6, np.float32)
    )
    rows, scores = np.full((4, k), -7), np.zeros((4, k), np.float32)
    exhausted = decide(queries, pool, candidates, rows, scores)
    best = np.argsort(-true, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(rows[:3], best[:3])
    np.testing.assert_array_equal(scores[:3], np.take_along_axis(true, best, 1)[:3].astype(np.float32))
    assert rows[3].tolist() == [-7] * k
    assert not exhausted[3]
    if k == m:
        assert exhausted[:3].all()
