"""The extract stage: raw files to PAIR partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.errors import CmtpError
from cmtp.extract.plan import line_ranges, parts_by_task, with_line_numbers
from cmtp.extract.relations import pairs_of_prepared, prepared
from cmtp.extract.rows import PairWriter
from cmtp.extract.settings import ExtractSettings, ExtractWork
from cmtp.extract.texts import document_texts
from cmtp.settings import RecipeBase
from cmtp.sources.collection import CollectionReader
from cmtp.sources.discover import RawFile
from cmtp.sources.document import Broken, Document
from cmtp.sources.formats import FORMATS
from cmtp.sources.mapping import SourceMappings
from cmtp.sources.part import Part
from cmtp.sources.read import PartReader, Row
from cmtp.sources.stream import CHUNK, RawStream

EXPLAINED_BY_REASON = {
    "unknown_layout": "sources, where a recipe says which field is the query and which the passage",
    "unsupported_format": "the formats that `cmtp sources` lists",
}
"""What to look at, by the most frequent reject reason; for other reasons the rows themselves say what is wrong."""


class ExtractStage(Stage[ExtractWork]):
    """Reads raw files, makes pairs of them, and writes their texts as they stand.

    Receipts have a record per file or part that was read: path, range of bytes, xxh3-128 of them, encoding and number
    of records.
    """

    name: ClassVar[str] = "extract"
    settings: ClassVar[type[ExtractSettings]] = ExtractSettings
    explained_by: ClassVar[str] = "the rows of rejects/extract"

    def __init__(self, files: Sequence[RawFile] = (), strict: bool = False) -> None:
        self.files = list(files)
        self.strict = strict

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> ExtractWork:
        """See Stage."""
        return ExtractWork.extend(
            recipe.of(ExtractSettings),
            mappings=recipe.of(SourceMappings).root,
            strict=self.strict,
            format_origins=FORMATS.origins(),
        )

    def steps(self, job: Job[ExtractWork], inputs: list[str]) -> Iterator[list[Task]]:
        """Count the newlines of split JSONL files, so that records keep their line numbers; then extract."""
        tasks = parts_by_task(self.files, job.settings.task_bytes, job.settings.mappings)
        ranges = line_ranges(tasks)
        newlines: dict[tuple[str, int], int] = {}
        if ranges:
            counted = [job.path(f"newlines/{index:05d}.json") for index in range(len(ranges))]
            yield [
                task(count_newlines, job, f"count-{index:05d}", part, out)
                for index, (part, out) in enumerate(zip(ranges, counted, strict=True))
            ]
            for part, out in zip(ranges, counted, strict=True):
                newlines[part.path, part.stop] = job.store.read_json(out)
        yield [
            task(extract_pairs, job, f"extract-{index:05d}", index, parts)
            for index, parts in enumerate(with_line_numbers(tasks, newlines))
        ]

    def tables(self, run: StageRun) -> dict[str, list[str]]:
        """Texts for pretraining are made of the documents' own, not of pairs."""
        return {"pretrain": run.files("texts"), **super().tables(run)}

    def explain(self, run: StageRun) -> str:
        """What to look at, by the most frequent reason."""
        reasons = run.ledger.reasons().most_common(1)
        return EXPLAINED_BY_REASON.get(reasons[0][0], self.explained_by) if reasons else self.explained_by

    def warning(self, run: StageRun) -> str | None:
        """As for every stage, except that a stage that rejects nothing is as it should be."""
        return super().warning(run) if run.ledger.reasons() else None


def count_newlines(job: Job[ExtractWork], part: Part, out: str) -> Result:
    """Count the newlines in a byte range of a file and write the number to `out`."""
    raw = RawStream(part.url, part.start, part.stop)
    left, newlines = part.stop - part.start, 0
    while left and (data := raw.read(min(CHUNK, left))):
        newlines += data.count(b"\n")
        left -= len(data)
    job.store.write_json(out, newlines)
    return Result()


def extract_pairs(job: Job[ExtractWork], index: int, parts: list[Part]) -> Result:
    """Read some parts and write their pairs and rejects."""
    settings = job.settings
    records, size = [], 0
    texts = job.path(f"texts/part-{index:05d}.parquet")
    with PairWriter(job.store, job.kept(index), job.rejects(index), texts, settings) as out:
        for reader in _readers(parts, settings):
            for item in reader:
                assert not isinstance(item, Row), "rows are read by CollectionReader alone"
                if not isinstance(item, Broken):
                    item = prepared(item)
                    pairs = list(pairs_of_prepared(item, settings))
                    if pairs:
                        out.document(item.origin, item.source, pairs)
                        for text in document_texts(item):
                            out.text(item.origin, item.source, text)
                        continue
                broken = item if isinstance(item, Broken) else _no_pairs(item)
                if settings.strict and broken.reason != "over_max_negatives":
                    raise CmtpError(_explain(broken))
                out.broken(broken)
            for file in reader.readers if isinstance(reader, CollectionReader) else [reader]:
                records.append(_record(file))
                size += file.bytes
    return Result(ledger=out.ledger, rows=out.rows, bytes=size, records=records)


def _readers(parts: list[Part], settings: ExtractWork) -> Iterator[PartReader | CollectionReader]:
    if parts[0].role:
        yield CollectionReader(parts, settings.mappings, settings.max_negatives)
    else:
        yield from (PartReader(part, settings.mappings, settings.language) for part in parts)


def _no_pairs(document: Document) -> Broken:
    """A document that was read but has no text to make a pair of."""
    return Broken(document.origin, document.source, "no_text", {"document": type(document).__name__})


def _record(reader: PartReader) -> dict[str, Any]:
    part = reader.part
    record = {
        "path": part.path,
        "bytes": reader.bytes,
        "xxh128": reader.digest,
        "encoding": reader.encoding,
        "records": reader.records,
    }
    if part.start or part.stop < part.bytes:
        record["range"] = [part.start, part.stop]
    return record


def _explain(broken: Broken) -> str:
    path, _, record = broken.origin.rpartition("#")
    where = f"record {record}" if record != "0" else "the file"
    seen = ", ".join(f"{name}: {value}" for name, value in broken.evidence.items())
    return (
        f"{path}: {where} cannot be used: {broken.reason} ({seen}). Correct or remove it, or build without --strict: "
        "it then becomes a row of rejects/extract and the build goes on."
    )
