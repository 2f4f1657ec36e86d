"""What `cmtp calibrate` measures: similarities of true and shuffled pairs, and the cuts that would follow.

1. The pairs are those of a build that its similarity stage saw, or raw text built up to the filter.
2. `_sample` takes the pairs that the similarity stage would sample, into a temporary folder.
3. They are encoded there, and the stage's steps up to the cut run over them (`cut_steps`).

Only the sample is encoded, so an expensive encoder can be tried on a large build in minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from cmtp.build import build, open_workers, run_stages
from cmtp.columns import codes_in
from cmtp.engine.figures import plain_values
from cmtp.engine.progress import BuildProgress
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Task
from cmtp.errors import UsageError
from cmtp.order import order_keys
from cmtp.planning import Options, plan_stages
from cmtp.recipe import load_recipe
from cmtp.schema import PAIRS
from cmtp.settings import RecipeBase
from cmtp.similarity.cut_steps import cut_steps
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.groups import group_names, lowest_in_group
from cmtp.similarity.settings import SimilaritySettings, SimilarityWork
from cmtp.similarity.stage import SimilarityStage, uncalibrated_cut

PART_ROWS = 5000
"""Sampled pairs per task: enough to fill the encoder's batches, and few enough that every worker has a task."""


class CalibrateStage(Stage[SimilarityWork]):
    """The steps of the similarity stage up to the cut, over a sample.

    Args:
        group_rows: number of pairs of every source/relation in the build, by name; the sample may hold fewer.
    """

    name: ClassVar[str] = "calibrate"
    reads: ClassVar[tuple[str, ...]] = ("encode",)
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def __init__(self, group_rows: dict[str, int]) -> None:
        self.group_rows = group_rows

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> SimilarityWork:
        """The settings of the similarity stage's tasks."""
        return SimilarityStage().resolve(recipe, before)

    def steps(self, job: Job[SimilarityWork], inputs: list[str]) -> Iterator[list[Task]]:
        """See `cut_steps`."""
        return cut_steps(job, inputs, self.group_rows)

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return "sample measured"

    def processes(self, settings: SimilarityWork) -> int | None:
        """The limit of the similarity stage."""
        return SimilarityStage().processes(settings)


def measure(
    raw_or_shards: str,
    recipe: Path | None,
    overrides: list[str] | None,
    options: Options,
    progress: BuildProgress,
) -> dict[str, Any]:
    """Calibrate on raw text or on a build.

    Args:
        raw_or_shards: raw text, which is built up to the filter first, or the output folder of a build.
        recipe: YAML file; its settings replace those that the build was made with, or for raw text the defaults.
        overrides: values of ``--set``, for example ``similarity.encoder=e5-small``.
        options: workers and memory.
        progress: shows every task.

    Returns:
        A JSON object. ``calibration``: histograms and threshold of every source/relation. ``cascade``: agreement and
        bands, if the recipe has a cascade. If there are too few pairs for either, the object has ``uncalibrated``
        alone, with ``encoder``, ``cut`` (the one that a build would use; None: no cut), ``pairs`` and ``min_sample``.

    Raises:
        UsageError: unusable sources or settings, or a fixed threshold leaves nothing to calibrate.
        CmtpError: a task failed.
    """
    store = Store(raw_or_shards)
    built = store.exists("manifest.json")
    settings = load_recipe(recipe, overrides, store.read_json("manifest.json")["recipe"] if built else None)
    similarity = settings.of(SimilaritySettings)
    SimilarityStage().check(settings)
    if not similarity.needs_sample:
        raise UsageError(
            f"similarity.threshold is set to {similarity.threshold}, which leaves nothing to calibrate: "
            "add --set similarity.threshold=null"
        )
    with tempfile.TemporaryDirectory(prefix="cmtp-calibrate-") as folder:
        if not built:
            store = Store(f"{folder}/build")
            to_filter = Options(workers=options.workers, max_memory=options.max_memory, until="filter")
            build([raw_or_shards], store.root, settings, to_filter, progress)
        rows, group_rows = _sample(store, similarity.sample, settings.seed)
        scratch = Store(f"{folder}/sample")
        parts: list[str] = []
        for start in range(0, max(rows.num_rows, 1), PART_ROWS):
            parts.append(f"sampled-{len(parts):05d}.parquet")
            scratch.write_table(parts[-1], rows.slice(start, PART_ROWS))
        stages = plan_stages((EncodeStage(), CalibrateStage(group_rows)), settings, content=raw_or_shards)
        with open_workers(options) as workers:
            *_, measured = run_stages(stages, scratch, parts, workers, progress)
    figures = plain_values(measured.figures)
    if "calibration" in figures or "bands" in figures.get("cascade", {}):
        return figures
    uncalibrated = {
        "encoder": similarity.encoder,
        "cut": uncalibrated_cut(similarity),
        "pairs": rows.num_rows,
        "min_sample": similarity.min_sample,
    }
    return {"uncalibrated": uncalibrated}


def _sample(store: Store, most: int, seed: int) -> tuple[pa.Table, dict[str, int]]:
    """The pairs that the similarity stage would sample, and the number of pairs of every source/relation.

    Args:
        store: the files of a build.
        most: pairs per source/relation.
        seed: the recipe's seed.
    """
    paths = [*store.list("pairs"), *store.list("rejects/similarity")]
    ids = [store.read_table(path, ["pair_id", "source", "relation"]) for path in paths]
    names = pa.chunked_array([chunk for table in ids for chunk in group_names(table).chunks], pa.string())
    pair_ids = pa.chunked_array([chunk for table in ids for chunk in table["pair_id"].chunks], pa.string())
    distinct_names = names.unique().sort()
    group = codes_in(names, distinct_names)
    chosen = np.zeros(len(group), bool)
    chosen[lowest_in_group(group, order_keys(pair_ids, seed), most)] = True
    counts = np.bincount(group, minlength=len(distinct_names)).tolist()
    columns = [*PAIRS.remove(PAIRS.get_field_index("similarity"))]
    parts, start = [], 0
    for path, table in zip(paths, ids, strict=True):
        sampled = pa.array(chosen[start : start + table.num_rows])
        start += table.num_rows
        rows = store.read_table(path, [field.name for field in columns])
        parts.append(rows.filter(sampled).cast(pa.schema(columns)))
    rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return rows, dict(zip(distinct_names.to_pylist(), counts, strict=True))
