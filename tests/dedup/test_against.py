"""What a release made earlier holds is not issued again."""

import json

import pyarrow as pa
import pytest

from cmtp import schema
from cmtp.dedup import layout
from cmtp.dedup.references import resolve_references
from cmtp.dedup.settings import DedupSettings
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from tests.builds import cli
from tests.dedup import pairs
from tests.dedup.pairs import row, run

LAW = (
    "国家鼓励和支持开展科学普及活动，县级以上人民政府应当把科学普及工作纳入国民经济和社会发展规划，为开展科学普及工作"
    "创造良好的环境和条件。"
)


@pytest.fixture
def release(tmp_path):
    """Makes an older release of some rows."""

    def make(rows, name="spring"):
        store = Store(str(tmp_path / name))
        table = pa.Table.from_pylist(rows, schema=schema.PAIR).select(schema.PAIRS.names).cast(schema.PAIRS)
        store.write_table("pairs/part-00000.parquet", table)
        store.write_json("manifest.json", {"rows": [one["pair_id"] for one in rows]})
        return str(tmp_path / name)

    return make


def told(rejects):
    return {one["query"]: (one["reason"], one["kept_id"], json.loads(one["evidence"])) for one in rejects}


def test_what_was_issued_is_not_issued_again(tmp_path, release):
    old = [row("科普法", LAW, source="web"), row("怎样备份手机？", "手机如何做备份", source="web")]
    rows = [
        row("科普法：", LAW.replace("，", ", "), source="book"),
        row("手机如何做备份", "怎样备份手机"),
        row("另一个题目", LAW),
        row("修订后的科普法", LAW + "自公布之日起施行。"),  # longer, and yet
        row("无关", "天上有许多星星，一闪一闪的"),
    ]
    where = release(old)
    kept, rejects, _, _ = run(tmp_path, rows, against=[where], source_priority=["book"])
    assert [one["query"] for one in kept] == ["无关"]
    found = told(rejects)
    for query, match, which in (
        ("科普法：", "pair", 0),
        ("手机如何做备份", "swapped pair", 1),
        ("另一个题目", "passage", 0),
    ):
        expected = {"release": "spring", "pair_id": old[which]["pair_id"], "match": match}
        assert found[query] == ("in_older_release", None, expected)
    reason, kept_id, evidence = found["修订后的科普法"]
    assert (reason, kept_id, evidence["match"], evidence["pair_id"]) == (
        "in_older_release",
        None,
        "near passage",
        old[0]["pair_id"],
    )
    assert evidence["jaccard"] == pytest.approx(pairs.jaccard(rows[3]["passage"], LAW), abs=1e-4)


def test_copy_of_a_copy_of_an_older_passage(tmp_path, release):
    """Two copies of one passage that an older passage resembles: both are in the older release."""
    new = LAW + "自公布之日起施行。"
    kept, rejects, _, _ = run(tmp_path, [row("甲", new), row("乙", new)], against=[release([row("旧", LAW)])])
    assert kept == []
    assert {one["reason"] for one in rejects} == {"in_older_release"}
    assert {json.loads(one["evidence"])["match"] for one in rejects} == {"near passage"}


def test_copy_of_a_pair_whose_passage_an_older_release_has(tmp_path, release):
    """The copy must not point to a row that was rejected itself."""
    rows = [row("甲", LAW, source=source) for source in "st"]
    kept, rejects, _, _ = run(tmp_path, rows, against=[release([row("旧", LAW)])])
    assert kept == []
    assert [(one["reason"], one["kept_id"]) for one in rejects] == [("in_older_release", None)] * 2
    assert {json.loads(one["evidence"])["match"] for one in rejects} == {"passage"}


def test_older_rows_count_for_the_cap_on_queries(tmp_path, release):
    old = [row("公告", f"旧的公告之{name}，内容各不相同") for name in "甲乙"]
    new = [row("公告", f"{name}号文件的新内容在这里") for name in ("丙丙丙", "丁丁丁丁")]
    for cap, reasons in ((2, ["in_older_release"] * 2), (3, ["duplicate_query"]), (4, [])):
        _, rejects, _, _ = run(tmp_path, new, folder=f"d{cap}", against=[release(old)], max_per_query=cap)
        assert [one["reason"] for one in rejects] == reasons


