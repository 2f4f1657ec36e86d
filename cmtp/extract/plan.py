"""Raw files to the parts that each task reads: small files together, large JSONL and Parquet files in ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cmtp.sources.collection import find_collections
from cmtp.sources.discover import RawFile
from cmtp.sources.encoding import HEAD_BYTES
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.part import Part
from cmtp.sources.recognise import compression_in, format_of
from cmtp.sources.stream import RawStream, Stream


def parts_by_task(files: list[RawFile], task_bytes: int, mappings: Sequence[SourceMapping] = ()) -> list[list[Part]]:
    """The parts that each task reads: files in path order, `task_bytes` together; larger ones in ranges of that size.

    The files of a collection are read together, so they are one task.
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


def line_ranges(tasks: list[list[Part]]) -> list[Part]:
    """The parts whose newlines must be counted, because a later range of the same file is numbered by lines."""
    return [part for parts in tasks for part in parts if part.groups is None and part.stop < part.bytes]


def with_line_numbers(tasks: list[list[Part]], newlines: Mapping[tuple[str, int], int]) -> list[list[Part]]:
    """The parts, each with the number of newlines before it in its file.

    Args:
        tasks: as `parts_by_task` gives them, the ranges of a file in order.
        newlines: newlines in each part of `line_ranges`, by its path and stop.
    """
    before = Counter[str]()
    numbered: list[list[Part]] = []
    for parts in tasks:
        numbered.append([])
        for part in parts:
            numbered[-1].append(replace(part, newlines=before[part.path]))
            before[part.path] += newlines.get((part.path, part.stop), 0)
    return numbered


def _whole(file: RawFile) -> Part:
    return Part(
        url=file.url,
        path=file.path,
        source=file.source,
        bytes=file.bytes,
        mtime_ns=file.mtime_ns,
        start=0,
        stop=file.bytes,
    )


def _parts(file: RawFile, task_bytes: int) -> list[Part]:
    whole = _whole(file)
    if file.bytes > task_bytes:
        head = Stream(RawStream(file.url)).head(HEAD_BYTES)
        kind = format_of(file.path, head)
        if kind is not None and kind.split is not None and compression_in(file.path, head) is None:
            return kind.split(whole, task_bytes, head)
    return [whole]
