"""torch's search must find what numpy finds, in blocks; on a CPU it takes the same path as on a GPU."""

import numpy as np
import pytest

from cmtp.mining import exact


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("m", "k", "passages", "scores"), [(500, 20, 64, 2000), (30, 30, 7, 100), (100, 5, 1000, 10)])
def test_torch_finds_the_nearest_block_by_block(monkeypatch, m, k, passages, scores):
    pytest.importorskip("torch")
    monkeypatch.setattr(exact, "PASSAGES", passages)
    monkeypatch.setattr(exact, "SCORES", scores)
    rng = np.random.default_rng(5)
    pool, queries = unit(rng.normal(size=(m, 24))), unit(rng.normal(size=(40, 24)))
    rows, found = exact.search_with_torch(queries, pool, k, "cpu")
    true = queries.astype(np.float64) @ pool.T.astype(np.float64)
    assert (rows == np.argsort(-true, axis=1, kind="stable")[:, :k]).mean() > 0.999
    np.testing.assert_allclose(found, np.take_along_axis(true, rows, 1), atol=1e-6)


def test_a_gpu_is_used_where_there_is_one(monkeypatch):
    pytest.importorskip("torch")
    asked = []
    monkeypatch.setattr(exact, "gpu", lambda: "cpu")
    monkeypatch.setattr(exact, "search_on_cpu", lambda *given: asked.append(given))
    rows, _ = exact.Matrix(unit(np.eye(3, dtype=np.float32))).nearest(np.eye(3, dtype=np.float32), 1)
    assert rows[:, 0].tolist() == [0, 1, 2]
    assert not asked
