"""The dedup stage: which tasks run in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from cmtp.dedup.bands import near_sides
from cmtp.dedup.exact import EXCHANGES
from cmtp.dedup.layout import Layout
from cmtp.dedup.verdicts import near_verdicts
from cmtp.engine.task import StageJob, Task


class DedupStage:
    """Exact duplicates by pair, query and passage, then near-duplicates among the passages that are left.

    Every exchange is a step that writes keyed files and a step that reads one key range of all of them. Verdicts travel
    back to the partition of the row they concern, and the last step applies them.
    """

    name: ClassVar[str] = "dedup"
    code: ClassVar[tuple[str, ...]] = ("cmtp.dedup", "cmtp.text", "cmtp.sources.encoding")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See `cmtp.engine.task.Stage`. Intermediate files are deleted when the last step is done.

        The settings hold, besides those of the recipe, `references` as `references.resolve` gives them.
        """
        if not job.inputs:
            return
        references = job.settings["references"]
        layout = Layout.measure(job.store, job.folder, job.inputs, references["releases"])

        def tasks(run: str, name: str, inputs: list[list[Any]]) -> list[Task]:
            return [
                Task(f"cmtp.dedup.{run}", job.folder, f"{name}-{index:05d}", given, job.settings)
                for index, given in enumerate(inputs)
            ]

        own: list[list[Any]] = [[path] for path in job.inputs]
        everything = own + [list(older) for older in layout.older]

        def near(side: str) -> Iterator[list[Task]]:
            bands = layout.band_ranges(job.settings["bands"])
            yield tasks("near:exclude", f"exclude-{side}", [[side]])
            yield tasks("near:match", f"match-{side}", [[side]] * bands)
            yield tasks("group:group", f"group-{side}", [[side]])
            jobs = len(job.store.read_json(f"{job.folder}/groups-{side}.json")["jobs"])
            if jobs:
                yield tasks("group:gather", f"gather-{side}", [[*given, side] for given in everything])
                yield tasks("verify:verify", f"verify-{side}", [[side]] * jobs)

        if references["evaluation"]:
            yield tasks("contamination:reference", "reference", [references["evaluation"]])
        yield tasks("exact:keys", "keys", everything)
        verdicts = layout.files("verdicts-keys", layout.own)
        for name in EXCHANGES:
            if name == "passage" and "query" in near_sides(job.settings):
                yield from near("query")
            yield tasks("exact:decide", name, [[]] * layout.key_ranges)
            verdicts += layout.files(f"verdicts-{name}", layout.key_ranges)
        if "passage" in near_sides(job.settings):
            yield from near("passage")
        for side in ("query", "passage"):
            verdicts += near_verdicts(job.store, layout, side)
        yield tasks("verdicts:settle", "settle", [verdicts])
        yield tasks("verdicts:apply", "apply", own)
        job.store.remove(f"{job.folder}/exchange")
