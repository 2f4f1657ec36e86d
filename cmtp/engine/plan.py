"""Which stages run, in which folder: fingerprints, and the walk through a stage's steps.

A stage's fingerprint covers its settings, the source code that decides its result, and the fingerprint of the stage
before. It names the stage's folder, so a changed setting leads to new folders from that stage on, and only from there.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cmtp.engine.executor import Executor, Receipt, finished
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store
from cmtp.engine.task import Stage, StageJob, Task

WORK = ".work"
"""Folder of the stage outputs."""


class Watcher(Protocol):
    """What wants to know how a stage gets on."""

    def step(self, stage: str, total: int) -> None:
        """A step with `total` tasks begins."""

    def task(self, stage: str, receipt: Receipt, resumed: bool) -> None:
        """A task ended, or was found finished."""


@dataclass
class StageRun:
    """A stage that ran to its end."""

    name: str
    folder: str
    fingerprint: str
    kept: list[str]
    rejects: list[str]
    ledger: Ledger = field(default_factory=Ledger)
    receipts: list[Receipt] = field(default_factory=list)
    """In order of the tasks."""
    resumed: int = 0
    """Tasks that an earlier run had finished."""


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Hash of the Python and data files of packages and modules, by name and content."""
    digest = hashlib.sha256()
    for module in modules:
        origin = importlib.import_module(module).__file__
        assert origin is not None, f"{module} is a namespace package"
        path = Path(origin)
        files = sorted(path.parent.rglob("*")) if path.name == "__init__.py" else [path]
        for file in files:
            if file.is_file() and file.parent.name != "__pycache__":
                digest.update(f"{module}/{file.relative_to(path.parent).as_posix()}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def fingerprint(stage: Stage, settings: dict[str, Any], reads: Any) -> str:
    """Hash of all that a stage's result depends on; `reads` is any JSON value that identifies its inputs."""
    depends = {"stage": stage.name, "settings": settings, "code": code_digest(stage.code), "reads": reads}
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def folder_of(stage: str, mark: str) -> str:
    """Where the stage of this name and fingerprint works, relative to the store's root."""
    return f"{WORK}/{stage}-{mark[:16]}"


def run_stage(
    stage: Stage, store: Store, inputs: list[str], settings: dict[str, Any], reads: Any, run: Executor, watcher: Watcher
) -> StageRun:
    """Run a stage's steps one after the other, skipping the tasks that an earlier run finished.

    Raises:
        TaskError: a task failed.
        AssertionError: rows in are not kept + rejected (a defect of the stage, never of the input).
    """
    mark = fingerprint(stage, settings, reads)
    folder = folder_of(stage.name, mark)
    job = StageJob(store=store, folder=folder, inputs=inputs, settings=settings)
    done = StageRun(name=stage.name, folder=folder, fingerprint=mark, kept=[], rejects=[])
    for tasks in stage.steps(job):
        watcher.step(stage.name, len(tasks))
        receipts: dict[str, Receipt] = {}
        for receipt, resumed in _run_step(tasks, store, run):
            receipts[receipt.name] = receipt
            done.resumed += resumed
            watcher.task(stage.name, receipt, resumed)
        for task in tasks:
            done.receipts.append(receipts[task.name])
            done.ledger += receipts[task.name].ledger
    problems = done.ledger.imbalance()
    assert not problems, f"the ledger of stage {stage.name} does not balance: {'; '.join(problems)}"
    done.kept = [*store.list(f"{folder}/kept")] if stage.rejects_rows else inputs
    done.rejects = [*store.list(f"{folder}/rejects")]
    return done


def _run_step(tasks: list[Task], store: Store, run: Executor) -> Iterator[tuple[Receipt, bool]]:
    open_tasks = []
    for task in tasks:
        receipt = finished(task, store)
        if receipt is None:
            open_tasks.append(task)
        else:
            yield receipt, True
    for receipt in run.run(open_tasks, store):
        yield receipt, False
