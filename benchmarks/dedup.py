"""Compares dedup with brute force and with other tools, and times it by size, on passages of your own.

    python -m benchmarks.dedup 'SHARDS/.work/extract-*/kept/*.parquet' [--write benchmarks/dedup.md] [--only quality]

Parts: signatures (MB/s from strings), quality (recall and precision against brute-force Jaccard), stage (Parquet in,
verdicts out), pathological (rows that share a paragraph), scaling (10^5, 10^6, … rows). Tools that are not installed
are skipped; a line says which.
"""

from __future__ import annotations

import argparse
import glob
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from benchmarks.dedup_data import make, perturb, table
from benchmarks.dedup_peers import DROPS, SKETCHES, drops, installed
from benchmarks.dedup_scale import JACCARD_ALONE, pathological, run_stage, scaling
from cmtp.dedup.candidates import cut_of
from cmtp.dedup.minhash import band_keys, signatures
from cmtp.dedup.settings import DedupSettings
from cmtp.engine.store import Store
from cmtp.text.compare import comparison_form, fold
from cmtp.text.ngrams import shingle_sets

BATCH = 25_000
SETTINGS = DedupSettings()
PARTS = ("signatures", "quality", "stage", "pathological", "scaling")


def read(paths: list[str]) -> list[str]:
    """The distinct passages of some pair files."""
    columns = [pq.read_table(path, columns=["passage"])["passage"] for path in paths]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks]).unique().to_pylist()


def ours(texts: pa.Array) -> None:
    for start in range(0, len(texts), BATCH):
        signatures(fold(texts.slice(start, BATCH)), SETTINGS.permutations, SETTINGS.shingle, 42)


