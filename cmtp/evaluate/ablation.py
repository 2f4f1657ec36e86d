"""What each stage is worth: builds of the same text without it, probed side by side.

python -m cmtp.evaluate.ablation pipelines/ablation.yaml --raw RAW --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import yaml

from cmtp.threads import limit_threads

limit_threads()

OFF = "filter=off"
"""An override that stands for all that switches the filter off."""


def main() -> None:
    """Build the arms, probe them, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="YAML file like pipelines/ablation.yaml")
    parser.add_argument("--raw", help="folder of raw text instead of the plan's")
    parser.add_argument("--out", type=Path, required=True, help="folder for the builds and the table")
    chosen = parser.parse_args()
    plan = yaml.safe_load(chosen.plan.read_text(encoding="utf-8"))
    tables = run(plan, chosen.raw or plan["raw"], chosen.out)
    (chosen.out / "ablation.txt").write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    print("\n\n".join(tables))


def run(plan: dict[str, Any], raw: str, out: Path) -> list[str]:
    """Build and probe the arms of a plan.

    Returns:
        The probe's table of the pipeline's arms, and that of the planted arms.
    """
    import cmtp.train  # noqa: F401 - before torch: how its threads wait
    from cmtp.evaluate.probe import Probe, compare

    settings = Probe(**plan["probe"])
    arms = [make(raw, out / "arms" / name, overrides) for name, overrides in plan["arms"].items()]
    tables = [compare(arms, settings)]
    planted = plan.get("planted")
    if planted:
        uncut = make(raw, out / "arms" / "before similarity", ["similarity.threshold=-1"])
        mixed = out / "planted"
        mapping = plant(uncut, mixed, planted["share"])
        builds = [
            make(str(mixed), out / "arms" / name, overrides, mapping) for name, overrides in planted["arms"].items()
        ]
        tables.append(compare([arms[0], *builds], settings))
    return tables


def make(raw: str, out: Path, overrides: list[str], sources: list[dict[str, str]] | None = None) -> str:
    """Build one arm; a finished one is left as it is."""
    from cmtp.build import build
    from cmtp.engine.progress import BuildProgress
    from cmtp.planning import Options
    from cmtp.recipe import Recipe, load_recipe

    recipe = load_recipe(None, [o for override in overrides for o in expand(override)])
    recipe = Recipe.model_validate(recipe.model_dump() | {"sources": sources or []})
    with BuildProgress() as progress:
        build([raw], str(out), recipe, Options(), progress)
    return str(out)


def expand(override: str) -> list[str]:
    """``filter=off`` to the overrides that switch every rule off; others as they are."""
    if override != OFF:
        return [override]
    from cmtp.filters.rules import RULES

    names = sorted({rule.name for rule in RULES})
    return [
        f"filter.disable={json.dumps(names)}",
        "filter.malicious=false",
        "filter.private=keep",
        "filter.language=any",
    ]


def plant(shards: str, out: Path, share: float, seed: int = 5) -> list[dict[str, str]]:
    """Write a build's pairs as raw text, a share of them with passages exchanged within their source and relation.

    Returns:
        Source mappings for the recipe that reads it.
    """
    pairs = pl.scan_parquet(f"{shards}/pairs/*.parquet").select("query", "passage", "source", "relation").collect()
    pairs = pairs.with_columns(pl.col("source", "relation").cast(pl.String))
    mapping = []
    for (source, relation), rows in sorted(pairs.partition_by("source", "relation", as_dict=True).items()):
        random = Random(f"{seed}/{source}/{relation}")
        passages = rows["passage"].to_list()
        wrong = random.sample(range(len(passages)), round(share * len(passages)))
        moved = {at: passages[wrong[(i + 1) % len(wrong)]] for i, at in enumerate(wrong)}
        folder = out / str(source)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{relation}.jsonl").open("w", encoding="utf-8") as lines:
            for at, query in enumerate(rows["query"]):
                row = {
                    "query": query,
                    "passage": moved.get(at, passages[at]),
                    "planted": at in moved and len(wrong) > 1,
                }
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        files = f"{source}/{relation}.jsonl"
        mapping.append({"files": files, "relation": str(relation), "query": "query", "passage": "passage"})
    return mapping


if __name__ == "__main__":
    main()
