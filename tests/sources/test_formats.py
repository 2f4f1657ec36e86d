"""The registry of formats: what is derived from it, which format a file is in, and a format of another package."""

import os
from pathlib import Path

import polars as pl
import pytest

from cmtp.errors import UsageError
from cmtp.sources.formats import FORMATS
from cmtp.sources.formats.format import Format
from cmtp.sources.listing import listing
from cmtp.sources.recognise import _formats_by_suffix, format_of, names_source, readable, split_name, stem
from cmtp.sources.tables import table_endings
from tests.builds import program
from tests.sources.reading import broken, documents, jsonl, read
from tests.sources.test_hostile import zipped

ROOT = Path(__file__).parents[2]
JSONL = b'{"a": 1}\n{"a": 2}\n'
DUMP = b"<mediawiki><page>"


def test_lists_are_made_of_the_registry():
    assert readable() == (
        ".md .txt .html .json .jsonl .csv .tsv .parquet .warc .wet, MediaWiki dumps as .xml, .tar and .zip of them, "
        "each also with .gz .bz2 .xz .zst"
    )
    assert table_endings() == ".txt .json .jsonl .csv .tsv .parquet, each also with .gz .bz2 .xz .zst"
    page, shown = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8"), listing()
    for kind in FORMATS:
        what = f"{kind.kind_of}, {kind.about}" if kind.kind_of else kind.about
        endings = (*kind.suffixes, *kind.aliases)
        assert f"| {' '.join(f'`{ending}`' for ending in endings)} | {what} |" in page, kind.name
        assert f"{' '.join(endings)}: {what}" in shown, kind.name


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("wiki/zh-00001.jsonl.gz", ("zh-00001", "jsonl", "gzip")),
        ("A.MD", ("A", "markdown", None)),
        ("a.tgz", ("a", "tar", "gzip")),
        ("a.tar.zst", ("a", "tar", "zstd")),
        ("a.tbz2", ("a", "tar", "bzip2")),
        ("wiki_00", ("wiki_00", None, None)),
        ("a.pdf", ("a.pdf", None, None)),
        (".gz", (".gz", None, None)),
        ("a.b/.md", (".md", None, None)),
    ],
)
def test_a_name_in_parts(path, parts):
    assert split_name(path) == parts


def test_sources_are_named_by_files_of_many_records():
    assert stem("x/news-00001-of-00010.jsonl.gz") == stem("news-part-3.csv") == "news"
    assert names_source("news.csv")
    assert not names_source("news.md")
    assert not names_source("news")


@pytest.mark.parametrize(
    ("path", "head", "name"),
    [
        ("a.json", JSONL, "jsonl"),
        ("a.jsonl", b'[{"a": 1},\n {"a": 2}]', "json"),
        ("a.json", b'{"a":\n1}', "json"),
        ("a.xml", DUMP, "mediawiki"),
        ("a.xml", b"<?xml version='1.0'?><html>", "html"),
        ("a.xml", b"<rss>", None),
        ("a.txt", "一\t二\t1\n三\t四\t0\n".encode(), "csv"),
        ("a.txt", "一\t二\t三\n".encode(), "text"),
        # signatures are believed beside an unknown ending, other beginnings are not
        ("page.php", b"<!DOCTYPE html><html>", "html"),
        ("a.bin", b"PAR1", "parquet"),
        ("a.docx", b"PK\x03\x04", None),
        ("script.py", b"# comment", None),
        ("a.geojson", JSONL, None),
        ("README", b"# Title", "markdown"),
        ("lines", JSONL, "jsonl"),
        ("part.00001", JSONL, "jsonl"),
        ("dump", DUMP, "mediawiki"),
        ("archive", b"PK\x03\x04\x14\x00\x00", "zip"),
        # a page that speaks of <mediawiki> is a page: signatures are asked first
        ("page", b"<html><body>&lt;mediawiki> <mediawiki", "html"),
        ("binary", b"# \x00\x01", None),
    ],
)
def test_which_format_a_file_is_in(path, head, name):
    kind = format_of(path, head)
    assert (kind.name if kind else None) == name


