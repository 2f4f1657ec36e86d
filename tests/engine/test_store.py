import os

import pyarrow as pa
import pytest

from cmtp.engine.store import TEMPORARY, Store


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    store = Store(str(tmp_path))
    with pytest.raises(RuntimeError, match="half way"), store.write("a/b.bin") as file:
        file.write(b"half")
        assert not store.exists("a/b.bin")
        raise RuntimeError("half way")
    assert os.listdir(tmp_path / "a") == []
    with store.write("a/b.bin") as file:
        file.write(b"whole")
    assert (tmp_path / "a/b.bin").read_bytes() == b"whole"


def test_sweep_removes_what_a_killed_run_left_and_list_does_not_show_it(tmp_path):
    store = Store(str(tmp_path))
    store.write_json("x/done.json", {"中": 1})
    left = tmp_path / "x" / f"{TEMPORARY}abc-part.parquet"
    left.write_bytes(b"...")
    assert store.list("x") == ["x/done.json"]
    store.sweep("")
    assert not left.exists()
    assert store.read_json("x/done.json") == {"中": 1}


def test_equal_tables_give_equal_bytes(tmp_path):
    store = Store(str(tmp_path))
    table = pa.table({"文": ["甲", "乙"] * 1000})
    store.write_table("one.parquet", table)
    store.write_table("two.parquet", pa.concat_tables([table.slice(0, 7), table.slice(7)]).combine_chunks())
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert store.read_table("one.parquet").equals(table)
    assert store.rows("one.parquet") == 2000


def test_other_file_systems_by_url():
    store = Store("memory://cmtp-test-store")
    store.write_json("a/1.json", [1])
    store.move("a/1.json", "b/2.json")
    assert store.list("a") == []
    assert store.list("b") == ["b/2.json"]
    assert store.folders("") == ["a", "b"] or store.folders("") == ["b"]
    store.remove("")
    assert not store.exists("b/2.json")


def test_missing_folder_lists_as_empty(tmp_path):
    store = Store(str(tmp_path))
    assert store.list("nowhere") == []
    assert store.folders("nowhere") == []
    store.remove("nowhere")


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """After a power cut a receipt must not stand for a file whose bytes were never written."""
    events = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(("sync", os.fstat(fd).st_size)), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (events.append(("name", names[1])), replace(*names)))
    with Store(str(tmp_path)).write("a/b.bin") as file:
        file.write(b"whole")
    assert events == [("sync", 5), ("name", str(tmp_path / "a/b.bin"))]
