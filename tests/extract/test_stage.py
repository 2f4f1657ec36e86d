"""The stage as the engine runs it: tasks, tables, ids, ledger."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from cmtp.engine.ledger import Ledger
from cmtp.engine.plan import place
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.errors import CmtpError
from cmtp.extract.plan import line_ranges, parts_by_task, with_line_numbers
from cmtp.extract.stage import ExtractStage
from cmtp.recipe import Recipe
from cmtp.schema import PAIR, REJECTS, TEXTS
from cmtp.sources.discover import RawFile, discover
from cmtp.sources.formats import FORMATS
from cmtp.sources.part import Part
from cmtp.sources.read import PartReader
from tests.sources.reading import COMPRESS, jsonl


def run(raw, out, strict=False, **changes):
    """Kept and rejected rows (in order), the ledger, the facts about files, and the number of tasks."""
    recipe = Recipe.model_validate({"extract": changes})
    store = Store(str(out))
    stage = ExtractStage(discover([str(raw)], []), strict)
    job = Job(store, "extract", stage.resolve(recipe, {}))
    ledger, records, count = Ledger(), [], 0
    for step in stage.steps(job, []):
        for task in step:
            result = task.run()
            ledger += result.ledger
            records += result.records
            count += 1
    assert ledger.imbalance() == []
    kept = pa.concat_tables([store.read_table(path) for path in store.list("extract/kept")]).to_pylist()
    rejected = pa.concat_tables([store.read_table(path) for path in store.list("extract/rejects")]).to_pylist()
    assert ledger.rows_kept == len(kept)
    assert ledger.reasons().total() == len(rejected)
    return kept, rejected, ledger, records, count


def test_tables_ids_and_facts(tmp_path):
    raw = tmp_path / "raw"
    (raw / "wiki").mkdir(parents=True)
    data = "# 西湖\n\n" + "西湖在杭州城的西面。" * 10 + "\n\n## 历史\n\n唐代已有此名。\n"
    (raw / "wiki" / "a.md").write_text(data, encoding="utf-8")
    (raw / "qa.jsonl").write_bytes(jsonl([{"question": "问", "answer": "答"}, {"question": "问", "answer": ""}]))
    kept, rejected, ledger, facts, _ = run(raw, tmp_path / "out")
    store = Store(str(tmp_path / "out"))
    assert store.schema("extract/kept/part-00000.parquet").equals(PAIR)
    assert store.schema("extract/rejects/part-00000.parquet").equals(REJECTS)
    assert [(row["relation"], row["query"], row["source"], row["origin"], row["position"]) for row in kept] == [
        ("question_answer", "问", "qa", "qa.jsonl#1", 0),
        ("title_body", "西湖", "wiki", "wiki/a.md#1", 0),
        ("subtitle_passage", "西湖 历史", "wiki", "wiki/a.md#1", 1),
    ]
    assert kept[2]["pair_id"] == xxh3_128_hexdigest(b"wiki/a.md#1\0subtitle_passage\x000")
    assert kept[1]["doc_id"] == kept[2]["doc_id"] == xxh3_128_hexdigest(b"wiki/a.md#1")
    assert {row["similarity"] for row in kept} == {None}
    (lost,) = rejected
    assert (lost["stage"], lost["reason"], lost["origin"]) == ("extract", "empty_field", "qa.jsonl#2")
    assert (lost["relation"], lost["query"], lost["passage"]) == ("question_answer", "问", None)
    assert lost["pair_id"] == xxh3_128_hexdigest(b"qa.jsonl#2\0empty_field\x000")
    assert json.loads(lost["evidence"]) == {"empty": "answer"}
    assert facts == [
        {"path": "qa.jsonl", "bytes": (raw / "qa.jsonl").stat().st_size, "encoding": "utf-8", "records": 2}
        | {"xxh128": xxh3_128_hexdigest((raw / "qa.jsonl").read_bytes())},
        {"path": "wiki/a.md", "bytes": len(data.encode()), "encoding": "utf-8", "records": 1}
        | {"xxh128": xxh3_128_hexdigest(data.encode())},
    ]
    assert ledger.taken["qa", "question_answer"] == 2


def test_further_passages_are_rejected(tmp_path):
    (tmp_path / "raw").mkdir()
    text = "一二三四五六七八九。" * 30
    records = [{"title": "题", "content": text}, {"question": "问什么？", "answer": text}]
    (tmp_path / "raw" / "a.jsonl").write_bytes(jsonl(records))
    kept, rejected, *_ = run(tmp_path / "raw", tmp_path / "out", max_passage_chars=100, max_passages=2)
    assert [row["relation"] for row in kept] == ["title_body", "question_answer", "question_answer"]
    assert [(row["reason"], row["score"], json.loads(row["evidence"])) for row in rejected] == [
        ("over_max_passages", 2.0, {"passage": 2, "max_title_passages": 1}),
        ("over_max_passages", 3.0, {"passage": 3, "max_title_passages": 1}),
        ("over_max_passages", 3.0, {"passage": 3, "max_passages": 2}),
    ]
    assert len({row["pair_id"] for row in kept + rejected}) == 6


def test_the_text_of_a_document_is_written_as_it_stands(tmp_path):
    (tmp_path / "raw").mkdir()
    law = [
        "# 国旗法",
        "",
        "## 第一章 总则",
        "",
        "第一条 甲。",
        "",
        "第二条 乙。",
        "",
        "第三条 丙。",
        "",
        "## 附则",
        "",
        "第四条 甲。",
    ]
    (tmp_path / "raw" / "a.md").write_text("\n".join(law), encoding="utf-8")
    (tmp_path / "raw" / "b.jsonl").write_bytes(
        jsonl([{"question": "问？", "answer": ["答一。", "答二。", "答三。", "答四。"]}])
    )
    kept, rejected, *_ = run(tmp_path / "raw", tmp_path / "out", max_passage_chars=50, max_answers=2)
    store = Store(str(tmp_path / "out"))
    rows = [row for path in store.list("extract/texts") for row in store.read_table(path).to_pylist()]
    assert store.schema("extract/texts/part-00000.parquet").equals(TEXTS)
    texts = {}
    for row in rows:
        assert len(row["text"]) <= 50
        texts.setdefault(row["doc_id"], []).append(row["text"])
    assert {row["doc_id"] for row in kept + rejected} == set(texts)
    assert sorted("\n".join(pieces) for pieces in texts.values()) == [
        "国旗法\n第一章 总则\n第一条 甲。\n第二条 乙。\n第三条 丙。\n附则\n第四条 甲。",
        "问？\n答一。\n答二。\n答三。\n答四。",
    ]


def test_reading_comprehension_has_a_document_per_passage(tmp_path):
    (tmp_path / "raw").mkdir()
    contexts = [{"context": f"第{n}段。", "qas": [{"question": f"问{n}{m}"} for m in "ab"]} for n in "一二"]
    (tmp_path / "raw" / "r.json").write_text(json.dumps({"data": [{"title": "题", "paragraphs": contexts}]}))
    kept, *_ = run(tmp_path / "raw", tmp_path / "out")
    assert [row["position"] for row in kept] == [0, 1, 0, 1]
    assert kept[0]["doc_id"] == kept[1]["doc_id"] != kept[2]["doc_id"] == kept[3]["doc_id"]
    assert len({row["pair_id"] for row in kept}) == 4


LINES = st.lists(
    st.sampled_from(
        [
            '{"question": "几点开门？", "answer": "九点。"}',
            '{"question": "长", "answer": "' + "很长的回答。" * 30 + '"}',
            '{"question": "空", "answer": ""}',
            "",
            "   ",
            "{坏",
            '{"question": "回车", "answer": "有"}\r',
        ]
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.booleans(), st.sampled_from(["utf-8", "gb18030", "utf-8-sig"]), st.integers(1, 700))
def test_a_split_file_gives_the_same_documents(tmp_path, lines, ends, encoding, size):
    """For every size of the ranges, down to one byte."""
    lines = ['{"question": "中国的首都是哪里？", "answer": "我们的首都是北京。"}', *lines]
    path = tmp_path / "qa.jsonl"
    data = ("\n".join(lines) + ("\n" if ends else "")).encode(encoding)
    path.write_bytes(data)
    raw = RawFile("qa.jsonl", str(path), "qa", len(data), 0)
    whole = list(PartReader(parts_by_task([raw], 1 << 30)[0][0], []))
    parts = [part for task in parts_by_task([raw], size) for part in task]
    found, seen = [], b""
    for part in parts:
        reader = PartReader(replace(part, newlines=data[: part.start].count(b"\n")), [])
        found += list(reader)
        seen += data[part.start : part.stop]
        assert reader.digest == xxh3_128_hexdigest(data[part.start : part.stop])
    assert found == whole
    assert seen == data


@pytest.mark.parametrize("task_bytes", [1 << 16, 70_001])
def test_split_tasks_give_the_same_rows(tmp_path, task_bytes):
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = jsonl([{"question": f"问{n}", "answer": "回答。" * (n % 50)} for n in range(4000)])
    (raw / "qa.jsonl").write_bytes(lines)
    whole = run(raw, tmp_path / "whole")
    split = run(raw, tmp_path / "split", task_bytes=task_bytes)
    assert whole[4] == 1
    assert split[4] > 6
    assert split[:3] == whole[:3]
    assert [fact["range"] for fact in split[3]] == [
        [start, min(start + task_bytes, len(lines))] for start in range(0, len(lines), task_bytes)
    ]
    assert sum(fact["records"] for fact in split[3]) == 4000


def test_parquet_is_split_by_row_groups(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    records = [{"title": f"题{n}", "content": xxh3_128_hexdigest(b"%d" % n) * 20} for n in range(4000)]
    pq.write_table(pa.Table.from_pylist(records), raw / "n.parquet", row_group_size=100, compression="none")
    whole = run(raw, tmp_path / "whole")
    split = run(raw, tmp_path / "split", task_bytes=1 << 19)
    assert whole[4] == 1
    assert split[4] >= 4
    assert split[:3] == whole[:3]
    assert whole[0][3999]["origin"] == "n.parquet#4000"
    assert sum(fact["bytes"] for fact in split[3]) == (raw / "n.parquet").stat().st_size


def test_ids_do_not_change_when_files_are_added(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "m.jsonl").write_bytes(jsonl([{"question": "问", "answer": "答"}] * 3))
    before = run(raw, tmp_path / "before")
    (raw / "a.md").write_text("# 题\n\n正文。", encoding="utf-8")
    (raw / "z.jsonl").write_bytes(jsonl([{"question": "问", "answer": "答"}]) + b"bad\n")
    after = run(raw, tmp_path / "after")
    assert [row for row in after[0] if row["origin"].startswith("m.jsonl")] == before[0]
    assert len(after[0]) == 5


FILES = {
    "a/news.jsonl": jsonl([{"title": "题", "content": "文。"}, {"title": "", "content": "缺题。"}]),
    "a/z.md": "# 西湖\n\n西湖在杭州。\n\n## 历史\n\n唐代已有此名。\n".encode(),
    "b/pairs.tsv": "sentence1\tsentence2\tlabel\n甲\t乙\t1\n丙\t丁\t0\n".encode(),
    "b.jsonl": jsonl([{"question": "问", "answers": ["一", "二", "三", "四"]}]) + b"bad\n",
    "c/qrels.tsv": b"1\t0\t1\t1\n",
    "c/corpus.tsv": "1\t段落。\n".encode(),
    "c/queries.tsv": "1\t查询\n".encode(),
    "m.html": "<html><h1>页</h1><p>正文在此。</p></html>".encode(),
}


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(sorted(FILES)), min_size=1), st.sets(st.sampled_from(sorted(FILES))))
def test_ids_do_not_change_whatever_files_are_added_beside(some, more):
    if {path for path in some | more if path.startswith("c/")} != {path for path in some if path.startswith("c/")}:
        return  # the files of a collection are one thing

    def rows(paths):
        with tempfile.TemporaryDirectory() as folder:
            for path in paths:
                file = Path(folder) / "raw" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(FILES[path])
            kept, rejected, *_ = run(Path(folder) / "raw", Path(folder) / "out")
        return {row["pair_id"]: row for row in kept + rejected}

    before, after = rows(some), rows(some | more)
    assert before.items() <= after.items()
    assert {row["origin"].partition("#")[0] for row in before.values()} <= some


def test_strict_stops_at_the_first_broken_record(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "m.jsonl").write_bytes(jsonl([{"question": "问", "answer": "答"}]) + b"{bad\n")
    with pytest.raises(CmtpError, match=r"m.jsonl: record 2 cannot be used: bad_json .*--strict"):
        run(raw, tmp_path / "out", strict=True)
    assert Store(str(tmp_path / "out")).list("extract/kept") == []  # nothing half-written is left under its name


def test_large_output_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("cmtp.extract.rows.ROW_GROUP_ROWS", 10)
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "m.jsonl.gz").write_bytes(
        COMPRESS[".gz"](jsonl([{"question": f"问{n}", "answer": "答"} for n in range(35)]))
    )
    kept, *_ = run(raw, tmp_path / "out")
    assert [row["query"] for row in kept] == [f"问{n}" for n in range(35)]
    assert pq.ParquetFile(tmp_path / "out/extract/kept/part-00000.parquet").num_row_groups == 4


def test_ranges_of_several_files_are_numbered_by_their_own_lines():
    def part(name, start, stop):
        return Part(name, name, "s", bytes=30, mtime_ns=0, start=start, stop=stop)

    tasks = [[part("a", 0, 10)], [part("a", 10, 20)], [part("a", 20, 30), part("b", 0, 10)], [part("b", 10, 30)]]
    counts = {("a", 10): 3, ("a", 20): 4, ("b", 10): 5}
    assert [(one.path, one.stop) for one in line_ranges(tasks)] == list(counts)
    numbered = with_line_numbers(tasks, counts)
    assert [[one.newlines for one in parts] for parts in numbered] == [[0], [3], [7, 0], [5]]
    assert [[replace(one, newlines=0) for one in parts] for parts in numbered] == tasks


def test_another_version_of_a_format_from_outside_reads_the_files_anew(monkeypatch):
    def folder():
        stage = ExtractStage()
        return place(stage, stage.resolve(Recipe(), {}), []).folder

    plain = folder()
    monkeypatch.setattr(FORMATS, "origins", lambda: {"ini": "ini-format 1.0 aa"})
    first = folder()
    monkeypatch.setattr(FORMATS, "origins", lambda: {"ini": "ini-format 1.1 bb"})
    assert len({plain, first, folder()}) == 3


def file(name, size):
    return RawFile(name, f"/nowhere/{name}", "s", size, 0)


def test_small_files_are_read_together():
    files = [file(f"{n}.md", 400) for n in range(6)] + [file("big.csv", 5000), file("c.md", 100)]
    tasks = parts_by_task(files, 1000)
    assert [[part.path for part in task] for task in tasks] == [
        ["0.md", "1.md"],
        ["2.md", "3.md"],
        ["4.md", "5.md"],
        ["big.csv"],
        ["c.md"],
    ]
