"""More input never loses a good pair: builds of variants of the sample have the texts of the sample's pairs."""

import json
import shutil
from contextlib import suppress

import polars as pl
import pytest

from tests.builds import SAMPLE, cli

CAPS = {"duplicate_query", "duplicate_passage", "near_duplicate"}
"""Reasons that name a limit of the recipe, or the near copy that stays."""


def write_lines(path, records):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def lines(raw):
    return (raw / "forum/threads.jsonl").read_bytes().splitlines(keepends=True)


def forum(raw):
    """Its records, but for the planted ones that are broken."""
    rows = []
    for line in lines(raw):
        with suppress(ValueError):
            rows.append(json.loads(line))
    return [one for one in rows if set(one) == {"question", "answer"}]


def copies(raw):
    """Of a labelled file, of records, of a page and of a table, below their source."""
    for name in ("reading/science.json", "forum/threads.jsonl", "kitchen_notes/红烧肉.md", "travel/places.tsv"):
        (raw / name).parent.joinpath("again").mkdir()
        shutil.copy(raw / name, (raw / name).parent / "again")


def another_language(raw):
    """The same answers under English questions."""
    rows = [{"question": f"What do they say about subject number {i}?"} for i in range(200)]
    write_lines(raw / "forum/english.jsonl", [one | row for one, row in zip(forum(raw), rows, strict=False)])
    write_lines(raw / "aaa/english.jsonl", [one | row for one, row in zip(forum(raw), rows, strict=False)])


def worse_rivals(raw):
    """The same questions with answers that are cut off, and answers under questions that they do not belong to."""
    rows = forum(raw)
    short = [one | {"answer": one["answer"][: len(one["answer"]) * 9 // 10]} for one in rows]
    moved = [one | {"question": other["question"]} for one, other in zip(rows, rows[7:] + rows[:7], strict=True)]
    write_lines(raw / "forum/short.jsonl", short)
    write_lines(raw / "rivals/moved.jsonl", moved)


def another_file(raw):
    """Texts of their own, in a source that there is and in one that there is not."""
    rows = [
        {
            "question": f"{place}的渡船几点开？",
            "answer": f"{place}的渡船早上{hour}点开第一班，之后每四十分钟一班，大风天停航。",
        }
        for place in ("北岸", "长堤", "青石湾", "芦苇荡")
        for hour in "五六七八"
    ]
    write_lines(raw / "forum/ferries.jsonl", rows)
    write_lines(raw / "ferries/ferries.jsonl", rows)


def other_names(raw):
    """Files of records have other names, which come in another order. A page's name may be its title, so it stays."""
    records = [path for path in sorted(raw.rglob("*")) if path.suffix in (".jsonl", ".csv", ".tsv", ".parquet")]
    for i, path in enumerate(records):
        path.rename(path.with_name(f"{len(records) - i:03d}{path.suffix}"))


def split(raw):
    """One file becomes three. The sample is what they are when they are joined."""
    rows = lines(raw)
    for i in range(3):
        (raw / f"forum/threads-{i}.jsonl").write_bytes(b"".join(rows[i::3]))
    (raw / "forum/threads.jsonl").unlink()


def pairs_of(shards):
    return set(pl.read_parquet(f"{shards}/pairs/*.parquet", columns=["query", "passage"]).rows())


VARIANTS = (copies, another_language, worse_rivals, another_file, other_names, split)


@pytest.mark.parametrize("change", VARIANTS, ids=[one.__name__ for one in VARIANTS])
def test_the_pairs_of_the_sample_stay(sample_shards, tmp_path, change):
    raw, out = tmp_path / "raw", tmp_path / "out"
    shutil.copytree(SAMPLE / "raw", raw)
    change(raw)
    cli("build", "--source", raw, "--out", out, "--workers", 1, "--until", "similarity")
    before, after = pairs_of(sample_shards), pairs_of(out)
    lost = before - after
    rejects = pl.scan_parquet(f"{out}/rejects/*/*.parquet").with_columns(pl.col("reason").cast(pl.String)).collect()
    found = rejects.filter(pl.struct("query", "passage").is_in([{"query": q, "passage": p} for q, p in lost]))
    assert not lost, found.select("query", "passage", "stage", "reason", "evidence").rows()
    if change in (copies, other_names, split):
        assert after == before


def test_a_labelled_file_in_two_folders_keeps_every_question(tmp_path):
    """A passage with six questions, once and twice, each time in folders of another name."""
    sides = [f"{i}号展厅在{'东西南北'[i % 4]}侧，展出{thing}" for i, thing in enumerate("玉陶瓷铜铁石")]
    context = "博物馆今年重新布置了展厅。" + "，".join(sides) + "。参观从一号门进，从二号门出，周一闭馆。"
    questions = [
        {
            "id": f"Q{i}",
            "question": f"{side[:4]}展出什么？",
            "answers": [{"text": side[-1], "answer_start": context.find(side) + len(side) - 1}],
        }
        for i, side in enumerate(sides)
    ]
    data = {
        "version": "1",
        "data": [{"title": "展厅", "paragraphs": [{"id": "P", "context": context, "qas": questions}]}],
    }
    for folders in (["a"], ["a", "b"], ["b", "z/y", "c"]):
        raw, out = tmp_path / "-".join(folders).replace("/", "_"), tmp_path / f"out{len(folders)}"
        for folder in folders:
            (raw / "museum" / folder).mkdir(parents=True)
            (raw / "museum" / folder / "dev.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        cli("build", "--source", raw, "--out", out, "--workers", 1, "--until", "filter")
        assert pairs_of(out) == {(one["question"], context) for one in questions}
