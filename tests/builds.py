"""Running real builds from tests."""

import os
import subprocess
import sys
import time
from pathlib import Path

from cmtp.engine.plan import WORK

SAMPLE = Path(__file__).parent.parent / "sample_data"


def start(*arguments, **options):
    """Start the command line in a process group of its own."""
    command = [sys.executable, "-m", "cmtp.cli", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def cli(*arguments, expect=0, **options):
    """Run the command line to its end; returns (stdout, stderr)."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == expect, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def receipts(shards):
    """Receipts there are: path → time of writing in ns."""
    found = {}
    for path in Path(shards).glob(f"{WORK}/*/receipts/[!.]*.json"):
        try:
            found[str(path.relative_to(shards))] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # the build has just cleaned up
    return found


def kill_at(shards, count, *arguments):
    """Start a build and end it with SIGKILL when it has left `count` receipts; returns whether it came to that."""
    process = start(*arguments)
    while process.poll() is None:
        if len(receipts(shards)) >= count:
            os.kill(process.pid, 9)  # the parent alone: its workers have to notice
            process.communicate()
            return True
        time.sleep(0.005)
    process.communicate()
    return False


def published(shards):
    """All files of a build that must not differ between runs: path → bytes."""
    files = {}
    for path in sorted(Path(shards).rglob("*")):
        name = str(path.relative_to(shards))
        if path.is_file() and not name.startswith(WORK) and name != "timings.json":
            files[name] = path.read_bytes()
    return files
