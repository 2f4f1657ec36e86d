"""Whole builds of the sample corpus through the command line."""

import json
import re
import shutil

import polars as pl
import pytest

from tests.builds import SAMPLE, cli, program, published, receipts, stop


@pytest.fixture(scope="module")
def shards(sample_shards):
    return sample_shards


def test_the_result_verifies_and_polars_reads_it(shards):
    cli("verify", shards)
    pairs = pl.scan_parquet(f"{shards}/pairs/*.parquet").collect()
    assert len(pairs) > 200
    assert pairs["relation"].cast(pl.String).n_unique() >= 3
    assert pairs["similarity"].null_count() == 0
    rejects = pl.scan_parquet(f"{shards}/rejects/*/*.parquet").collect()
    assert {"extract", "dedup", "filter"} == set(rejects["stage"])  # too few pairs for an estimate of wrong ones
    assert all(isinstance(json.loads(one), dict) for one in rejects["evidence"])
    pretrain = pl.scan_parquet(f"{shards}/pretrain/*.parquet").collect()
    assert pretrain["text"].str.len_chars().min() >= 64


def test_datasets_reads_every_table_of_the_card(shards, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for name in ("pairs", "finetune", "pretrain", "rejects_dedup"):
        table = datasets.load_dataset(str(shards), name, split="train", cache_dir=str(tmp_path))
        rows = pl.scan_parquet(f"{shards}/{name.replace('_', '/')}/*.parquet").collect()
        assert table.num_rows == len(rows)
        key = "doc_id" if name == "pretrain" else "pair_id"
        assert table[key][:3] == rows[key][:3].to_list()
    pairs = datasets.load_dataset(str(shards), split="train", cache_dir=str(tmp_path))
    assert "passage" in pairs.column_names


def test_finetune_rows_are_sound(shards):
    rows = pl.read_parquet(f"{shards}/finetune/*.parquet")
    assert len(rows) > 20
    for row in rows.iter_rows(named=True):
        lists = [row[name] for name in ("neg", "neg_scores", "neg_ranks", "neg_kinds")]
        assert len({len(one) for one in lists}) == 1
        assert row["pos"][0] not in row["neg"]
        assert len(set(row["neg"])) == len(row["neg"])
        for score, rank, kind in zip(*lists[1:], strict=True):
            assert (kind == "random") == (rank == -1)
            assert score <= row["pos_scores"][0] * 0.95 + 1e-4
        assert row["instruction"] == "为这个句子生成表示以用于检索相关文章："


def test_two_workers_give_the_same_bytes_as_one(shards, tmp_path):
    program("build", "--source", SAMPLE / "raw", "--out", tmp_path / "two", "--workers", 2)
    assert published(tmp_path / "two") == published(shards)


TASK_ENDED = ("cmtp.engine.progress", "BuildProgress.task")


def test_killed_five_times_it_continues_and_ends_with_the_same_bytes(shards, tmp_path):
    out = tmp_path / "killed"
    arguments = ("build", "--source", SAMPLE / "raw", "--out", out, "--workers")
    total = sum(stage["tasks"] for stage in json.loads((shards / "timings.json").read_text())["stages"].values())
    before = {}
    for share in (0.05, 0.25, 0.45, 0.65, 0.85):
        stop("KILL", (*TASK_ENDED, int(total * share) + 1), *arguments, 2)
        assert not (out / "manifest.json").exists()
        now = receipts(out)
        assert before.items() <= now.items()  # a finished task was not done again: its receipt has not been touched
        before = now
    _, err = cli(*arguments, 1)
    assert "tasks done before" in err
    assert {path: time for path, time in receipts(out).items() if path in before}.items() <= before.items()
    assert published(out) == published(shards)


def test_after_ctrl_c_the_next_run_continues(shards, tmp_path):
    out = tmp_path / "stopped"
    arguments = ("build", "--source", SAMPLE / "raw", "--out", out, "--workers")
    _, err = stop("INT", (*TASK_ENDED, 10), *arguments, 2)
    assert err.endswith("cmtp: stopped; the same command continues where it was: finished work is kept\n")
    before = receipts(out)
    assert len(before) >= 10
    _, err = cli(*arguments, 1)
    assert "tasks done before" in err
    assert {path: time for path, time in receipts(out).items() if path in before}.items() <= before.items()
    assert published(out) == published(shards)


MOMENTS = {
    "typer is imported": ("typer.main", "<module>", 1),
    "pyarrow is imported": ("pyarrow", "<module>", 1),
    "the plan is made": ("cmtp.planning", "make_plan", 1),
    "the first worker starts": ("multiprocessing.util", "spawnv_passfds", 2),  # 1 is the resource tracker
    "the second worker starts": ("multiprocessing.util", "spawnv_passfds", 3),
    "a task is handed on": ("concurrent.futures.process", "ProcessPoolExecutor.submit", 4),
    "a lock is let go": ("threading", "Condition._release_save", 4),
    "a lock is taken again": ("threading", "Condition._acquire_restore", 4),
    "a finished task is shown": (*TASK_ENDED, 1),
    "the tables are exchanged": ("cmtp.shards.publish", "publish", 1),
    "the workers are stopped": ("concurrent.futures.process", "ProcessPoolExecutor.shutdown", 1),
    "the bars are stopped": ("cmtp.engine.progress", "BuildProgress.__exit__", 1),
    "the summary is printed": ("cmtp.summary", "outcome", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_with_130_and_one_sentence_when(moment, tmp_path):
    source = tmp_path / "raw" / "notes"
    source.mkdir(parents=True)
    shutil.copy(SAMPLE / "raw" / "kitchen_notes" / "面包不发.md", source)
    arguments = ("build", "--source", source.parent, "--out", tmp_path / "out", "--workers", 2, "--until", "extract")
    _, err = stop("INT", MOMENTS[moment], *arguments)
    *lines, last = err.splitlines()
    assert last == "cmtp: stopped; the same command continues where it was: finished work is kept"
    assert all(re.match(r"\d\d:\d\d:\d\d \w+: ", line) for line in lines), err  # progress, and nothing else


def test_a_build_that_is_there_is_not_done_again(shards, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(shards, out)
    before = published(out)
    text, _ = cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1)
    assert "holds this build already" in text
    assert published(out) == before
    (out / "finetune" / "part-00000.parquet").unlink()
    text, err = cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1)
    assert "holds this build already" not in text
    assert "shard: started" in err
    assert published(out) == before


def test_a_changed_threshold_encodes_nothing_again(shards, tmp_path):
    out = tmp_path / "changed"
    shutil.copytree(shards, out)
    before = receipts(out)
    setting = "similarity.threshold=0.35"
    cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1, "--set", setting)
    cli("verify", out)
    timings = json.loads((out / "timings.json").read_text())["stages"]
    again = {name for name, stage in timings.items() if stage["tasks_resumed"] < stage["tasks"]}
    assert again == {"score", "dedup", "filter", "similarity", "eval", "mine", "shard"}
    kept = {path for path in receipts(out) if path in before}
    assert {path.split("/")[1].split("-")[0] for path in kept} == {"extract", "screen", "encode"}
    pairs = pl.scan_parquet(f"{out}/pairs/*.parquet").collect()
    assert pairs["similarity"].min() >= 0.35
    assert len(pairs) < len(pl.scan_parquet(f"{shards}/pairs/*.parquet").collect())


@pytest.mark.parametrize("stage", ["extract", "dedup", "filter", "similarity"])
def test_until_writes_what_the_stage_kept(shards, tmp_path, stage):
    out = tmp_path / "until"
    shutil.copytree(shards, out)
    cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1, "--until", stage)
    cli("verify", out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["stages"][-1]["stage"] == stage
    assert manifest["tables"]["pairs"]["rows"] == manifest["stages"][-1]["kept"]
    assert "finetune" not in manifest["tables"]
    whole = json.loads((shards / "manifest.json").read_text())
    assert manifest["stages"] == whole["stages"][: len(manifest["stages"])]


def test_inspect_shows_rows_of_the_kind_asked_for(shards):
    out, _ = cli("inspect", shards, "--stage", "dedup", "-n", 3, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 3
    assert {row["stage"] for row in rows} == {"dedup"}
    again, _ = cli("inspect", shards, "--stage", "dedup", "-n", 3, "--json")
    assert again == out
    out, _ = cli("inspect", shards, "--relation", "question_answer", "--min-similarity", 0.3, "-n", 4, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["relation"] for row in rows} == {"question_answer"}
    assert min(row["similarity"] for row in rows) >= 0.3
    for option, said in (("stage", "stages with rejects are"), ("source", "kitchen_notes"), ("reason", "bad_json")):
        _, err = cli("inspect", shards, f"--{option}", "nowhere", expect=2)
        assert said in err


def test_why_tells_the_path_of_kept_and_rejected_pairs(shards):
    lost = (
        pl.scan_parquet(f"{shards}/rejects/dedup/*.parquet").filter(pl.col("kept_id").is_not_null()).first().collect()
    )
    out, _ = cli("why", shards, lost["pair_id"][0])
    assert f"rejected: {lost['reason'].cast(pl.String)[0]}" in out
    assert lost["kept_id"][0] in out
    assert lost["origin"][0] in out
    kept = pl.read_parquet(f"{shards}/finetune/*.parquet")
    out, _ = cli("why", shards, kept["pair_id"][0])
    assert "mine        kept" in out
    assert "negatives in finetune" in out
    _, err = cli("why", shards, "0" * 32, expect=2)
    assert "no such pair_id" in err


def test_dry_run_shows_the_plan_and_writes_nothing(tmp_path):
    out, _ = cli("build", "--source", SAMPLE / "raw", "--out", tmp_path / "none", "--dry-run")
    assert "similarity:" in out
    assert not (tmp_path / "none").exists()


def test_calibrate_shows_the_cut_of_raw_text_and_of_a_build(shards, tmp_path):
    small = ("--set", "similarity.min_sample=100", "--set", "similarity.second_encoder=null")
    out, _ = cli("calibrate", SAMPLE / "raw", *small)
    assert "AUC" in out
    assert "\n* " in out
    assert "* stands for " in out
    cli("build", "--source", SAMPLE / "raw", "--out", tmp_path / "out", *small, "--until", "similarity")
    again, _ = cli("calibrate", tmp_path / "out")
    assert again == out


def test_calibrate_of_a_small_build_says_that_nothing_is_cut(shards):
    out, _ = cli("calibrate", shards)
    assert "too few pairs to estimate anything, similarity.min_sample asks for 500." in out
    _, err = cli("calibrate", shards, "--set", "similarity.threshold=0.3", expect=2)
    assert "set to 0.3, which leaves nothing to calibrate: add --set similarity.threshold=null" in err


def test_export_writes_what_flagembedding_reads(shards, tmp_path):
    cli("export", shards, tmp_path / "fe", "--format", "flagembedding")
    rows = [json.loads(line) for line in (tmp_path / "fe" / "finetune-00000.jsonl").read_text().splitlines()]
    finetune = pl.read_parquet(f"{shards}/finetune/*.parquet").filter(pl.col("neg").list.len() > 0)
    assert [row["query"] for row in rows] == finetune["query"].to_list()
    assert all(isinstance(row["pos"], list) for row in rows)
    assert all(len(row["neg"]) == len(row["neg_scores"]) for row in rows)


def test_mine_replaces_the_negatives_and_nothing_else(shards, tmp_path):
    out = tmp_path / "mined"
    shutil.copytree(shards, out)
    shutil.rmtree(out / ".work")  # the pairs table is enough
    before = published(out)
    cli("mine", out, "--set", "mine.negatives=3", "--set", "mine.share=0.2", "--workers", 1)
    cli("verify", out)
    after = published(out)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {"README.md", "manifest.json", "finetune/part-00000.parquet"}
    rows = pl.read_parquet(f"{out}/finetune/*.parquet")
    assert rows["neg"].list.len().max() == 3
    assert len(rows) > len(pl.read_parquet(f"{shards}/finetune/*.parquet"))
    cli("build", "--source", SAMPLE / "raw", "--out", out, "--workers", 1)
    assert published(out) == before


def test_mine_changes_what_was_set_and_nothing_else(shards, tmp_path):
    """What the build was made with stays, what an earlier mining set stays, and other stages' settings are refused."""
    out = tmp_path / "mined"
    shutil.copytree(shards, out)
    recipe = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["recipe"]
    cli("mine", out, "--set", "mine.negatives=3", "--set", "mine.instruction.retrieval=查询：", "--workers", 1)
    cli("mine", out, "--set", "mine.last_rank=50", "--workers", 1)
    after = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["recipe"]
    mined = recipe["mine"] | {"negatives": 3, "last_rank": 50, "encoder": "static-zh"}
    assert after == recipe | {"mine": mined | {"instruction": recipe["mine"]["instruction"] | {"retrieval": "查询："}}}
    rows = pl.read_parquet(f"{out}/finetune/*.parquet")
    assert rows["neg"].list.len().max() == 3
    assert "查询：" in rows["instruction"].to_list()
    _, err = cli("mine", out, "--set", "dedup.threshold=0.5", expect=2)
    assert "settings of mine alone, not of dedup" in err
    full = tmp_path / "full.yaml"
    full.write_text("mine: {negatives: 2}\nsimilarity: {threshold: 0.9}\n", encoding="utf-8")
    _, err = cli("mine", out, "--recipe", full, "--workers", 1)
    assert "similarity differ from the build's" in err
