"""Checks an output folder from its bytes alone: checksums, schemas, ids, and the row ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pyarrow as pa

from cmtp.engine.ledger import KEPT, Ledger
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.schema import FINETUNE, PAIRS, PRETRAIN, REJECTS

MOST_SHOWN = 20
"""Most problems of one kind that are listed."""


def read_manifest(store: Store) -> dict[str, Any]:
    """The manifest of an output folder.

    Raises:
        UsageError: there is none, or it is not JSON.
    """
    if not store.exists(""):
        raise UsageError(f"{store.root}: the folder does not exist")
    if not store.exists("manifest.json"):
        raise UsageError(
            f"{store.root}: no manifest.json: not an output folder, or its build did not finish (run it again)"
        )
    try:
        manifest: dict[str, Any] = store.read_json("manifest.json")
    except ValueError as error:
        raise UsageError(f"{store.root}/manifest.json is not JSON ({error}): build again") from error
    return manifest


def verify(store: Store) -> list[str]:
    """Check what docs/shards.md promises of an output folder.

    Returns:
        A line per problem; empty: there is none.
    """
    manifest = read_manifest(store)
    problems = _check_files(store, manifest)
    if problems:
        return problems  # the rows of broken files would only lead to further problems
    ids: dict[str, pl.Series] = {}
    kept_ids: list[pl.Series] = []
    counted: dict[str, Counter[tuple[str, str, str]]] = {}
    for name, table in manifest["tables"].items():
        if name in ("pretrain", "finetune"):
            key = "doc_id" if name == "pretrain" else "pair_id"
            ids[name] = _series(_read(store, name, table, [key])[key])
            continue
        wanted = ["pair_id", "source", "relation"] + (["reason", "kept_id"] if name != "pairs" else [])
        rows = _read(store, name, table, wanted)
        ids[name] = _series(rows["pair_id"])
        ledger = Ledger()
        if name == "pairs":
            ledger.keep(rows)
            counted[KEPT] = ledger.outcome
        else:
            ledger.reject(rows)
            counted[name.split("/", 1)[1]] = ledger.outcome
            kept_ids.append(_series(rows["kept_id"]).drop_nulls())
    return [*_check_ids(ids, kept_ids), *_check_ledger(manifest, counted)]


def _read(store: Store, name: str, table: dict[str, Any], columns: list[str]) -> pa.Table:
    parts = [store.read_table(f"{name}/{file['file']}", columns) for file in table["files"]]
    return pa.concat_tables(parts).unify_dictionaries()


def _series(column: pa.ChunkedArray) -> pl.Series:
    return pl.Series(pl.from_arrow(column))


def _check_files(store: Store, manifest: dict[str, Any]) -> list[str]:
    schemas = {"pairs": PAIRS, "finetune": FINETUNE, "pretrain": PRETRAIN}
    problems = []
    for name, table in manifest["tables"].items():
        listed = {f"{name}/{file['file']}" for file in table["files"]}
        problems += [f"{path}: not in the manifest" for path in store.list(name) if path not in listed]
        for file in table["files"]:
            path = f"{name}/{file['file']}"
            if not store.exists(path):
                problems.append(f"{path}: missing")
                continue
            digest = store.sha256(path)
            if digest != file["sha256"]:
                problems.append(f"{path}: sha256 is {digest}, the manifest says {file['sha256']}")
            elif not store.schema(path).equals(schemas.get(name, REJECTS)):
                problems.append(f"{path}: its schema is not that of {name}")
    return problems


def _check_ids(ids: dict[str, pl.Series], kept_ids: list[pl.Series]) -> list[str]:
    """Ids are unique over pairs and rejects, rows named by kept_id exist, finetune rows are pairs."""
    problems = []
    rows = pl.concat([column for name, column in ids.items() if name == "pairs" or name.startswith("rejects/")])
    repeated = rows.filter(rows.is_duplicated()).unique().sort()
    problems += [f"pair_id {pair_id} occurs more than once in pairs and rejects" for pair_id in repeated[:MOST_SHOWN]]
    for column in kept_ids:
        missing = column.filter(~column.is_in(rows.implode())).unique().sort()
        problems += [f"kept_id {pair_id} is in neither pairs nor rejects" for pair_id in missing[:MOST_SHOWN]]
    problems += [
        f"{name}: an id occurs twice" for name in ("pretrain", "finetune") if name in ids and not _unique(ids[name])
    ]
    if "finetune" in ids:
        unknown = ids["finetune"].filter(~ids["finetune"].is_in(ids["pairs"].implode())).sort()
        problems += [f"finetune: pair_id {pair_id} is not in pairs" for pair_id in unknown[:MOST_SHOWN]]
    return problems


def _unique(column: pl.Series) -> bool:
    return column.n_unique() == len(column)


def _check_ledger(manifest: dict[str, Any], counted: dict[str, Counter[tuple[str, str, str]]]) -> list[str]:
    """Rows in = kept + rejected for every stage, source and relation; the tables have the rows of the ledger."""
    problems = []
    before: dict[tuple[str, str], int] | None = None
    for stage in manifest["stages"]:
        name = stage["stage"]
        ledger = Ledger.from_rows(stage["ledger"])
        problems += [f"ledger of {name}: {line}" for line in ledger.imbalance()]
        if before is not None:
            for key in sorted(before.keys() | ledger.taken.keys()):
                if before.get(key, 0) != ledger.taken[key]:
                    problems.append(
                        f"ledger of {name}: {key[0]} / {key[1]}: {ledger.taken[key]} rows in, the stage before kept "
                        f"{before.get(key, 0)}"
                    )
        before = {(s, r): n for (s, r, outcome), n in ledger.outcome.items() if outcome == KEPT}
        rejected = Counter({key: n for key, n in ledger.outcome.items() if key[2] != KEPT})
        problems += _differences(f"rejects/{name}", rejected, counted.get(name, Counter()))
    last = Counter({(*key, KEPT): n for key, n in (before or {}).items()})
    return problems + _differences("pairs", last, counted.get(KEPT, Counter()))


def _differences(table: str, ledger: Counter[tuple[str, str, str]], rows: Counter[tuple[str, str, str]]) -> list[str]:
    return [
        f"{table}: {' / '.join(key)}: {rows[key]} rows, the ledger says {ledger[key]}"
        for key in sorted(ledger.keys() | rows.keys())
        if ledger[key] != rows[key]
    ][:MOST_SHOWN]
