"""Every format in every compression, and every kind of broken input."""

import io
import json
import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from fsspec.implementations.memory import MemoryFileSystem

from cmtp.sources.document import Abstract, Article, QuestionAnswers
from cmtp.sources.read import Part, PartReader
from tests.sources.reading import COMPRESS, broken, documents, jsonl, read, tar

NEWS = [
    {"title": "西湖的荷花开了", "content": "七月的西湖，荷花开满了湖面。\n游人坐着摇橹船从花间穿过。"},
    {"title": "地铁新线通车", "content": "五号线今天早上六点通车，全长三十二公里。"},
    {"title": "图书馆延长开放", "content": "市图书馆从下周起开放到晚上九点。"},
]


def parquet(records, **options):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out, **options)
    return out.getvalue()


def csv_bytes(records, delimiter=",", encoding="utf-8"):
    quoted = ['"' + record["content"].replace('"', '""') + '"' for record in records]
    rows = [delimiter.join((record["title"], text)) for record, text in zip(records, quoted, strict=True)]
    return ("title" + delimiter + "content\r\n" + "\r\n".join(rows) + "\r\n").encode(encoding)


FORMATS = {
    "news.jsonl": jsonl(NEWS),
    "news.ndjson": jsonl(NEWS),
    "news.json": json.dumps(NEWS, ensure_ascii=False, indent=1).encode(),
    "lines.json": jsonl(NEWS),
    "object.json": json.dumps({"version": 1, "data": NEWS}).encode(),
    "news.csv": csv_bytes(NEWS),
    "semicolon.csv": csv_bytes(NEWS, ";"),
    "news.tsv": csv_bytes(NEWS, "\t"),
    "news.parquet": parquet(NEWS, row_group_size=2),
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", FORMATS)
def test_record_formats(tmp_path, name, compression):
    data = COMPRESS[compression](FORMATS[name])
    items, reader = read(tmp_path, name + compression, data)
    assert broken(items) == []
    assert [(item.origin, item.title, "\n".join(item.lead)) for item in items] == [
        (f"{name}{compression}#{number}", record["title"], record["content"]) for number, record in enumerate(NEWS, 1)
    ]
    assert reader.records == 3
    assert reader.digest == xxhash.xxh3_128_hexdigest(data)
    assert reader.bytes == len(data)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize(("name", "text"), [("a.md", "# 标题\n\n正文第一段。\n"), ("a.txt", "标题\n\n正文第一段。\n")])
def test_document_formats(tmp_path, name, text, compression):
    items, reader = read(tmp_path, name + compression, COMPRESS[compression](text.encode()))
    assert items == [Article(f"{name}{compression}#1", "s", "标题", ["正文第一段。"])]
    assert reader.encoding == "utf-8"


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "x.tar.zst"])
def test_archives(tmp_path, name):
    data = tar(
        {
            "one/news.jsonl": FORMATS["news.jsonl"],
            "b.md": "# 标题\n\n正文。".encode(),
            "c.parquet": FORMATS["news.parquet"],
        }
    )
    suffix = {"x.tar": "", "x.tgz": ".gz"}.get(name, name.removeprefix("x.tar"))
    items, _ = read(tmp_path, name, COMPRESS[suffix](data))
    origins = [f"{name}!one/news.jsonl#{n}" for n in (1, 2, 3)] + [f"{name}!b.md#1"]
    assert [item.origin for item in items] == origins + [f"{name}!c.parquet#{n}" for n in (1, 2, 3)]
    assert broken(items) == []


def test_compressed_members_of_an_archive(tmp_path):
    items, _ = read(tmp_path, "x.tar", tar({"news.jsonl.gz": COMPRESS[".gz"](FORMATS["news.jsonl"])}))
    assert [item.origin for item in items] == [f"x.tar!news.jsonl.gz#{n}" for n in (1, 2, 3)]


