"""Running real builds from tests."""

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from cmtp.cli import _run
from cmtp.engine.plan import WORK

SAMPLE = Path(__file__).parent.parent / "sample_data"


def cli(*arguments, expect=0, cwd="."):
    """Run a command in this process, which spares it the imports; returns (stdout, stderr)."""
    out, err = StringIO(), StringIO()
    argv = mock.patch.object(sys, "argv", ["cmtp", *map(str, arguments)])
    with argv, chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = _run()
    return _checked(code, out.getvalue(), err.getvalue(), expect)


def program(*arguments, expect=0, module=("cmtp",), **options):
    """Run the command line as a process, in a process group of its own; returns (stdout, stderr)."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    out, err = process.communicate()
    return _checked(process.returncode, out, err, expect)


def _checked(code, out, err, expect):
    assert code == expect, f"exit code {code}\n{out}\n{err}"
    return out, err


def stop(signal, event, *arguments):
    """Run the command line and stop it at an event (see tests/stopping.py); returns (stdout, stderr).

    Args:
        signal: INT or KILL.
        event: (module, function, count): the count-th call of the function in the main process.
        arguments: of the command line.
    """
    code = {"INT": 130, "KILL": -9}[signal]
    return program(*arguments, expect=code, module=("tests.stopping", signal, *map(str, event)))


def receipts(shards):
    """The receipts of a build: path → time of writing in ns."""
    paths = Path(shards).glob(f"{WORK}/*/receipts/[!.]*.json")
    return {str(path.relative_to(shards)): path.stat().st_mtime_ns for path in paths}


def published(shards):
    """All files of a build that must not differ between runs: path → bytes."""
    files = {}
    for path in sorted(Path(shards).rglob("*")):
        name = str(path.relative_to(shards))
        if path.is_file() and not name.startswith(WORK) and name != "timings.json":
            files[name] = path.read_bytes()
    return files


def made_once(tmp_path_factory, name, make):
    """A folder that `make` fills, once for all processes that run tests: tests read it and copy it.

    Args:
        tmp_path_factory: pytest's.
        name: of the folder.
        make: is given the path, at which nothing is yet.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            make(folder)
            done.touch()
    return folder