def test_where_rows_are_asked_for_plain_text_is_a_table():
    assert format_of("a.txt", "一\t二\n".encode(), rows=True).name == "csv"
    assert format_of("a.md", b"# a", rows=True).name == "markdown"


def test_a_zip_archive_without_an_ending_is_opened(tmp_path):
    data = zipped([("a.jsonl", jsonl([{"title": "西湖", "content": "西湖在杭州城的西面。"}])), ("b.zip", zipped([]))])
    items, _ = read(tmp_path, "archive", data)
    assert [item.origin for item in documents(items)] == ["archive!a.jsonl#1"]
    assert broken(items) == [("archive!b.zip#0", "unsupported_format")]


def test_two_formats_cannot_read_the_same_ending(monkeypatch):
    other = Format("comma", (".csv",), gives="records", about="", read=lambda content: iter(()))
    monkeypatch.setattr(FORMATS, "_outside", {"comma": other})
    _formats_by_suffix.cache_clear()
    with pytest.raises(UsageError, match=r"csv and comma both read files ending in \.csv"):
        _formats_by_suffix()


FAQ = '''
from cmtp.sources.document import Article
from cmtp.sources.formats.format import Beginning, Certainty, Format
from cmtp.sources.stream import Failure

def read(content):
    """Questions and answers, a line each; documents; a line that is neither is a failure."""
    question, number = "", 0
    for line in content.stream.read().decode(content.encoding).splitlines():
        kind, _, text = line.partition("：")
        if kind == "答" and question:
            number += 1
            yield number, {"question": question, "answer": text}
        elif kind == "文":
            number += 1
            yield number, Article(content.origin(number), content.source, "公告", [text])
        elif kind != "问":
            number += 1
            yield number, Failure("bad_record", {"line": line})
        question = text if kind == "问" else ""

FORMAT = Format(
    "faq", (".faq",), gives="records", about="questions and answers", read=read, text=True,
    begins=Beginning(lambda head: head.startswith("问：".encode()), Certainty.SIGNATURE),
)
'''


def test_a_format_of_another_package_works_in_a_build(tmp_path):
    package = tmp_path / "installed"
    (package / "faq-1.0.dist-info").mkdir(parents=True)
    (package / "faq_format.py").write_text(FAQ, encoding="utf-8")
    (package / "faq-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: faq\nVersion: 1.0\n")
    (package / "faq-1.0.dist-info" / "entry_points.txt").write_text("[cmtp.formats]\nfaq = faq_format:FORMAT\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", str(ROOT))])}
    faq = "问：自行车怎么上牌？\n答：带上发票和身份证去派出所登记。\n这一行什么也不是\n文：图书馆下周起延长开放时间。\n"
    for name, data in {"a.faq": faq.encode("gb18030"), "noending": faq.encode()}.items():
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(data)
    out, _ = program("sources", env=environment)
    assert "    .faq: questions and answers" in out
    program("build", "--source", tmp_path / "raw", "--out", tmp_path / "out", "--until", "extract", env=environment)
    kept = pl.concat([pl.read_parquet(path) for path in (tmp_path / "out").rglob("kept/part-*.parquet")])
    plain = kept.with_columns(pl.col("relation", "source").cast(pl.String)).select(
        "origin", "relation", "query", "source"
    )
    assert sorted(plain.rows()) == [
        ("a.faq#1", "question_answer", "自行车怎么上牌？", "a"),
        ("a.faq#3", "title_body", "公告", "a"),
        ("noending#1", "question_answer", "自行车怎么上牌？", "raw"),
        ("noending#3", "title_body", "公告", "raw"),
    ]
    rejects = pl.concat([pl.read_parquet(path) for path in (tmp_path / "out").rglob("rejects/part-*.parquet")])
    assert sorted(rejects["origin"]) == ["a.faq#2", "noending#2"]
