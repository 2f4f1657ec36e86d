"""The similarity stage: draw a sample of every source and relation, calibrate the cut, apply it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from cmtp.engine.task import StageJob, Task

STEPS = "cmtp.similarity"


class SimilarityStage:
    """Rejects pairs whose passage does not belong to the query. Reads the vectors of EncodeStage."""

    name: ClassVar[str] = "similarity"
    code: ClassVar[tuple[str, ...]] = ("cmtp.similarity", "cmtp.shards.order")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage.

        The folder of the encode stage is in ``settings["encoded"]``; with a cascade ``settings["dear"]`` has the
        settings of the expensive encoder and the folder of its vectors.
        """

        def task(function: str, name: str, inputs: list[Any]) -> Task:
            return Task(f"{STEPS}.{function}", job.folder, name, inputs, job.settings)

        def each(function: str, *more: Any) -> list[Task]:
            name = function.partition(":")[2]
            return [task(function, f"{name}-{i:05d}", [part, i, *more]) for i, part in enumerate(job.inputs)]

        cascade = job.settings["cascade"] is not None
        if cascade or job.settings["threshold"] is None:
            yield each("sample:keys")
            yield [task("sample:choose", "choose-00000", [len(job.inputs)])]
            yield each("sample:sample")
            yield [task("cut:cut", "cut-00000", [len(job.inputs)])]
        if cascade:
            yield each("cascade:band")
        yield [
            task("apply:apply", f"apply-{i:05d}", [p, i, job.kept(i), job.rejects(i)]) for i, p in enumerate(job.inputs)
        ]
