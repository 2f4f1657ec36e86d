import os

import fsspec
import pytest

from cmtp.errors import UsageError
from cmtp.sources.discover import discover
from cmtp.sources.mapping import SourceMapping


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * len(name), encoding="utf-8")


def find(*roots, mappings=()):
    return discover([str(root) for root in roots], [SourceMapping(**one) for one in mappings])


def test_files_are_sorted_and_named(tmp_path):
    root = tmp_path / "库"
    make(root, "wiki/b.md", "wiki/a/c.md", "news-00001-of-00010.jsonl.gz", "part-00000.parquet", "随笔.md", "新闻.csv")
    files = find(root)
    assert [(file.path, file.source) for file in files] == [
        ("news-00001-of-00010.jsonl.gz", "news"),
        ("part-00000.parquet", "库"),
        ("wiki/a/c.md", "wiki"),
        ("wiki/b.md", "wiki"),
        ("新闻.csv", "新闻"),
        ("随笔.md", "库"),
    ]
    assert [file.bytes for file in files] == [len(file.path) for file in files]
    assert files[2].url == str(root / "wiki/a/c.md")
    assert files[2].mtime_ns > 0


def test_hidden_files_are_listed_not_read(tmp_path):
    make(tmp_path / "r", "a.md", ".DS_Store", ".git/config", "wiki/.x.md")
    files = find(tmp_path / "r")
    assert [file.path for file in files] == ["a.md"]
    assert files.passed_over == [".DS_Store", ".git/config", "wiki/.x.md"]


def test_a_root_may_be_a_file(tmp_path):
    make(tmp_path / "r", "a.md", "b.jsonl")
    assert [(file.path, file.source) for file in find(tmp_path / "r" / "b.jsonl")] == [("b.jsonl", "b")]
    assert [(file.path, file.source) for file in find(tmp_path / "r" / "a.md")] == [("a.md", "r")]


def test_a_mapping_names_the_source(tmp_path):
    make(tmp_path / "r", "forum/a.jsonl", "forum/b.csv")
    files = find(tmp_path / "r", mappings=[{"files": "forum/*.jsonl", "name": "bbs"}, {"files": "*", "name": "rest"}])
    assert [file.source for file in files] == ["bbs", "rest"]


def test_odd_names(tmp_path):
    names = ["a#1.md", "b[x]*.md", "c::d.md", "e f.md", "g%20h.md"]
    make(tmp_path / "r", *names)
    files = find(tmp_path / "r")
    assert [file.path for file in files] == sorted(names)
    assert all(os.path.exists(file.url) for file in files)


def test_unusable_roots(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        find(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files"):
        find(tmp_path / "empty")
    make(tmp_path / "hidden", ".a")
    with pytest.raises(UsageError, match="1 hidden"):
        find(tmp_path / "hidden")
    make(tmp_path, "one/x.md", "two/x.md")
    with pytest.raises(UsageError, match="folder that holds both"):
        find(tmp_path / "one", tmp_path / "two")
    with pytest.raises(UsageError, match="Give each folder once"):
        find(tmp_path / "one", tmp_path / "one")


def test_a_name_that_is_no_utf8_becomes_text(tmp_path):
    name = "旧文".encode("gb18030")  # as unzip leaves the names of old archives
    (tmp_path / "r").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "r"), name + b".md"), "wb") as file:
        file.write("# 标题".encode())
    (found,) = find(tmp_path / "r")
    assert found.path == r"\xbe\xc9\xce\xc4.md"
    assert os.path.exists(found.url)


def test_a_folder_that_cannot_be_opened_is_not_lost(tmp_path, monkeypatch):
    make(tmp_path, "r/a.md", "r/closed/b.md")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may open everything, so a mode would not do
    assert [file.path for file in find(tmp_path / "r")] == ["a.md", "closed"]
    with pytest.raises(UsageError, match="cannot be opened: Permission denied"):
        find(tmp_path / "r" / "closed")


def test_two_roots_and_their_parent(tmp_path):
    make(tmp_path / "r", "one/x.md", "two/y.md")
    assert [file.path for file in find(tmp_path / "r" / "one", tmp_path / "r" / "two")] == ["x.md", "y.md"]
    assert [file.path for file in find(tmp_path / "r")] == ["one/x.md", "two/y.md"]


def test_remote_root():
    fs = fsspec.filesystem("memory")
    fs.pipe("/corpus/wiki/a.md", b"# a")
    files = discover(["memory://corpus"], [])
    assert [(file.path, file.url, file.source) for file in files] == [
        ("wiki/a.md", "memory:///corpus/wiki/a.md", "wiki")
    ]
    with fsspec.open(files[0].url) as file:
        assert file.read() == b"# a"


def test_links_are_followed_and_loops_are_not(tmp_path):
    make(tmp_path / "elsewhere", "a.md", "b.jsonl")
    root = tmp_path / "raw" / "wiki"
    make(root, "c.md")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "d.md").symlink_to(tmp_path / "elsewhere" / "a.md")
    (root / "again").symlink_to(tmp_path / "raw")
    (root / "gone.md").symlink_to(tmp_path / "nowhere")
    files = find(tmp_path / "raw")
    assert [file.path for file in files] == [
        "wiki/c.md",
        "wiki/d.md",
        "wiki/folder/a.md",
        "wiki/folder/b.jsonl",
        "wiki/gone.md",  # reading it says what is wrong
    ]


def test_a_pipe_is_passed_over(tmp_path):
    make(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe.jsonl")
    files = find(tmp_path)
    assert [file.path for file in files] == ["a.md"]
    assert files.passed_over == ["pipe.jsonl"]
