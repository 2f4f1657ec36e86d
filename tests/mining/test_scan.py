"""The int8 scan must find what a float search finds, whatever the shape and the kind of the vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmtp.mining import scan
from cmtp.mining.tile import supported

pytestmark = pytest.mark.skipif(not supported(), reason="this processor has no AVX-512 VNNI: faiss searches")


@pytest.fixture(autouse=True)
def whatever_the_size(monkeypatch):
    """Small searches are scanned too, or these tests would test faiss."""
    monkeypatch.setattr(scan, "SMALL", 0)


def unit(vectors):
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def exact(queries, pool, k):
    scores = queries.astype(np.float64) @ pool.T.astype(np.float64)
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(scores, rows, 1)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 30),
    m=st.integers(1, 400),
    dim=st.integers(1, 70),
    share=st.floats(0.01, 1),
    shift=st.floats(0, 3),
    seed=st.integers(0, 99),
)
def test_finds_the_nearest(n, m, dim, share, shift, seed):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=dim) * shift  # as of e5, whose cosines all lie above .7
    pool, queries = unit(rng.normal(size=(m, dim)) + common), unit(rng.normal(size=(n, dim)) + common)
    k = max(int(share * m), 1)
    rows, scores = scan.search(queries, pool, k)
    _, best = exact(queries, pool, k)
    np.testing.assert_allclose(scores, best, atol=1e-6)
    np.testing.assert_allclose(scores, np.einsum("id,ijd->ij", queries, pool[rows]), atol=1e-6)
    assert all(len(set(one)) == k for one in rows.tolist())


def test_same_bytes_for_any_number_of_threads(monkeypatch):
    rng = np.random.default_rng(1)
    pool, queries = unit(rng.normal(size=(3000, 64))), unit(rng.normal(size=(600, 64)))
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(scan.numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(scan.search(queries, pool, 20))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
    rows, _ = exact(queries, pool, 20)
    assert (found[0][0] == rows).mean() > 0.999


def test_equal_scores_come_in_the_order_of_rows():
    pool = np.repeat(unit(np.random.default_rng(2).normal(size=(4, 8))), 60, axis=0)
    rows, scores = scan.search(pool[:1], pool, 100)
    assert rows[0, :60].tolist() == list(range(60))
    assert (np.diff(rows[0, 60:]) > 0).all()
    assert (np.diff(scores[0]) <= 0).all()


def test_more_near_misses_than_there_is_room_for():
    """10,000 passages as near as int8 can tell: the query is searched in float32, and the others as ever."""
    rng = np.random.default_rng(3)
    centre = unit(rng.normal(size=(1, 32)))
    pool = unit(
        np.concatenate(
            [np.repeat(centre, 10_000, 0) + 1e-4 * rng.normal(size=(10_000, 32)), rng.normal(size=(2000, 32))]
        )
    )
    queries = np.concatenate([centre, unit(rng.normal(size=(20, 32)))])
    packed = scan.pack(pool)
    full = scan._search_block(queries, pool, packed, np.empty((21, 5), np.int64), np.empty((21, 5), np.float32))
    assert 0 in full
    _, scores = scan.search(queries, pool, 5)
    np.testing.assert_allclose(scores, exact(queries, pool, 5)[1], atol=1e-6)


def test_the_scan_and_faiss_agree(monkeypatch):
    rng = np.random.default_rng(4)
    pool, queries = unit(rng.normal(size=(2000, 48))), unit(rng.normal(size=(50, 48)))
    rows, scores = scan.search(queries, pool, 30)
    monkeypatch.setattr(scan, "supported", lambda: False)
    other_rows, other_scores = scan.search(queries, pool, 30)
    assert (rows == other_rows).mean() > 0.999
    np.testing.assert_allclose(scores, other_scores, atol=1e-6)
