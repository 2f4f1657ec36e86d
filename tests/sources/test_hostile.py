"""Files made to hang a reader or to exhaust its memory: each ends, with its reason."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
import zstandard

from cmtp.extract.relations import pairs_of
from cmtp.extract.settings import ExtractSettings
from tests.sources.reading import broken, documents, jsonl, read

GOOD = jsonl([{"title": "西湖", "content": "西湖在杭州城的西面，三面环山。"}])
SETTINGS = ExtractSettings()
MIB = 1 << 20


def zipped(members, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def test_a_line_of_200_mb(tmp_path, bounded):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"title": "')
        file.truncate(200 * MIB)  # sparse: zero bytes, no newline
        file.seek(0, 2)
        file.write(b"\n" + GOOD)
    from cmtp.sources.read import Part, PartReader

    size = path.stat().st_size
    items = list(PartReader(Part(str(path), "long.jsonl", "s", size, 0, 0, size), []))
    assert broken(items) == [("long.jsonl#1", "bad_json")]
    assert [item.origin for item in documents(items)] == ["long.jsonl#2"]


@pytest.mark.parametrize("name", ["deep.json", "deep.jsonl"])
def test_json_10_000_levels_deep(tmp_path, name, bounded):
    deep = b'{"title":' * 10_000 + b"1" + b"}" * 10_000
    items, _ = read(tmp_path, name, deep + b"\n" + (GOOD if name.endswith("l") else b""))
    assert "bad_json" in {reason for _, reason in broken(items)}
    assert len(documents(items)) == name.endswith("l")


BOMB = b'{"title": "a", "content": "' + b"0" * (8 * MIB) + b'"}\n'


@pytest.fixture
def small_bombs(monkeypatch):
    """Every file may grow to 2 MiB, in place of 64."""
    monkeypatch.setattr("cmtp.sources.stream.FREE_BYTES", 2 * MIB)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", lambda data: gzip.compress(data, 9)),
        (".bz2", bz2.compress),
        (".xz", lambda data: lzma.compress(data, preset=0)),
        (".zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_decompression_bombs(tmp_path, suffix, pack, small_bombs):
    items, _ = read(tmp_path, "bomb.jsonl" + suffix, pack(BOMB))
    assert ("bomb.jsonl" + suffix + "#0", "decompression_bomb") in broken(items)
    assert documents(items) == []


def test_zip_bombs(tmp_path, small_bombs):
    items, _ = read(tmp_path, "bomb.zip", zipped([("a.jsonl", BOMB)]))
    assert broken(items) == [("bomb.zip#0", "decompression_bomb")]
    inner = zipped([("b.jsonl", GOOD)])
    items, _ = read(tmp_path, "nested.zip", zipped([("inner.zip", inner), ("ok.jsonl", GOOD)]))
    assert broken(items) == [("nested.zip!inner.zip#0", "unsupported_format")]  # archives in archives are not opened
    assert [item.origin for item in documents(items)] == ["nested.zip!ok.jsonl#1"]


def test_a_tar_bomb(tmp_path, small_bombs):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(BOMB)
        archive.addfile(info, io.BytesIO(BOMB))
    items, _ = read(tmp_path, "bomb.tar.gz", out.getvalue())
    assert ("bomb.tar.gz#0", "decompression_bomb") in broken(items)


def test_names_that_lead_out_of_a_zip(tmp_path):
    members = [
        ("../up.jsonl", GOOD),
        ("/root.jsonl", GOOD),
        ("..\\win.jsonl", GOOD),
        ("C:/x.jsonl", GOOD),
        ("ok.jsonl", GOOD),
    ]
    items, _ = read(tmp_path, "x.zip", zipped(members))
    assert [reason for _, reason in broken(items)] == ["unsafe_archive_member"] * 4
    assert [item.origin for item in documents(items)] == ["x.zip!ok.jsonl#1"]


def test_a_name_that_occurs_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped([("a.jsonl", GOOD), ("a.jsonl", GOOD)])
    items, _ = read(tmp_path, "x.zip", data)
    assert broken(items) == [("x.zip!a.jsonl#0", "unsafe_archive_member")]  # or two pairs had one id
    assert len(documents(items)) == 1


def test_zip_members(tmp_path):
    data = zipped(
        [("one/news.jsonl", GOOD), (".git/x.jsonl", GOOD), ("b.md", "# 题\n\n正文。".encode()), ("c.png", b"\x89PNG\0")]
    )
    items, _ = read(tmp_path, "x.zip", data)
    assert [item.origin for item in documents(items)] == ["x.zip!one/news.jsonl#1", "x.zip!b.md#1"]
    assert broken(items) == [("x.zip!c.png#0", "unsupported_format")]
    assert broken(read(tmp_path, "cut.zip", data[:-30])[0]) == [("cut.zip#0", "truncated_file")]
    at = data.index(b"news.jsonl") + 12
    items, _ = read(tmp_path, "bad.zip", data[:at] + b"\xff\xff\xff" + data[at + 3 :])
    assert ("bad.zip!one/news.jsonl#0", "truncated_file") in broken(items)
    assert [item.origin for item in documents(items)] == ["bad.zip!b.md#1"]


def test_gbk_names_in_a_zip(tmp_path):
    data = zipped([("abcd.jsonl", GOOD)]).replace(b"abcd.jsonl", "新闻".encode("gbk") + b".jsonl")
    items, _ = read(tmp_path, "x.zip", data)
    assert [item.origin for item in items] == ["x.zip!新闻.jsonl#1"]


def test_nothing_but_headings(tmp_path, bounded):
    items, _ = read(tmp_path, "h.md", b"# t\n" + b"## h\n" * 100_000)
    assert broken(items) == [("h.md#1", "no_text")]


def test_a_table_without_end(tmp_path, bounded):
    items, _ = read(tmp_path, "t.md", b"# t\n\n| a | b |\n|---|---|\n" + b"| 1 | 2 |\n" * 100_000)
    pairs = list(pairs_of(items[0], SETTINGS))
    assert len(pairs[0].passage) <= 1000
    assert max(pair.number for pair in pairs) >= 3  # the rest is over max_passages


def test_headings_that_never_end(tmp_path, bounded):
    nested = "".join(f"{'#' * (level % 6 + 1)} 节{level}\n\n文。\n\n" for level in range(20_000))
    items, _ = read(tmp_path, "n.md", nested.encode())
    assert sum(1 for _ in pairs_of(items[0], SETTINGS)) > 10_000


def test_nul_bytes(tmp_path):
    items, _ = read(tmp_path, "n.md", "# 题\0目\n\n正\0文\0在这里。\n".encode())
    assert (items[0].title, items[0].lead) == ("题目", ["正文在这里。"])
    assert broken(read(tmp_path, "n.csv", b"title,content\na,b\0c\n")[0]) in ([("n.csv#1", "bad_row")], [])
    assert broken(read(tmp_path, "n.bin", b"\0" * 1000)[0]) == [("n.bin#0", "unsupported_format")]
    assert broken(read(tmp_path, "n.md", b"\0" * 1000)[0]) == [("n.md#1", "no_text")]


@pytest.mark.parametrize(
    "line",
    [
        "[" * 50_000,
        "![" * 50_000,
        "*" * 100_000,
        "`" * 50_000,
        "<" * 50_000,
        "[a](" * 20_000,
        "__a" * 30_000,
        "> " * 50_000,
    ],
)
def test_lines_of_open_markup(tmp_path, line, bounded):
    read(tmp_path, "m.md", f"# 题\n\n{line}\n".encode())
