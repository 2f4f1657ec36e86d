"""Raw files to tasks: small files together, large JSONL and Parquet files in ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cmtp.sources.collection import find_collections
from cmtp.sources.discover import RawFile
from cmtp.sources.encoding import HEAD
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.part import Part
from cmtp.sources.recognise import compression_in, format_of
from cmtp.sources.stream import RawStream, Stream


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


def _parts(file: RawFile, task_bytes: int) -> list[Part]:
    whole = _whole(file)
    if file.bytes > task_bytes:
        head = Stream(RawStream(file.url)).head(HEAD)
        kind = format_of(file.path, head)
        if kind is not None and kind.split is not None and compression_in(file.path, head) is None:
            return kind.split(whole, task_bytes, head)
    return [whole]
