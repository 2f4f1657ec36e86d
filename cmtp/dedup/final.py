"""The last two steps: verdicts become final, and each partition is split by them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.evidence import evidence_of
from cmtp.dedup.layout import Layout, decisions
from cmtp.dedup.settings import DedupWork
from cmtp.dedup.verdicts import Reason, Verdicts, resolve_chains
from cmtp.engine.task import Job, Result
from cmtp.ids import id_texts
from cmtp.partition import write_verdicts
from cmtp.schema import PAIR


def resolve_verdicts(job: Job[DedupWork]) -> Result:
    """Collect the verdicts of all steps, resolve their chains, and send them to the partitions of their rows.

    Memory: 38 bytes per verdict, twice.
    """
    layout = Layout.load(job.store, job.folder)
    exchanges = [layout.verdicts(decision) for decision in decisions(job.settings.near)]
    given = Verdicts.concat(files.read_writer(writer) for files in exchanges for writer in range(files.writers))
    verdicts = resolve_chains(given)
    layout.resolved_verdicts.write(0, verdicts, layout.partition_of(verdicts.row))
    return Result(rows=len(verdicts))


def split_partition(job: Job[DedupWork], index: int) -> Result:
    """Write what one partition keeps and what it rejects."""
    layout = Layout.load(job.store, job.folder)
    table = layout.read_pairs(index, PAIR.names)
    verdicts = layout.resolved_verdicts.read(index)
    rows = verdicts.row.astype(np.int64) - layout.starts[index]
    stays = np.ones(table.num_rows, bool)
    stays[rows] = False
    lost_to_none = (verdicts.kept == verdicts.row) | (verdicts.kept >= layout.own_rows)
    kept_id = pa.array(id_texts(verdicts.kept_id_high, verdicts.kept_id_low), pa.string())
    return write_verdicts(
        job,
        index,
        table,
        kept=table.filter(pa.array(stays)) if len(rows) else table,
        rejected=table.take(pa.array(rows)),
        stage="dedup",
        reason=pa.DictionaryArray.from_arrays(
            pa.array(verdicts.reason.astype(np.int32)), pa.array([reason.label for reason in Reason])
        ),
        evidence=evidence_of(verdicts, layout, job.settings),
        score=verdicts.score,  # NaN becomes null
        kept_id=pc.if_else(pa.array(lost_to_none), pa.scalar(None, pa.string()), kept_id),
    )
