"""Reads rows of a build for a person: a sample of rows, or the path of one pair through all stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.shards.verify import read_manifest


@dataclass(frozen=True)
class Wanted:
    """The rows to show. None means any. With a stage or a reason they are rejects, else pairs."""

    relation: str | None = None
    source: str | None = None
    stage: str | None = None
    reason: str | None = None
    min_similarity: float | None = None
    max_similarity: float | None = None


def sample_rows(shards: str, wanted: Wanted, n: int, seed: int) -> list[dict[str, Any]]:
    """Up to n matching rows, drawn by a seeded hash of their ids.

    Raises:
        UsageError: `shards` is not a build, or no row of it has the name of a wanted relation, source, stage or reason.
    """
    manifest = read_manifest(Store(shards))
    tables = [name for name in manifest["tables"] if name.startswith("rejects/")]
    if wanted.stage is not None:
        if f"rejects/{wanted.stage}" not in tables:
            known = ", ".join(name.split("/")[1] for name in tables)
            raise UsageError(f"--stage {wanted.stage}: stages with rejects are {known}")
        tables = [f"rejects/{wanted.stage}"]
    elif wanted.reason is None:
        tables = ["pairs"]
    _check_names(manifest, wanted)
    rows = pl.concat([_scan(shards, name) for name in tables])
    score = pl.col("similarity" if tables == ["pairs"] else "score")
    for column in ("relation", "source", "reason"):
        value = getattr(wanted, column)
        if value is not None:
            rows = rows.filter(pl.col(column).cast(pl.String) == value)
    if wanted.min_similarity is not None:
        rows = rows.filter(score >= wanted.min_similarity)
    if wanted.max_similarity is not None:
        rows = rows.filter(score <= wanted.max_similarity)
    # only the ids are sorted; the texts are read of the n rows that are shown
    ids = rows.select("pair_id", order=pl.col("pair_id").hash(seed)).bottom_k(n, by="order").collect()
    return rows.filter(pl.col("pair_id").is_in(ids["pair_id"].to_list())).collect().to_dicts()


def _check_names(manifest: dict[str, Any], wanted: Wanted) -> None:
    """Refuse names that no row of a build has, and a reason that no row of the wanted stage has.

    Otherwise a typing error would look like an empty table.
    """
    rows = [(stage["stage"], row) for stage in manifest["stages"] for row in stage["ledger"]]
    known = {
        "relation": {row["relation"] for _, row in rows if row["relation"]},
        "source": {row["source"] for _, row in rows},
        "reason": {reason for stage, row in rows if wanted.stage in (None, stage) for reason in row["rejected"]},
    }
    for option, names in known.items():
        value = getattr(wanted, option)
        if value is not None and value not in names:
            stage_text = f"in stage {wanted.stage} " if option == "reason" and wanted.stage is not None else ""
            raise UsageError(f"--{option} {value}: {stage_text}this build has {', '.join(sorted(names)) or 'none'}")


def trace_pair(shards: str, pair_id: str) -> dict[str, Any]:
    """The path of a pair through all stages of a build.

    Returns:
        ``row`` (the pair or reject), ``table`` (where it is), ``stages`` (name and verdict of each), ``rival`` (the row
        it lost to, or None), ``finetune`` (its finetune row, or None).

    Raises:
        UsageError: `shards` is not a build, or has no such pair.
    """
    manifest = read_manifest(Store(shards))
    table, row = _find(shards, manifest, pair_id)
    if row is None:
        raise UsageError(f"{pair_id}: no such pair_id in pairs or rejects of {shards}")
    stages = []
    for stage in manifest["stages"]:
        lost = row.get("stage") == stage["stage"]
        stages.append({"stage": stage["stage"], "verdict": f"rejected: {row['reason']}" if lost else "kept"})
        if lost:
            break
    rival = _find(shards, manifest, row["kept_id"])[1] if row.get("kept_id") else None
    finetune = None
    if "finetune" in manifest["tables"]:
        finetune = _first(shards, "finetune", pair_id)
    return {"table": table, "row": row, "stages": stages, "rival": rival, "finetune": finetune}


def _find(shards: str, manifest: dict[str, Any], pair_id: str) -> tuple[str, dict[str, Any] | None]:
    for name in manifest["tables"]:
        if name == "pairs" or name.startswith("rejects/"):
            row = _first(shards, name, pair_id)
            if row is not None:
                return name, row
    return "", None


def _first(shards: str, table: str, pair_id: str) -> dict[str, Any] | None:
    rows = _scan(shards, table).filter(pl.col("pair_id") == pair_id).collect().to_dicts()
    return rows[0] if rows else None


def _scan(shards: str, table: str) -> pl.LazyFrame:
    rows = pl.scan_parquet(f"{shards.rstrip('/')}/{table}/*.parquet")
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))
