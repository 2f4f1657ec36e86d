"""Shows the progress of a build on stderr: bars on a terminal, elsewhere a plain line per stage and minute."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cmtp.engine.executor import Receipt

PLAIN_INTERVAL = 60.0
"""Seconds between plain lines."""


class MemoryMeter:
    """Resident memory of this process and its children, sampled twice a second.

    Pages that processes share are counted once per process: the sum is an upper bound.
    """

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin sampling."""
        self._thread.start()

    def stop(self) -> None:
        """End sampling."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.is_set():
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue  # ended after it was listed
            self.now = total
            self.peak = max(self.peak, total)
            self._stop.wait(0.5)


class StageClock:
    """The figures of one stage so far.

    Rows and bytes are those of the first step, which reads the stage's input; later steps read what it wrote.
    """

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.end = self.start
        self.steps = 0
        self.total = 0
        self.done = 0
        self.resumed = 0
        self.rows = 0
        self.bytes = 0
        self.peak = 0

    @property
    def seconds(self) -> float:
        """From the stage's first step to its last finished task."""
        return self.end - self.start

    def describe(self) -> str:
        """Rows, bytes and rate as text."""
        seconds = max(self.seconds, 1e-9)
        parts = [f"{self.rows:,} rows"]
        if self.bytes:
            parts.append(f"{self.bytes / 1e6:,.1f} MB, {self.bytes / 1e6 / seconds:,.1f} MB/s")
        return ", ".join(parts)


class BuildProgress:
    """A Watcher that prints, and keeps the figures for timings.json."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.memory = MemoryMeter()
        self._start = time.perf_counter()
        self.clocks: dict[str, StageClock] = {}
        self._bars: dict[str, TaskID] = {}
        self._last_line = time.perf_counter()
        self._progress: Progress | None = None
        if self.console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description:<10}"),
                BarColumn(bar_width=8),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                console=self.console,
            )

    def __enter__(self) -> Self:
        self.memory.start()
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()
        self.memory.stop()

    def step(self, stage: str, total: int) -> None:
        """See Watcher."""
        clock = self.clocks.get(stage)
        if clock is None:
            clock = self.clocks[stage] = StageClock()
            if self._progress:
                self._bars[stage] = self._progress.add_task(stage, total=0, figures="")
            self._say(f"{stage}: started")
        clock.steps += 1
        clock.total += total
        if self._progress:
            self._progress.update(self._bars[stage], total=clock.total)

    def task(self, stage: str, receipt: Receipt, resumed: bool) -> None:
        """See Watcher."""
        clock = self.clocks[stage]
        clock.done += 1
        clock.end = time.perf_counter()
        clock.peak = max(clock.peak, self.memory.now)
        if resumed:
            clock.resumed += 1
        elif clock.steps == 1:
            clock.rows += receipt.rows
            clock.bytes += receipt.bytes
        if self._progress:
            figures = f"{clock.describe()}, {self.memory.now / 2**30:.1f} GiB"
            self._progress.update(self._bars[stage], advance=1, figures=figures)
        elif time.perf_counter() - self._last_line > PLAIN_INTERVAL:
            self._say(f"{stage}: {clock.done}/{clock.total} tasks, {clock.describe()}")

    def stage_done(self, stage: str, summary: str) -> None:
        """The stage ended; `summary` is its result in a few words."""
        clock = self.clocks[stage]
        clock.end = time.perf_counter()
        again = f", {clock.resumed} of {clock.total} tasks done before" if clock.resumed else ""
        if self._progress:
            figures = f"{summary}, {self.memory.now / 2**30:.1f} GiB"
            self._progress.update(self._bars[stage], completed=clock.total, figures=figures)
        self._say(f"{stage}: {summary} in {clock.seconds:.1f} s ({clock.describe()}{again})")

    def note(self, line: str) -> None:
        """Print a line that a person should read before the build ends."""
        self.console.print(f"note: {line}", markup=False, highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Seconds since the build began."""
        return time.perf_counter() - self._start

    def _say(self, line: str) -> None:
        self._last_line = time.perf_counter()
        if self._progress is None:
            print(f"{time.strftime('%H:%M:%S')} {line}, {self.memory.now / 2**30:.1f} GiB", file=sys.stderr, flush=True)
