"""Measures what each part of the pipeline is worth, by builds of the same text with and without it.

python -m cmtp.evaluate.ablation pipelines/ablation.yaml --raw RAW --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import yaml

from cmtp.errors import UsageError
from cmtp.threads import limit_threads

limit_threads()

PARTS = {"raw", "probe", "arms", "planted", "negatives", "stages"}
"""Groups that a plan file may have."""

OFF = "filter=off"
"""Short for all overrides that switch the filter off."""


def main() -> None:
    """Build the arms, measure them, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="YAML file like pipelines/ablation.yaml")
    parser.add_argument("--raw", help="folder of raw text instead of the plan's")
    parser.add_argument("--out", type=Path, required=True, help="folder for the builds and the table")
    chosen = parser.parse_args()
    plan = yaml.safe_load(chosen.plan.read_text(encoding="utf-8"))
    chosen.out.mkdir(parents=True, exist_ok=True)
    with (chosen.out / "ablation.txt").open("w", encoding="utf-8") as table:
        for text in run_plan(plan, chosen.raw or plan["raw"], chosen.out):
            table.write(f"{text}\n\n")
            table.flush()
            print(f"{text}\n", flush=True)


def run_plan(plan: dict[str, Any], raw: str, out: Path) -> Iterator[str]:
    """Build, train and score the arms of a plan.

    Yields:
        The tables, each when it is finished: the pipeline's arms, the planted arms, the ways to mine, C-Pack's arms.

    Raises:
        UsageError: the plan has an unknown group.
    """
    import cmtp.train  # noqa: F401 - before torch: how its threads wait
    from cmtp.evaluate.cpack import compare_stages
    from cmtp.evaluate.negatives import RANDOM, Finetuning, compare_negatives
    from cmtp.evaluate.probe import ProbeSettings, compare_builds

    if unknown := set(plan) - PARTS:
        raise UsageError(f"the plan has {', '.join(sorted(unknown))}; known are {', '.join(sorted(PARTS))}")
    settings = ProbeSettings(**plan["probe"])
    arms = list(plan["arms"].items())
    first = make_arm(raw, out / "arms" / arms[0][0], arms[0][1])
    builds = [first, *(make_arm(raw, out / "arms" / name, overrides, like=first) for name, overrides in arms[1:])]
    yield compare_builds(builds, settings)
    if planted := plan.get("planted"):
        uncut = make_arm(raw, out / "arms" / "before similarity", ["similarity.threshold=-1"], like=first)
        mapping = plant(uncut, out / "planted", planted["share"])
        mixed = [
            make_arm(str(out / "planted"), out / "arms" / name, overrides, mapping)
            for name, overrides in planted["arms"].items()
        ]
        yield compare_builds([first, *mixed], settings)
    if mined := plan.get("negatives"):
        ways = {
            name: way if way == RANDOM else make_arm(raw, out / "arms" / name, way, like=first)
            for name, way in mined.pop("arms").items()
        }
        yield compare_negatives(ways, settings, Finetuning(**mined))
    if trained := plan.get("stages"):
        yield compare_stages(first, out / "models", trained["preset"], trained["set"], trained["seeds"])


def make_arm(
    raw: str, out: Path, overrides: list[str], sources: list[dict[str, str]] | None = None, like: str | None = None
) -> str:
    """Build one arm of the comparison; a finished one is not built again.

    Args:
        raw: folder of raw text.
        out: folder of the build.
        overrides: values of ``--set``, as for ``cmtp build``.
        sources: source mappings of the recipe.
        like: an earlier build of the same text. Its stages with the same settings are not run again.

    Returns:
        The folder of the build.
    """
    from cmtp.build import build
    from cmtp.engine.progress import BuildProgress
    from cmtp.planning import Options
    from cmtp.recipe import load_recipe

    if like is not None and not out.exists():
        shutil.copytree(like, out.with_name(f"{out.name}.tmp"), dirs_exist_ok=True)
        out.with_name(f"{out.name}.tmp").rename(out)
    recipe = load_recipe(None, [o for override in overrides for o in expand(override)], {"sources": sources or []})
    with BuildProgress() as progress:
        build([raw], str(out), recipe, Options(), progress)
    return str(out)


def expand(override: str) -> list[str]:
    """The overrides that ``filter=off`` stands for; any other override stands for itself."""
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
    """Write a build's pairs as raw text. A share of them get each other's passages within a source and relation.

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
        moved = {row: passages[wrong[(i + 1) % len(wrong)]] for i, row in enumerate(wrong)}
        folder = out / str(source)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{relation}.jsonl").open("w", encoding="utf-8") as lines:
            for row, query in enumerate(rows["query"]):
                planted = row in moved and len(wrong) > 1
                record = {"query": query, "passage": moved.get(row, passages[row]), "planted": planted}
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        files = f"{source}/{relation}.jsonl"
        mapping.append({"files": files, "relation": str(relation), "query": "query", "passage": "passage"})
    return mapping


if __name__ == "__main__":
    main()