def megabytes(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def fastest(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of some runs."""
    best = float("inf")
    for _ in range(repeats):
        start = clock()
        work()
        best = min(best, clock() - start)
    return best


def signature_rates(texts: list[str], workers: int) -> list[str]:
    column, size = pa.array(texts, pa.large_string()), megabytes(texts)
    ours(column[:100])
    one, alone = (size / fastest(lambda: ours(column), 5, clock) for clock in (time.perf_counter, time.process_time))
    parts = [column[start : start + BATCH] for start in range(0, len(column), BATCH)]
    with ThreadPoolExecutor(workers) as pool:  # the kernels run without Python's lock
        two = size / fastest(lambda: list(pool.map(ours, parts)), 5)
    lines = [
        "## Signatures from strings, 128 permutations, character 5-grams",
        "",
        "| tool | cores | MB/s | MB per processor second | cmtp is |",
        "|---" * 5 + "|",
        f"| cmtp, comparison form included | 1 | {one:.1f} | {alone:.1f} | |",
        f"| cmtp, comparison form included | {workers} | {two:.1f} | | |",
    ]
    for name, sketch in SKETCHES.items():
        if not installed(name):
            lines.append(f"| {name} | | skipped: not installed | | |")
            continue
        some = texts[:: 20 if name == "rensa" else 400]
        rate, busy = (
            megabytes(some) / fastest(lambda sketch=sketch, some=some: [sketch(text) for text in some], 2, clock)
            for clock in (time.perf_counter, time.process_time)
        )
        lines.append(f"| {name}, with its shingling | 1 | {rate:.2f} | {busy:.2f} | {alone / busy:.0f} × as fast |")
    return lines


def similar_pairs(texts: list[str], threshold: float) -> np.ndarray:
    """All pairs of rows with at least this Jaccard similarity, int64 [:, 2]. A sparse product compares every pair."""
    shingles, starts = shingle_sets(fold(pa.array(texts)), SETTINGS.shingle)
    _, column = np.unique(shingles, return_inverse=True)
    matrix = sp.csr_matrix((np.ones(len(column), np.int32), column, starts), shape=(len(texts), int(column.max()) + 1))
    sizes = np.diff(starts)
    found = []
    for start in range(0, len(texts), 1000):
        met = (matrix[start : start + 1000] @ matrix.T).tocoo()
        a, b = met.row.astype(np.int64) + start, met.col.astype(np.int64)
        alike = (a < b) & (met.data >= threshold * (sizes[a] + sizes[b] - met.data) - 1e-9)
        found.append(np.stack([a[alike], b[alike]], axis=1))
    return np.concatenate(found)


def scores(dropped: set[int], alike: np.ndarray, rows: int) -> tuple[float, float]:
    """Recall: share of similar pairs with a dropped row. Precision: share of dropped rows similar to a kept one."""
    gone = np.zeros(rows, bool)
    gone[list(dropped)] = True
    recall = float(1 - (~gone[alike]).all(axis=1).mean())
    right = np.zeros(rows, bool)
    for one, other in (alike.T, alike.T[::-1]):
        right[one[~gone[other]]] = True
    return recall, float(right[gone].mean())


def quality_rows(texts: list[str], rows: int) -> list[str]:
    """Half real passages, half perturbations of them, in the order in which copies are kept."""
    generator = random.Random(42)
    sample = [text for text in generator.sample(texts, min(rows // 2, len(texts))) if comparison_form(text)]
    pool = "".join(sample[:200])
    sample += [perturb(generator, text, pool) for text in sample]
    # no exact copies, and all queries and documents differ, so that Jaccard similarity alone decides
    sample = list({comparison_form(text): text for text in sample}.values())
    return sorted(sample, key=lambda text: (-len(comparison_form(text)), text))


def quality(texts: list[str], rows: int, workers: int) -> list[str]:
    sample = quality_rows(texts, rows)
    alike = similar_pairs(sample, SETTINGS.threshold)
    signature = signatures(fold(pa.array(sample)), SETTINGS.permutations, SETTINGS.shingle, 42)
    keys = band_keys(signature, *cut_of(SETTINGS))
    candidates = np.mean([(keys[a] == keys[b]).any() for a, b in alike])
    short = sum(len(comparison_form(text)) <= 12 for text in sample)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        store.write_table("in.parquet", table(list(range(len(sample))), sample))
        run = run_stage(store, ["in.parquet"], workers, **JACCARD_ALONE)
        rejects = store.read_table(run.rejects[0], columns=["origin"])["origin"].to_pylist()
    results = {"cmtp": ({int(origin.split("#")[1]) - 1 for origin in rejects}, run.seconds)}
    results |= {name: drops(name, sample, SETTINGS.threshold) for name in DROPS if installed(name)}
    lines = [
        f"## Against brute force: {len(sample):,} passages, {len(alike):,} pairs of Jaccard ≥ {SETTINGS.threshold}",
        "",
        f"Half of the passages are real, half are perturbed copies; {short:,} have at most 12 characters.",
        "All pairs were compared. *Recall* is the share of similar pairs of which not both were kept,",
        "*precision* the share of dropped rows that resemble a kept row.",
        f"Share of the similar pairs that meet in a band: {candidates:.4f}.",
        "",
        "| tool | recall | precision | dropped | seconds |",
        "|---" * 5 + "|",
    ]
    for name, (dropped, seconds) in results.items():
        recall, precision = scores(dropped, alike, len(sample))
        lines.append(f"| {name} | {recall:.4f} | {precision:.4f} | {len(dropped):,} | {seconds:.1f} |")
    return [*lines, *(f"| {name} | skipped: not installed | | | |" for name in DROPS if not installed(name))]


def whole_stage(texts: list[str], rows: int, peer_rows: int, workers: int, scratch: str | None) -> list[str]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        files, _ = make(texts, rows, folder, workers)
        runs = [run_stage(Store(folder), files, workers)]
        Store(folder).remove("dedup")
        runs.append(run_stage(Store(folder), files, workers))
        tables = [Store(folder).read_table(file, ["passage"]) for file in files]
        size = sum(table.nbytes for table in tables) / 1e6
        passages = [text for table in tables for text in table["passage"].to_pylist()]
    seconds, cpu = min(run.seconds for run in runs), min(run.cpu for run in runs)
    rate = rows / seconds
    lines = [
        f"## The whole stage: Parquet in, verdicts out; {rows:,} pairs, {size:,.0f} MB of passages",
        "",
        "| tool | cores | rows | seconds | pairs/s | processor s | cmtp is |",
        "|---" * 7 + "|",
        f"| cmtp, start of the workers included | {workers} | {rows:,} | {seconds:.1f} | {rate:,.0f} | {cpu:.1f} | |",
    ]
    if not installed("datatrove"):
        return [*lines, "| datatrove | | | skipped: not installed | | | |"]
    passages = passages[:peer_rows]
    _, took = drops("datatrove", passages, SETTINGS.threshold)
    theirs = len(passages) / took
    which = "the first" if len(passages) < rows else "the same"
    lines.append(
        f"| datatrove, {which} rows | {workers} | {len(passages):,} | {took:.1f} | {theirs:,.0f} | "
        f"| {rate / theirs:.0f} × as fast |"
    )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", help="glob of Parquet files with the columns of pairs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run (default: all)")
    parser.add_argument("--rows", type=int, default=20_000, help="passages compared by brute force (default 20,000)")
    parser.add_argument("--stage-rows", type=int, default=500_000, help="rows of the part stage (default 500,000)")
    parser.add_argument("--peer-rows", type=int, default=500_000, help="rows datatrove gets of these; 10 minutes")
    parser.add_argument("--shared", type=int, nargs="+", default=[100_000, 1_000_000], help="rows of pathological")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**5, 10**6, 10**7], help="rows of scaling")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", help="folder for the rows that are made; 10^7 rows need about 15 GB")
    parser.add_argument("--chart", help="SVG file to draw time and memory by size in")
    parser.add_argument("--write", help="Markdown file to write the tables to")
    arguments = parser.parse_args()
    paths = sorted(glob.glob(arguments.pairs))
    if not paths:
        parser.error(f"{arguments.pairs}: no such files")
    texts = read(paths)
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    lines = [
        "# Dedup: measured",
        "",
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python "
        f"{platform.python_version()}; {len(texts):,} real passages, {megabytes(texts):.0f} MB; load before: {load}.",
    ]
    print("\n".join(lines))
    parts: dict[str, Callable[[], list[str]]] = {
        "signatures": lambda: signature_rates(texts, arguments.workers),
        "quality": lambda: quality(texts, arguments.rows, arguments.workers),
        "stage": lambda: whole_stage(
            texts, arguments.stage_rows, arguments.peer_rows, arguments.workers, arguments.scratch
        ),
        "pathological": lambda: pathological(arguments.shared, arguments.workers, arguments.scratch),
        "scaling": lambda: scaling(texts, arguments.sizes, arguments.workers, arguments.scratch, arguments.chart),
    }
    for name in arguments.only:
        found = parts[name]()
        print("\n".join(["", *found]), flush=True)
        lines += ["", *found]
    if arguments.write:
        Path(arguments.write).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
