import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cmtp.dedup import policy
from cmtp.dedup.exact import find_losers
from cmtp.dedup.exchange import key_range, read_file, read_range, write_ranges
from cmtp.dedup.records import KeyRows
from cmtp.dedup.settings import DedupSettings
from cmtp.engine.store import Store


def test_every_row_arrives_in_its_range_and_in_order(tmp_path):
    store = Store(str(tmp_path))
    target = np.array([2, 0, 2, 1, 0, 2])
    for name in ("a", "b"):
        columns = {"n": np.arange(6), "text": pa.array([f"{name}{i}" for i in range(6)])}
        write_ranges(store, f"x/{name}", columns, target, 4)
    found = [read_range(store, ["x/a", "x/b"], i)["text"].to_pylist() for i in range(4)]
    assert found == [["a1", "a4", "b1", "b4"], ["a3", "b3"], ["a0", "a2", "a5", "b0", "b2", "b5"], []]
    assert sorted(read_file(store, "x/a")["n"].to_pylist()) == list(range(6))


def test_no_rows_at_all(tmp_path):
    store = Store(str(tmp_path))
    write_ranges(store, "x", {"n": np.zeros(0, np.uint32)}, np.zeros(0, np.int64), 3)
    assert [read_range(store, ["x"], i).num_rows for i in range(3)] == [0, 0, 0]


@given(st.integers(1, 65536), st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_key_range_is_monotone_and_within_bounds(ranges, keys):
    found = key_range(np.array(sorted(keys), np.uint64), ranges)
    assert found.min() >= 0
    assert found.max() < ranges
    assert (np.diff(found) >= 0).all()


def key_rows(key, rank):
    """Rows with this key; the lower the rank, the better, and of equal ranks the first."""
    count = len(key)
    zeros = np.zeros(count, np.uint64)
    columns = dict.fromkeys(KeyRows.names(), zeros) | {"passage_a": key, "passage_b": key}
    numbers = {"row": np.arange(count).astype(np.uint32), "rank": np.array(rank, np.uint32)}
    return KeyRows(**columns | numbers | {"id_high": np.arange(count).astype(np.uint64)})


def losers(key, rank, cap, own_rows=1 << 32):
    rows = key_rows(np.array(key, np.uint64), rank)
    found = find_losers(rows, (rows.passage_a, rows.passage_b), own_rows, cap)
    assert sorted(found.row.tolist()) == np.flatnonzero(~found.others).tolist()
    return found


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40), st.integers(1, 4))
def test_losers_are_those_beyond_the_cap(rows, cap):
    key, rank = [one[0] for one in rows], [one[1] for one in rows]
    lost = losers(key, rank, cap)
    assert not lost.to_older.any()
    expected = {}
    for value in set(key):
        ranked = sorted((rank[i], i) for i in range(len(key)) if key[i] == value)
        for _, i in ranked[cap:]:
            expected[i] = (ranked[0][1], len(ranked))
    found = zip(lost.row, lost.kept, lost.group_size, strict=True)
    assert {int(a): (int(b), int(c)) for a, b, c in found} == expected


def test_rows_of_older_releases_never_lose_and_fill_what_may_share_a_key():
    key, rank = [7, 7, 8, 8, 7, 7], [2, 3, 2, 3, 0, 1]  # the last two rows are of an older release, and best
    for cap, expected in ((1, [(0, True), (1, True), (3, False)]), (2, [(0, True), (1, True)]), (3, [(1, False)])):
        lost = losers(key, rank, cap, own_rows=4)
        assert list(zip(lost.row.tolist(), lost.to_older.tolist(), strict=True)) == expected


def rank(lengths, source_priority=(), keep=("source_priority", "length", "hash"), older=False):
    source = pa.chunked_array([["web", "book", "news", "book"]])
    settings = DedupSettings(source_priority=list(source_priority), keep=list(keep))
    passage = pa.chunked_array([pa.array(["。"] * len(lengths))])
    return policy.ranks(passage, source, np.array(lengths), settings, older=older)


def test_policy_prefers_source_then_length_then_hash():
    found = rank([900, 10, 800, 20], ["book", "news"])
    assert np.argsort(found).tolist() == [3, 1, 2, 0]
    high = np.array([5, 4, 3, 2], np.uint64) << np.uint64(32)
    assert np.argsort(policy.compact(found, high)).tolist() == [3, 1, 2, 0]
    assert np.argsort(policy.compact(np.full(4, found[0]), high)).tolist() == [3, 2, 1, 0]
    assert rank([1, 2, 3, 4]).argsort().tolist() == [3, 2, 1, 0]


def test_policy_follows_the_order_of_the_setting():
    lengths, sources = [900, 10, 800, 10], ["book", "news"]
    assert np.argsort(rank(lengths, sources, ["length", "source_priority"]), stable=True).tolist() == [0, 2, 1, 3]
    assert np.argsort(rank(lengths, sources, ["source_priority"]), stable=True).tolist() == [1, 3, 2, 0]
    assert len(set(rank(lengths, sources, ["hash", "length"]).tolist())) == 1


def test_policy_prefers_older_releases_to_everything():
    assert rank([0, 0, 0, 0], ["book"], older=True).max() < rank([1 << 30] * 4, ["web", "book", "news"]).min()
