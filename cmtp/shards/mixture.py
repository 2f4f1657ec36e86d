"""The mixture stage: caps the pairs of sources and relations. In a build whose recipe has a cap."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from cmtp.engine.figures import same
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.task import Job, Result, Task, task
from cmtp.mining.plan import lowest_keys, sample_cut
from cmtp.order import order_keys
from cmtp.partition import write_verdicts
from cmtp.settings import RecipeBase, Settings

_Positive = Annotated[int, Field(ge=1)]


class MixtureSettings(Settings):
    """How much of each source there is, and how often a trainer draws it."""

    max_pairs: _Positive | None = None
    """Most pairs of a source and relation, a seeded sample of them; None: all."""
    caps: dict[str, _Positive] = {}
    """Other caps by name: ``laws: 20000`` for all pairs of a source together, ``laws/title_body: 3000`` for those of
    one relation. The narrower name counts."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """`cmtp train` draws a source of n batches in proportion to n^alpha, unless its own settings say otherwise: 1 as it
    is, 0 all sources alike. GTE (arXiv 2308.03281) draws its sources so, with 0.5."""


class MixtureWork(MixtureSettings):
    """Settings of the tasks of the mixture stage."""

    build_seed: int
    """Of the recipe: seeds the samples."""


class MixtureStage(Stage[MixtureWork]):
    """Rejects pairs beyond a cap as ``over_cap``: those with the highest order keys."""

    name: ClassVar[str] = "mixture"
    settings: ClassVar[type[MixtureSettings]] = MixtureSettings

    def wanted(self, recipe: RecipeBase) -> bool:
        """Only in a recipe with a cap."""
        settings = recipe.of(MixtureSettings)
        return settings.max_pairs is not None or bool(settings.caps)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> MixtureWork:
        """See Stage."""
        return MixtureWork.extend(recipe.of(MixtureSettings), build_seed=recipe.seed)

    def steps(self, job: Job[MixtureWork], inputs: list[str]) -> Iterator[list[Task]]:
        """Count the pairs of each group; find the cuts; apply them, a task per partition."""
        parts = [*enumerate(inputs)]
        yield [task(count_groups, job, f"count-{index:05d}", index, part) for index, part in parts]
        yield [task(cut_groups, job, "cut", len(inputs))]
        yield [task(cap_pairs, job, f"cap-{index:05d}", index, part) for index, part in parts]

    def warning(self, run: StageRun) -> str | None:
        """See Stage: caps for what is not there."""
        unused = run.figures.get("unused")
        if unused is None or isinstance(unused, dict) or not unused.value:
            return None
        return f"mixture.caps names {', '.join(unused.value)}, but there are no such pairs"


def cap_names(rows: pa.Table, settings: MixtureSettings) -> np.ndarray:
    """The name of the cap that each row counts under, [n] of str: its source and relation, or its source alone."""
    pairs = zip(*(rows[name].cast(pa.string()).to_pylist() for name in ("source", "relation")), strict=True)
    names = {
        pair: pair[0] if pair[0] in settings.caps and "/".join(pair) not in settings.caps else "/".join(pair)
        for pair in set(pairs)
    }
    pairs = zip(*(rows[name].cast(pa.string()).to_pylist() for name in ("source", "relation")), strict=True)
    return np.array([names[pair] for pair in pairs], object)


def _keys_path(job: Job[MixtureWork], index: int) -> str:
    return job.path(f"keys/part-{index:05d}.parquet")


def count_groups(job: Job[MixtureWork], index: int, part: str) -> Result:
    """Write the order keys of a partition's rows, with their groups."""
    rows = job.store.read_table(part, ["pair_id", "source", "relation"])
    name = pa.array(cap_names(rows, job.settings), pa.string())
    key = order_keys(rows["pair_id"], job.settings.build_seed)
    job.store.write_table(_keys_path(job, index), pa.table({"name": name, "key": key}))
    return Result(rows=rows.num_rows)


def cut_groups(job: Job[MixtureWork], partitions: int) -> Result:
    """Find the highest order key that stays in each group. Figures: caps that name nothing."""
    rows = pa.concat_tables([job.store.read_table(_keys_path(job, index)) for index in range(partitions)])
    names, keys, settings = rows["name"].to_numpy(), rows["key"].to_numpy(), job.settings
    counts = Counter(names.tolist())
    cuts = {}
    for name in sorted(counts):
        most = settings.caps.get(name, settings.max_pairs)
        cuts[name] = [most, counts[name], None if most is None else sample_cut(keys[names == name], most)]
    job.store.write_json(job.path("cuts.json"), cuts)
    return Result(rows=len(keys), figures={"unused": same(sorted(set(settings.caps) - set(counts)))})


def cap_pairs(job: Job[MixtureWork], index: int, part: str) -> Result:
    """Divide the rows of one partition by the cuts."""
    rows = job.store.read_table(part)
    cuts = job.store.read_json(job.path("cuts.json"))
    names, keys = cap_names(rows, job.settings), order_keys(rows["pair_id"], job.settings.build_seed)
    stays = np.zeros(rows.num_rows, bool)
    for name in set(names.tolist()):
        stays |= (names == name) & lowest_keys(keys, cuts[name][2])
    evidence = [json.dumps({"group": name, "cap": cuts[name][0], "pairs": cuts[name][1]}) for name in names[~stays]]
    return write_verdicts(
        job,
        index,
        rows,
        kept=rows.filter(pa.array(stays)),
        rejected=rows.filter(pa.array(~stays)),
        stage=MixtureStage.name,
        reason=["over_cap"] * len(evidence),
        evidence=evidence,
    )
