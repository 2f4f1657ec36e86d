"""Speed of the filter rules: `python -m benchmarks.filters FILE.parquet [FILE …] [--peers] [--write filters.md]`.

The files hold pairs that no filter has seen (a build's `.work/dedup-*/kept/`). Rates are megabytes of UTF-8 per second
of CPU time in one thread, the best of three. With `--peers` datatrove's and data-juicer's filters judge a sample of the
same passages, if they are installed (`pip install 'datatrove[processing]' spacy jieba`, `pip install py-data-juicer
aiohttp`). `--data-juicer PYTHON` names an interpreter with data-juicer and polars in an environment of its own, because
data-juicer installs packages that it misses at run time.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import argparse
import datetime
import importlib.util
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

ROUNDS = 3
PEER_ROWS = 2000  # the peers take seconds for a megabyte

Row = tuple[str, float, float]
"""Name of the filters, MB/s per core, share kept."""


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU seconds of the fastest of some rounds."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def megabytes(pairs: pl.DataFrame, *columns: str) -> float:
    return sum(pairs[name].str.len_bytes().sum() for name in columns) / 1e6


def ours(pairs: pl.DataFrame) -> list[Row]:
    from cmtp.filters import malicious
    from cmtp.filters.book import open_book
    from cmtp.filters.settings import FilterSettings
    from cmtp.filters.verdict import judge

    matcher = malicious.Matcher()
    size = megabytes(pairs, "query", "passage")
    settings = {
        "cmtp, all rules": {},
        "cmtp, junk rules": {"malicious": False, "private": "keep"},
        "cmtp, junk and malicious": {"private": "keep"},
        "cmtp, junk and private": {"malicious": False},
    }
    rows = []
    for name, given in settings.items():
        book = open_book(FilterSettings(**given))
        used = matcher if book.malicious else None
        judge(pairs[:100], book, used)  # compiles the kernels
        rate = size / seconds(lambda book=book, used=used: judge(pairs, book, used))
        rows.append((name, rate, 1 - len(judge(pairs, book, used).reason) / len(pairs)))
    return rows


def datatrove(passages: list[str], size: float) -> list[Row]:
    from datatrove.data import Document
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.utils.typeshelper import Languages

    documents = [Document(text, str(row)) for row, text in enumerate(passages)]
    kept_by_all, total, rows = set(range(len(documents))), 0.0, []
    for kind in (GopherQualityFilter, GopherRepetitionFilter, FineWebQualityFilter):
        rules = kind(language=Languages.mandarin_chinese)
        rules.filter(documents[0])  # loads the segmenter
        began = time.process_time()
        kept = {row for row, document in enumerate(documents) if rules.filter(document) is True}
        taken = time.process_time() - began
        kept_by_all, total = kept_by_all & kept, total + taken
        rows.append((f"datatrove {kind.__name__}", size / taken, len(kept) / len(documents)))
    return [*rows, ("datatrove, the three", size / total, len(kept_by_all) / len(documents))]


def data_juicer(passages: list[str], size: float) -> list[Row]:
    """The operators that need no file from the network, with their default thresholds."""
    from data_juicer.ops.filter.alphanumeric_filter import AlphanumericFilter
    from data_juicer.ops.filter.average_line_length_filter import AverageLineLengthFilter
    from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
    from data_juicer.ops.filter.maximum_line_length_filter import MaximumLineLengthFilter
    from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
    from data_juicer.ops.filter.text_length_filter import TextLengthFilter
    from data_juicer.utils.constant import Fields

    kinds = (
        AlphanumericFilter,
        AverageLineLengthFilter,
        CharacterRepetitionFilter,
        MaximumLineLengthFilter,
        SpecialCharactersFilter,
        TextLengthFilter,
    )
    kept_by_all, total, rows = [True] * len(passages), 0.0, []
    for kind in kinds:
        operator = kind()
        began = time.process_time()
        samples = {"text": passages, Fields.stats: [{} for _ in passages]}
        kept = list(operator.process_batched(operator.compute_stats_batched(samples)))
        taken = time.process_time() - began
        kept_by_all, total = [a and b for a, b in zip(kept_by_all, kept, strict=True)], total + taken
        rows.append((f"data-juicer {kind.__name__}", size / taken, sum(kept) / len(passages)))
    return [*rows, ("data-juicer, the six", size / total, sum(kept_by_all) / len(passages))]


def peers(pairs: pl.DataFrame, python: str | None) -> list[Row]:
    sample = pairs.sample(min(PEER_ROWS, len(pairs)), seed=0)["passage"]
    size = sample.str.len_bytes().sum() / 1e6
    rows: list[Row] = []
    if importlib.util.find_spec("datatrove"):
        rows += datatrove(sample.to_list(), size)
    else:
        print("datatrove is not installed")
    if importlib.util.find_spec("data_juicer"):
        rows += data_juicer(sample.to_list(), size)
    elif python:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sample.json"
            path.write_text(json.dumps(sample.to_list()), encoding="utf-8")
            command = [python, __file__, "--only-data-juicer", str(path)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows += [tuple(row) for row in json.loads(output.strip().splitlines()[-1])]
    else:
        print("data-juicer is not installed")
    return rows


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines()] if info.exists() else []
    models = [line for line in names if "GHz" in line or "EPYC" in line or "Xeon" in line or "Core" in line]
    return models[0] if models else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--data-juicer", metavar="PYTHON")
    parser.add_argument("--write", metavar="FILE.md")
    parser.add_argument("--only-data-juicer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_data_juicer:
        passages = json.loads(Path(arguments.files[0]).read_text(encoding="utf-8"))
        print(json.dumps(data_juicer(passages, sum(len(text.encode()) for text in passages) / 1e6)))
        return
    columns = [pl.col(name).cast(pl.String) for name in ("query", "passage", "relation", "source")]
    pairs = pl.concat([pl.read_parquet(file).select(columns) for file in arguments.files])
    rows = ours(pairs)
    if arguments.peers:
        rows += peers(pairs, arguments.data_juicer)
    table = ["| rules | MB/s/core | kept |", "|---|---|---|"]
    table += [f"| {name} | {rate:.3g} | {kept:.1%} |" for name, rate, kept in rows]
    size = megabytes(pairs, "query", "passage")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    where = f"{processor()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"
    about = f"{len(pairs):,} pairs, {size:.1f} MB; {datetime.date.today()}; {where}."
    print("\n".join([about, *table]))
    if arguments.write:
        path = Path(arguments.write)
        tail = path.read_text(encoding="utf-8").partition("\n## ")[1:] if path.exists() else ("", "")
        text = "# Speed of the filter rules\n\n`make bench-filter` writes the table.\n\n" + about + "\n"
        text += "CPU time of one thread, best of three; the peers on 2,000 of the passages, once.\n\n"
        path.write_text(text + "\n".join(table) + "\n" + "".join(tail), encoding="utf-8")


if __name__ == "__main__":
    main()
