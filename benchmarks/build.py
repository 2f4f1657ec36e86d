"""Times a whole build: python -m benchmarks.build RAW [SHARDS]. Prints a table per stage and writes nothing else.

RAW is any folder of raw text. SHARDS is a scratch folder; it is emptied first.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import psutil


def main() -> None:
    """Build from nothing, then again with another similarity threshold."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    raw = sys.argv[1]
    out = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="cmtp-bench-"))
    shutil.rmtree(out, ignore_errors=True)
    size = sum(path.stat().st_size for path in Path(raw).rglob("*") if path.is_file())
    memory = psutil.virtual_memory().total / 2**30
    print(
        f"{date.today()}, {platform.machine()}, {psutil.cpu_count()} cores, {memory:.0f} GiB; {size / 1e6:.0f} MB raw\n"
    )
    print("| run | stage | seconds | rows read | rows/s | peak memory GiB |")
    print("|---|---|---:|---:|---:|---:|")
    for name, more in (("from nothing", []), ("other threshold", ["--set", "similarity.threshold=0.2"])):
        start = time.perf_counter()
        command = [sys.executable, "-m", "cmtp.cli", "build", "--source", raw, "--out", str(out), *more]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - start
        timings = json.loads((out / "timings.json").read_text())
        for stage, row in timings["stages"].items():
            peak = row["peak_memory_bytes"] / 2**30
            print(
                f"| {name} | {stage} | {row['seconds']} | {row['rows']:,} | {row['rows_per_second']:,} | {peak:.2f} |"
            )
        print(f"| {name} | all | {wall:.1f} | | | {timings['peak_memory_bytes'] / 2**30:.2f} |")


if __name__ == "__main__":
    main()
