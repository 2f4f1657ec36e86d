"""Counts of rows in and out by source, relation and reason. Rows in must be rows kept plus rows rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KEPT = "kept"
"""The ledger's name for rows that were kept; every other name is a reject reason."""

Key = tuple[str, str, str]
"""source, relation (empty where a record gave none), KEPT or reason"""


class Ledger:
    """Rows a stage took in, and what became of each.

    `taken` is counted where rows are read and `outcome` where they are written, so that a row lost between the two
    shows.
    """

    def __init__(self) -> None:
        self.taken: Counter[tuple[str, str]] = Counter()
        self.outcome: Counter[Key] = Counter()

    def take(self, table: pa.Table) -> None:
        """Count the rows of a table (columns source, relation) as taken in."""
        for (source, relation), n in _count(table, ("source", "relation")):
            self.taken[source, relation] += n

    def keep(self, table: pa.Table) -> None:
        """Count the rows of a table as kept."""
        for (source, relation), n in _count(table, ("source", "relation")):
            self.outcome[source, relation, KEPT] += n

    def reject(self, table: pa.Table) -> None:
        """Count the rows of a table (columns source, relation, reason) as rejected."""
        for (source, relation, reason), n in _count(table, ("source", "relation", "reason")):
            self.outcome[source, relation, reason] += n

    def __iadd__(self, other: Ledger) -> Ledger:
        self.taken += other.taken
        self.outcome += other.outcome
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ledger) and self.taken == other.taken and self.outcome == other.outcome

    __hash__ = None  # type: ignore[assignment]

    @property
    def rows_in(self) -> int:
        """All rows taken in."""
        return self.taken.total()

    @property
    def rows_kept(self) -> int:
        """All rows that were kept."""
        return sum(n for key, n in self.outcome.items() if key[2] == KEPT)

    def reasons(self) -> Counter[str]:
        """Rejected rows by reason."""
        total: Counter[str] = Counter()
        for (_, _, reason), n in self.outcome.items():
            if reason != KEPT:
                total[reason] += n
        return total

    def imbalance(self) -> list[str]:
        """A line for each source and relation in which rows in are not kept + rejected; empty: there is none."""
        out: Counter[tuple[str, str]] = Counter()
        for (source, relation, _), n in self.outcome.items():
            out[source, relation] += n
        return [
            f"{source} / {relation or '-'}: {self.taken[source, relation]} in, {out[source, relation]} accounted for"
            for source, relation in sorted(self.taken.keys() | out.keys())
            if self.taken[source, relation] != out[source, relation]
        ]

    def to_rows(self) -> list[dict[str, Any]]:
        """Sorted JSON rows: source, relation, in, kept, rejected by reason."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for key in sorted(self.taken):
            rows[key] = {"source": key[0], "relation": key[1], "in": self.taken[key], "kept": 0, "rejected": {}}
        for (source, relation, reason), n in sorted(self.outcome.items()):
            row = rows.setdefault(
                (source, relation), {"source": source, "relation": relation, "in": 0, "kept": 0, "rejected": {}}
            )
            if reason == KEPT:
                row["kept"] = n
            else:
                row["rejected"][reason] = n
        return [rows[key] for key in sorted(rows)]

    @classmethod
    def from_rows(cls, rows: Iterable[dict[str, Any]]) -> Ledger:
        """The inverse of `to_rows`."""
        ledger = cls()
        for row in rows:
            key = row["source"], row["relation"]
            if row["in"]:
                ledger.taken[key] = row["in"]
            if row["kept"]:
                ledger.outcome[(*key, KEPT)] = row["kept"]
            for reason, n in row["rejected"].items():
                ledger.outcome[(*key, reason)] = n
        return ledger


def _count(table: pa.Table, names: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], int]]:
    plain = pa.table({name: pc.fill_null(pc.cast(table[name], pa.string()), "") for name in names})
    grouped = plain.group_by(list(names)).aggregate([([], "count_all")])
    columns = [grouped[name].to_pylist() for name in names]
    return zip(zip(*columns, strict=True), grouped["count_all"].to_pylist(), strict=True)
