"""Times dedup by size: time, memory and recall of the stage from 10^5 rows on, and on rows that share a paragraph."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.dedup_data import boilerplate, make
from benchmarks.loglog import Panel, at, svg
from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.stage import DedupStage, dedup_work
from cmtp.engine import plan as engine
from cmtp.engine.executor import ProcessExecutor
from cmtp.engine.figures import plain_values
from cmtp.engine.store import Store
from cmtp.engine.task import Job

JACCARD_ALONE = {"number_chars": 0, "same_amounts": 0, "same_subject": False}
"""Settings with which similarity alone decides, as it does in the known truth."""


@dataclass
class Run:
    """The result of one run of the stage."""

    kept: list[str]
    """The partitions that it kept."""
    rejects: list[str]
    """The partitions that it rejected."""
    seconds: float
    cpu: float
    """Processor seconds of this process and its workers. Other work on the machine hardly changes them."""
    peak: int
    """Largest resident set of all processes together, in bytes."""
    figures: dict[str, Any]


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """A list with one entry: the largest resident set of this process and its children so far, in bytes."""
    peak, stop = [0], threading.Event()
    me = psutil.Process()

    def watch() -> None:
        while not stop.wait(0.1):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield peak
    stop.set()
    thread.join()


def cpu_seconds() -> float:
    """Processor seconds so far of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def run_stage(store: Store, inputs: list[str], workers: int, **settings: Any) -> Run:
    """Run the stage from Parquet to verdicts, the start of the workers included."""
    job = Job(store, "dedup", dedup_work(DedupSettings(**settings), seed=42))
    start, busy = time.perf_counter(), cpu_seconds()
    with peak_memory() as peak, ProcessExecutor(workers) as executor:
        run = engine.run_stage(DedupStage(), job, inputs, fingerprint="", executor=executor)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - busy
    return Run(run.kept, run.rejects, seconds, cpu, peak[0], plain_values(run.figures))


def kept_rows(run: Run, store: Store) -> np.ndarray:
    """The numbers of the kept rows, sorted."""
    origins = pa.concat_tables(store.read_table(path, ["origin"]) for path in run.kept)["origin"].to_pylist()
    return np.sort(np.array([int(origin.split("#")[1]) - 1 for origin in origins], np.int64))


def scaling(texts: list[str], sizes: list[int], workers: int, scratch: str | None, chart: str | None) -> list[str]:
    """One line of a table per size; `chart`: SVG file to draw time and memory in."""
    busy, memory = [], []
    head = "| rows | text, GB | seconds | processor s | rows/s | peak memory, GiB | known pairs | recall | kept |"
    lines = ["## By size: real, re-dealt and perturbed passages", "", head, "|---" * 9 + "|"]
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            files, truth = make(texts, size, folder, workers)
            store = Store(folder)
            run = run_stage(store, files, workers, **JACCARD_ALONE)
            kept = kept_rows(run, store)
            both = np.isin(truth, kept).all(axis=1)
            gigabytes = sum(store.read_table(one, ["passage"]).nbytes for one in files) / 1e9
        lines.append(
            f"| {size:,} | {gigabytes:.2f} | {run.seconds:.1f} | {run.cpu:.1f} | {size / run.seconds:,.0f} "
            f"| {run.peak / 2**30:.2f} | {len(truth):,} | {1 - both.mean():.4f} | {len(kept):,} |"
        )
        busy.append((float(size), run.cpu))
        memory.append((float(size), run.peak / 2**30))
    if chart:
        panels = [Panel("processor seconds", busy, 1e8, "s"), Panel("peak memory, GiB", memory, 1e8, "GiB")]
        Path(chart).write_text(svg(panels), encoding="utf-8")
        lines += ["", f"![processor seconds and peak memory by rows]({Path(chart).name})"]
    if len(sizes) > 1:
        hours, gigabytes = at(busy, 1e8) / 3600, at(memory, 1e8)
        lines += ["", f"The last two points lead to {hours:.1f} processor hours and {gigabytes:.1f} GiB for 10^8 rows."]
    return lines


def pathological(sizes: list[int], workers: int, scratch: str | None) -> list[str]:
    """One line of a table per kind of shared paragraph and size."""
    lines = ["## Rows that share a paragraph of 300 characters", ""]
    lines += [
        "| rows share a paragraph | rows | seconds | processor s | peak memory, GiB | comparisons | kept |",
        "|---" * 7 + "|",
    ]
    for kind in ("identical", "one word", "boilerplate .7", "boilerplate .5"):
        for size in sizes:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                store = Store(folder)
                run = run_stage(store, boilerplate(size, folder, kind), workers)
                kept = kept_rows(run, store)
            lines.append(
                f"| {kind} | {size:,} | {run.seconds:.1f} | {run.cpu:.1f} | {run.peak / 2**30:.2f} "
                f"| {run.figures.get('comparisons', 0):,} | {len(kept):,} |"
            )
    return lines
