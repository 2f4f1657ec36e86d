"""A partition's verdicts: recorded before anything is decided, and written as rows that stay and rows that go.

Which of several copies stays can only be decided among rows that pass everything else. So two stages judge first and
reject nothing: they *record* their verdicts, a row of ``judged/part-*.parquet`` each, and leave the partitions as they
are. Later stages read them (`recorded`), and the stage whose verdict it is writes it as a reject (`apply_recorded`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cmtp.engine.stage import StageFolder
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Result
from cmtp.schema import PAIR, REJECTS

RECORDED: Final = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("pair_id", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("evidence", pa.string()),
        pa.field("score", pa.float32()),
    ]
)
"""The columns that every recorded verdict has: number of the row in its partition and its pair_id; reason, evidence and
score as in `REJECTS`, reason null where the row passes. A stage may add columns, and leave out rows that pass."""

MASKED: Final = ("query", "passage")
"""Columns that the screen's verdicts have besides: the text with private data masked, null where there is none."""

_NONE: Final = pa.schema([*RECORDED, *(pa.field(side, pa.string()) for side in MASKED)])


def judged_by(stage: str, before: Mapping[str, StageFolder]) -> str | None:
    """Folder of the verdicts that a stage recorded; None where the build has no such stage.

    Args:
        stage: its name.
        before: where the stages before work, by name.
    """
    at = before.get(stage)
    return None if at is None else at.judged


def judged_path(folder: str, index: int) -> str:
    """Path of the verdicts on partition `index`; `folder`: see `StageFolder.judged`."""
    return f"{folder}/part-{index:05d}.parquet"


def recorded(store: Store, folder: str | None, index: int, columns: Sequence[str] = tuple(RECORDED.names)) -> pa.Table:
    """Some columns of the verdicts on a partition; none where no stage recorded any (None)."""
    return (
        _NONE.empty_table().select(columns) if folder is None else store.read_table(judged_path(folder, index), columns)
    )


def passes(store: Store, folder: str | None, index: int, rows: int) -> np.ndarray:
    """Bool [rows]: which rows of a partition the verdicts on it let pass."""
    verdicts = recorded(store, folder, index, ["row", "reason"])
    passing = np.ones(rows, bool)
    passing[verdicts.filter(pc.is_valid(verdicts["reason"]))["row"].to_numpy()] = False
    return passing


def read_masked(store: Store, part: str, index: int, screened: str | None, columns: Sequence[str]) -> pa.Table:
    """Some columns of a partition, private data masked as the screen recorded it."""
    rows = store.read_table(part, columns)
    for side in MASKED:
        if side in columns:
            texts = recorded(store, screened, index, ["row", side])
            texts = texts.filter(pc.is_valid(texts[side])).sort_by("row")
            if texts.num_rows:
                flags = np.zeros(rows.num_rows, bool)
                flags[texts["row"].to_numpy()] = True
                column = pc.replace_with_mask(
                    rows[side].combine_chunks(), pa.array(flags), texts[side].combine_chunks()
                )
                rows = rows.set_column(rows.schema.get_field_index(side), rows.schema.field(side), column)
    return rows


def read_screened(store: Store, part: str, index: int, screened: str | None, columns: Sequence[str]) -> pa.Table:
    """Some columns of the rows of a partition that pass the screen, private data masked."""
    rows = read_masked(store, part, index, screened, columns)
    passing = passes(store, screened, index, rows.num_rows)
    return rows if passing.all() else rows.filter(pa.array(passing))


def apply_recorded(job: Job[BaseModel], index: int, rows: pa.Table, *, judged: str, stage: str) -> Result:
    """Write what recorded verdicts keep and reject of a partition.

    Args:
        job: of the stage that writes.
        index: number of the partition.
        rows: what is left of it (schema PAIR); verdicts on rows that went in the meantime are passed over.
        judged: folder of the verdicts.
        stage: name of the stage that writes.
    """
    verdicts = recorded(job.store, judged, index, ["pair_id", "reason", "evidence", "score"])
    verdicts = verdicts.filter(pc.is_valid(verdicts["reason"]))
    found = pc.index_in(rows["pair_id"], verdicts["pair_id"].combine_chunks())
    goes = pc.is_valid(found)
    of_row = verdicts.take(found.filter(goes))
    return write_verdicts(
        job,
        index,
        rows,
        kept=rows.filter(pc.invert(goes)),
        rejected=rows.filter(goes),
        stage=stage,
        reason=of_row["reason"].combine_chunks(),
        evidence=of_row["evidence"].combine_chunks(),
        score=of_row["score"].combine_chunks(),
    )


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
