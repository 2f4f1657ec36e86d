"""How a kernel is declared, and where its compiled form is kept.

Numba keeps compiled kernels on disk and compiles one again when *its own* file has changed. It does not notice a change
in a kernel of another file, although that kernel is compiled into the caller. Then the old code runs without a warning.
So the folder of compiled kernels is named by a digest of all code that kernels depend on: a change means a new folder.

1. Kernel files are the files of this package that import numba or this module.
2. The digest covers them and whatever they import inside the package: kernels they call, constants they freeze.
3. The folder is ``numba-<digest>`` in the first of these that can be written: ``$NUMBA_CACHE_DIR``,
   ``$XDG_CACHE_HOME/cmtp`` (``~/.cache/cmtp``), a temporary folder that goes when this process ends.
4. When a folder is made, folders that no process has begun to use for `UNUSED_DAYS` days are removed.
5. Processes that share a folder write to it one at a time: see `_OneWriter`.

Importing this module does all that and sets ``NUMBA_CACHE_DIR``, which worker processes inherit. Keep kernels in files
that import little: after an edit anywhere in their closure all kernels are compiled again.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from cmtp.engine import code

UNUSED_DAYS: Final = 30
"""Days after which an unused folder is removed. Older code that is checked out later is then compiled again."""

_NAME: Final = re.compile(r"numba-[0-9a-f]{16}")
_DECLARES: Final = re.compile(rf"^\s*(?:from|import)\s+(?:numba|{re.escape(__name__)})\b".encode(), re.MULTILINE)


def kernel_files() -> dict[str, Path]:
    """The files that kernels depend on: those that declare kernels, and their closure, dotted name → source file."""
    modules = code.package_modules(code.PACKAGE)
    return code.closure(name for name, path in modules.items() if _DECLARES.search(path.read_bytes()))


def cache_folder() -> Path:
    """Make the folder of the compiled kernels of this code, or mark it as used; see the module's steps 2 to 4."""
    name = f"numba-{code.digest_of(kernel_files().values())[:16]}"
    for parent in _parents():
        folder = parent / name
        new = not folder.is_dir()
        if _writable(folder):
            if new:
                _sweep(parent)
            return folder
    parent = Path(tempfile.mkdtemp(prefix="cmtp-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    folder = parent / name
    folder.mkdir()
    return folder


def _parents() -> list[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    xdg = os.environ.get("XDG_CACHE_HOME")
    parents = [(Path(xdg) if xdg else Path("~/.cache").expanduser()) / "cmtp"]
    if given:  # by the user, or by the process that started this one
        folder = Path(given).absolute()
        parents.insert(0, folder.parent if _NAME.fullmatch(folder.name) else folder)
    return parents


def _writable(folder: Path) -> bool:
    """Make a folder, mark it as used now, and return whether files can be written and locked there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.utime(folder)
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove folders of other code that no process has begun to use for `UNUSED_DAYS` days."""
    oldest = time.time() - UNUSED_DAYS * 86_400
    for folder in parent.iterdir():
        if _NAME.fullmatch(folder.name) and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)  # another process may remove it too


CACHE: Final = cache_folder()
"""Where this process keeps compiled kernels."""

os.environ["NUMBA_CACHE_DIR"] = str(CACHE)

import numba  # noqa: E402

numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]  # numba may have been imported before

Function = TypeVar("Function", bound=Callable[..., Any])


class _OneWriter:
    """The files of one kernel on disk. One process at a time adds to them.

    Numba reads the kernel's index, takes the next free number for the compiled form, writes the index and then the
    form. Two processes that compile one kernel for different types at the same moment would take the same number. One
    form would replace the other, while the index may still name it by the other's types: a later process would run code
    that was compiled for other types.
    """

    def __init__(self, files: Any) -> None:
        self.load, self.flush = files.load, files.flush
        self._save = files.save

    def save(self, key: Any, data: Any) -> None:
        with (CACHE / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
            self._save(key, data)


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Declare a kernel with further options of `numba.njit`. It is compiled for the types of its first call, kept on
    disk, and runs without the GIL.
    """

    def declare(function: Function) -> Function:
        made = numba.njit(cache=True, nogil=True, **options)(function)
        if made is not function:  # as it is with NUMBA_DISABLE_JIT
            made._cache._cache_file = _OneWriter(made._cache._cache_file)
        return made  # type: ignore[no-any-return]

    return declare


kernel: Final = compiled()
"""Declare a kernel: ``@kernel``."""

inlined: Final = compiled(inline="always")
"""Declare a kernel that is put into its callers before they are optimised, for a few operations in an inner loop."""
