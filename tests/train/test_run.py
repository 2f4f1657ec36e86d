"""Whole runs on a build of three topics: killed and resumed, all stages, the result opened; and runs that must stop."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cmtp.errors import CmtpError, UsageError
from cmtp.shards.held_out import manifest_sha256
from cmtp.train.guards import CONSTANT_LOGS, Guard
from cmtp.train.settings import load_train_settings, stage_names
from cmtp.train.stages import last_checkpoint
from tests.builds import stop
from tests.train.shards import write_build

TINY = [
    "model={vocabulary: 300, layers: 1, hidden: 32, heads: 2, intermediate: 64, positions: 64, pooling: mean}",
    "pretrain={batch: 16, max_length: 48, max_steps: 8, checkpoint_steps: 4, log_steps: 4}",
    "weak={batch: 16, learning_rate: 0.003, epochs: 9, max_steps: 40, checkpoint_steps: 5, log_steps: 5, chunk: 8}",
    "finetune={batch: 8, max_steps: 6, checkpoint_steps: 3, log_steps: 3, chunk: 8, merge: 0.3, instruction: true}",
    "instruction=为这个句子生成表示以用于检索相关文章：",
    "eval.share=0.3",
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("build") / "shards")


def run(shards, out, stages="pretrain,weak,finetune", *more, fresh=False):
    from cmtp.train.run import train_model

    return train_model(
        shards, str(out), load_train_settings("nano", None, [*TINY, *more]), stage_names(stages), fresh=fresh, threads=1
    )


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "model"
    return out, run(shards, out)


def test_killed_and_resumed_gives_the_same_weights(shards, whole, tmp_path, capsys):
    """SIGKILL in the thirteenth step of the second stage, whose second checkpoint is that of step 10."""
    out = tmp_path / "model"
    settings = [word for item in TINY for word in ("--set", item)]
    step_of_weak = ("cmtp.train.trainers", "StepSeed.on_step_begin", 8 + 13)  # after the 8 steps of the first stage
    stop("KILL", step_of_weak, "train", shards, "--out", out, "--threads", 1, *settings)
    assert not list(out.glob(".work/finetune-*"))
    assert not (out / "model.safetensors").exists()
    capsys.readouterr()
    report = run(shards, out)
    printed = capsys.readouterr().out
    assert "pretrain: done before" in printed
    assert "continues at step 10 of 40" in printed
    expected, found = load_file(whole[0] / "model.safetensors"), load_file(out / "model.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert report["scores"] == whole[1]["scores"]


def test_processes_that_tokenise_ahead_change_nothing_but_the_time(shards, whole, tmp_path):
    """The presets small and base have them."""
    workers = [f"{stage}.loader_workers=2" for stage in ("pretrain", "weak", "finetune")]
    report = run(shards, tmp_path / "model", "pretrain,weak,finetune", *workers)
    expected, found = load_file(whole[0] / "model.safetensors"), load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    for stage, facts in report["stages"].items():
        assert facts["steps"] == whole[1]["stages"][stage]["steps"]
        assert 0 < facts["rates"]["rows_per_second"] < facts["rates"]["tokens_per_second"]


def test_the_result_opens_and_has_learned(shards, whole):
    out, report = whole
    model = SentenceTransformer(str(out), device="cpu")
    vectors = model.encode(["怎么处理番茄？", "租赁合同违约"])
    assert vectors.shape == (2, 32)
    assert (vectors**2).sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert model.prompts["query"] == "为这个句子生成表示以用于检索相关文章："
    rows = report["scores"]["rows"]
    assert rows["after weak"]["ndcg@10"] > rows["untrained"]["ndcg@10"]
    assert list(rows) == [
        "BM25 (character bigrams)",
        "static-zh",
        "untrained",
        "after pretrain",
        "after weak",
        "after finetune",
    ]


def test_card_and_logs(shards, whole):
    out, report = whole
    card = (out / "README.md").read_text(encoding="utf-8")
    assert manifest_sha256(shards) in card
    assert "after finetune" in card
    assert "not C-MTEB" in card
    written = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert written | {"seconds": 0} == report | {"seconds": 0}  # a run that finds all done writes its own seconds
    assert len(list(out.glob(".work/*.run/logs/events.out.tfevents.*"))) == 3
    board = EventAccumulator(str(out / ".work" / "scores")).Reload()
    score = board.Scalars("held-out nDCG@10/after finetune")[-1].value
    assert score == pytest.approx(report["scores"]["rows"]["after finetune"]["ndcg@10"], abs=1e-4)


def test_eval_searches_the_documents_that_the_training_held_out(shards, whole):
    """No share, no seed: both are in training.json, and the score is that of the run's own end."""
    from cmtp.evaluate.command import evaluate_model

    out, report = whole
    assert report["held_out"] == {"share": 0.3, "seed": 1, "by": "trainer"}
    rows = {line.split()[0]: line.split() for line in evaluate_model(str(out), shards=shards).splitlines()}
    assert float(rows["model"][1]) == pytest.approx(report["scores"]["rows"]["after finetune"]["ndcg@10"], abs=2e-4)
    assert float(rows["BM25"][3]) == report["scores"]["rows"]["BM25 (character bigrams)"]["ndcg@10"]


