"""The int8 scan must find what a float search finds, whatever the shape and the kind of the vectors."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cmtp
from cmtp.kernels import int8
from cmtp.kernels.int8 import scan, tile
from tests.vectors import exact, unit

needs_the_instruction = pytest.mark.skipif(
    not int8.supported(), reason="cmtp.kernels.int8: no AVX-512 VNNI on this processor"
)


@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    """Small searches are scanned, too, and by any processor: see `cmtp.kernels.int8.tile`."""
    monkeypatch.setattr(scan, "supported", lambda: True)
    monkeypatch.setattr(scan, "MIN_PRODUCTS", 0)
    monkeypatch.setattr(scan, "MIN_QUERIES", 0)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 30),
    m=st.integers(1, 400),
    dim=st.integers(1, 70),
    share=st.floats(0.01, 1),
    shift=st.floats(0, 3),
    seed=st.integers(0, 99),
)
def test_finds_the_nearest_bit_by_bit(n, m, dim, share, shift, seed):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=dim) * shift  # as of e5, whose cosines all lie above .7
    pool, queries = unit(rng.normal(size=(m, dim)) + common), unit(rng.normal(size=(n, dim)) + common)
    k = max(int(share * m), 1)
    found = int8.nearest(queries, pool, k)
    rows, scores = exact(queries, pool, k)
    assert len(found.given_up) == 0
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.scores, scores)


def test_same_bytes_for_any_number_of_threads(monkeypatch):
    rng = np.random.default_rng(1)
    pool, queries = unit(rng.normal(size=(3000, 64))), unit(rng.normal(size=(600, 64)))
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(scan.numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(int8.nearest(queries, pool, 20))
    np.testing.assert_array_equal(found[0].rows, found[1].rows)
    np.testing.assert_array_equal(found[0].scores, found[1].scores)
    np.testing.assert_array_equal(found[0].rows, exact(queries, pool, 20)[0])


def test_equal_scores_come_in_the_order_of_rows():
    pool = np.repeat(unit(np.random.default_rng(2).normal(size=(4, 8))), 60, axis=0)
    found = int8.nearest(pool[:1], pool, 100)
    assert found.rows[0, :60].tolist() == list(range(60))
    assert (np.diff(found.rows[0, 60:]) > 0).all()
    assert (np.diff(found.scores[0]) <= 0).all()


def test_a_query_with_more_near_misses_than_there_is_room_for_is_given_up():
    """With 10,000 passages that int8 cannot tell apart, the query is given up. The other queries are decided."""
    rng = np.random.default_rng(3)
    centre = unit(rng.normal(size=(1, 32)))
    near = np.repeat(centre, 10_000, 0) + 1e-4 * rng.normal(size=(10_000, 32))
    pool = unit(np.concatenate([rng.normal(size=(2000, 32)), near]))  # the limits have risen when the near ones come
    queries = np.concatenate([centre, unit(rng.normal(size=(20, 32)))])
    found = int8.nearest(queries, pool, 5)
    assert 0 in found.given_up
    decided = np.setdiff1d(np.arange(21), found.given_up)
    assert len(decided) > 10
    np.testing.assert_array_equal(found.scores[decided], exact(queries, pool, 5)[1][decided])


def test_scan_scores_are_within_their_error_and_no_near_passage_is_missing():
    """The contract of the candidates: they include all of the k nearest."""
    rng = np.random.default_rng(5)
    pool, queries = unit(rng.normal(size=(3000, 48)) + 0.5), unit(rng.normal(size=(16, 48)) + 0.5)
    candidates = scan.near_misses(queries, scan.pack(pool), 10)
    true = queries.astype(np.float64) @ pool.T.astype(np.float64)
    kth = -np.sort(-true, axis=1)[:, 9]
    for q in range(16):
        rows = candidates.rows[q, : candidates.counts[q]]
        off = np.abs(candidates.scores[q, : candidates.counts[q]] - true[q, rows])
        assert off.max() <= candidates.error[q]
        assert set(np.flatnonzero(true[q] >= kth[q])) <= set(rows.tolist())
        assert len(rows) < 1000


def test_a_search_too_small_to_gain_is_left_to_the_caller(monkeypatch):
    monkeypatch.setattr(scan, "MIN_QUERIES", 9)
    vectors = unit(np.random.default_rng(0).normal(size=(9, 8)))
    assert int8.nearest(vectors[:8], vectors, 3) is None
    np.testing.assert_array_equal(int8.nearest(vectors, vectors, 3).rows, exact(vectors, vectors, 3)[0])
    monkeypatch.setattr(scan, "MIN_PRODUCTS", 9 * 9)
    np.testing.assert_array_equal(int8.nearest(vectors, vectors, 3).rows, exact(vectors, vectors, 3)[0])
    monkeypatch.setattr(scan, "MIN_PRODUCTS", 9 * 9 + 1)
    assert int8.nearest(vectors, vectors, 3) is None


def test_a_processor_without_the_instruction_leaves_the_search_to_the_caller(monkeypatch):
    monkeypatch.setattr(scan, "supported", lambda: False)
    vectors = unit(np.random.default_rng(0).normal(size=(9, 8)))
    assert int8.nearest(vectors, vectors, 3) is None


@needs_the_instruction
def test_the_instruction_does_what_the_plain_operations_do(monkeypatch):
    """Elsewhere these tests run on the plain operations alone."""
    rng = np.random.default_rng(9)
    packed, queries = scan.pack(unit(rng.normal(size=(100, 33)))), unit(rng.normal(size=(9, 33)))
    by_instruction = scan.near_misses(queries, packed, 5)
    monkeypatch.setattr(tile, "supported", lambda: False)
    plain_scan = scan.numba.njit(scan._scan.py_func)
    monkeypatch.setattr(scan, "_scan", plain_scan)
    for left, right in zip(by_instruction, scan.near_misses(queries, packed, 5), strict=True):
        np.testing.assert_array_equal(left, right)


def test_rounding_to_int8_misses_no_more_than_it_says():
    rows = np.random.default_rng(6).normal(size=(50, 33)).astype(np.float32)
    values, scale, lengths, errors = scan._round(rows)
    held = values * scale[:, None]
    np.testing.assert_allclose(lengths, np.linalg.norm(held, axis=1), rtol=1e-6)
    np.testing.assert_allclose(errors, np.linalg.norm(rows - held, axis=1), rtol=1e-6)
    assert (np.abs(values).max(axis=1) == 127).all()
    other = np.random.default_rng(7).normal(size=33).astype(np.float32)
    assert (np.abs((rows - held) @ other) <= errors * np.linalg.norm(other) * (1 + 1e-6)).all()


def test_packing_lays_out_four_dimensions_of_48_passages_side_by_side():
    pool = unit(np.random.default_rng(8).normal(size=(50, 6)))
    packed = scan.pack(pool)
    assert packed.bytes.shape == (2, 2, 48, 4)
    values, scale, *_ = scan._round(pool - packed.mean)
    np.testing.assert_array_equal(packed.bytes[1, 0, 1], values[49, :4].astype(int) + 128)
    np.testing.assert_array_equal(packed.bytes[1, 1, 1], [*(values[49, 4:6].astype(int) + 128), 128, 128])
    np.testing.assert_array_equal(packed.scale[:50], scale)


def test_nobody_looks_behind_the_wall():
    """Only the package itself imports its modules: the rest of the project has `nearest` and `supported`."""
    root = Path(cmtp.__file__).parent
    for path in root.rglob("*.py"):
        if "int8" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert not any(name.startswith("cmtp.kernels.int8.") for name in names), path
