"""The extract stage: raw files to PAIR partitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, ClassVar

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.errors import CmtpError
from cmtp.extract.pair import Limits
from cmtp.extract.pairs import pairs_of
from cmtp.extract.plan import plan
from cmtp.extract.rows import PairWriter
from cmtp.recipe import SourceMapping
from cmtp.sources.collection import CollectionReader
from cmtp.sources.discover import RawFile
from cmtp.sources.document import Broken, Document
from cmtp.sources.part import Part
from cmtp.sources.read import PartReader, Row
from cmtp.sources.stream import CHUNK, RawStream


class ExtractStage:
    """Reads raw files, makes pairs of them.

    Receipts carry ``facts["files"]``: path, range of bytes, xxh3-128 of them, encoding and number of records of every
    file or part that was read.
    """

    name: ClassVar[str] = "extract"
    code: ClassVar[tuple[str, ...]] = ("cmtp.sources", "cmtp.extract", "cmtp.text.clean", "cmtp.text.passages")
    rejects_rows: ClassVar[bool] = True

    def __init__(self, files: list[RawFile]) -> None:
        self.files = files

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """Count the newlines of split JSONL files, so that records keep their line numbers; then extract."""
        tasks = plan(self.files, job.settings["task_bytes"], _mappings(job.settings))
        ranges = [part for parts in tasks for part in parts if part.groups is None and part.stop < part.bytes]
        newlines: dict[tuple[str, int], int] = {}
        if ranges:
            counts = [
                _task(job, "count", index, [{"part": asdict(part), "to": f"{job.folder}/newlines/{index:05d}.json"}])
                for index, part in enumerate(ranges)
            ]
            yield counts
            for part, task in zip(ranges, counts, strict=True):
                newlines[part.path, part.stop] = job.store.read_json(task.inputs[0]["to"])
        before = 0
        for parts in tasks:
            for index, part in enumerate(parts):
                before = before if part.start else 0
                parts[index] = replace(part, newlines=before)
                before += newlines.get((part.path, part.stop), 0)
        yield [_task(job, "extract", index, [dict(vars(part)) for part in parts]) for index, parts in enumerate(tasks)]


def _task(job: StageJob, name: str, index: int, inputs: list[Any]) -> Task:
    return Task(f"{__name__}:{name}", job.folder, f"{name}-{index:05d}", inputs, job.settings)


def count(task: Task, store: Store) -> Result:
    """Count the newlines in a byte range of a file and write the number to the store."""
    part = Part(**task.inputs[0]["part"])
    raw = RawStream(part.url, part.start, part.stop)
    left, newlines = part.stop - part.start, 0
    while left and (data := raw.read(min(CHUNK, left))):
        newlines += data.count(b"\n")
        left -= len(data)
    store.write_json(task.inputs[0]["to"], newlines)
    return Result()


def extract(task: Task, store: Store) -> Result:
    """Read a task's parts and write their pairs and rejects."""
    settings = task.settings
    limits = Limits.of(settings)
    job = StageJob(store, task.folder, [], settings)
    facts, size = [], 0
    with PairWriter(store, job.kept(task.index), job.rejects(task.index), limits.max_passages) as out:
        parts = [
            Part(**values | {"groups": tuple(values["groups"]) if values["groups"] else None}) for values in task.inputs
        ]
        for reader in _readers(parts, settings):
            for item in reader:
                assert not isinstance(item, Row), "rows are read by CollectionReader alone"
                pairs = [] if isinstance(item, Broken) else list(pairs_of(item, limits))
                if pairs:
                    out.document(item.origin, item.source, pairs)
                    continue
                broken = item if isinstance(item, Broken) else _no_pairs(item)
                if settings.get("strict", False) and broken.reason != "over_max_negatives":
                    raise CmtpError(_explain(broken))
                out.broken(broken)
            for file in reader.readers if isinstance(reader, CollectionReader) else [reader]:
                facts.append(_fact(file))
                size += file.bytes
    return Result(ledger=out.ledger, rows=out.rows, bytes=size, facts={"files": facts})


def _mappings(settings: dict[str, Any]) -> list[SourceMapping]:
    return [SourceMapping(**mapping) for mapping in settings["sources"]]


def _readers(parts: list[Part], settings: dict[str, Any]) -> Iterator[PartReader | CollectionReader]:
    mappings = _mappings(settings)
    if parts[0].role:
        yield CollectionReader(parts, mappings, settings["max_negatives"])
    else:
        yield from (PartReader(part, mappings, settings["language"]) for part in parts)


def _no_pairs(document: Document) -> Broken:
    """A document that was read but has no text to make a pair of."""
    return Broken(document.origin, document.source, "no_text", {"document": type(document).__name__})


def _fact(reader: PartReader) -> dict[str, Any]:
    part = reader.part
    fact = {
        "path": part.path,
        "bytes": reader.bytes,
        "xxh128": reader.digest,
        "encoding": reader.encoding,
        "records": reader.records,
    }
    if part.start or part.stop < part.bytes:
        fact["range"] = [part.start, part.stop]
    return fact


def _explain(broken: Broken) -> str:
    path, _, record = broken.origin.rpartition("#")
    where = f"record {record}" if record != "0" else "the file"
    seen = ", ".join(f"{name}: {value}" for name, value in broken.evidence.items())
    return (
        f"{path}: {where} cannot be used: {broken.reason} ({seen}). Correct or remove it, or build without --strict: "
        "it then becomes a row of rejects/extract and the build goes on."
    )
