"""Shard stage, publishing, verifying: on tables put into a store by hand."""

import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.engine.executor import SerialExecutor
from cmtp.engine.ledger import Ledger
from cmtp.engine.plan import run_alone
from cmtp.engine.stage import StageRun
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.extract.stage import ExtractStage
from cmtp.filters.screen import filter_work
from cmtp.filters.settings import FilterSettings
from cmtp.order import order_keys
from cmtp.recipe import Recipe
from cmtp.schema import PAIRS, REJECTS, TEXTS
from cmtp.shards.manifest import make_manifest
from cmtp.shards.publish import is_published, publish
from cmtp.shards.settings import ShardWork, TextWork
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import verify
from tests.rows import rejects_table
from tests.shards.rows import pairs


def shard(store, tables, shard_bytes=1 << 20):
    """Run the shard stage; its tables are in ``tables/`` of its folder."""
    texts = TextWork(filter=filter_work(FilterSettings(disable=["repetition"])), rejects=None)
    settings = ShardWork(seed=42, shard_bytes=shard_bytes, min_pretrain_chars=8, held_out=None, texts=texts)
    return run_alone(ShardStage(tables), store, settings, [], input_fingerprint="x", executor=SerialExecutor())


def whole_texts(rows, start, stop):
    """The passages of the documents whose first pair is one of rows start to stop, as TEXTS."""
    texts = rows.slice(start + start % 2, max(0, stop + stop % 2 - start - start % 2))
    return texts.select(["doc_id", "passage", "relation", "source"]).rename_columns(TEXTS.names).cast(TEXTS)


def make(tmp_path, cuts=(100, 40), shard_bytes=1 << 20, chars=60, until_publish=True):
    """A build of one stage whose kept rows lie in parts of the given sizes."""
    store = Store(str(tmp_path))
    ledger, parts, texts, start = Ledger(), [], [], 0
    for i, size in enumerate(cuts):
        part = pairs(size, start, passage_chars=chars)
        texts.append(f".work/extract-x/texts/part-{i:05d}.parquet")
        store.write_table(texts[-1], whole_texts(pairs(start + size + 1, passage_chars=chars), start, start + size))
        ledger.take(part)
        ledger.keep(part)
        parts.append(f".work/extract-x/kept/part-{i:05d}.parquet")
        store.write_table(parts[-1], part)
        start += size
    lost = rejects_table(pairs(5, 10_000), "extract", "no_text", score=0.5, kept_id=pairs(1)["pair_id"][0].as_py())
    ledger.take(lost)
    ledger.reject(lost)
    store.write_table(".work/extract-x/rejects/part-00000.parquet", lost)
    tables = [
        TableInput("pairs", parts),
        TableInput("pretrain", texts),
        TableInput("rejects/extract", [".work/extract-x/rejects/part-00000.parquet"]),
    ]
    done = shard(store, tables, shard_bytes)
    run = StageRun(ExtractStage(), store, ".work/extract-x", "f", parts, [], ledger)
    manifest = make_manifest(Recipe(), {"菜谱/0.md": "菜谱"}, [run], done)
    if until_publish:
        publish(store, done.folder, "mark", manifest)
    return store, done, manifest


def files(tmp_path):
    names = sorted(p for p in tmp_path.rglob("*") if p.is_file() and ".work" not in p.parts)
    return {str(p.relative_to(tmp_path)): p.read_bytes() for p in names}


def test_rows_come_out_complete_in_seeded_order(tmp_path):
    store, _, manifest = make(tmp_path)
    table = store.read_table("pairs/part-00000.parquet")
    assert table.schema.equals(PAIRS)
    assert sorted(table["pair_id"].to_pylist()) == sorted(pairs(140)["pair_id"].to_pylist())
    keys = order_keys(table["pair_id"], 42).tolist()
    assert keys == sorted(keys)
    assert keys != sorted(order_keys(pairs(140)["pair_id"], 43).tolist())
    assert manifest["tables"]["pretrain"]["rows"] == 70
    assert store.schema("rejects/extract/part-00000.parquet").equals(REJECTS)
    assert verify(store) == []


