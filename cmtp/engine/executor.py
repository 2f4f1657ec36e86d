"""Runs tasks: in this process, or in worker processes on one machine.

An executor is given independent tasks and yields a receipt for each one that ends. Another executor, for example one
for a cluster, calls `execute` with each task on whichever machine it chooses.
"""

from __future__ import annotations

import atexit
import errno
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.synchronize import Semaphore
from typing import Any, Protocol

import pyarrow as pa

from cmtp.engine.figures import Figures, from_json, to_json
from cmtp.engine.ledger import Ledger
from cmtp.engine.task import Task
from cmtp.errors import DISK_FULL, CmtpError
from cmtp.registry import Registry
from cmtp.threads import VARIABLES, check_threads, limit_threads

QUEUED_PER_WORKER = 2
"""Tasks handed to the pool ahead of time; the rest wait here, so that a failure stops soon."""

SHOWN_ARGUMENT_CHARS = 200
"""Characters shown of an argument of a task that failed."""


@dataclass(frozen=True)
class Receipt:
    """The record of a finished task.

    Attributes:
        name: of the task, unique in the stage's folder.
        digest: of all that the task was given (`Task.digest`).
        ledger: rows in and out by source, relation and reason.
        rows: rows read.
        bytes: bytes read.
        figures: for the manifest.
        records: rows for later steps or the manifest, as JSON objects.
        seconds: that the task took.
        peak_rss: largest resident set of the process up to the task's end, in bytes.
    """

    name: str
    digest: str
    ledger: Ledger
    rows: int
    bytes: int
    figures: Figures
    records: list[dict[str, Any]]
    seconds: float
    peak_rss: int

    def to_json(self) -> dict[str, Any]:
        """JSON form, as written to the store."""
        return self.__dict__ | {"ledger": self.ledger.to_rows(), "figures": to_json(self.figures)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Receipt:
        """The inverse of `to_json`."""
        made = {"ledger": Ledger.from_rows(value["ledger"]), "figures": from_json(value["figures"])}
        return cls(**(value | made))


class TaskError(CmtpError):
    """A task failed; the message names the task, its inputs and the cause."""


class Executor(Protocol):
    """Runs independent tasks."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Yield a receipt per task, in order of completion. Raises TaskError when one fails."""
        ...


def execute(task: Task) -> Receipt:
    """Run one task and then write its receipt. It is written last, so a receipt means that all outputs are there.

    Raises:
        CmtpError: the numerical libraries of this process may use several threads, and a sum would depend on them.
    """
    check_threads()
    start = time.perf_counter()
    result = task.run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    receipt = Receipt(
        name=task.name,
        digest=task.digest(),
        ledger=result.ledger,
        rows=result.rows,
        bytes=result.bytes,
        figures=result.figures,
        records=result.records,
        seconds=round(time.perf_counter() - start, 4),
        peak_rss=peak,
    )
    task.job.store.write_json(task.receipt, receipt.to_json())
    pa.default_memory_pool().release_unused()  # or a worker holds the most that any of its tasks needed
    return receipt


def finished(task: Task) -> Receipt | None:
    """The receipt of a task that an earlier run finished with the same inputs and settings, if there is one."""
    store = task.job.store
    if not store.exists(task.receipt):
        return None
    receipt = Receipt.from_json(store.read_json(task.receipt))
    return receipt if receipt.digest == task.digest() else None


class SerialExecutor:
    """Runs tasks one after the other in this process."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """See Executor."""
        for task in tasks:
            try:
                yield execute(task)
            except CmtpError:
                raise
            except Exception as error:
                raise _failure(task, error) from error


class ProcessExecutor:
    """Runs tasks in worker processes of this machine, started once and used for all steps."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; tasks not yet started are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _start(self) -> ProcessPoolExecutor:
        """Start all workers now, with one thread each. Hold Ctrl-C back until they can end without a message.

        1. The resource tracker starts first, because Python 3.11 unblocks SIGINT when it starts the tracker. Its
           warning about what it cleans up after a stopped build is switched off.
        2. SIGINT is blocked while the workers are started. They inherit the signal mask, and each needs its parent
           until it has read what to do.
        3. A worker waits for `all_started` before it takes its first task. Otherwise a fast worker could take the tasks
           of those that are not running yet, and the pool would start these later without the signal mask.
        """
        if self._pool is None:
            before = {name: os.environ.get(name) for name in (*VARIABLES, "PYTHONWARNINGS")}
            limit_threads()
            os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
            resource_tracker.ensure_running()
            _restore("PYTHONWARNINGS", before["PYTHONWARNINGS"])
            try:
                with _interrupt_held_back():
                    context = multiprocessing.get_context("spawn")
                    all_started = context.Semaphore(0)
                    self._pool = ProcessPoolExecutor(self.workers, context, _begin_worker, (all_started,))
                    for _ in range(self.workers):
                        self._pool.submit(os.getpid)
                    for _ in range(self.workers):
                        all_started.release()
            finally:
                for name in VARIABLES:
                    _restore(name, before[name])
        return self._pool

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """See Executor."""
        pool = self._start()
        waiting = list(reversed(tasks))
        running: dict[Future[Receipt], Task] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers * QUEUED_PER_WORKER:
                    task = waiting.pop()
                    running[pool.submit(execute, task)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda one: running[one].name):
                    task = running.pop(future)
                    try:
                        yield future.result()
                    except CmtpError:
                        raise
                    except BrokenProcessPool as error:
                        names = ", ".join(sorted({task.name, *(other.name for other in running.values())}))
                        raise TaskError(
                            f"{task.job.folder}: a worker process was killed while it ran one of {names}, most likely "
                            "because memory ran out. Start the same command again with fewer --workers or a lower "
                            "--max-memory: finished tasks are not repeated."
                        ) from error
                    except Exception as error:
                        raise _failure(task, error) from error
        finally:
            for future in running:
                future.cancel()


@contextmanager
def open_local(workers: int) -> Iterator[Executor]:
    """Worker processes of this machine; with one worker, this process."""
    if workers == 1:
        yield SerialExecutor()
    else:
        with ProcessExecutor(workers) as executor:
            yield executor


OpenExecutor = Callable[[int], AbstractContextManager[Executor]]
"""Starts a number of workers, and stops them at the end of the ``with`` block."""

ENGINES: Registry[OpenExecutor] = Registry("engine", "cmtp.executors", {"local": open_local})
"""The executors, by the name that ``--engine`` takes."""


def _failure(task: Task, error: Exception) -> TaskError:
    shown = ", ".join(f"{name}: {_short(value)}" for name, value in task.arguments.items())
    remedy = "Finished tasks are kept; --debug shows the traceback."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        remedy = DISK_FULL
    return TaskError(f"{task.job.folder}/{task.name} ({shown}): {type(error).__name__}: {error}. {remedy}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_ARGUMENT_CHARS else f"{text[:SHOWN_ARGUMENT_CHARS]}…"


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Block SIGINT for processes that are started in the ``with`` block, and handle it at the end of the block.

    The mask alone does not hold the signal back in this process, because another thread may receive it.
    """
    arrived = []
    in_main_thread = threading.current_thread() is threading.main_thread()  # Python calls handlers in no other thread
    handler = signal.signal(signal.SIGINT, lambda number, _: arrived.append(number)) if in_main_thread else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
        if arrived:
            signal.raise_signal(signal.SIGINT)


def _begin_worker(all_started: Semaphore) -> None:
    """Make a worker end at once and without a message: after Ctrl-C, after its parent was killed, and at the end.

    By default it would print a traceback, wait for tasks forever, or take a third of a second to free memory that the
    system frees at once. A file that it was writing has a temporary name.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in worker processes only"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    atexit.register(_leave)
    all_started.acquire()


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
