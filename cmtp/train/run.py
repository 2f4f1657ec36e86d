"""A training run: the stages in order, then the scores, the model card and the report."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from huggingface_hub.utils.tqdm import disable_progress_bars
from sentence_transformers import SentenceTransformer
from torch.utils.tensorboard import SummaryWriter
from transformers.utils import logging as transformers_logging

from cmtp.errors import UsageError
from cmtp.scoring.baselines import RetrievalScore, score_bm25, score_embeddings, score_static_zh
from cmtp.scoring.measures import bootstrap, interval_text
from cmtp.shards.held_out import RetrievalTask, manifest_sha256, retrieval_task
from cmtp.train import stages
from cmtp.train.card import make_model_card
from cmtp.train.report import REPORT, held_out_report
from cmtp.train.settings import TRAIN_STAGES, TrainSettings
from cmtp.train.shards import Corpus

TRAIN_WORK = ".work"
"""Folder of checkpoints and logs, inside the model's folder."""


def train_model(
    shards: str,
    out: str,
    settings: TrainSettings,
    wanted: Sequence[str],
    init: str | None = None,
    *,
    fresh: bool = False,
    threads: int = 1,
) -> dict[str, Any]:
    """Train the wanted stages and write the model to `out`.

    A killed run continues from its last checkpoint, and a finished stage is not run again. On a CPU, one thread gives
    the same weights in every run. With more threads the order of sums, and so the last digits, differ between runs.

    Args:
        shards: output folder of a build.
        out: folder of the model.
        settings: of the run.
        wanted: stages to train, of TRAIN_STAGES.
        init: BERT checkpoint to start from, a folder or a hub name; None: random weights.
        fresh: whether to delete what an earlier run left in `out`.
        threads: of torch, on a CPU.

    Returns:
        The content of training.json: data, settings, facts of each stage, scores.

    Raises:
        UsageError: no build there, or `out` holds another run and `fresh` is not set.
        CmtpError: a stage cannot learn anything, or its loss is NaN or constant.
    """
    started = time.perf_counter()
    run = train_stages(shards, out, settings, wanted, init, fresh=fresh, threads=threads)
    report: dict[str, Any] = {**run.identity, "stages": run.facts}
    report["held_out"] = held_out_report(shards, settings.eval.split)
    if run.place.first:
        report["scores"] = _evaluate(shards, settings, run.place, list(run.facts))
        report["seconds"] = round(time.perf_counter() - started, 1)
        _publish(Path(out), run.folder, settings, report)
        print(f"the model is in {out}: SentenceTransformer({out!r}) opens it, README.md describes it")
    return report


@dataclass(frozen=True)
class TrainedStages:
    """The result of the stages, before it is scored and published."""

    folder: Path
    """Folder of the last stage's model."""
    facts: dict[str, Any]
    """Steps, seconds, rates and losses of each stage."""
    identity: dict[str, Any]
    """The data, the settings and the start of the run. A run with another identity cannot continue it."""
    place: stages.Place


def train_stages(
    shards: str,
    out: str,
    settings: TrainSettings,
    wanted: Sequence[str],
    init: str | None = None,
    *,
    fresh: bool = False,
    threads: int = 1,
) -> TrainedStages:
    """Train the wanted stages in the work folder of `out`. Arguments and errors as for `train_model`."""
    torch.set_num_threads(threads)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    disable_progress_bars()
    corpus = Corpus(shards, settings.eval.split)
    identity = {
        "data": {"shards": Path(shards).name, "manifest_sha256": manifest_sha256(shards)},
        "settings": settings.model_dump(mode="json"),
        "init": init,
        "cmtp": version("cmtp"),
    }
    target = Path(out)
    place = stages.Place(target / TRAIN_WORK)
    if place.first:
        _claim(target, identity, fresh=fresh)
    _barrier(place)
    current = _prepare(place, corpus, settings, init)
    facts: dict[str, Any] = {}
    for stage in [stage for stage in TRAIN_STAGES if stage in wanted]:
        current, facts[stage] = _stage(stage, current, corpus, settings, place)
    return TrainedStages(current, facts, identity, place)


def _claim(target: Path, identity: dict[str, Any], *, fresh: bool) -> None:
    """Refuse a work folder of another run."""
    work = target / TRAIN_WORK
    if fresh and work.exists():
        shutil.rmtree(work)
    path = work / "identity.json"
    text = json.dumps(identity, ensure_ascii=False, sort_keys=True, indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"{target} holds a run with other data or settings; give another --out, or --fresh to start over"
        )
    if target.exists() and not path.is_file() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty and holds no training run; give another --out")
    work.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        path.write_text(text, encoding="utf-8")


