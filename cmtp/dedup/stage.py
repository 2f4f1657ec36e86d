"""The dedup stage: which tasks run in which order. The protocol they follow is drawn in `cmtp.dedup`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from cmtp.dedup.candidates import bands_of
from cmtp.dedup.layout import Layout, Side, near_sides
from cmtp.engine.task import StageJob, Task


class DedupStage:
    """Exact duplicates by pair, query and passage, and near-duplicates among the rows that are left."""

    name: ClassVar[str] = "dedup"
    code: ClassVar[tuple[str, ...]] = ("cmtp.dedup", "cmtp.text", "cmtp.sources.encoding")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See `cmtp.engine.task.Stage`. The files of the exchanges are deleted when the last step is done.

        The settings hold, besides those of the recipe, `references` as `references.resolve` gives them.
        """
        if not job.inputs:
            return
        references = job.settings["references"]
        bands = bands_of(job.settings).bands
        layout = Layout.measure(job.store, job.folder, job.inputs, references["releases"], bands)
        sides = near_sides(job.settings["near"])

        def tasks(run: str, name: str, count: int, *given: Any) -> list[Task]:
            return [
                Task(f"cmtp.dedup.{run}", job.folder, f"{name}-{index:05d}", [*given], job.settings)
                for index in range(count)
            ]

        def near(side: Side) -> Iterator[list[Task]]:
            yield tasks("candidates:mark_rejected", f"exclude-{side}", 1, side)
            yield tasks("candidates:match_bands", f"match-{side}", layout.band_ranges, side)
            yield tasks("group:group_edges", f"group-{side}", 1, side)
            batches = len(layout.batches(side))
            if batches:
                yield tasks("group:gather_texts", f"gather-{side}", layout.partitions, side)
                yield tasks("verify:verify_batch", f"verify-{side}", batches, side)

        if references["evaluation"]:
            yield tasks("contamination:read_evaluation", "reference", 1, *references["evaluation"])
        yield tasks("keys:send_keys", "keys", layout.partitions)
        yield tasks("exact:decide_pairs", "pair", layout.key_ranges)
        yield tasks("exact:decide_queries", "query", layout.key_ranges)
        if "query" in sides:
            yield from near("query")
        yield tasks("exact:decide_passages", "passage", layout.key_ranges)
        if "passage" in sides:
            yield from near("passage")
        yield tasks("final:resolve_verdicts", "settle", 1)
        yield tasks("final:split_partition", "apply", layout.own)
        layout.remove_exchanges()
