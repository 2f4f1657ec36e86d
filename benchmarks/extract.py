"""Rates of extraction on one core: python -m benchmarks.extract RAW [PAGES].

RAW is a folder of raw text with Markdown files in it; PAGES a folder of HTML pages. Rates are bytes of input per second
of CPU time, from the bytes of a file to its pairs in Parquet; other work on the machine disturbs less that way. The
same pages go through trafilatura (datatrove's extractor) where it is installed: pip install trafilatura lxml_html_clean
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import tempfile
import time
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import psutil

from cmtp.engine.store import Store
from cmtp.engine.task import StageJob
from cmtp.extract.stage import ExtractStage
from cmtp.recipe import Recipe
from cmtp.sources.discover import discover

RECIPE = Recipe()


def extract(root: Path) -> tuple[float, int, int]:
    """(CPU seconds, bytes read, pairs) of the extract stage over a folder, in this process."""
    with tempfile.TemporaryDirectory() as out:
        store = Store(out)
        files = discover([str(root)], RECIPE.extract, RECIPE.sources)
        job = StageJob(store, "extract", [], RECIPE.stage_settings("extract") | {"strict": False})
        start, size, pairs = time.process_time(), 0, 0
        for step in ExtractStage(files).steps(job):
            for task in step:
                result = task.function()(task, store)
                size += result.bytes
                pairs += result.ledger.rows_kept
        return time.process_time() - start, size, pairs


def show(name: str, seconds: float, size: int, pairs: int | str) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    pairs = f"{pairs:,}" if isinstance(pairs, int) else pairs
    print(
        f"| {name} | {size / 1e6:.1f} | {seconds:.2f} | {size / seconds / 1e6:.1f} | {pairs} | {memory:.0f} |",
        flush=True,
    )


def jsonl(raw: Path, folder: Path, size: int) -> None:
    """A JSONL file of titles and texts of about `size` bytes, made of the Markdown files."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(raw.rglob("*.md"))[:3000]]
    lines = [json.dumps({"title": f"标题{n}", "content": text}, ensure_ascii=False) for n, text in enumerate(texts)]
    written = 0
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        while written < size:
            for line in lines:
                written += len(line.encode()) + 1
                file.write(line + "\n")
                if written >= size:
                    break


def warc(pages: list[Path], path: Path) -> None:
    with path.open("wb") as file:
        for page in pages:
            body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page.read_bytes()
            head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: file:///{page.name}\r\n"
            head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
            file.write(gzip.compress(head.encode() + body + b"\r\n\r\n", 6))


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    raw = Path(sys.argv[1])
    load = os.getloadavg()[0]
    print(f"{date.today()}, one of {psutil.cpu_count()} cores, load {load:.1f} at the start\n")
    print("| input | MB | CPU seconds | MB/s | pairs | peak memory MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    extract(next(path for path in sorted(raw.iterdir()) if path.is_dir()))  # imports and first calls
    for folder in sorted(path for path in raw.iterdir() if path.is_dir()):
        show(folder.name, *extract(folder))
    with tempfile.TemporaryDirectory() as scratch:
        for size in (100, 1000, 2000):
            jsonl(raw, Path(scratch), size * 10**6)
            show(f"JSONL, {size} MB", *extract(Path(scratch)))
    if len(sys.argv) > 2:
        compare_pages(sorted(Path(sys.argv[2]).rglob("*.html")))


def compare_pages(pages: list[Path]) -> None:
    """The same pages as files, in a WARC, and through trafilatura."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pages"
        folder.mkdir()
        for number, page in enumerate(pages):
            (folder / f"{number:06d}.html").write_bytes(page.read_bytes())
        seconds, size, pairs = extract(folder)
        show("HTML pages", seconds, size, pairs)
        crawl = Path(scratch) / "crawl"
        crawl.mkdir()
        warc(pages, crawl / "crawl.warc.gz")
        seconds, _, pairs = extract(crawl)
        show("the same in a .warc.gz (MB as unpacked)", seconds, size, pairs)
    if not find_spec("trafilatura"):
        print("\ntrafilatura is not installed: no comparison")
        return
    import trafilatura

    texts = [page.read_bytes() for page in pages]
    trafilatura.extract(texts[0])
    start = time.process_time()
    for text in texts:
        trafilatura.extract(text, favor_precision=True, include_comments=False, deduplicate=False)
    show("the same through trafilatura (text alone)", time.process_time() - start, sum(map(len, texts)), "–")


if __name__ == "__main__":
    main()
