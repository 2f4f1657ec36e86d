"""The one writer of verdicts: a partition's rows that stay, and those that go, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from cmtp.engine.task import Job, Result
from cmtp.schema import PAIR, REJECTS


def write_verdicts(
    job: Job[BaseModel],
    index: int,
    rows: pa.Table,
    *,
    kept: pa.Table,
    rejected: pa.Table,
    stage: str,
    reason: pa.Array | Sequence[str],
    evidence: pa.Array | Sequence[str],
    score: Any = None,
    kept_id: pa.Array | None = None,
) -> Result:
    """Write what a stage keeps and rejects of one partition, and count both.

    The ledger is counted at both ends: `rows` as they were read, `kept` and `rejected` as they are written, so that a
    row which is lost between the two shows.

    Args:
        job: the stage's job; the files are ``kept/part-INDEX`` and ``rejects/part-INDEX``.
        index: number of the partition.
        rows: the partition as it was read (schema PAIR).
        kept: the rows that stay, perhaps with other texts (schema PAIR).
        rejected: the rows that go (columns of PAIR); the arguments below have one value for each of them.
        stage: name of the stage.
        reason: name of the rule that rejects.
        evidence: JSON objects: what was seen, measured and allowed.
        score: the numbers that the verdicts rest on, NaN or null where there is none; None: no row has one.
        kept_id: pair_id of the row that each lost to, null where there is none; None: no row has one.

    Returns:
        The ledger, and rows and bytes read.
    """
    count = rejected.num_rows
    made = {
        "stage": pa.array([stage] * count, pa.string()),
        "reason": reason if isinstance(reason, pa.Array) else pa.array(reason, pa.string()),
        "evidence": evidence if isinstance(evidence, pa.Array) else pa.array(evidence, pa.string()),
        "score": pa.nulls(count, pa.float32()) if score is None else pa.array(score, pa.float32(), from_pandas=True),
        "kept_id": pa.nulls(count, pa.string()) if kept_id is None else kept_id,
    }
    columns = [made[name] if name in made else rejected[name] for name in REJECTS.names]
    rejects = pa.table(columns, names=REJECTS.names).cast(REJECTS)
    kept = kept.cast(PAIR)
    job.store.write_table(job.kept(index), kept)
    job.store.write_table(job.rejects(index), rejects)
    result = Result(rows=rows.num_rows, bytes=rows.nbytes)
    result.ledger.take(rows)
    result.ledger.keep(kept)
    result.ledger.reject(rejects)
    return result
