"""Running real builds from tests."""

import subprocess
import sys
from pathlib import Path

from cmtp.engine.plan import WORK

SAMPLE = Path(__file__).parent.parent / "sample_data"


def start(*arguments, module=("cmtp",), **options):
    """Start the command line in a process group of its own."""
    command = [sys.executable, "-m", *module, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def cli(*arguments, expect=0, **options):
    """Run the command line to its end; returns (stdout, stderr)."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == expect, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def stop(signal, event, *arguments):
    """Run the command line and stop it at an event (see tests/stopping.py); returns (stdout, stderr).

    Args:
        signal: INT or KILL.
        event: (module, function, count): the count-th call of the function in the main process.
        arguments: of the command line.
    """
    code = {"INT": 130, "KILL": -9}[signal]
    return cli(*arguments, expect=code, module=("tests.stopping", signal, *map(str, event)))


def receipts(shards):
    """Receipts there are: path → time of writing in ns."""
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
