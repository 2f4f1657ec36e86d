"""How a dedup job is cut: partitions, row numbers, key ranges; and where the files of every exchange lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cmtp.dedup.exchange import U32, Array, C, Exchange
from cmtp.dedup.records import (
    BandRows,
    Edges,
    EvaluationRows,
    GramRows,
    KeyRows,
    MemberRows,
    OrderRows,
    PostingRows,
    RejectedBits,
    SketchRows,
    TextRows,
)
from cmtp.dedup.settings import DedupWork, Release
from cmtp.dedup.verdicts import Verdicts
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.errors import CmtpError
from cmtp.partition import passes, read_masked
from cmtp.schema import Side

KEYS_PER_RANGE = 250_000
"""Rows of an exact exchange that one task holds, about (90 bytes each, and as much again while sorting)."""

BANDS_PER_RANGE = 2_000_000
"""Band keys that one matching task holds, about (20 bytes each, and up to 100 while it makes edges)."""

OLDER_GROUPS = 4
"""Row groups of an older release that are read together: about as much as a partition of this build."""

Decision: TypeAlias = Literal["keys", "pair", "query", "near-query", "passage", "near-passage"]
"""A step that decides about rows, and writes verdicts."""

_DECISIONS: Final[tuple[Decision, ...]] = ("keys", "pair", "query", "near-query", "passage", "near-passage")


def near_sides(near: str) -> list[Side]:
    """The sides near-duplicates are looked for on, in order, by the setting `near`."""
    sides: dict[str, list[Side]] = {"off": [], "passage": ["passage"], "query+passage": ["query", "passage"]}
    return sides[near]


def near_decision(side: Side) -> Decision:
    """The step that decides about the near-duplicates of a side."""
    return "near-query" if side == "query" else "near-passage"


def decisions(near: str, before: Decision | None = None) -> list[Decision]:
    """The steps that decide, in the order in which they run.

    Args:
        near: the setting.
        before: only the steps that run before this one.
    """
    made = {"keys", "pair", "query", "passage"} | {near_decision(side) for side in near_sides(near)}
    end = len(_DECISIONS) if before is None else _DECISIONS.index(before)
    return [decision for decision in _DECISIONS[:end] if decision in made]


class OlderPart(NamedTuple):
    """Row groups of an older release, which are read as a partition of this build is.

    Attributes:
        release: its name.
        root: its output folder.
        path: of the file, below root.
        first: the first row group.
        end: the row group after the last.
    """

    release: str
    root: str
    path: str
    first: int
    end: int


class EvaluationFiles(NamedTuple):
    """The files that hold the evaluation texts and their n-grams."""

    texts: Exchange[EvaluationRows]
    grams: Exchange[GramRows]
    postings: Exchange[PostingRows]


@dataclass(frozen=True)
class Batches:
    """Which slots each verifying task goes through.

    Attributes:
        starts: the first slot of each batch; the last entry is the number of slots.
    """

    starts: list[int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def slots(self) -> int:
        """Slots of all batches."""
        return self.starts[-1]

    def slots_of(self, batch: int) -> range:
        """The slots of one batch."""
        return range(self.starts[batch], self.starts[batch + 1])


@dataclass(frozen=True)
class Layout:
    """The partitions and ranges of a job, and its files.

    A row's number is its position in the concatenation of all partitions; it fits 32 bits. The partitions of older
    releases come after the build's own. Their rows take part in every exchange, and are never rejected.

    Attributes:
        store: the files of the build.
        folder: the stage's folder.
        inputs: the build's own partitions.
        older: the partitions of older releases.
        rows: rows of each partition, own ones first.
        key_ranges: ranges of an exact exchange.
        band_ranges: ranges of the exchange of band keys.
        screened: see `DedupWork`.
        scored: see `DedupWork`.
    """

    store: Store
    folder: str
    inputs: list[str]
    older: list[OlderPart]
    rows: list[int]
    key_ranges: int
    band_ranges: int
    screened: str | None
    scored: str | None

    @classmethod
    def measure(cls, job: Job[DedupWork], inputs: list[str]) -> Layout:
        """Count the rows from the Parquet footers, and leave the layout in the stage's folder for the tasks.

        Args:
            job: of the stage.
            inputs: the build's own partitions.

        Raises:
            CmtpError: there are more rows than 32 bits can number.
        """
        settings, bands = job.settings, job.settings.bands
        older, rows = _older_parts(settings.references.releases)
        rows = [job.store.rows(path) for path in inputs] + rows
        total = sum(rows)
        if total >= 1 << 32:
            raise CmtpError(f"dedup: {total:,} rows; one build takes at most 4,294,967,295. Build in parts.")
        key_ranges, band_ranges = max(1, -(-total // KEYS_PER_RANGE)), max(1, -(-total * bands // BANDS_PER_RANGE))
        layout = {"inputs": inputs, "older": older, "rows": rows, "key_ranges": key_ranges, "band_ranges": band_ranges}
        layout |= {"screened": settings.screened, "scored": settings.scored}
        job.store.write_json(job.path("layout.json"), layout)
        return cls.load(job.store, job.folder)

    @classmethod
    def load(cls, store: Store, folder: str) -> Layout:
        """The layout that `measure` left."""
        layout = store.read_json(f"{folder}/layout.json")
        return cls(store, folder, **layout | {"older": [OlderPart(*part) for part in layout["older"]]})

    def read_pairs(self, index: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of a partition, own or older; private data masked, as the final tables have it."""
        if index < self.own:
            return read_masked(self.store, self.inputs[index], index, self.screened, columns)
        part = self.older[index - self.own]
        with Store(part.root).read(part.path) as file:
            groups = range(part.first, part.end)
            return pq.ParquetFile(file).read_row_groups(groups, columns=[*columns], use_threads=False)

    def eligible(self, index: int) -> tuple[Array, Array]:
        """Which rows of a partition pass the screen, and which the cut: bool[rows] each; of older releases all do."""
        screened, scored = (self.screened, self.scored) if index < self.own else (None, None)
        rows = self.rows[index]
        return passes(self.store, screened, index, rows), passes(self.store, scored, index, rows)

    @cached_property
    def starts(self) -> Array:
        """int64[partitions + 1]: number of the first row of each partition; the last entry is the row count."""
        return np.concatenate([[0], np.cumsum(self.rows)]).astype(np.int64)

    @property
    def total_rows(self) -> int:
        """Rows of all partitions."""
        return int(self.starts[-1])

    @property
    def partitions(self) -> int:
        """Number of partitions, older ones included."""
        return len(self.rows)

    @property
    def own(self) -> int:
        """Number of the build's own partitions."""
        return len(self.inputs)

    @property
    def own_rows(self) -> int:
        """Rows of the build's own partitions; higher row numbers are of older releases."""
        return int(self.starts[self.own])

    def partition_of(self, rows: Array) -> Array:
        """The partition of each row number."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def releases_of(self, rows: Array) -> list[str | None]:
        """The name of the older release each row number belongs to; None for the build's own."""
        names: list[str | None] = [None] * self.own + [part.release for part in self.older]
        return [names[partition] for partition in self.partition_of(rows).tolist()]

    # The files of the exchanges. The protocol stands in `cmtp.dedup`, what a row of each holds in `records`.

    def _files(self, name: str, columns: type[C], writers: int, ranges: int = 1) -> Exchange[C]:
        return Exchange(self.store, f"{self.folder}/exchange/{name}", columns, writers, ranges)

    def remove_exchanges(self) -> None:
        """Delete the files of all exchanges."""
        self.store.remove(f"{self.folder}/exchange")

    @property
    def keys(self) -> Exchange[KeyRows]:
        """By pair key: the rows of every partition."""
        return self._files("keys", KeyRows, self.partitions, self.key_ranges)

    def survivors(self, exchange: Literal["pair", "query"]) -> Exchange[KeyRows]:
        """By the key of the next exact exchange: the rows that an exact exchange let stay."""
        return self._files(exchange, KeyRows, self.key_ranges, self.key_ranges)

    @property
    def order(self) -> Exchange[OrderRows]:
        """Which of a partition's rows are better."""
        return self._files("order", OrderRows, self.partitions)

    def bands(self, side: Side) -> Exchange[BandRows]:
        """By band key: the rows that may have near-duplicates."""
        return self._files(f"bands-{side}", BandRows, self.partitions, self.band_ranges)

    def sketches(self, side: Side) -> Exchange[SketchRows]:
        """The sketches of the same rows."""
        return self._files(f"sketches-{side}", SketchRows, self.partitions)

    def rejected(self, side: Side) -> Exchange[RejectedBits]:
        """Which rows were rejected before near-duplicates are looked for; one file."""
        return self._files(f"rejected-{side}", RejectedBits, 1)

    def edges(self, side: Side) -> Exchange[Edges]:
        """Pairs of rows that share a band."""
        return self._files(f"edges-{side}", Edges, self.band_ranges)

    def batch_edges(self, side: Side) -> Exchange[Edges]:
        """By batch: the same pairs."""
        return self._files(f"batch-edges-{side}", Edges, self.band_ranges, max(1, len(self.batches(side))))

    def members(self, side: Side) -> Exchange[MemberRows]:
        """The rows of each partition that share a band with others, and their slots."""
        return self._files(f"members-{side}", MemberRows, self.partitions)

    def texts(self, side: Side) -> Exchange[TextRows]:
        """By slot: the texts of the same rows."""
        return self._files(f"texts-{side}", TextRows, self.partitions, self.batches(side).slots)

    def verdicts(self, decision: Decision) -> Exchange[Verdicts]:
        """By partition: the verdicts of one step."""
        if decision == "keys":
            writers = self.own
        elif decision == "near-query" or decision == "near-passage":
            writers = len(self.batches("query" if decision == "near-query" else "passage"))
        else:
            writers = self.key_ranges
        return self._files(f"verdicts-{decision}", Verdicts, writers, self.own)

    @property
    def resolved_verdicts(self) -> Exchange[Verdicts]:
        """By partition: the verdicts of all steps, chains resolved; one file."""
        return self._files("verdicts", Verdicts, 1, self.own)

    @property
    def evaluation(self) -> EvaluationFiles:
        """The evaluation texts and their n-grams; one file each."""
        return EvaluationFiles(
            self._files("evaluation-texts", EvaluationRows, 1),
            self._files("evaluation-grams", GramRows, 1),
            self._files("evaluation-postings", PostingRows, 1),
        )

    def write_verdicts(self, decision: Decision, writer: int, verdicts: Verdicts) -> None:
        """Send the verdicts of one task home: to the partitions of the rows they are about."""
        self.verdicts(decision).write(writer, verdicts, self.partition_of(verdicts.row))

    def verdict_rows(self, decision: Decision) -> U32:
        """Numbers of the rows that a step has rejected."""
        exchange = self.verdicts(decision)
        parts = [exchange.read_writer(writer).row for writer in range(exchange.writers)]
        return np.concatenate([np.empty(0, np.uint32), *parts])

    def write_batches(self, side: Side, batches: Batches) -> None:
        """Leave the batches for the steps that follow."""
        self.store.write_json(f"{self.folder}/batches-{side}.json", {"starts": batches.starts})

    def batches(self, side: Side) -> Batches:
        """The batches that `write_batches` left."""
        return Batches(**self.store.read_json(f"{self.folder}/batches-{side}.json"))


def _older_parts(releases: Sequence[Release]) -> tuple[list[OlderPart], list[int]]:
    """The partitions of older releases, and the rows of each."""
    parts, rows = [], []
    for release in releases:
        store = Store(release.root)
        for path in release.files:
            with store.read(path) as file:
                metadata = pq.read_metadata(file)
            groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
            for first in range(0, len(groups), OLDER_GROUPS):
                end = min(first + OLDER_GROUPS, len(groups))
                parts.append(OlderPart(release.name, release.root, path, first, end))
                rows.append(sum(groups[first:end]))
    return parts, rows
