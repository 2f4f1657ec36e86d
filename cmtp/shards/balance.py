"""How much of a final table each source is, and a word where one source or one file is most of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

MOST_OF_A_TABLE: Final = 0.5
"""Share of a table's rows from which a source or a file is most of it."""

FEW_ROWS: Final = 1_000
"""Rows of a table below which nothing is said."""

TRAINED_ON: Final = ("pairs", "finetune", "pretrain")


def balance_of(rows: pa.Table) -> dict[str, Any]:
    """Rows by source, and the file with the most rows, where the table says which file a row is from.

    Rows of a final file are in random order, so a file with most rows of a table has most rows of each of its parts.
    """
    sources = Counter(rows["source"].cast(pa.string()).to_pylist())
    record: dict[str, Any] = {"sources": dict(sorted(sources.items()))}
    if "origin" in rows.column_names and rows.num_rows:
        files = pc.replace_substring_regex(rows["origin"], r"#[^#]*$", "")
        counts = files.combine_chunks().value_counts()
        largest = max(zip(counts.field(1).to_pylist(), counts.field(0).to_pylist(), strict=True))
        record["largest_file"] = [largest[1], largest[0]]
    return record


def one_sided(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each table that is trained on and of which one source, or one file, is most.

    Args:
        records: of the final files, with what `balance_of` says.
    """
    rows: Counter[str] = Counter()
    largest: dict[str, Counter[str]] = {}
    for record in records:
        table = record["table"]
        if table in TRAINED_ON and "sources" in record:
            rows[table] += record["rows"]
            counts = largest.setdefault(table, Counter())
            counts.update({f"the source {name}": n for name, n in record["sources"].items()})
            if "largest_file" in record:
                name, n = record["largest_file"]
                counts[f"the file {name}"] += n
    lines = []
    for table, counts in sorted(largest.items()):
        name, n = min(counts.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
        if rows[table] >= FEW_ROWS and n > MOST_OF_A_TABLE * rows[table] and len(counts) > 1:
            # pretrain has whole documents, which no cap of pairs leaves out
            hint = "" if table == "pretrain" else ": look at mixture.caps and mixture.max_pairs"
            lines.append(f"{n / rows[table]:.0%} of the rows of {table} are of {name}{hint}")
    return lines