def test_unsafe_hidden_and_broken_members(tmp_path):
    members = {
        "../up.md": b"# a\n\nb",
        "/root.md": b"# a\n\nb",
        ".git/x.md": b"# a\n\nb",
        "c.png": b"\x89PNG",
        "ok.md": b"# a\n\nb",
    }
    items, _ = read(tmp_path, "x.tar", tar(members))
    assert broken(items) == [
        ("x.tar!../up.md#0", "unsafe_archive_member"),
        ("x.tar!/root.md#0", "unsafe_archive_member"),
        ("x.tar!c.png#0", "unsupported_format"),
    ]
    assert [item.origin for item in documents(items)] == ["x.tar!ok.md#1"]


def test_content_decides_where_the_name_does_not_say(tmp_path):
    for name, data in {
        "dump": FORMATS["news.jsonl"],
        "array": FORMATS["news.json"],
        "packed": COMPRESS[".gz"](FORMATS["news.jsonl"]),
        "table": FORMATS["news.parquet"],
        "archive": tar({"n.jsonl": FORMATS["news.jsonl"]}),
    }.items():
        items, _ = read(tmp_path, name, data)
        assert [item.title for item in items] == [record["title"] for record in NEWS], name


# --- broken input


def test_bad_json_line(tmp_path):
    lines = FORMATS["news.jsonl"].splitlines(keepends=True)
    items, _ = read(tmp_path, "n.jsonl", b"".join([lines[0], b'{"title": "cut off\n', b"\n", lines[2]]))
    assert [(item.origin) for item in documents(items)] == ["n.jsonl#1", "n.jsonl#4"]
    assert broken(items) == [("n.jsonl#2", "bad_json")]


def test_json_array_up_to_the_fault(tmp_path):
    data = FORMATS["news.json"]
    items, _ = read(tmp_path, "n.json", data[: data.rindex(b"title")])
    assert [item.title for item in documents(items)] == [record["title"] for record in NEWS[:2]]
    assert broken(items) == [("n.json#3", "bad_json")]


def test_undecodable_bytes_reject_the_record_alone(tmp_path):
    lines = FORMATS["news.jsonl"].splitlines(keepends=True)
    bad = '{"title": "地铁", "content": "通车"}\n'.encode("gb18030")
    items, reader = read(tmp_path, "n.jsonl", lines[0] * 9 + bad + lines[2])
    assert broken(items) == [("n.jsonl#10", "undecodable")]
    assert len(documents(items)) == 10
    assert reader.encoding == "utf-8"

    array = FORMATS["news.json"].replace("地铁新线".encode(), b"\xff\xfe")
    items, _ = read(tmp_path, "n.json", array)
    assert broken(items) == [("n.json#2", "undecodable")]
    assert [item.origin for item in documents(items)] == ["n.json#1", "n.json#3"]

    table = FORMATS["news.csv"].replace("地铁新线".encode(), b"\xff\xfe")
    items, _ = read(tmp_path, "n.csv", table)
    assert broken(items) == [("n.csv#2", "undecodable")]
    assert [item.origin for item in documents(items)] == ["n.csv#1", "n.csv#3"]

    items, _ = read(tmp_path, "n.md", "# 标题\n\n正文有很多字，只有一个字节坏了".encode() + b"\xff\n")
    assert broken(items) == [("n.md#1", "undecodable")]