def _prepare(place: stages.Place, corpus: Corpus, settings: TrainSettings, init: str | None) -> Path:
    folder = place.work / "start"
    if place.first and not folder.exists():
        made = place.work / "start.tmp"
        stages.start_model(corpus, settings, init, made)
        stages.replace_folder(made, folder)
    _barrier(place)
    return folder


def _folder(current: Path, stage: str) -> Path:
    """Folder of a stage's model, beside the one it starts from. Its name has a hash of the stages before it."""
    chain = hashlib.sha256(f"{current.name}/{stage}".encode()).hexdigest()[:8]
    return current.parent / f"{stage}-{chain}"


def _stage(
    stage: str, current: Path, corpus: Corpus, settings: TrainSettings, place: stages.Place
) -> tuple[Path, dict[str, Any]]:
    """Train a stage, or use the model that an earlier run trained."""
    folder = _folder(current, stage)
    made = folder.with_suffix(".tmp")
    if folder.exists():
        if place.first:
            print(f"{stage}: done before")
        return folder, json.loads((folder / "facts.json").read_text())
    if stage == "pretrain":
        facts = stages.pretrain(current, made, corpus, settings, place)
    else:
        facts = stages.contrast(stage, current, made, corpus, settings, place)
    if place.first:
        (made / "facts.json").write_text(json.dumps(facts))
        stages.replace_folder(made, folder)
    _barrier(place)
    return folder, facts


def _evaluate(shards: str, settings: TrainSettings, place: stages.Place, done: list[str]) -> dict[str, Any]:
    """Held-out retrieval: BM25, static-zh, the untrained model, the model after each stage."""
    held = settings.eval
    task = retrieval_task(shards, held.split, held.max_queries, held.max_pool)
    print(
        f"held-out retrieval: {len(task.queries):,} queries over {len(task.passages):,} passages, "
        f"{task.held_out:,} of them of held-out documents"
    )
    print(f"{'':<28}{'nDCG@10':>9}{'recall@10':>11}")
    rows = [score_bm25(task), score_static_zh(task), score_folder("untrained", place.work / "start", task, settings)]
    for row in rows:
        print(row.line())
    folder = place.work / "start"
    for stage in done:
        folder = _folder(folder, stage)
        rows.append(score_folder(f"after {stage}", folder, task, settings, instructed=stage == "finetune"))
        print(rows[-1].line(), flush=True)
    with SummaryWriter(str(place.work / "scores")) as board:
        for row in rows:
            board.add_scalar(f"held-out nDCG@10/{row.name}", row.ndcg.mean())
    gain = bootstrap(rows[-1].ndcg, rows[2].ndcg)
    print(f"{rows[-1].name} - untrained: {interval_text(gain)}")
    return {
        "task": {"queries": len(task.queries), "passages": len(task.passages), "held_out": task.held_out},
        "rows": {row.name: {"ndcg@10": _mean(row.ndcg), "recall@10": _mean(row.recall)} for row in rows},
        "gain": {"mean": round(gain.mean, 4), "low": round(gain.low, 4), "high": round(gain.high, 4)},
    }


def _mean(values: np.ndarray) -> float:
    return round(float(values.mean()), 4)


def score_folder(
    name: str, folder: Path, task: RetrievalTask, settings: TrainSettings, *, instructed: bool = False
) -> RetrievalScore:
    """Score the model of a stage on a task. `instructed`: it was trained with the instruction before the queries."""
    model = stages.open_stage_model(folder, settings)
    model.max_seq_length = min(model.max_seq_length or 512, settings.finetune.passage_length)
    prompt = settings.instruction if instructed and settings.finetune.instruction else None
    queries = model.encode(task.queries, prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
    passages = model.encode(task.passages, normalize_embeddings=True, show_progress_bar=False)
    return score_embeddings(name, task, np.asarray(queries), np.asarray(passages))


def _publish(target: Path, current: Path, settings: TrainSettings, report: dict[str, Any]) -> None:
    """Write the model, its card and its report beside the work folder."""
    model: SentenceTransformer = stages.open_stage_model(current, settings)
    model.max_seq_length = min(model.max_seq_length or 512, settings.finetune.passage_length)
    model.save(str(target), create_model_card=False)
    (target / REPORT).write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    (target / "README.md").write_text(make_model_card(report), encoding="utf-8")


def _barrier(place: stages.Place) -> None:
    """Wait for the processes of the other devices."""
    if place.world > 1:
        PartialState(cpu=not torch.cuda.is_available()).wait_for_everyone()
