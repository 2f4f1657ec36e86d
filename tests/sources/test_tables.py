"""One reader of tables: every encoding, compression and header that a build reads."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmtp.errors import CmtpError, UsageError
from cmtp.sources.stream import Failure
from cmtp.sources.tables import read_rows, rows_or_error
from tests.sources.reading import COMPRESS, jsonl

ROWS = [
    {"text": "花呗怎么还款？", "label": "1"},
    {"text": "今天的天气，真好", "label": "0"},
    {"text": "图书馆几点关门", "label": "1"},
]


def separated(delimiter=",", header=True):
    lines = ([delimiter.join(ROWS[0])] if header else []) + [delimiter.join(row.values()) for row in ROWS]
    return "\n".join(lines) + "\n"


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out, row_group_size=2)
    return out.getvalue()


FILES = {
    "a.csv": separated().encode(),
    "gb.csv": separated().encode("gb18030"),
    "bom.csv": separated().encode("utf-8-sig"),
    "semicolon.csv": separated(";").encode(),
    "utf16.tsv": separated("\t").encode("utf-16"),
    "a.tsv": separated("\t").encode(),
    "a.txt": separated("\t").encode(),
    "gb.txt": separated("\t").encode("gb18030"),
    "a.jsonl": jsonl(ROWS),
    "bom.jsonl": b"\xef\xbb\xbf" + jsonl(ROWS),
    "gb.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode("gb18030"),
    "a.json": json.dumps(ROWS, ensure_ascii=False, indent=1).encode(),
    "lines.json": jsonl(ROWS),
    "a.parquet": parquet(),
}


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_same_rows(tmp_path, name, compression):
    url = written(tmp_path, name + compression, COMPRESS[compression](FILES[name]))
    assert list(read_rows(url)) == list(enumerate(ROWS, 1))


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.csv"])
def test_without_a_header_texts_and_labels_are_found_and_other_columns_are_numbered(tmp_path, name):
    pairs = "花呗怎么还款\t花呗如何还款\t1\n花呗怎么还款\t今天天气\t0\n"
    names = {"sentence1": "花呗怎么还款", "sentence2": "花呗如何还款", "label": "1"}
    assert next(read_rows(written(tmp_path, name, pairs.encode()))) == (1, names)
    url = written(tmp_path, name, "正面\t房间很干净\n负面\t房间很脏\n".encode())
    assert list(read_rows(url)) == [(1, {"1": "正面", "2": "房间很干净"}), (2, {"1": "负面", "2": "房间很脏"})]


def test_a_name_that_is_given_makes_a_header(tmp_path):
    url = written(tmp_path, "a.csv", "评论,好坏\n房间很干净,1\n".encode())
    assert list(read_rows(url, ["评论"])) == [(1, {"评论": "房间很干净", "好坏": "1"})]
    assert len(list(read_rows(url))) == 2


def test_lines_of_text_without_tabs_are_one_field(tmp_path):
    url = written(tmp_path, "a.txt", "第一行，有逗号, 和另一个\n第二行\n".encode())
    assert list(read_rows(url)) == [(1, {"1": "第一行，有逗号, 和另一个"}), (2, {"1": "第二行"})]


def test_a_record_that_cannot_be_read_is_a_failure_and_the_others_are_read(tmp_path):
    url = written(tmp_path, "a.csv", "text,label\n一,1\n二,1,2\n三,0\n".encode())
    first, second, third = read_rows(url)
    assert first == (1, {"text": "一", "label": "1"})
    assert second == (2, Failure("bad_row", {"fields": 3, "expected": 2, "row": "二\t1\t2"}))
    assert third == (3, {"text": "三", "label": "0"})
    with pytest.raises(UsageError, match=r"a\.csv: row 2: bad_row \(fields: 3, expected: 2"):
        list(rows_or_error(url))
    with pytest.raises(CmtpError, match="row 2"):
        list(rows_or_error(url, error=CmtpError))


def test_every_row_counts_for_readers_that_must_not_lose_a_text(tmp_path):
    url = written(tmp_path, "a.csv", "text,label\n一,1\n二,1,2\n".encode())
    assert list(read_rows(url, every_row=True))[1] == (2, {"1": "二", "2": "1", "3": "2"})
    url = written(tmp_path, "a.txt", "Hello\n你好\n".encode())
    assert [row for _, row in read_rows(url, every_row=True)] == [{"1": "Hello"}, {"1": "你好"}]
    assert [row for _, row in read_rows(url)] == [{"Hello": "你好"}]


def test_json_of_several_lists_and_of_bare_values(tmp_path):
    url = written(tmp_path, "a.json", json.dumps({"version": 1, "dev": ROWS[:1], "test": ROWS[1:]}).encode())
    assert [row for _, row in read_rows(url)] == ROWS
    url = written(
        tmp_path, "b.json", json.dumps({"dev": ROWS[:1], "passages": {"p1": "一段"}, "notes": ["甲"]}).encode()
    )
    assert [row for _, row in read_rows(url)] == ROWS[:1]
    assert [row for _, row in read_rows(url, every_row=True)] == [*ROWS[:1], {"p1": "一段"}, {"value": ["甲"]}]
    assert list(read_rows(written(tmp_path, "a.jsonl", b'"a"\n\n["b"]\n'))) == [
        (1, {"value": "a"}),
        (3, {"value": ["b"]}),
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("missing.csv", None, "unreadable_file"),
        ("a.csv", b"", "empty_file"),
        ("a.csv.gz", COMPRESS[".gz"](b""), "empty_file"),
        ("a.pdf", b"%PDF-1.4", "unsupported_format"),
        ("a.md", b"# Title", "unsupported_format"),
        ("a.parquet", b"PAR1 nothing", "truncated_file"),
        ("a.csv", bytes(range(128, 256)) * 4, "undecodable"),
    ],
)
def test_a_file_that_cannot_be_read_is_record_0(tmp_path, name, data, reason):
    url = str(tmp_path / name) if data is None else written(tmp_path, name, data)
    ((number, failure),) = read_rows(url)
    assert (number, failure.reason) == (0, reason)
    with pytest.raises(UsageError, match=f"cannot be read: {reason}"):
        list(rows_or_error(url))


@pytest.mark.parametrize("compression", [".gz", ".zst", ".xz", ".bz2"])
def test_a_file_that_ends_too_soon_gives_the_rows_before(tmp_path, compression):
    packed = COMPRESS[compression](jsonl(ROWS * 5000))
    *rows, last = read_rows(written(tmp_path, "a.jsonl" + compression, packed[: len(packed) * 2 // 3]))
    assert last[0] == 0
    assert last[1].reason == "truncated_file"
    assert all(not isinstance(row, Failure) for _, row in rows)