def test_new_question_on_an_older_passage(tmp_path, release):
    """Its passage would be issued again, although new questions on one passage may share it."""
    old = row("谁鼓励科普？", LAW, doc="d", relation="question_passage")
    new = [row(query, LAW, doc="d", relation="question_passage") for query in ("谁支持科普？", "何为科普？")]
    kept, _, _, _ = run(tmp_path, new, folder="alone")
    assert len(kept) == 2
    kept, rejects, _, _ = run(tmp_path, new, against=[release([old])])
    assert kept == []
    assert {one["reason"] for one in rejects} == {"in_older_release"}


def test_the_same_document_again(tmp_path, release):
    """An amended article of the very document that was issued is a near-duplicate of it, whatever its document is."""
    rows = [row("科普法", LAW + "自公布之日起施行。", doc="d")]
    _, rejects, _, _ = run(tmp_path, rows, against=[release([row("科普法", LAW, doc="d")])])
    assert [one["reason"] for one in rejects] == ["in_older_release"]


def test_two_releases_in_pieces(tmp_path, release, monkeypatch):
    texts = pairs.family(21, 60, 3)
    rows = pairs.passages(texts)
    first, second = release(rows[0:30]), release(rows[30:60], "autumn")
    expected = told(run(tmp_path, rows[50:], folder="whole", against=[first, second])[1])
    monkeypatch.setattr(layout, "KEYS_PER_RANGE", 20)
    monkeypatch.setattr(layout, "BANDS_PER_RANGE", 500)
    _, rejects, _, _ = run(tmp_path, rows[50:], partitions=3, folder="cut", against=[first, second])
    assert told(rejects) == expected
    releases = {one[2].get("release") for one in expected.values() if one[0] == "in_older_release"}
    assert releases == {"spring", "autumn"}


def test_near_dedup_goes_on_among_new_rows(tmp_path, release):
    rows = [row("甲", LAW), row("乙", LAW + "自公布之日起施行。")]
    kept, rejects, _, _ = run(tmp_path, rows, against=[release([row("旧", "完全无关的一段话，讲的是天气")])])
    assert [one["query"] for one in kept] == ["乙"]
    assert [one["reason"] for one in rejects] == ["near_duplicate"]


def test_folder_that_is_no_release_is_refused(tmp_path):
    settings = DedupSettings(against=[str(tmp_path)])
    with pytest.raises(UsageError, match="manifest"):
        resolve_references(settings)


def test_content_of_the_release_is_part_of_the_settings(release):
    settings = DedupSettings(against=[release([row("旧", LAW)])])
    before = resolve_references(settings)
    release([row("新", LAW)])
    assert resolve_references(settings) != before


def test_command_line(tmp_path):
    """The second build issues only what the first one had not."""
    lines = [
        f'{{"title": "题目{name}", "content": "这是关于{name}的一段正文，讲它的来历和用处。"}}'
        for name in "天地玄黄宇宙"
    ]
    raw = tmp_path / "raw" / "news.jsonl"
    raw.parent.mkdir()
    raw.write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")
    options = ("--workers", 1, "--until", "dedup")
    cli("build", "--source", raw.parent, "--out", tmp_path / "spring", *options)
    raw.write_text("\n".join(lines) + "\n", encoding="utf-8")
    cli("build", "--source", raw.parent, "--out", tmp_path / "autumn", *options, "--against", tmp_path / "spring")
    manifest = json.loads((tmp_path / "autumn" / "manifest.json").read_text(encoding="utf-8"))
    stage = next(one for one in manifest["stages"] if one["stage"] == "dedup")
    assert (stage["rejected"], stage["kept"]) == ({"in_older_release": 3}, 3)
    assert manifest["recipe"]["dedup"]["against"] == [str(tmp_path / "spring")]
    cli("verify", tmp_path / "autumn")
    _, err = cli("build", "--source", raw.parent, "--out", tmp_path / "x", *options, "--against", raw, expect=2)
    assert "manifest.json" in err
