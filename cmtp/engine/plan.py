"""The folder that a stage works in, and the run through its steps.

A stage's fingerprint covers its settings, the code and the libraries that decide its result, and the fingerprint of the
stage before. It names the stage's folder, so a changed setting leads to new folders from that stage on, and only from
there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from cmtp.engine.code import code_digest, libraries
from cmtp.engine.executor import Executor, Receipt, finished
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job, S, Task

WORK = ".work"
"""Folder of the stage outputs."""


class Watcher(Protocol):
    """Is called whenever a stage makes progress."""

    def step(self, stage: str, tasks: int) -> None:
        """A step with this number of tasks begins."""

    def task(self, stage: str, receipt: Receipt, resumed: bool) -> None:
        """A task ended. `resumed`: an earlier run had finished it."""


class Silent:
    """A Watcher that says nothing."""

    def step(self, stage: str, tasks: int) -> None:
        """See Watcher."""

    def task(self, stage: str, receipt: Receipt, resumed: bool) -> None:
        """See Watcher."""


def place(stage: Stage[S], settings: S, input_fingerprint: Any, prefix: str | None = None) -> StageFolder:
    """Where a stage works: its folder is named by the fingerprint of all that its result depends on.

    Args:
        stage: the stage; its code is its module and all that the module imports from the package.
        settings: the settings of its tasks.
        input_fingerprint: a JSON value that changes when the stage's input changes.
        prefix: begins the folder's name; None: the stage's name.
    """
    module = (type(stage).__module__,)
    depends = {
        "stage": stage.name,
        "settings": settings.model_dump(mode="json"),
        "code": code_digest(module),
        "libraries": libraries(module),
        "reads": input_fingerprint,
    }
    fingerprint = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    folder = f"{WORK}/{prefix or stage.name}-{fingerprint[:16]}"
    return StageFolder(folder, fingerprint, input_fingerprint, f"{folder}/rejects")


def run_stage(
    stage: Stage[S],
    job: Job[S],
    inputs: Sequence[str],
    *,
    fingerprint: str,
    executor: Executor,
    watcher: Watcher | None = None,
) -> StageRun:
    """Run a stage's steps one after the other, skipping the tasks that an earlier run finished.

    Args:
        stage: the stage.
        job: where it works, with which settings.
        inputs: paths of the partitions that it reads.
        fingerprint: see `place`.
        executor: runs the tasks.
        watcher: is called for every step and task; None: nothing is called.

    Raises:
        TaskError: a task failed.
        AssertionError: rows in are not kept + rejected (a defect of the stage, never of the input).
    """
    watcher = watcher or Silent()
    run = StageRun(stage, job.store, job.folder, fingerprint, kept=[], rejects=[])
    for tasks in stage.steps(job, [*inputs]):
        watcher.step(stage.name, len(tasks))
        receipts: dict[str, Receipt] = {}
        for receipt, resumed in _run_step(tasks, executor):
            receipts[receipt.name] = receipt
            run.resumed += resumed
            watcher.task(stage.name, receipt, resumed)
        for one in tasks:
            run.receipts.append(receipts[one.name])
            run.ledger += receipts[one.name].ledger
    problems = run.ledger.imbalance()
    assert not problems, f"the ledger of stage {stage.name} does not balance: {'; '.join(problems)}"
    run.kept = [*job.store.list(job.path("kept"))] if stage.writes_rows else [*inputs]
    run.rejects = [*job.store.list(job.path("rejects"))]
    return run


def run_alone(
    stage: Stage[S],
    store: Store,
    settings: S,
    inputs: Sequence[str],
    *,
    input_fingerprint: Any,
    executor: Executor,
    watcher: Watcher | None = None,
) -> StageRun:
    """Run one stage by itself in the folder that its fingerprint names. Arguments: see `place` and `run_stage`."""
    at = place(stage, settings, input_fingerprint)
    job = Job(store, at.folder, settings)
    return run_stage(stage, job, inputs, fingerprint=at.fingerprint, executor=executor, watcher=watcher)


def _run_step(tasks: list[Task], executor: Executor) -> Iterator[tuple[Receipt, bool]]:
    open_tasks = []
    for task in tasks:
        receipt = finished(task)
        if receipt is None:
            open_tasks.append(task)
        else:
            yield receipt, True
    for receipt in executor.run(open_tasks):
        yield receipt, False
