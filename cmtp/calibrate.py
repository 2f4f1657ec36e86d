"""`cmtp calibrate`: estimates how many pairs of each source and relation are wrong, and what follows from that.

1. The pairs are those that pass the screen: of a build, or of raw text that is extracted and screened first.
2. `_sample` takes those that the score stage would sample, into a temporary folder.
3. They are encoded there, and the stage's steps up to the decision run over them (`estimate_steps`).

Only the sample is encoded, so an expensive encoder can be tried on a large build in minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa

from cmtp.build import open_workers, run_stages
from cmtp.columns import codes_in
from cmtp.dedup.stage import DedupStage
from cmtp.engine.figures import plain_values
from cmtp.engine.progress import BuildProgress
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Task
from cmtp.errors import UsageError
from cmtp.order import seeded_keys
from cmtp.partition import read_screened
from cmtp.planning import Options, make_plan, plan_stages
from cmtp.recipe import load_recipe
from cmtp.schema import PAIRS, SCORES
from cmtp.settings import RecipeBase
from cmtp.shards.eval_stage import EvalStage
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.groups import group_names, lowest_in_group
from cmtp.similarity.sample_steps import first_of_key
from cmtp.similarity.score import ScoreStage, estimate_steps
from cmtp.similarity.settings import SimilaritySettings, SimilarityWork
from cmtp.similarity.stage import SimilarityStage
from cmtp.text.hashes import pair_keys

PART_ROWS = 5000
"""Sampled pairs per task: enough to fill the encoder's batches, and few enough that every worker has a task."""


class CalibrateStage(Stage[SimilarityWork]):
    """The steps of the score stage up to the decision about each group, over a sample."""

    name: ClassVar[str] = "calibrate"
    reads: ClassVar[tuple[str, ...]] = ("encode",)
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityWork:
        """The settings of the score stage's tasks."""
        return ScoreStage().resolve(recipe, before)

    def steps(self, job: Job[SimilarityWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See `estimate_steps`."""
        return estimate_steps(job, inputs)

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return "sample measured"

    def processes(self, settings: SimilarityWork) -> int | None:
        """The limit of the score stage."""
        return ScoreStage().processes(settings)


def measure(
    raw_or_shards: str,
    recipe: Path | None,
    overrides: list[str] | None,
    options: Options,
    progress: BuildProgress,
) -> dict[str, Any]:
    """Calibrate on raw text or on a build.

    Args:
        raw_or_shards: raw text, which is extracted and screened first, or the output folder of a build.
        recipe: YAML file; its settings replace those that the build was made with, or for raw text the defaults.
        overrides: values of ``--set``, for example ``similarity.encoder=e5-small``.
        options: workers and memory.
        progress: shows every task.

    Returns:
        A JSON object. ``groups``: by source/relation, or ``*`` for those taken together, as in the manifest.
        ``pairs``: sampled pairs of every source/relation. ``min_sample``: the setting.

    Raises:
        UsageError: unusable sources or settings, or a fixed threshold leaves nothing to calibrate.
        CmtpError: a task failed.
    """
    store = Store(raw_or_shards)
    built = store.exists("manifest.json")
    settings = load_recipe(recipe, overrides, store.read_json("manifest.json")["recipe"] if built else None)
    similarity = settings.of(SimilaritySettings)
    SimilarityStage().check(settings)
    if not similarity.estimates:
        raise UsageError(
            f"similarity.threshold is set to {similarity.threshold}, which leaves nothing to calibrate: "
            "add --set similarity.threshold=null"
        )
    with tempfile.TemporaryDirectory(prefix="cmtp-calibrate-") as folder:
        if built:
            sources = _published(store)
        else:
            sources = _screened(raw_or_shards, Store(f"{folder}/build"), settings, options, progress)
        rows, pairs = _sample(sources, similarity.sample, settings.seed)
        scratch = Store(f"{folder}/sample")
        parts: list[str] = []
        for start in range(0, max(rows.num_rows, 1), PART_ROWS):
            parts.append(f"sampled-{len(parts):05d}.parquet")
            scratch.write_table(parts[-1], rows.slice(start, PART_ROWS))
        stages = plan_stages((EncodeStage(), CalibrateStage()), settings, content=raw_or_shards)
        with open_workers(options) as workers:
            *_, measured = run_stages(stages, scratch, parts, workers, progress)
    groups = plain_values(measured.figures).get("groups", {})
    return {"groups": groups, "pairs": pairs, "min_sample": similarity.min_sample}


Source: TypeAlias = Callable[[Sequence[str]], pa.Table]
"""Some pairs that pass the screen: gives the columns asked for, as `PAIRS` has them."""


def _published(store: Store) -> list[Source]:
    """The tables of a build that hold pairs which pass the screen: pairs, and rejects of what does not judge a text."""
    tables = ["pairs", *(f"rejects/{stage.name}" for stage in (DedupStage, SimilarityStage, EvalStage))]
    return [partial(store.read_table, path) for table in tables for path in store.list(table)]


def _screened(raw: str, store: Store, recipe: RecipeBase, options: Options, progress: BuildProgress) -> list[Source]:
    """Extract and screen raw text."""
    plan = make_plan([raw], store.root, recipe, options)
    stages = [*takewhile(lambda planned: not isinstance(planned.stage, EncodeStage), plan.stages)]
    with open_workers(options) as workers:
        runs = run_stages(stages, store, [], workers, progress)
    judged = stages[-1].place.judged
    return [partial(read_screened, store, part, index, judged) for index, part in enumerate(runs[-1].kept)]


def _sample(sources: list[Source], most: int, seed: int) -> tuple[pa.Table, dict[str, int]]:
    """The pairs that the score stage would sample, and how many of every source/relation.

    Args:
        sources: of the pairs.
        most: pairs per source/relation.
        seed: the recipe's seed.
    """
    tables, keys = [], [np.empty(0, np.uint64)]
    for source in sources:  # one table of texts at a time
        table = source(["source", "relation", "doc_id", "query", "passage"])
        keys.append(seeded_keys(pair_keys(table["query"], table["passage"]), seed))
        tables.append(table.drop_columns(["query", "passage"]))
    names = pa.chunked_array([chunk for table in tables for chunk in group_names(table).chunks], pa.string())
    doc_ids = pa.chunked_array([chunk for table in tables for chunk in table["doc_id"].chunks], pa.string())
    sizes = [table.num_rows for table in tables]
    distinct_names = names.unique().sort()
    group, key = codes_in(names, distinct_names), np.concatenate(keys)
    once = first_of_key(group, key, doc_ids)
    chosen = np.zeros(len(group), bool)
    chosen[once[lowest_in_group(group[once], key[once], most)]] = True
    counts = np.bincount(group[chosen], minlength=len(distinct_names)).tolist()
    columns = pa.schema([field for field in PAIRS if field.name not in SCORES])
    parts, start = [], 0
    for source, size in zip(sources, sizes, strict=True):
        sampled = pa.array(chosen[start : start + size])
        start += size
        parts.append(source(columns.names).filter(sampled).cast(columns))
    rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return rows, dict(zip(distinct_names.to_pylist(), counts, strict=True))
