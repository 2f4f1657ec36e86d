"""Raw files to tasks: small files together, large JSONL and Parquet files in ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from cmtp.recipe import SourceMapping
from cmtp.sources.collection import find_collections
from cmtp.sources.discover import RawFile
from cmtp.sources.encoding import HEAD, detect
from cmtp.sources.formats import sniff, split_name
from cmtp.sources.read import Part
from cmtp.sources.stream import RawStream, Stream, open_url
from cmtp.sources.table import row_groups


def plan(files: list[RawFile], task_bytes: int, mappings: Sequence[SourceMapping] = ()) -> list[list[Part]]:
    """The parts each task reads: files in path order, `task_bytes` together; larger ones in ranges of that size.

    The files of a collection, which are read together, are a task of their own.
    """
    tasks: list[list[Part]] = []
    joined = find_collections(files, list(mappings))
    taken = {file.path for collection in joined for file, _ in collection}
    size = task_bytes + 1
    for file in files:
        if file.path in taken:
            continue
        for part in _parts(file, task_bytes):
            length = part.stop - part.start
            if size + length > task_bytes:
                tasks.append([])
                size = 0
            tasks[-1].append(part)
            size += length
    return [*tasks, *([replace(_whole(file), role=role) for file, role in collection] for collection in joined)]


def _whole(file: RawFile) -> Part:
    return Part(file.url, file.path, file.source, file.bytes, file.mtime_ns, 0, file.bytes)


def _parts(file: RawFile, task_bytes: int) -> Iterator[Part]:
    whole = _whole(file)
    _, kind, compression = split_name(file.path)
    if file.bytes > task_bytes and compression is None:
        if kind in ("json", "jsonl"):
            head = Stream(RawStream(file.url)).head(HEAD)
            if sniff(file.path, head) == "jsonl" and not (detect(head) or "").startswith(("utf-16", "utf-32")):
                for start in range(0, file.bytes, task_bytes):
                    yield replace(whole, start=start, stop=min(start + task_bytes, file.bytes))
                return
        if kind == "parquet":
            yield from _group_parts(whole, task_bytes)
            return
    yield whole


def _group_parts(whole: Part, task_bytes: int) -> Iterator[Part]:
    """Runs of row groups of about `task_bytes`; each part is charged, and hashes, a proportional range of the bytes."""
    try:
        with open_url(whole.url) as file:
            groups = row_groups(file)
    except (pa.ArrowException, OSError):
        groups = []  # broken: the reader says how
    total = sum(size for _, size in groups)
    if len(groups) < 2 or not total:
        yield whole
        return
    first = seen = before = 0
    for index, (_, size) in enumerate(groups):
        seen += size
        end = whole.bytes if index == len(groups) - 1 else seen * whole.bytes // total
        if end - before >= task_bytes or index == len(groups) - 1:
            yield replace(whole, start=before, stop=end, groups=(first, index + 1))
            first, before = index + 1, end
