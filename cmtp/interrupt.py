"""Ctrl-C ends a command at once, at any moment after it began, with exit code 130 and one sentence.

Python's own answer to Ctrl-C is an exception at whatever instruction comes next. Inside the locks of
`concurrent.futures` it turns into "release unlocked lock", inside a finalizer it is dropped, during an import it is a
traceback. A build survives a kill at any moment, so nothing has to be unwound, and the process leaves where it stands.

Imports the standard library only, because it is the first thing that a command imports.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

MESSAGE = "cmtp: stopped; the same command continues where it was: finished work is kept\n"

SHOW_CURSOR = "\x1b[?25h\n"
"""Shows the cursor of a terminal again, which progress bars hide."""

_scratch: list[str] = []


def leave_on_interrupt() -> None:
    """Install the handler of SIGINT in this process. Worker processes have their own (`cmtp.engine.executor`)."""
    owner = os.getpid()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if os.getpid() == owner:
            leave()
        os._exit(INTERRUPTED)  # a process that a library forked ends without a message

    signal.signal(signal.SIGINT, handle)


def leave() -> NoReturn:
    """Say that the command was stopped, remove its scratch folders, and end the process."""
    try:
        text = SHOW_CURSOR + MESSAGE if os.isatty(2) else MESSAGE
        os.write(2, text.encode())  # not sys.stderr, because the signal may have come while its buffer was written
        while _scratch:
            shutil.rmtree(_scratch.pop(), ignore_errors=True)
    finally:
        os._exit(INTERRUPTED)


@contextmanager
def scratch_folder(prefix: str) -> Iterator[str]:
    """A temporary folder that is removed at the end of the block, and when Ctrl-C ends the command."""
    folder = tempfile.mkdtemp(prefix=prefix)
    _scratch.append(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder in _scratch:
            _scratch.remove(folder)
