"""The last two steps: verdicts become final, and each partition is split by them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp import schema
from cmtp.dedup.evidence import evidence_of
from cmtp.dedup.layout import Layout, decisions
from cmtp.dedup.verdicts import Reason, Verdicts, resolve_chains
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.ids import id_texts


def resolve_verdicts(task: Task, store: Store) -> Result:
    """Collect the verdicts of all steps, resolve their chains, and send them to the partitions of their rows.

    Memory: 38 bytes per verdict, twice.
    """
    layout = Layout.load(store, task.folder)
    exchanges = [layout.verdicts(decision) for decision in decisions(task.settings["near"])]
    given = Verdicts.concat(files.read_writer(writer) for files in exchanges for writer in range(files.writers))
    verdicts = resolve_chains(given)
    layout.resolved_verdicts.write(0, verdicts, layout.partition_of(verdicts.row))
    return Result(rows=len(verdicts))


def split_partition(task: Task, store: Store) -> Result:
    """Write what one partition keeps and what it rejects."""
    layout = Layout.load(store, task.folder)
    job = StageJob(store, task.folder, layout.inputs, task.settings)
    table = store.read_table(layout.inputs[task.index])
    verdicts = layout.resolved_verdicts.read(task.index)
    rows = verdicts.row.astype(np.int64) - layout.starts[task.index]
    stays = np.ones(table.num_rows, bool)
    stays[rows] = False
    kept = (table.filter(pa.array(stays)) if len(rows) else table).cast(schema.PAIR)
    lost_to_none = (verdicts.kept == verdicts.row) | (verdicts.kept >= layout.own_rows)
    kept_id = pa.array(id_texts(verdicts.kept_id_high, verdicts.kept_id_low), pa.string())
    columns = {
        "stage": pa.array(["dedup"] * len(rows), pa.string()),
        "reason": pa.DictionaryArray.from_arrays(
            pa.array(verdicts.reason.astype(np.int32)), pa.array([reason.label for reason in Reason])
        ),
        "evidence": pa.array(evidence_of(verdicts, layout, task.settings), pa.string()),
        "score": pa.array(verdicts.score, pa.float32(), from_pandas=True),  # NaN becomes null
        "kept_id": pc.if_else(pa.array(lost_to_none), pa.scalar(None, pa.string()), kept_id),
    }
    rejected = table.take(pa.array(rows))
    names = schema.REJECTS.names
    rejects = pa.table([columns[name] if name in columns else rejected[name] for name in names], names=names)
    rejects = rejects.cast(schema.REJECTS)
    store.write_table(job.kept(task.index), kept)
    store.write_table(job.rejects(task.index), rejects)
    ledger = Ledger()
    ledger.take(table)
    ledger.keep(kept)
    ledger.reject(rejects)
    return Result(ledger=ledger, rows=table.num_rows, bytes=table.nbytes)
