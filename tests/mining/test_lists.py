"""Inverted lists reach the recall that is asked, measured against the exact search, and the same bytes each time."""

import numpy as np
import pytest

from cmtp.engine.store import Store
from cmtp.mining.lists import Lists, build, load, save


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


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
def test_as_many_lists_are_read_as_the_recall_takes(vectors, recall):
    pool, queries = vectors
    index, facts = build(blocks(pool), len(pool), queries[:50], 10, recall, seed=1)
    assert facts["recall"] >= recall
    assert 1 < facts["lists"] <= len(pool) // 64
    exact = np.argsort(-(queries @ pool.T), axis=1)[:, :10]
    found, scores = Lists(index, np.arange(len(pool)), np.arange(len(pool))).nearest(queries, 10)
    hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)])
    assert hits >= recall - 0.1  # other queries than those measured with
    some = found >= 0
    np.testing.assert_allclose(scores[some], np.einsum("id,ijd->ij", queries, pool[found])[some], atol=2e-6)


def test_the_same_bytes_from_the_same_seed_and_back_from_the_store(vectors, tmp_path):
    pool, queries = vectors
    store = Store(str(tmp_path))
    for name in ("a", "b"):
        index, _ = build(blocks(pool), len(pool), queries[:20], 10, 0.95, seed=7)
        save(index, store, name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = Lists(load(store, "a"), np.arange(len(pool)), np.arange(len(pool)))
    np.testing.assert_array_equal(again.take(np.array([5, 3999, 5])), pool[[5, 3999, 5]])
    assert again.index.nprobe == index.nprobe


def test_a_passage_that_was_added_twice_is_found_once(vectors):
    pool, queries = vectors
    twice = np.concatenate([pool[:200], pool[:200]])
    index, _ = build(blocks(twice), 400, queries, 20, 1.0, seed=1)
    lists = Lists(index, np.tile(np.arange(200), 2), np.arange(200))
    rows, _ = lists.nearest(queries, 20)
    for one in rows.tolist():
        found = [row for row in one if row >= 0]
        assert len(found) == len(set(found)) == 10
