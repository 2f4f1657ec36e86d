"""A build: the stages in their order, from raw files to published tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmtp.dedup.references import resolve
from cmtp.dedup.stage import DedupStage
from cmtp.embed.base import ENCODER_NAMES, is_encoder_name
from cmtp.engine.executor import Executor, ProcessExecutor, SerialExecutor
from cmtp.engine.plan import WORK, StageRun, fingerprint, run_stage
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.engine.task import Stage
from cmtp.errors import CmtpError, UsageError
from cmtp.extract.stage import ExtractStage
from cmtp.filters.stage import FilterStage
from cmtp.mining.stage import MineStage
from cmtp.recipe import Recipe
from cmtp.shards.manifest import make_manifest
from cmtp.shards.publish import is_published, publish
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import verify
from cmtp.similarity.encode import EncodeStage, encode_settings
from cmtp.similarity.stage import SimilarityStage
from cmtp.sources.discover import RawFiles, discover

WORKER_BYTES = 1 << 30
"""Memory a worker may need, measured on builds with the default settings; --max-memory is divided by it."""

EXPLAINED_BY = {
    "extract": "sources",
    "dedup": "dedup.threshold, dedup.max_per_passage or dedup.max_per_query",
    "filter": "filter.language, filter.thresholds or filter.disable",
    "similarity": "similarity.threshold, similarity.shuffled_share or similarity.max_loss",
}
"""The settings that most likely explain a stage that keeps hardly anything, or rejects nothing."""

TOO_MUCH = 0.95
"""Share of rejected rows from which a stage warns."""


@dataclass
class Options:
    """How a build runs; nothing here changes its result.

    Attributes:
        workers: processes; 1 works in this process.
        max_memory: bytes, or None for no bound; lowers the number of workers.
        until: the last stage to run.
        fresh: forget what an earlier run finished.
        strict: stop at the first broken record.
    """

    workers: int = os.cpu_count() or 1
    max_memory: int | None = None
    until: str = "mine"
    fresh: bool = False
    strict: bool = False

    def usable_workers(self) -> int:
        """Workers that fit into the memory given.

        Raises:
            UsageError: not even one does.
        """
        if self.max_memory is None:
            return self.workers
        fit = self.max_memory // WORKER_BYTES
        if fit < 1:
            raise UsageError(f"--max-memory {self.max_memory:,} bytes: one worker may need {WORKER_BYTES:,}")
        return min(self.workers, fit)


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


def plan_stages(files: RawFiles, recipe: Recipe, until: str) -> list[Stage]:
    """The stages up to `until`; encode, which decides nothing, stands before those that read its vectors."""
    stages: list[Stage] = []
    for stage in (ExtractStage(files), DedupStage(), FilterStage(), SimilarityStage(), MineStage()):
        if stage.name == "similarity" or (stage.name == "mine" and recipe.mine.encoder is not None):
            stages.append(EncodeStage())
        stages.append(stage)
        if stage.name == until:
            break
    return stages


def stage_settings(recipe: Recipe, stage: str, strict: bool, encoded: str) -> dict[str, Any]:
    """What the tasks of a stage are given.

    Args:
        recipe: the recipe.
        stage: name of the stage.
        strict: whether extract stops at the first broken record.
        encoded: folder of the last encode stage; empty before the first, which is similarity's.
    """
    if stage == "encode":
        return encode_settings(recipe.mine.encoder if encoded and recipe.mine.encoder else recipe.similarity.encoder)
    settings = recipe.stage_settings(stage)
    if stage == "extract":
        settings["strict"] = strict
    if stage == "dedup":
        settings["references"] = resolve(settings)
    if stage in ("similarity", "mine"):
        settings["encoded"] = encoded
    return settings


def check_encoders(recipe: Recipe) -> None:
    """Refuse encoders that are not known.

    Raises:
        UsageError: naming the setting and the known ones.
    """
    for setting, name in (("similarity.encoder", recipe.similarity.encoder), ("mine.encoder", recipe.mine.encoder)):
        if name is not None and not is_encoder_name(name):
            known = ", ".join(ENCODER_NAMES)
            raise UsageError(f"{setting} = {name!r}: known encoders are {known}, a model's hub name or its folder")


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
    check_encoders(recipe)
    workers = options.usable_workers()
    files = discover(roots, recipe.extract, recipe.sources)
    resolve(recipe.stage_settings("dedup"))  # refused before any work
    store = Store(out)
    with lock(store), open_executor(workers) as executor:
        if options.fresh:
            store.remove(WORK)
        store.sweep("")
        return _run(files, store, recipe, options, executor, progress)


def _run(
    files: RawFiles, store: Store, recipe: Recipe, options: Options, executor: Executor, progress: BuildProgress
) -> Outcome:
    runs: list[StageRun] = []
    # Size and time of change stand for a file's content here; the manifest has a digest of what was read.
    reads: Any = [[file.path, file.source, file.bytes, file.mtime_ns] for file in files]
    inputs: list[str] = []
    used: set[str] = set()
    encoded: list[StageRun] = []
    for stage in plan_stages(files, recipe, options.until):
        settings = stage_settings(recipe, stage.name, options.strict, encoded[-1].folder if encoded else "")
        run = run_stage(stage, store, inputs, settings, reads, executor, progress)
        used.add(run.folder)
        inputs, reads = run.kept, run.fingerprint
        if stage.name == "encode":
            progress.stage_done(stage.name, "vectors written")
            encoded.append(run)
            continue
        progress.stage_done(stage.name, f"{run.ledger.rows_kept:,} of {run.ledger.rows_in:,} rows kept")
        runs.append(run)
    shards = ShardStage(_tables(runs, store))
    settings = recipe.stage_settings("shard")
    reads = [run.fingerprint for run in runs]
    mark = fingerprint(shards, settings, reads)
    if is_published(store, mark):
        return Outcome(store.read_json("manifest.json"), _warnings(files, runs), unchanged=True)
    done = run_stage(shards, store, [], settings, reads, executor, progress)
    manifest = make_manifest(recipe, {file.path: file.source for file in files}, runs, encoded, done)
    publish(store, done.folder, mark, manifest)
    progress.stage_done("shard", f"{manifest['tables']['pairs']['rows']:,} pairs written")
    _forget_stale(store, used)
    problems = verify(store)
    if problems:
        raise CmtpError("the finished build does not verify:\n" + "\n".join(problems))
    timings = _timings(progress)
    store.write_json("timings.json", timings)
    return Outcome(manifest, _warnings(files, runs), timings=timings)


def measure_similarity(raw_or_shards: str, recipe: Recipe, progress: BuildProgress) -> dict[str, Any]:
    """The calibration of a build, by source/relation; of raw text after building it up to the similarity stage.

    Raises:
        UsageError: the build was made with a fixed threshold, or is too small to calibrate.
        CmtpError: as `build`.
    """
    store = Store(raw_or_shards)
    if store.exists("manifest.json"):
        manifest = store.read_json("manifest.json")
    else:
        with tempfile.TemporaryDirectory(prefix="cmtp-calibrate-") as scratch:
            options = Options(until="similarity")
            manifest = build([raw_or_shards], scratch, recipe, options, progress).manifest
    facts = {stage["stage"]: stage["facts"] for stage in manifest["stages"]}
    found: dict[str, Any] = facts.get("similarity", {}).get("calibration", {})
    if not found:
        raise UsageError(
            f"{raw_or_shards}: nothing was calibrated: similarity.threshold was set, the build ended before "
            "similarity, or it has fewer than similarity.min_sample pairs"
        )
    return found


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
        setting = EXPLAINED_BY.get(run.name)
        if setting is None or rows == 0:
            continue
        most = ", ".join(f"{reason} {n:,}" for reason, n in run.ledger.reasons().most_common(3))
        if kept == 0:
            lines.append(f"{run.name} kept none of {rows:,} rows ({most}): look at {setting}")
        elif rows - kept > TOO_MUCH * rows:
            lines.append(f"{run.name} rejected {rows - kept:,} of {rows:,} rows ({most}): look at {setting}")
        elif rows == kept and run.name != "extract":
            lines.append(f"{run.name} rejected none of {rows:,} rows: look at {setting}")
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
    return {"stages": stages, "peak_memory_bytes": progress.memory.peak}


@contextmanager
def open_executor(workers: int) -> Iterator[Executor]:
    """Processes, or this one where one worker will do."""
    if workers == 1:
        yield SerialExecutor()
    else:
        with ProcessExecutor(workers) as executor:
            yield executor


@contextmanager
def lock(store: Store) -> Iterator[None]:
    """Keep a second build out of a local output folder; the system lets go when the process ends, however it ends."""
    if not store.is_local:
        yield
        return
    import fcntl

    path = Path(store.full(WORK))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {store.root}: cannot make the folder: {error.strerror}") from error
    with (path / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"--out {store.root}: another build is writing to this folder") from error
        yield
