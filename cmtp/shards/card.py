"""README.md of the output folder: a dataset card that the Hugging Face hub and `datasets` understand."""

from __future__ import annotations

from typing import Any

import yaml

from cmtp.shards.balance import TRAINED_ON

DEFAULT_TABLE = "pairs"
"""The table that ``datasets.load_dataset("my-shards")`` loads."""


def make_dataset_card(manifest: dict[str, Any]) -> str:
    """The card of a build: front matter, then the content of the tables and how they were made.

    Args:
        manifest: as written to manifest.json.
    """
    tables = manifest["tables"]
    lines = [
        "---",
        yaml.safe_dump(_front_matter(tables), allow_unicode=True, sort_keys=False).rstrip(),
        "---",
        "",
        "# Text pairs for Chinese embedding models",
        "",
        f"Built with cmtp {manifest['cmtp']} from {len(manifest['inputs'])} sources. "
        "The exact input, settings and counts are in `manifest.json`; every row left out is in `rejects/` with its "
        "reason.",
        "",
        "## Tables",
        "",
        "| table | rows | files |",
        "|---|---:|---:|",
        *(f"| {name} | {table['rows']:,} | {len(table['files'])} |" for name, table in sorted(tables.items())),
        "",
        "## Funnel",
        "",
        "| stage | rows in | kept | rejected, by reason |",
        "|---|---:|---:|---|",
        *(_funnel_row(stage) for stage in manifest["stages"]),
        "",
        "## Sources",
        "",
        "The texts keep the licences of their sources.",
        "",
        "| source | relation | extracted | kept |",
        "|---|---|---:|---:|",
        *_source_rows(manifest["stages"]),
        "",
        *_mixture(manifest),
        "## Reading it",
        "",
        "```python",
        "import polars as pl",
        'pl.scan_parquet("pairs/*.parquet").group_by("source", "relation").len().collect()',
        "```",
        "",
        "## Settings",
        "",
        "```yaml",
        yaml.safe_dump(manifest["recipe"], allow_unicode=True, sort_keys=False).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _front_matter(tables: dict[str, Any]) -> dict[str, Any]:
    """The front matter that the hub reads: a configuration per table that has rows, with `pairs` as the default."""
    configs: list[dict[str, Any]] = []
    for name, table in tables.items():
        if table["rows"]:
            configs.append({"config_name": name.replace("/", "_"), "data_files": f"{name}/*.parquet"})
            if name == DEFAULT_TABLE:
                configs[-1]["default"] = True
    return {
        "language": ["zh"],
        "task_categories": ["sentence-similarity", "feature-extraction"],
        "tags": ["text-embeddings", "retrieval", "contrastive-learning"],
        "size_categories": [_size_category(tables["pairs"]["rows"])],
        "configs": configs,
    }


def _funnel_row(stage: dict[str, Any]) -> str:
    rejected = sorted(stage["rejected"].items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in rejected) or "–"
    return f"| {stage['stage']} | {stage['in']:,} | {stage['kept']:,} | {reasons} |"


def _mixture(manifest: dict[str, Any]) -> list[str]:
    """How many rows of each table a source has, and the share of the batches that `cmtp train` draws from it."""
    alpha = manifest["recipe"].get("mixture", {}).get("alpha", 1.0)
    tables = {name: manifest["tables"].get(name, {}).get("sources", {}) for name in TRAINED_ON}
    weights = {source: n**alpha for source, n in sorted(tables["pairs"].items())}
    return [
        "## Mixture",
        "",
        f"A source of n batches is drawn in proportion to n^{alpha:g} (`mixture.alpha`; the last column, of pairs).",
        "",
        f"| source | {' | '.join(TRAINED_ON)} | drawn |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {source} | {' | '.join(f'{tables[name].get(source, 0):,}' for name in TRAINED_ON)} "
            f"| {weight / sum(weights.values()):.1%} |"
            for source, weight in weights.items()
        ),
        "",
    ]


def _source_rows(stages: list[dict[str, Any]]) -> list[str]:
    first = {(row["source"], row["relation"]): row["kept"] for row in stages[0]["ledger"]}
    last = {(row["source"], row["relation"]): row["kept"] for row in stages[-1]["ledger"]}
    return [f"| {s} | {r} | {n:,} | {last.get((s, r), 0):,} |" for (s, r), n in sorted(first.items()) if n]


_SIZES = {
    10**3: "n<1K",
    10**4: "1K<n<10K",
    10**5: "10K<n<100K",
    10**6: "100K<n<1M",
    10**7: "1M<n<10M",
    10**8: "10M<n<100M",
    10**9: "100M<n<1B",
}


def _size_category(rows: int) -> str:
    """The hub's name for a size: ``1K<n<10K`` for 2,500 rows."""
    return next((name for limit, name in _SIZES.items() if rows < limit), "n>1B")