def test_the_cut_into_partitions_leaves_no_trace(tmp_path):
    make(tmp_path / "a", cuts=(140,))
    make(tmp_path / "b", cuts=(1, 0, 99, 40))
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("cut", [1, 2])
def test_ids_with_one_key_come_in_the_order_of_the_whole_id(tmp_path, cut):
    """The key is made of the first 16 hex digits. These two ids have the same key, and either may be read first."""
    ids = ["0123456789abcdef" + "1" * 16, "0123456789abcdef" + "0" * 16]
    rows = pairs(2)
    rows = rows.set_column(rows.schema.get_field_index("pair_id"), rows.schema.field("pair_id"), pa.array(ids))
    store = Store(str(tmp_path))
    parts = [f"kept/part-{i:05d}.parquet" for i in range(0, 2, cut)]
    for i, part in enumerate(parts):
        store.write_table(part, rows.slice(i * cut, cut))
    done = shard(store, [TableInput("pairs", parts)])
    written = store.read_table(f"{done.folder}/tables/pairs/part-00000.parquet")
    assert len(set(order_keys(written["pair_id"], 42))) == 1
    assert written["pair_id"].to_pylist() == sorted(ids)


def test_a_large_table_becomes_several_files_of_like_size(tmp_path):
    store, _, manifest = make(tmp_path, cuts=(3_000, 3_000), chars=300)
    sizes = [file["rows"] for file in manifest["tables"]["pairs"]["files"]]
    assert len(sizes) > 2
    assert sum(sizes) == 6_000
    assert min(sizes) > 0.8 * max(sizes)
    firsts = [order_keys(store.read_table(p)["pair_id"], 42) for p in store.list("pairs")]
    assert all(one.max() < two.min() for one, two in itertools.pairwise(firsts))
    assert verify(store) == []


def test_an_empty_table_has_a_file_with_the_schema(tmp_path):
    store, _, _ = make(tmp_path, cuts=(0,))
    assert store.read_table("pairs/part-00000.parquet").num_rows == 0
    assert store.schema("pairs/part-00000.parquet").equals(PAIRS)


def test_a_publication_killed_half_way_is_finished_by_the_next(tmp_path, monkeypatch):
    store, done, manifest = make(tmp_path, until_publish=False)
    moved = []

    def fail_after_first(self, path, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        original(self, path, target)

    original = Store.move
    monkeypatch.setattr(Store, "move", fail_after_first)
    with pytest.raises(KeyboardInterrupt):
        publish(store, done.folder, "mark", manifest)
    assert not store.exists("manifest.json")
    assert not is_published(store, "mark")
    monkeypatch.undo()
    publish(store, done.folder, "mark", manifest)
    assert is_published(store, "mark")
    assert verify(store) == []


def test_verify_finds_what_is_off(tmp_path):
    store, _, _manifest = make(tmp_path)
    path = tmp_path / "pairs/part-00000.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    assert "sha256" in verify(store)[0]
    path.unlink()
    assert verify(store) == ["pairs/part-00000.parquet: missing"]
    path.write_bytes(whole)
    (tmp_path / "pairs/part-00009.parquet").write_bytes(whole)
    assert verify(store) == ["pairs/part-00009.parquet: not in the manifest"]
    with store.write("manifest.json") as file:
        file.write(b"{")
    with pytest.raises(UsageError, match=r"manifest\.json is not JSON"):
        verify(store)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "occurs more than once"),
        (lambda t: t.slice(1), "139 rows, the ledger says 140"),
        (lambda t: t.slice(2), "kept_id"),
    ],
)
def test_verify_recounts_the_rows(tmp_path, spoil, problem):
    store, _, manifest = make(tmp_path)
    table = pq.read_table(tmp_path / "pairs/part-00000.parquet")
    lost_to = pairs(1)["pair_id"][0].as_py()
    order = [i for i, one in enumerate(table["pair_id"].to_pylist()) if one == lost_to]
    table = pa.concat_tables([table.slice(order[0], 1), table.slice(0, order[0]), table.slice(order[0] + 1)])
    store.write_table("pairs/part-00000.parquet", spoil(table.combine_chunks()).cast(PAIRS))
    manifest["tables"]["pairs"]["files"][0]["sha256"] = store.sha256("pairs/part-00000.parquet")
    store.write_json("manifest.json", manifest)
    assert any(problem in line for line in verify(store)), verify(store)
