"""A build: the stages in their order, from raw files to published tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cmtp.device import gpus
from cmtp.encoders.registry import encoder_card
from cmtp.engine.executor import Executor, ProcessExecutor, SerialExecutor
from cmtp.engine.plan import WORK, StageRun, fingerprint, run_stage
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.engine.task import Stage
from cmtp.errors import CmtpError
from cmtp.folders import forget, lock
from cmtp.mining.shortfall import shortfall
from cmtp.planning import Options, Plan, make_plan
from cmtp.recipe import Recipe
from cmtp.shards.manifest import make_manifest, merge_facts
from cmtp.shards.publish import is_published, publish
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import verify
from cmtp.sources.discover import RawFiles

EXPLAINED_BY = {
    "dedup": "dedup.threshold, dedup.max_per_passage or dedup.max_per_query",
    "filter": "filter.language, filter.thresholds or filter.disable",
    "similarity": "similarity.threshold, similarity.shuffled_share or similarity.max_loss",
}
"""The settings that most likely explain a stage that keeps hardly anything, or rejects nothing."""

EXTRACT_EXPLAINED_BY = {
    "unknown_layout": "sources, where a recipe says which field is the query and which the passage",
    "unsupported_format": "the formats that `cmtp sources` lists",
}
"""The same for extract, by its most frequent reason; for the others the rows themselves say what is wrong."""

TOO_MUCH = 0.95
"""Share of rejected rows from which a stage warns."""


@dataclass
class Outcome:
    """What a build came to.

    Attributes:
        manifest: as written.
        warnings: what a person should look at.
        unchanged: True when the output folder held this very build already.
        timings: as written to timings.json; empty when unchanged.
    """

    manifest: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    unchanged: bool = False
    timings: dict[str, Any] = field(default_factory=dict)


def build(roots: list[str], out: str, recipe: Recipe, options: Options, progress: BuildProgress) -> Outcome:
    """Build the shards.

    Args:
        roots: folders or files of raw text.
        out: output folder, a path or an fsspec URL.
        recipe: the settings.
        options: how to run.
        progress: told of every task; its figures go to timings.json.

    Raises:
        UsageError: unusable sources or settings, before any work.
        CmtpError: a task failed, or the result does not verify.
    """
    plan = make_plan(roots, out, recipe, options)
    for note in plan.notes:
        progress.note(note)
    store = Store(out)
    workers = options.usable_workers()
    with lock(store), open_executor(workers) as executor:
        if options.fresh:
            forget(store)
        store.sweep("")
        return _run(plan, store, recipe, executor, workers, progress)


def _run(
    plan: Plan, store: Store, recipe: Recipe, executor: Executor, workers: int, progress: BuildProgress
) -> Outcome:
    runs: list[StageRun] = []
    inputs: list[str] = []
    encoded: list[StageRun] = []
    for planned in plan.stages:
        with gpu_executor(planned.stage, planned.settings, executor, workers) as fitting:
            run = run_stage(planned.stage, store, inputs, planned.settings, planned.reads, fitting, progress)
        inputs = run.kept
        if run.name == "encode":
            progress.stage_done(run.name, "vectors written")
            encoded.append(run)
            continue
        progress.stage_done(run.name, f"{run.ledger.rows_kept:,} of {run.ledger.rows_in:,} rows kept")
        runs.append(run)
    shards = ShardStage(_tables(runs, store))
    settings = recipe.stage_settings("shard")
    if any(run.name == "eval" for run in runs):  # pretrain/ is made from the rows before that stage
        settings["held_out"] = recipe.eval.model_dump(mode="json")
    reads = [run.fingerprint for run in runs]
    mark = fingerprint(shards, settings, reads)
    warnings = [*plan.notes, *_warnings(plan.files, runs)]
    if is_published(store, mark):
        return Outcome(store.read_json("manifest.json"), warnings, unchanged=True)
    done = run_stage(shards, store, [], settings, reads, executor, progress)
    manifest = make_manifest(recipe, {file.path: file.source for file in plan.files}, runs, encoded, done)
    publish(store, done.folder, mark, manifest)
    progress.stage_done("shard", f"{manifest['tables']['pairs']['rows']:,} pairs written")
    _forget_stale(store, {planned.folder for planned in plan.stages} | {plan.vectors})
    problems = verify(store)
    if problems:
        raise CmtpError("the finished build does not verify:\n" + "\n".join(problems))
    timings = _timings(progress)
    store.write_json("timings.json", timings)
    return Outcome(manifest, warnings, timings=timings)


def _tables(runs: list[StageRun], store: Store) -> list[TableInput]:
    tables = [TableInput("pairs", runs[-1].kept)]
    for run in runs:
        if run.name == "filter":
            tables.append(TableInput("pretrain", run.kept))
        if run.name == "mine":
            tables.append(TableInput("finetune", [*store.list(f"{run.folder}/finetune")]))
        elif run.rejects:
            tables.append(TableInput(f"rejects/{run.name}", run.rejects))
    return tables


def _warnings(files: RawFiles, runs: list[StageRun]) -> list[str]:
    """Files that were not read; stages that keep nothing, reject nearly everything, or nothing at all."""
    lines = []
    if files.passed_over:
        some = ", ".join(files.passed_over[:3]) + (" …" if len(files.passed_over) > 3 else "")
        lines.append(f"{len(files.passed_over):,} hidden or special files were passed over: {some}")
    for run in runs:
        rows, kept = run.ledger.rows_in, run.ledger.rows_kept
        reasons = run.ledger.reasons().most_common(3)
        setting = EXPLAINED_BY.get(run.name)
        if run.name == "extract" and reasons:
            setting = EXTRACT_EXPLAINED_BY.get(reasons[0][0], "the rows of rejects/extract")
        if setting is None or rows == 0:
            continue
        most = ", ".join(f"{reason} {n:,}" for reason, n in reasons)
        if kept == 0:
            lines.append(f"{run.name} kept none of {rows:,} rows ({most}): look at {setting}")
        elif rows - kept > TOO_MUCH * rows:
            lines.append(f"{run.name} rejected {rows - kept:,} of {rows:,} rows ({most}): look at {setting}")
        elif rows == kept:
            lines.append(f"{run.name} rejected none of {rows:,} rows: look at {setting}")
    lines += [line for run in runs if (line := shortfall(merge_facts(run.receipts))) is not None]
    return lines


def _forget_stale(store: Store, used: set[str]) -> None:
    """Delete stage folders of other settings, and the shard stage's: its tables are in place now."""
    for name in store.folders(WORK):
        if f"{WORK}/{name}" not in used:
            store.remove(f"{WORK}/{name}")


