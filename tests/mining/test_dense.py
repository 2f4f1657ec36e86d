"""Exact search finds the same bytes whatever searches; inverted lists reach the recall that is asked."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmtp.engine.store import Store
from cmtp.kernels.int8 import scan
from cmtp.mining import dense
from cmtp.mining.dense import Lists, Matrix, Recall, build_index, load, save
from tests.vectors import exact, unit


@pytest.fixture(params=["faiss", "int8 scan", "torch"])
def searched_by(request, monkeypatch):
    """Search with a program that the machine might choose; each runs everywhere."""
    monkeypatch.setattr(dense, "own_device", lambda: "cpu")
    monkeypatch.setattr(scan, "supported", lambda: request.param == "int8 scan")
    monkeypatch.setattr(scan, "MIN_QUERIES", 0)
    monkeypatch.setattr(scan, "MIN_PRODUCTS", 0)
    if request.param == "torch":
        pytest.importorskip("torch")
        monkeypatch.setattr(dense, "own_device", lambda: "meta")
        with_torch = dense.search_with_torch
        monkeypatch.setattr(dense, "search_with_torch", lambda *given: with_torch(*given[:3], "cpu"))
        monkeypatch.setattr(dense, "search_with_faiss", None)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(m=st.integers(1, 300), share=st.floats(0.01, 1), shift=st.floats(0, 3), seed=st.integers(0, 99))
def test_whatever_searches_the_bytes_are_those_of_float64(searched_by, m, share, shift, seed):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=40) * shift
    pool, queries = unit(rng.normal(size=(m, 40)) + common), unit(rng.normal(size=(20, 40)) + common)
    k = max(int(share * m), 1)
    hits = Matrix(pool).nearest(queries, k)
    rows, scores = exact(queries, pool, k)
    np.testing.assert_array_equal(hits.rows, rows)
    np.testing.assert_array_equal(hits.scores, scores)
    np.testing.assert_array_equal(hits.scores, Matrix(pool).score(queries, hits.rows))


def test_equal_scores_at_the_last_rank_are_chosen_by_row(searched_by):
    """A float32 search keeps any of them: here the 3 of 100 with the lowest rows."""
    pool = np.repeat(unit(np.random.default_rng(2).normal(size=(2, 8))), 100, axis=0)[::-1]
    hits = Matrix(np.ascontiguousarray(pool)).nearest(np.ascontiguousarray(pool[-1:]), 3)
    assert hits.rows.tolist() == [[100, 101, 102]]


def test_a_query_that_the_scan_gives_up_is_searched_all_the_same(monkeypatch):
    monkeypatch.setattr(scan, "supported", lambda: True)
    monkeypatch.setattr(scan, "MIN_QUERIES", 0)
    monkeypatch.setattr(scan, "MIN_PRODUCTS", 0)
    rng = np.random.default_rng(3)
    centre = unit(rng.normal(size=(1, 32)))
    near = np.repeat(centre, 10_000, 0) + 1e-4 * rng.normal(size=(10_000, 32))
    pool = unit(np.concatenate([rng.normal(size=(2000, 32)), near]))
    queries = np.concatenate([centre, unit(rng.normal(size=(20, 32)))])
    assert 0 in scan.nearest(queries, pool, 5).given_up
    np.testing.assert_array_equal(Matrix(pool).nearest(queries, 5).rows, exact(queries, pool, 5)[0])


@pytest.mark.parametrize(("m", "k", "passages", "scores"), [(500, 20, 64, 2000), (30, 30, 7, 100), (100, 5, 1000, 10)])
def test_torch_finds_the_nearest_block_by_block(monkeypatch, m, k, passages, scores):
    """On a CPU it takes the same path as on a GPU."""
    pytest.importorskip("torch")
    monkeypatch.setattr(dense, "PASSAGES_HELD", passages)
    monkeypatch.setattr(dense, "SCORES_HELD", scores)
    rng = np.random.default_rng(5)
    pool, queries = unit(rng.normal(size=(m, 24))), unit(rng.normal(size=(40, 24)))
    rows, found = dense.search_with_torch(queries, pool, k, "cpu")
    true = queries.astype(np.float64) @ pool.T.astype(np.float64)
    assert (rows == np.argsort(-true, axis=1, kind="stable")[:, :k]).mean() > 0.999
    np.testing.assert_allclose(found, np.take_along_axis(true, rows, 1), atol=1e-6)


def test_few_candidates_are_held_at_once(monkeypatch):
    monkeypatch.setattr(scan, "supported", lambda: False)
    monkeypatch.setattr(dense, "SCORES_HELD", 100)
    rng = np.random.default_rng(6)
    pool, queries = unit(rng.normal(size=(200, 16))), unit(rng.normal(size=(30, 16)))
    np.testing.assert_array_equal(Matrix(pool).nearest(queries, 10).rows, exact(queries, pool, 10)[0])


def test_a_gpu_is_used_where_there_is_one(monkeypatch):
    devices = []

    def search_with_torch(queries, pool, k, device):
        devices.append(device)
        return dense.search_with_faiss(queries, pool, k)

    monkeypatch.setattr(dense, "own_device", lambda: "cuda:1")
    monkeypatch.setattr(dense, "search_with_torch", search_with_torch)
    hits = Matrix(np.eye(3, dtype=np.float32)).nearest(np.eye(3, dtype=np.float32), 1)
    assert hits.rows[:, 0].tolist() == [0, 1, 2]
    assert devices == ["cuda:1"]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(6)
    centres = rng.normal(size=(40, 16))
    pool = unit(centres[rng.integers(0, 40, 4000)] + rng.normal(size=(4000, 16)))
    return pool.astype(np.float16).astype(np.float32), unit(
        centres[rng.integers(0, 40, 100)] + rng.normal(size=(100, 16))
    )


def blocks(pool):
    return lambda: (pool[start : start + 700] for start in range(0, len(pool), 700))


@pytest.mark.parametrize("recall", [0.8, 0.99, 1.0])
def test_as_many_lists_are_read_as_the_recall_takes(monkeypatch, vectors, recall):
    pool, queries = vectors
    index, facts = build_index(blocks(pool), len(pool), Recall(queries[:50], 10, recall), seed=1)
    assert facts["recall"] >= recall
    assert 1 < facts["lists"] <= len(pool) // 64
    lists = Lists(index, np.arange(len(pool)), np.arange(len(pool)))
    found = lists.nearest(queries, 10).rows
    nearest, _ = exact(queries, pool, 10)
    hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(nearest.tolist(), found.tolist(), strict=True)])
    assert hits >= recall - 0.1  # other queries than those measured with
    monkeypatch.setattr(dense, "VECTORS_HELD", 35)
    np.testing.assert_array_equal(lists.score(queries, found), Matrix(pool).score(queries, found))


def test_the_same_bytes_from_the_same_seed_and_back_from_the_store(vectors, tmp_path):
    pool, queries = vectors
    store = Store(str(tmp_path))
    for name in ("a", "b"):
        index, _ = build_index(blocks(pool), len(pool), Recall(queries[:20], 10, 0.95), seed=7)
        save(index, store, name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = Lists(load(store, "a"), np.arange(len(pool)), np.arange(len(pool)))
    np.testing.assert_array_equal(again.take(np.array([5, 3999, 5])), pool[[5, 3999, 5]])
    assert again.index.nprobe == index.nprobe


def test_a_passage_that_was_added_twice_is_found_once(vectors):
    pool, queries = vectors
    twice = np.concatenate([pool[:200], pool[:200]])
    index, _ = build_index(blocks(twice), 400, Recall(queries, 20, 1.0), seed=1)
    lists = Lists(index, np.tile(np.arange(200), 2), np.arange(200))
    for one in lists.nearest(queries, 20).rows.tolist():
        found = [row for row in one if row >= 0]
        assert len(found) == len(set(found)) == 10


BUILD = """
import sys
import numpy as np
from cmtp.engine.store import Store
from cmtp.mining.dense import Recall, build_index, save
pool = np.random.default_rng(1).normal(size=(60_000, 32)).astype(np.float32)
index, facts = build_index(lambda: iter([pool]), len(pool), Recall(pool[:20], 10, 0.9), seed=1)
save(index, Store(sys.argv[1]), "index")
"""


def test_the_lists_are_the_same_bytes_for_any_number_of_threads(tmp_path):
    """In processes of their own, as the tests' own is limited to one thread."""
    written = []
    for threads in ("1", "4"):
        folder = tmp_path / threads
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        subprocess.run([sys.executable, "-c", BUILD, folder], check=True, env=environment)
        written.append((folder / "index").read_bytes())
    assert written[0] == written[1]
