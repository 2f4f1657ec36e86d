"""Exports a table of a build in the format of another trainer, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from cmtp.engine.store import Store
from cmtp.errors import CmtpError, UsageError
from cmtp.shards.verify import read_manifest

ExportRow = dict[str, Any]

EXPORT_ROWS = 4096
"""Rows in memory at a time."""

TABLES_TO_EXPORT: Final = ("pairs", "finetune")


@dataclass(frozen=True)
class ExportFormat:
    """A trainer's format.

    Attributes:
        lines: gives the lines of a row; none for a row that the trainer cannot read.
        needs_negatives: whether a row of finetune without negatives gives no line.
        pairs_note: note for an export of `pairs`, which has no negatives.
    """

    lines: Callable[[ExportRow], Iterator[ExportRow]]
    needs_negatives: bool = False
    pairs_note: str = ""


@dataclass(frozen=True)
class Exported:
    """The result of an export."""

    rows: int
    """Rows read."""
    lines: int
    """Lines written."""
    without_negatives: int
    """Rows of finetune that have no negatives."""
    notes: list[str]
    """Lines for the user."""


def flagembedding(row: ExportRow) -> Iterator[ExportRow]:
    """FlagEmbedding's finetune format: query, pos, neg, the scores of both, and the instruction as ``prompt``.

    Its loader divides by the number of negatives, except with ``--train_group_size 1``. So a row of finetune without
    negatives gives no line.
    """
    if "pos" not in row:
        yield {"query": row["query"], "pos": [row["passage"]], "neg": []}
    elif row["neg"]:
        names = ("query", "pos", "neg", "pos_scores", "neg_scores")
        yield {name: row[name] for name in names} | {"prompt": row["instruction"]}


def sentence_transformers(row: ExportRow) -> Iterator[ExportRow]:
    """Columns anchor, positive and, from finetune, negative: one triplet per positive and negative.

    The anchor begins with the instruction. Do not set the trainer's ``prompts``: they would add it a second time.
    """
    if "pos" not in row:
        yield {"anchor": row["query"], "positive": row["passage"]}
        return
    for positive in row["pos"]:
        for negative in row["neg"]:
            yield {"anchor": row["instruction"] + row["query"], "positive": positive, "negative": negative}


def all_columns(row: ExportRow) -> Iterator[ExportRow]:
    """The row as it is."""
    yield row


EXPORT_FORMATS: Final[dict[str, ExportFormat]] = {
    "flagembedding": ExportFormat(
        flagembedding,
        needs_negatives=True,
        pairs_note="pairs has no negatives: FlagEmbedding reads such rows with --train_group_size 1 only",
    ),
    "sentence-transformers": ExportFormat(sentence_transformers, needs_negatives=True),
    "jsonl": ExportFormat(all_columns),
}


def export_table(shards: str, dest: str, form: str, table: str) -> Exported:
    """Write a table, one file ``TABLE-00000.jsonl`` per shard.

    Args:
        shards: output folder of a build.
        dest: folder to write to, a path or an fsspec URL.
        form: one of EXPORT_FORMATS.
        table: one of TABLES_TO_EXPORT.

    Raises:
        UsageError: `shards` is not a build, or the table or the format is unknown.
        CmtpError: no row can be exported; nothing is written.
    """
    if form not in EXPORT_FORMATS:
        raise UsageError(f"--format {form}: give one of {', '.join(EXPORT_FORMATS)}")
    source, target = Store(shards), Store(dest)
    tables = read_manifest(source)["tables"]
    if table not in TABLES_TO_EXPORT or table not in tables:
        present = ", ".join(name for name in TABLES_TO_EXPORT if name in tables)
        raise UsageError(f"--table {table}: {shards} can export {present}")
    paths = [f"{table}/{file['file']}" for file in tables[table]["files"]]
    rows = int(tables[table]["rows"])
    without = _without_negatives(source, paths) if table == "finetune" else 0
    chosen = EXPORT_FORMATS[form]
    if rows == 0:
        raise CmtpError(f"{table} of {shards} has no rows; its stages in {shards}/README.md say where they went")
    if chosen.needs_negatives and without == rows:
        raise CmtpError(
            f"none of the {rows:,} rows of {table} has negatives, and {form} needs them: mine again with other "
            "settings (cmtp mine), or export --format jsonl"
        )
    lines = sum(_write_lines(source, path, target, _target(path), chosen) for path in paths)
    notes = [chosen.pairs_note] if table == "pairs" and chosen.pairs_note else []
    if without:
        outcome = "left out" if chosen.needs_negatives else "written with an empty neg"
        notes.append(f"{without:,} of {rows:,} rows have no negatives: {outcome}")
    return Exported(rows, lines, without, notes)


def _without_negatives(source: Store, paths: list[str]) -> int:
    return sum(
        pc.sum(pc.equal(pc.list_value_length(source.read_table(path, ["neg"])["neg"]), 0)).as_py() or 0
        for path in paths
    )


def _write_lines(source: Store, path: str, target: Store, out: str, form: ExportFormat) -> int:
    """Write one file. Returns its number of lines."""
    lines = 0
    with source.read(path) as stream, target.write(out) as file:
        for batch in pq.ParquetFile(stream).iter_batches(EXPORT_ROWS):
            for row in batch.to_pylist():
                for line in form.lines(row):
                    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                    lines += 1
    return lines


def _target(path: str) -> str:
    """``pairs/part-00003.parquet`` → ``pairs-00003.jsonl``."""
    return path.replace("/part-", "-").removesuffix(".parquet") + ".jsonl"