@pytest.mark.parametrize("compression", [".gz", ".zst", ".bz2", ".xz"])
def test_truncated_compression_keeps_what_came_before(tmp_path, compression):
    records = [{"title": f"第{n}篇", "content": os.urandom(300).hex()} for n in range(3000)]  # does not compress away
    data = COMPRESS[compression](jsonl(records))
    items, _ = read(tmp_path, "n.jsonl" + compression, data[: len(data) * 2 // 3])
    assert broken(items) == [(f"n.jsonl{compression}#0", "truncated_file")]
    read_before = [item.title for item in documents(items)]
    assert read_before == [record["title"] for record in records[: len(read_before)]]
    assert compression == ".bz2" or len(read_before) > 500  # bzip2 works in blocks of 900 kB


def test_truncated_gzip_of_other_formats(tmp_path):
    records = [{"title": f"第{n}篇", "content": os.urandom(300).hex()} for n in range(1000)]
    for name, data in {
        "n.json": json.dumps(records, ensure_ascii=False).encode(),
        "n.csv": csv_bytes(records),
        "n.tar": tar({"n.jsonl": jsonl(records)}),
    }.items():
        data = COMPRESS[".gz"](data)
        items, _ = read(tmp_path, name + ".gz", data[: len(data) // 2])
        assert broken(items) == [(f"{name}.gz#0", "truncated_file")], name
        titles = [item.title for item in documents(items)]
        assert titles == [record["title"] for record in records[: len(titles)]]
        assert len(titles) > 200
    items, _ = read(tmp_path, "n.md.gz", COMPRESS[".gz"](b"# title\n\n" + os.urandom(9000).hex().encode())[:-40])
    assert broken(items) == [("n.md.gz#0", "truncated_file")]
    assert documents(items) == []  # half a document is none


def test_gzip_with_trailing_garbage(tmp_path):
    items, _ = read(tmp_path, "n.jsonl.gz", COMPRESS[".gz"](FORMATS["news.jsonl"]) + b"garbage")
    assert len(documents(items)) == 3
    assert broken(items) == [("n.jsonl.gz#0", "truncated_file")]


def test_truncated_and_corrupt_parquet(tmp_path):
    data = FORMATS["news.parquet"]
    items, _ = read(tmp_path, "n.parquet", data[:-10])
    assert broken(items) == [("n.parquet#0", "truncated_file")]
    big = parquet([{"title": f"第{n}篇", "content": os.urandom(200).hex()} for n in range(300)], row_group_size=100)
    metadata = pq.ParquetFile(io.BytesIO(big)).metadata
    start = metadata.row_group(1).column(1).data_page_offset
    items, _ = read(tmp_path, "c.parquet", big[:start] + b"\xff" * 64 + big[start + 64 :])
    assert broken(items) == [("c.parquet#0", "truncated_file")]
    numbers = [int(item.origin.rpartition("#")[2]) for item in documents(items)]
    assert numbers == [*range(1, 101), *range(201, 301)]  # the other row groups go on


def test_bad_row(tmp_path):
    data = "title,content\n一,二\n只有一格\n三,四,五\n六,七\n".encode()
    items, _ = read(tmp_path, "n.csv", data)
    assert broken(items) == [("n.csv#2", "bad_row"), ("n.csv#3", "bad_row")]
    assert [item.origin for item in documents(items)] == ["n.csv#1", "n.csv#4"]


def test_gb18030_csv(tmp_path):
    items, reader = read(tmp_path, "n.csv", csv_bytes(NEWS, encoding="gb18030"))
    assert [item.title for item in items] == [record["title"] for record in NEWS]
    assert reader.encoding == "gb18030"


def test_empty_unsupported_and_unreadable_files(tmp_path):
    assert broken(read(tmp_path, "a.md", b"")[0]) == [("a.md#0", "empty_file")]
    assert broken(read(tmp_path, "a.jsonl.gz", COMPRESS[".gz"](b""))[0]) == [("a.jsonl.gz#0", "empty_file")]
    assert broken(read(tmp_path, "a.png", b"\x89PNG\r\n\x1a\n\0\0")[0]) == [("a.png#0", "unsupported_format")]
    (tmp_path / "folder.jsonl").mkdir()  # opens with an error for any user, root as well
    part = Part(str(tmp_path / "folder.jsonl"), "folder.jsonl", "s", 10, 0, 0, 10)
    assert broken(PartReader(part, [])) == [("folder.jsonl#0", "unreadable_file")]
    parquet_part = Part(str(tmp_path / "gone.parquet"), "gone.parquet", "s", 10, 0, 0, 10)
    assert broken(PartReader(parquet_part, [])) == [("gone.parquet#0", "unreadable_file")]


class FailingFileSystem(MemoryFileSystem):
    """Files that give an I/O error after their first 300 kB."""

    protocol = "failing"

    def _open(self, path, mode="rb", **options):
        file = super()._open(path, mode, **options)
        if mode != "rb":
            return file
        inner = file.readinto

        def readinto(buffer):
            if file.tell() >= 300_000:
                raise OSError(5, "Input/output error")
            return inner(buffer)

        file.readinto = readinto
        return file


def test_an_io_error_in_the_middle(tmp_path):
    fsspec.register_implementation("failing", FailingFileSystem, clobber=True)
    record = jsonl([{"title": "标题", "content": "正文" * 100}])
    data = record * 2000
    fsspec.filesystem("failing").pipe_file("failing://n.jsonl", data)
    reader = PartReader(Part("failing://n.jsonl", "n.jsonl", "s", len(data), 0, 0, len(data)), [])
    items = list(reader)
    assert broken(items) == [("n.jsonl#0", "unreadable_file")]
    assert len(documents(items)) == reader.bytes // len(record) > 400


def test_no_text(tmp_path):
    assert broken(read(tmp_path, "a.md", "# 标题\n\n## 小节\n".encode())[0]) == [("a.md#1", "no_text")]
    assert broken(read(tmp_path, "b.txt", ("这一行太长，" * 20).encode())[0]) == [("b.txt#1", "no_text")]
    assert broken(read(tmp_path, "c.txt", "只有标题\n".encode())[0]) == [("c.txt#1", "no_text")]


def test_deep_and_long_json(tmp_path, monkeypatch):
    deep = b"[" * 10_000 + b"]" * 10_000
    items, _ = read(tmp_path, "deep.jsonl", b'{"title": ' + deep + b"}\n" + jsonl(NEWS[:1]))
    assert broken(items) == [("deep.jsonl#1", "bad_json")]
    assert len(documents(items)) == 1
    monkeypatch.setattr("cmtp.sources.formats.records.MAX_RECORD", 1000)
    items, _ = read(tmp_path, "long.jsonl", jsonl([{"title": "x", "content": "长" * 1000}, *NEWS]))
    assert broken(items) == [("long.jsonl#1", "bad_json")]
    assert [item.origin for item in documents(items)] == ["long.jsonl#2", "long.jsonl#3", "long.jsonl#4"]


@pytest.mark.parametrize("name", ["news.json", "object.json"])
def test_large_json_is_streamed_to_the_same_documents(tmp_path, monkeypatch, name):
    parsed, _ = read(tmp_path, name, FORMATS[name])
    monkeypatch.setattr("cmtp.sources.formats.json.MAX_JSON", 64)
    streamed, _ = read(tmp_path, name, FORMATS[name])
    assert streamed == parsed
    assert len(parsed) == 3


def test_csl_and_unknown_tables(tmp_path):
    items, _ = read(tmp_path, "dev.tsv", "to title\t本文研究了水稻的产量。\t水稻产量研究\n".encode())
    assert items == [Abstract("dev.tsv#1", "s", "水稻产量研究", "本文研究了水稻的产量。")]
    items, _ = read(tmp_path, "two.tsv", "今天天气很好\t明天会下雨\n去哪里吃饭\t附近有面馆\n".encode())
    assert broken(items) == [("two.tsv#1", "unknown_layout"), ("two.tsv#2", "unknown_layout")]
    mapping = {"files": "*.tsv", "relation": "question_answer", "query": "1", "passage": "2"}
    items, _ = read(tmp_path, "two.tsv", "今天天气很好\t明天会下雨\n去哪里吃饭\t附近有面馆\n".encode(), [mapping])
    assert items[1] == QuestionAnswers("two.tsv#2", "s", "去哪里吃饭", ["附近有面馆"])


def test_a_parquet_file_of_unknown_columns_is_one_row_with_a_mapping(tmp_path):
    rows = [{"id": n, "subject": f"第{n}种茶叶怎么保存？", "best_reply": "放在阴凉干燥的地方。" * 3} for n in range(3)]
    items, _ = read(tmp_path, "a.parquet", parquet(rows))
    assert broken(items) == [("a.parquet#0", "unknown_layout")]
    (mapping,) = items[0].evidence.pop("recipe")["sources"]
    assert items[0].evidence == {"fields": ["id", "subject", "best_reply"], "rows": 3}
    items, _ = read(tmp_path, "a.parquet", parquet(rows), [mapping])
    assert [item.question for item in items] == [row["subject"] for row in rows]
    items, _ = read(tmp_path, "none.parquet", empty_parquet())
    assert items[0].evidence == {"fields": ["x"], "rows": 0}


def empty_parquet():
    out = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array([], pa.string())}), out)
    return out.getvalue()
