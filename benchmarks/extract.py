"""Rates of extraction on one core: python -m benchmarks.extract RAW [PAGES] [--write FILE]

RAW is a folder of raw text with a folder per source. PAGES is a folder of HTML pages. Rates are bytes of input per
second of CPU time, which other work on the machine hardly changes, from the bytes of a file to its pairs in Parquet.
Every line is measured in its own process, so that peak memory is that of this line, after a first run over a small
folder. The pages also go through trafilatura (datatrove's extractor), which gives their text alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.extract.stage import ExtractStage
from cmtp.recipe import Recipe
from cmtp.sources.discover import discover
from cmtp.sources.markdown.article import read_markdown

RECIPE = Recipe()
HEAD = "| input | MB | CPU seconds | MB/s | pairs | peak memory MiB |\n|---|---:|---:|---:|---:|---:|"


def extract(root: Path) -> tuple[float, int, int]:
    """(CPU seconds, bytes read, pairs) of the extract stage over a folder, in this process."""
    with tempfile.TemporaryDirectory() as out:
        store = Store(out)
        stage = ExtractStage(discover([str(root)], []))
        job = Job(store, "extract", stage.resolve(RECIPE, {}))
        start, size, pairs = time.process_time(), 0, 0
        for step in stage.steps(job, []):
            for task in step:
                result = task.run()
                size += result.bytes
                pairs += result.ledger.rows_kept
        return time.process_time() - start, size, pairs


def measured(root: Path, runs: int) -> tuple[float, int, int, float]:
    """The median of some runs, and this process's peak memory in MiB."""
    with tempfile.TemporaryDirectory() as small:
        (Path(small) / "a.md").write_text("# 题\n\n文。\n", encoding="utf-8")
        extract(Path(small))  # imports and first calls
    found = [extract(root) for _ in range(runs)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return statistics.median(run[0] for run in found), found[0][1], found[0][2], peak


def trafilatura(pages: list[Path]) -> tuple[float, int, int, float]:
    """The same for trafilatura; its "pairs" are the pages with text."""
    import trafilatura

    texts = [page.read_bytes() for page in pages]
    trafilatura.extract(texts[0])
    start = time.process_time()
    found = [
        trafilatura.extract(text, favor_precision=True, include_comments=False, deduplicate=False) for text in texts
    ]
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return seconds, sum(map(len, texts)), sum(map(bool, found)), peak


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def records(raw: Path) -> list[str]:
    """A JSON line with title and text per Markdown file, the form of news and wiki dumps. Statutes are left out.

    A statute gives a pair per article, about fifteen per 8 KB. Such a dump gives one pair per text.
    """
    found = []
    for path in sorted(raw.rglob("*.md")):
        article = read_markdown(path.read_text(encoding="utf-8", errors="replace"), "o", "s")
        body = [*article.lead, *(line for one in article.sections for line in (one.heading, *one.paragraphs))]
        if article.title and body and not any(line.startswith("第一条") for line in body):
            found.append(json.dumps({"title": article.title, "content": "\n".join(body)}, ensure_ascii=False) + "\n")
    return found


def jsonl(lines: list[str], path: Path, size: int) -> None:
    """The lines, repeated up to about `size` bytes."""
    written = 0
    with path.open("wb") as file:
        while written < size:
            for line in lines:
                written += file.write(line.encode())
                if written >= size:
                    break


def warc(pages: list[Path], path: Path) -> None:
    """The pages as responses in a WARC file. Each is compressed separately, as crawlers store them."""
    with path.open("wb") as file:
        for page in pages:
            body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page.read_bytes()
            head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: file:///{page.name}\r\n"
            head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
            file.write(gzip.compress(head.encode() + body + b"\r\n\r\n", 6))


def lines_of(raw: Path, pages: Path | None) -> list[str]:
    """The lines of the table, printed as they come."""
    lines: list[str] = []

    def show(name: str, found: tuple[float, int, int | str, float], size: int | None = None) -> None:
        seconds, read, pairs, peak = found
        size, pairs = size or read, f"{pairs:,}" if isinstance(pairs, int) else pairs
        rate = f"{size / 1e6:.1f} | {seconds:.2f} | {size / seconds / 1e6:.1f}"
        lines.append(f"| {name} | {rate} | {pairs} | {peak:.0f} |")
        print(lines[-1], flush=True)

    folders = sorted(path for path in raw.iterdir() if path.is_dir())
    markdown = [folder for folder in folders if next(folder.rglob("*.md"), None)]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for folder in folders:
            show(folder.name, alone(measured, folder, 3))
        (scratch / "md").mkdir()
        for folder in markdown:
            (scratch / "md" / folder.name).symlink_to(folder.resolve())
        show("all Markdown of these", alone(measured, scratch / "md", 3))
        texts = records(raw)
        for size in (100, 1000, 2000):
            (scratch / "jsonl").mkdir(exist_ok=True)
            jsonl(texts, scratch / "jsonl" / "records.jsonl", size * 10**6)
            show(f"JSONL, {size} MB", alone(measured, scratch / "jsonl", 3 if size == 100 else 1))
        if pages is not None:
            compare(sorted(pages.rglob("*.html")), scratch, show)
    return lines


def compare(pages: list[Path], scratch: Path, show: Callable[..., None]) -> None:
    """The same pages as files, in a WARC, and through trafilatura."""
    for folder in ("pages", "crawl"):
        (scratch / folder).mkdir()
    for number, page in enumerate(pages):
        (scratch / "pages" / f"{number:06d}.html").write_bytes(page.read_bytes())
    warc(pages, scratch / "crawl" / "crawl.warc.gz")
    size = sum(page.stat().st_size for page in pages)
    show("HTML pages", alone(measured, scratch / "pages", 3))
    show("the same in a .warc.gz (MB as unpacked)", alone(measured, scratch / "crawl", 3), size)
    if find_spec("trafilatura") is None:
        raise SystemExit("trafilatura is not installed: pip install -e '.[bench]'")
    seconds, read, found, peak = alone(trafilatura, pages)
    name = f"the same through trafilatura {version('trafilatura')} (text of {found:,} pages, no pairs)"
    show(name, (seconds, read, "–", peak))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path)
    parser.add_argument("pages", type=Path, nargs="?")
    parser.add_argument("--write", type=Path, help="a Markdown file whose table is replaced")
    options = parser.parse_args()
    machine = f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
    print(f"{date.today()}, {machine}\n\n{HEAD}")
    lines = lines_of(options.raw, options.pages)
    if options.write is not None:
        text = options.write.read_text(encoding="utf-8") if options.write.exists() else "<!-- table -->\n<!-- end -->\n"
        before, _, rest = text.partition("<!-- table -->")
        _, _, after = rest.partition("<!-- end -->")
        table = "\n".join([f"{machine}, {date.today()}, one core.", "", HEAD, *lines])
        options.write.write_text(f"{before}<!-- table -->\n{table}\n<!-- end -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