def _timings(progress: BuildProgress) -> dict[str, Any]:
    stages = {
        name: {
            "seconds": round(clock.seconds, 2),
            "rows": clock.rows,
            "rows_per_second": round(clock.rows / max(clock.seconds, 1e-9)),
            "bytes": clock.bytes,
            "tasks": clock.total,
            "tasks_resumed": clock.resumed,
            "peak_memory_bytes": clock.peak,
        }
        for name, clock in progress.clocks.items()
    }
    return {"stages": stages, "seconds": round(progress.seconds, 2), "peak_memory_bytes": progress.memory.peak}


@contextmanager
def open_executor(workers: int) -> Iterator[Executor]:
    """Processes, or this one where one worker will do."""
    if workers == 1:
        yield SerialExecutor()
    else:
        with ProcessExecutor(workers) as executor:
            yield executor


@contextmanager
def gpu_executor(stage: Stage, settings: dict[str, Any], executor: Executor, workers: int) -> Iterator[Executor]:
    """One process per GPU for a stage whose encoder computes there: a second model beside the first gains nothing."""
    encodes = stage.name == "encode" or settings.get("cascade") is not None
    if encodes and encoder_card(settings["encoder"]).on_gpu and 0 < gpus() < workers:
        with open_executor(gpus()) as few:
            yield few
        return
    yield executor