def test_a_finished_run_is_not_done_again(shards, whole):
    out, report = whole
    before = (out / "model.safetensors").stat().st_mtime_ns
    again = run(shards, out)
    assert again["stages"] == report["stages"]
    assert (out / "model.safetensors").stat().st_mtime_ns >= before


def test_other_settings_in_the_same_folder_are_refused(shards, whole):
    with pytest.raises(UsageError, match="other data or settings"):
        run(shards, whole[0], "weak", "seed=7")


def test_two_processes_train_the_model_of_one(shards, tmp_path):
    """Torchrun over gloo, batches shared out: the weights of one process up to rounding, without dropout."""
    more = ["model.dropout=0", "weak={max_steps: 8, log_steps: 4}", "finetune={max_steps: 4, log_steps: 2}"]
    run(shards, tmp_path / "one", "weak,finetune", *more)
    settings = [word for item in [*TINY, *more] for word in ("--set", item)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m", "cmtp.cli"]
    command += ["train", shards, "--out", str(tmp_path / "two"), "--stage", "weak,finetune", *settings]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("the model is in") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    start = load_file(tmp_path / "one" / ".work" / "start" / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    assert not torch.allclose(one[name], start[f"bert.{name}"], atol=1e-3)
    assert all(torch.allclose(one[name], two[name], atol=2e-4) for name in one)


def test_a_start_that_is_no_checkpoint_is_refused(shards, tmp_path):
    from cmtp.train.run import train_model

    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="neither a folder with a checkpoint"):
        train_model(
            shards, str(tmp_path / "m"), load_train_settings("nano", None, TINY), ["weak"], str(tmp_path / "empty")
        )


def test_training_goes_on_from_a_trained_model(shards, whole, tmp_path):
    """--init with a finished model: its tokens and weights, not a vocabulary of the shards."""
    from cmtp.train.run import train_model

    train_model(
        shards,
        str(tmp_path / "m"),
        load_train_settings("nano", None, [*TINY, "weak.max_steps=1"]),
        ["weak"],
        str(whole[0]),
    )
    before, start = load_file(whole[0] / "model.safetensors"), load_file(tmp_path / "m/.work/start/model.safetensors")
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(before[name], start[f"bert.{name}"])


def test_a_folder_of_other_things_is_not_touched(shards, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no training run"):
        run(shards, tmp_path, "weak")


def test_a_learning_rate_that_explodes_stops(shards, tmp_path):
    with pytest.raises(CmtpError, match=r"the loss is (nan|inf) at step"):
        run(shards, tmp_path / "m", "weak", "weak.learning_rate=1e38", "weak.warmup=0")


def test_a_constant_loss_stops():
    guard = Guard("weak")
    arguments = SimpleNamespace(logging_steps=10)
    for n in range(1, CONSTANT_LOGS):
        guard.on_log(arguments, SimpleNamespace(global_step=10 * n), None, {"loss": 0.0})
    with pytest.raises(CmtpError, match=r"0\.000000 from step 10 to 50.*queries without negatives"):
        guard.on_log(arguments, SimpleNamespace(global_step=50), None, {"loss": 0.0})
    guard.losses.clear()
    for n in range(20):
        guard.on_log(arguments, SimpleNamespace(global_step=n), None, {"loss": 1 + n * 1e-6})


def test_a_checkpoint_that_was_being_written_is_passed_over(tmp_path):
    for step, state in ((5, '{"global_step": 5}'), (10, '{"glob')):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-15").mkdir()
    assert last_checkpoint(tmp_path).name == "checkpoint-5"


def test_settings_are_checked():
    with pytest.raises(UsageError, match=r"weak\.batch"):
        load_train_settings("nano", None, ["weak.batch=0"])
    with pytest.raises(UsageError, match=r"no setting weak\.size"):
        load_train_settings("nano", None, ["weak.size=3"])
    with pytest.raises(UsageError, match=r"no setting weak\.bach; did you mean batch\?"):
        load_train_settings("nano", None, ["weak.bach=3"])
    with pytest.raises(UsageError, match=r"--set weak\.batch=\[: the value is not YAML"):
        load_train_settings("nano", None, ["weak.batch=["])
    with pytest.raises(UsageError, match="--preset huge"):
        load_train_settings("huge")
    with pytest.raises(UsageError, match="rerank is none of"):
        stage_names("weak,rerank")
    assert load_train_settings("small").model.hidden == 512
    assert math.isclose(load_train_settings("base").weak.temperature, 0.01)
    assert stage_names("finetune,weak") == ("weak", "finetune")
