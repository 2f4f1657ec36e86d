"""A build: the stages in their order, from raw files to published tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cmtp.engine.executor import ENGINES, Executor
from cmtp.engine.plan import WORK, place, run_stage
from cmtp.engine.progress import BuildProgress
from cmtp.engine.stage import StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.errors import CmtpError
from cmtp.folders import forget, lock
from cmtp.planning import Options, Plan, PlannedStage, make_plan
from cmtp.settings import RecipeBase
from cmtp.shards.manifest import make_manifest
from cmtp.shards.publish import is_published, publish
from cmtp.shards.stage import ShardStage, TableInput
from cmtp.shards.verify import verify
from cmtp.sources.discover import RawFiles


@dataclass
class Outcome:
    """The result of a build.

    Attributes:
        manifest: as written.
        warnings: lines about what looks wrong in the input or the result.
        unchanged: whether the output folder held this very build already, so that nothing was written.
        timings: as written to timings.json; empty when unchanged.
    """

    manifest: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    unchanged: bool = False
    timings: dict[str, Any] = field(default_factory=dict)


def build(roots: list[str], out: str, recipe: RecipeBase, options: Options, progress: BuildProgress) -> Outcome:
    """Build the shards.

    Args:
        roots: folders or files of raw text.
        out: output folder, a path or an fsspec URL.
        recipe: the settings.
        options: how to run.
        progress: shows every task; its figures go to timings.json.

    Raises:
        UsageError: unusable sources or settings, before any work.
        CmtpError: a task failed, or the result does not verify.
    """
    plan = make_plan(roots, out, recipe, options)
    for note in plan.notes:
        progress.note(note)
    store = Store(out)
    with lock(store), open_workers(options) as workers:
        if options.fresh:
            forget(store)
        store.sweep("")
        runs = run_stages(plan.stages, store, [], workers, progress)
        return _publish(plan, store, recipe, runs, workers, progress)


class Workers:
    """Worker processes for a run of stages.

    Attributes:
        count: number of processes.
        engine: name of what runs tasks, see `cmtp.engine.executor.ENGINES`.
    """

    def __init__(self, count: int, engine: str, executor: Executor) -> None:
        self.count = count
        self.engine = engine
        self._executor = executor

    @contextmanager
    def at_most(self, processes: int | None) -> Iterator[Executor]:
        """Yield an executor of at most `processes` processes; None: of all workers."""
        if processes is None or processes >= self.count:
            yield self._executor
        else:
            with ENGINES.get(self.engine)(processes) as few:
                yield few


@contextmanager
def open_workers(options: Options) -> Iterator[Workers]:
    """Start the workers that the options ask for.

    Raises:
        UsageError: the engine is unknown, or the memory given is too small for one worker.
    """
    count = options.usable_workers()
    with ENGINES.get(options.engine)(count) as executor:
        yield Workers(count, options.engine, executor)


def run_stages(
    stages: Sequence[PlannedStage], store: Store, inputs: list[str], workers: Workers, progress: BuildProgress
) -> list[StageRun]:
    """Run stages in order. The first reads the partitions `inputs`, each other one those that the stage before kept."""
    runs: list[StageRun] = []
    for planned in stages:
        stage, folder = planned.stage, planned.place
        job = Job(store, folder.folder, planned.settings)
        with workers.at_most(stage.processes(planned.settings)) as executor:
            run = run_stage(stage, job, inputs, fingerprint=folder.fingerprint, executor=executor, watcher=progress)
        inputs = run.kept
        progress.stage_done(run.name, stage.summary(run))
        runs.append(run)
    return runs


def write_tables(
    last: PlannedStage,
    tables: Sequence[TableInput],
    store: Store,
    *,
    content: Any,
    workers: Workers,
    progress: BuildProgress,
) -> StageRun:
    """Run the stage that writes the final tables.

    Args:
        last: that stage, planned before its tables were known.
        tables: the tables, and the partitions that each is made of.
        store: the files of the build.
        content: a JSON value that changes when the content of the tables changes.
        workers: run the tasks.
        progress: shows every task.
    """
    stage = ShardStage(tables)
    folder = place(stage, last.settings, content)
    job = Job(store, folder.folder, last.settings)
    with workers.at_most(None) as executor:
        return run_stage(stage, job, [], fingerprint=folder.fingerprint, executor=executor, watcher=progress)


def _publish(
    plan: Plan, store: Store, recipe: RecipeBase, runs: list[StageRun], workers: Workers, progress: BuildProgress
) -> Outcome:
    deciding = [run for run in runs if run.stage.decides]
    tables = final_tables(runs)
    content = [run.fingerprint for run in deciding]
    fingerprint = place(ShardStage(tables), plan.last.settings, content).fingerprint
    warnings = [*plan.notes, *_passed_over(plan.files)]
    warnings += [line for run in runs if (line := run.stage.warning(run)) is not None]
    if is_published(store, fingerprint):
        return Outcome(store.read_json("manifest.json"), warnings, unchanged=True)
    done = write_tables(plan.last, tables, store, content=content, workers=workers, progress=progress)
    warnings += [line] if (line := done.stage.warning(done)) is not None else []
    manifest = make_manifest(recipe, {file.path: file.source for file in plan.files}, runs, done)
    publish(store, done.folder, fingerprint, manifest)
    progress.stage_done(done.name, f"{manifest['tables']['pairs']['rows']:,} pairs written")
    _forget_stale(store, plan)
    problems = verify(store)
    if problems:
        raise CmtpError("the finished build does not verify:\n" + "\n".join(problems))
    timings = _timings(progress)
    store.write_json("timings.json", timings)
    return Outcome(manifest, warnings, timings=timings)


def final_tables(runs: Sequence[StageRun]) -> list[TableInput]:
    """The tables of all stages, and ``pairs``: the rows that the last stage kept."""
    tables = [TableInput("pairs", runs[-1].kept)]
    for run in runs:
        tables += [TableInput(name, parts) for name, parts in run.stage.tables(run).items()]
    return tables


def _passed_over(files: RawFiles) -> list[str]:
    """A line about the files that were not read, if there are any."""
    if not files.passed_over:
        return []
    some = ", ".join(files.passed_over[:3]) + (" …" if len(files.passed_over) > 3 else "")
    return [f"{len(files.passed_over):,} hidden or special files were passed over: {some}"]


def _forget_stale(store: Store, plan: Plan) -> None:
    """Delete the folders of stages that ran with other settings, and that of the last stage, now published."""
    used = {planned.place.folder for planned in plan.stages}
    for planned in plan.stages:
        used |= planned.stage.keeps(planned.settings)
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
