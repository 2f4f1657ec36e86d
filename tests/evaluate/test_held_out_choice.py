"""The held-out documents that `cmtp eval --shards` searches: the build's, the model's, or those of the options."""

import json
import subprocess
import sys

import polars as pl
import pytest

from cmtp.errors import UsageError
from cmtp.evaluate.command import held_out_task
from cmtp.shards.held_out import Split, manifest_sha256, read_pairs
from cmtp.train.report import read_trained_on
from tests.train.shards import write_build


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("build") / "shards")


def model_of(folder, shards, share, seed, **report):
    """A folder with the report of a model that was trained on `shards`."""
    folder.mkdir()
    settings = {"eval": {"share": share, "seed": seed, "max_queries": 50, "max_pool": 60}}
    content = {"data": {"manifest_sha256": manifest_sha256(shards)}, "settings": settings} | report
    (folder / "training.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def queries(shards, split):
    return set(read_pairs(shards, ["query"], split, held_out=True)["query"])


def asked(shards, model, share=None, seed=None):
    task, notes = held_out_task(shards, read_trained_on(model, shards), share, seed)
    return task, "\n".join(notes)


def test_share_and_seed_are_those_of_the_model(shards, tmp_path):
    task, notes = asked(shards, model_of(tmp_path / "m", shards, 0.3, 7))
    assert set(task.queries) == queries(shards, Split(0.3, 7))
    assert len(task.passages) == 60
    assert task.left_out == 0
    assert "share 0.3, seed 7, as in the model's training" in notes


def test_a_model_without_a_report_is_asked_for_what_is_given_or_the_default(shards):
    assert set(asked(shards, "somewhere/else")[0].queries) == queries(shards, Split(0.2, 1))
    assert "no training.json" in asked(shards, "somewhere/else")[1]
    task, notes = asked(shards, "somewhere/else", 0.4, 3)
    assert set(task.queries) == queries(shards, Split(0.4, 3))
    assert "as given" in notes


def test_documents_that_the_model_was_trained_on_are_left_out(shards, tmp_path):
    """A larger share than the training held out: the rest was trained on."""
    model = model_of(tmp_path / "m", shards, 0.2, 1)
    task, notes = asked(shards, model, 0.5)
    assert set(task.queries) == queries(shards, Split(0.2, 1))
    assert f"left out: {task.left_out} of these documents, which the model was trained on" in notes
    with pytest.raises(UsageError, match=r"the model was trained on \d+ of their documents"):
        asked(shards, model_of(tmp_path / "other", shards, 1e-9, 1), 0.5)


def test_of_another_build_documents_may_have_been_trained_on(shards, tmp_path):
    model = model_of(tmp_path / "m", write_build(tmp_path / "other", seed=4), 0.3, 1)
    assert asked(shards, model)[0].left_out == 0
    task, notes = asked(shards, model, 0.6)
    assert set(task.queries) == queries(shards, Split(0.3, 1))
    assert "which the model may have been trained on" in notes


def split_by_build(folder, share, seed):
    """A build that says that it has held documents out, and has put their pairs into rejects/eval."""
    shards = write_build(folder)
    manifest = {"made": "by hand", "recipe": {"eval": {"share": share, "seed": seed}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "rejects").mkdir()
    (folder / "pairs").rename(folder / "rejects" / "eval")
    for file in (folder / "rejects" / "eval").glob("*.parquet"):
        pl.read_parquet(file).with_columns(reason=pl.lit("held_out")).write_parquet(file)
    write_build(folder / "rest", seed=9)
    (folder / "rest" / "pairs").rename(folder / "pairs")
    return shards


def test_the_builds_own_split_wins(tmp_path):
    shards = split_by_build(tmp_path / "b", 0.9, 3)
    everything = queries(shards, Split(0.5, 5))
    task, notes = asked(shards, model_of(tmp_path / "old", shards, 0.1, 1), 0.5, 5)
    assert len(task.queries) == 50
    assert set(task.queries) < everything
    assert task.left_out == 0
    assert "--share and --seed are not used" in notes
    assert "share 0.9, seed 3, the build's own" in notes
    new = model_of(tmp_path / "new", shards, 0.1, 1, held_out={"share": 0.9, "seed": 3, "by": "build"})
    assert asked(shards, new)[0].left_out == 0


def test_the_builds_own_split_less_what_a_model_of_another_build_has_seen(tmp_path):
    shards = split_by_build(tmp_path / "b", 0.9, 3)
    other = write_build(tmp_path / "other", seed=4)
    task, notes = asked(shards, model_of(tmp_path / "m", other, 0.3, 3))
    assert task.left_out > 0
    assert "may have been trained on (its training held out share 0.3, seed 3)" in notes


def test_a_broken_report_is_refused(shards, tmp_path):
    (tmp_path / "training.json").write_text('{"data": {}}')
    with pytest.raises(UsageError, match="not a report of `cmtp train`"):
        read_trained_on(str(tmp_path), shards)


def test_held_out_documents_need_no_mteb():
    code = (
        "import sys\n"
        "sys.modules['mteb'] = None\n"
        "import cmtp.evaluate.command\n"
        "try:\n"
        "    cmtp.evaluate.command.evaluate_model('nowhere', shards='nothing')\n"
        "except cmtp.errors.UsageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "nowhere: neither a folder nor a name on the hub" in done.stdout, done.stderr
