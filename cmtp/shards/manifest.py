"""manifest.json: inputs, settings, stages and tables. It has no times and no host, so a rerun gives the same bytes."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import Any

import xxhash

from cmtp.engine.executor import Receipt
from cmtp.engine.figures import merge, plain_values
from cmtp.engine.stage import StageRun
from cmtp.settings import RecipeBase
from cmtp.similarity.encode import EncodeStage

LAYOUT_VERSION = 1
"""Version of the output folder's layout."""

TABLES = ("pairs", "finetune", "pretrain")
"""Tables beside the rejects."""


def make_manifest(recipe: RecipeBase, sources: dict[str, str], runs: list[StageRun], shard: StageRun) -> dict[str, Any]:
    """The manifest of a build.

    Args:
        recipe: the resolved recipe.
        sources: path of every input file, relative to its root, with its source's name.
        runs: the stages, in order. Those that decide have a ledger; the facts beside it are their own figures and those
            of the stages that they report.
        shard: the shard stage.
    """
    figures = {run.name: run.figures for run in runs}
    return {
        "format": LAYOUT_VERSION,
        "cmtp": version("cmtp"),
        "recipe": recipe.model_dump(mode="json"),
        "encoders": [plain_values(run.figures) for run in runs if isinstance(run.stage, EncodeStage)],
        "inputs": _inputs(sources, runs[0].receipts),
        "stages": [
            {
                "stage": stage.name,
                "in": stage.ledger.rows_in,
                "kept": stage.ledger.rows_kept,
                "rejected": dict(sorted(stage.ledger.reasons().items())),
                "ledger": stage.ledger.to_rows(),
                "facts": plain_values(merge([stage.figures, *(figures[name] for name in stage.stage.reports)])),
            }
            for stage in runs
            if stage.stage.decides
        ],
        "tables": _tables(shard.receipts),
    }


def mined_manifest(
    manifest: dict[str, Any],
    recipe: RecipeBase,
    encoder: str,
    *,
    encoded: StageRun,
    mined: StageRun,
    shard: StageRun,
) -> dict[str, Any]:
    """The manifest after finetune was mined again. Everything before the mine stage is unchanged.

    Args:
        manifest: before.
        recipe: with the new settings of mine.
        encoder: name of the encoder that searched.
        encoded: the encode stage.
        mined: the mine stage.
        shard: the shard stage, which wrote finetune.
    """
    search = recipe.model_dump(mode="json")["mine"] | {"encoder": encoder}
    stages = [
        stage | ({"facts": plain_values(mined.figures)} if stage["stage"] == mined.name else {})
        for stage in manifest["stages"]
    ]
    return manifest | {
        "recipe": manifest["recipe"] | {"mine": search},
        "encoders": [*manifest["encoders"][:1], plain_values(encoded.figures)],
        "stages": stages,
        "tables": manifest["tables"] | _tables(shard.receipts),
    }


def _inputs(sources: dict[str, str], receipts: list[Receipt]) -> list[dict[str, Any]]:
    """Files, bytes and a digest per source. A file that was read in parts counts once."""
    parts: dict[str, list[tuple[int, str]]] = {}
    for receipt in receipts:
        for file in receipt.records:
            parts.setdefault(file["path"], []).append((file["bytes"], file["xxh128"]))
    rows: dict[str, dict[str, Any]] = {}
    digests: dict[str, xxhash.xxh3_128] = {}
    for path in sorted(sources):
        source = sources[path]
        row = rows.setdefault(source, {"source": source, "files": 0, "bytes": 0})
        digest = digests.setdefault(source, xxhash.xxh3_128())
        row["files"] += 1
        for size, part in parts.get(path, []):
            row["bytes"] += size
            digest.update(f"{path}\0{size}\0{part}\n".encode())
    return [rows[source] | {"xxh128": digests[source].hexdigest()} for source in sorted(rows)]


def _tables(receipts: list[Receipt]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for receipt in receipts:
        for record in receipt.records:
            file = dict(record)
            table = tables.setdefault(file.pop("table"), {"rows": 0, "files": []})
            for kind in ("left_out", "pieces_left_out"):
                for reason, count in sorted(file.pop(kind, {}).items()):
                    counts = table.setdefault(kind, {})
                    counts[reason] = counts.get(reason, 0) + count
            if "sources" in file:
                table["sources"] = dict(Counter(table.get("sources", {})) + Counter(file.pop("sources")))
                file.pop("largest_file", None)
            if file:
                table["rows"] += file["rows"]
                table["files"].append(file)
    return tables
