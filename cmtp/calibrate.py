"""What `cmtp calibrate` measures: similarities of true and shuffled pairs, and the cuts that would follow.

Only the sample is encoded, so an expensive encoder can be tried on a large build in minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from cmtp.build import build
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.plan import run_stage
from cmtp.engine.progress import BuildProgress
from cmtp.engine.store import Store
from cmtp.engine.task import StageJob, Task
from cmtp.errors import UsageError
from cmtp.interrupt import scratch_folder
from cmtp.planning import Options, check_encoders
from cmtp.recipe_file import load_recipe
from cmtp.schema import PAIRS
from cmtp.shards.manifest import merge_facts
from cmtp.shards.order import order_keys
from cmtp.similarity.encode import EncodeStage, encode_settings
from cmtp.similarity.groups import codes, group_names, rank_in_group
from cmtp.similarity.stage import SimilarityStage

PART = "sampled.parquet"


class CalibrateStage(SimilarityStage):
    """The similarity stage up to the cut."""

    name: ClassVar[str] = "calibrate"
    rejects_rows: ClassVar[bool] = False

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage."""
        for tasks in super().steps(job):
            yield tasks
            if tasks[0].name.startswith("cut-"):
                return


def measure(
    raw_or_shards: str, recipe: Path | None, overrides: list[str] | None, progress: BuildProgress
) -> dict[str, Any]:
    """Calibrate on raw text or on a build.

    Args:
        raw_or_shards: raw text, which is built up to the filter first, or the output folder of a build.
        recipe: file of settings; None: the defaults, or those the build was made with.
        overrides: as of ``--set``.
        progress: told of every task.

    Returns:
        ``calibration``: by source/relation; ``cascade``: agreement and bands, if the recipe has a cascade.

    Raises:
        UsageError: a fixed threshold leaves nothing to calibrate, or there are too few pairs.
        CmtpError: as `build`.
    """
    store = Store(raw_or_shards)
    built = store.exists("manifest.json")
    settings = load_recipe(recipe, overrides, store.read_json("manifest.json")["recipe"] if built else None)
    check_encoders(settings)
    similarity = settings.stage_settings("similarity")
    if similarity["threshold"] is not None and similarity["cascade"] is None:
        raise UsageError("similarity.threshold is set, which leaves nothing to calibrate: set it to null")
    with scratch_folder("cmtp-calibrate-") as folder:
        scratch = Store(f"{folder}/sample")
        if not built:
            store = Store(f"{folder}/build")
            build([raw_or_shards], store.root, settings, Options(until="filter"), progress)
        rows, similarity["rows"] = _sample(store, similarity["sample"], similarity["seed"])
        scratch.write_table(PART, rows)
        first = encode_settings(settings.similarity.first_encoder)
        encoded = run_stage(EncodeStage(), scratch, [PART], first, "", SerialExecutor(), progress)
        similarity["encoded"] = encoded.folder
        similarity["dear"] = encode_settings(settings.similarity.encoder) | {"folder": "vectors"}
        done = run_stage(CalibrateStage(), scratch, [PART], similarity, "", SerialExecutor(), progress)
    found = merge_facts(done.receipts)
    if "calibration" not in found and "bands" not in found.get("cascade", {}):
        raise UsageError(
            f"{raw_or_shards}: too few pairs to calibrate: no more than {rows.num_rows:,}, and "
            f"similarity.min_sample is {similarity['min_sample']:,}"
        )
    return found


def _sample(store: Store, most: int, seed: int) -> tuple[pa.Table, dict[str, int]]:
    """The pairs that the similarity stage would sample, and the number of pairs of every source/relation."""
    paths = [*store.list("pairs"), *store.list("rejects/similarity")]
    ids = [store.read_table(path, ["pair_id", "source", "relation"]) for path in paths]
    rows = pa.concat_tables([table.select(["pair_id"]).append_column("group", group_names(table)) for table in ids])
    names = rows["group"].unique().sort().to_pylist()
    group, key = codes(rows["group"], names), order_keys(rows["pair_id"], seed)
    order = np.lexsort((key, group))
    chosen = np.zeros(len(key), bool)
    chosen[order[rank_in_group(group[order]) < most]] = True
    counts = dict(zip(names, np.bincount(group, minlength=len(names)).tolist(), strict=True))
    parts, start = [], 0
    for path, table in zip(paths, ids, strict=True):
        inside = pa.array(chosen[start : start + table.num_rows])
        start += table.num_rows
        columns = [name for name in PAIRS.names if name != "similarity"]
        parts.append(store.read_table(path, columns).filter(inside).cast(pa.schema([PAIRS.field(n) for n in columns])))
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks(), counts
