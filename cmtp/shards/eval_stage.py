"""The eval stage: keeps whole documents out of the tables that are trained on. In a build whose recipe asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.schema import REJECTS
from cmtp.shards.order import is_held_out

HERE = "cmtp.shards.eval_stage"
REASON = "held_out"


class EvalStage:
    """Rejects the pairs of held-out documents as ``held_out``: rejects/eval is the set that models are scored on.

    Stands behind similarity, so that what is held out passed every test that a pair of training has to pass, and before
    mine, so that its passages are nobody's negatives.
    """

    name: ClassVar[str] = "eval"
    code: ClassVar[tuple[str, ...]] = ("cmtp.shards.eval_stage", "cmtp.shards.order")
    rejects_rows: ClassVar[bool] = True

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage."""
        yield [
            Task(f"{HERE}:apply", job.folder, f"apply-{i:05d}", [part, job.kept(i), job.rejects(i)], job.settings)
            for i, part in enumerate(job.inputs)
        ]


def apply(task: Task, store: Store) -> Result:
    """Part the rows of one partition by their document."""
    part, kept_path, rejects_path = task.inputs
    rows = store.read_table(part)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    held = is_held_out(rows["doc_id"], task.settings["share"], task.settings["split_seed"])
    kept, out = rows.filter(pa.array(~held)), rows.filter(pa.array(held))
    evidence = json.dumps({"share": task.settings["share"], "seed": task.settings["split_seed"]})
    made = {
        "stage": pa.array(["eval"] * out.num_rows, pa.string()),
        "reason": pa.array([REASON] * out.num_rows, pa.string()),
        "evidence": pa.array([evidence] * out.num_rows, pa.string()),
        "score": pa.nulls(out.num_rows, pa.float32()),
        "kept_id": pa.nulls(out.num_rows, pa.string()),
    }
    columns = [made[name] if name in made else out[name] for name in REJECTS.names]
    rejected = pa.table(columns, names=REJECTS.names).cast(REJECTS)
    store.write_table(kept_path, kept)
    store.write_table(rejects_path, rejected)
    result.ledger.keep(kept)
    result.ledger.reject(rejected)
    return result
