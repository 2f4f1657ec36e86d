"""Which pairs are drawn as queries, and which passages make up the pools that they search.

Both are cuts on a sorted column: any task that knows the cut knows the rows within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.mining.settings import MineSettings
from cmtp.relations import RELATIONS

SHARED = "*"
"""Stands for the source in the name of a pool that several small sources share."""

PoolName = tuple[str, str]
"""A source, or `SHARED`, and the kind of pool (`Relation.pool`)."""

Group = tuple[str, str]
"""A source and a relation."""


@dataclass(frozen=True)
class Draw:
    """A seeded sample of the pairs whose similarity is in a band.

    Attributes:
        lowest: similarity, the band's lower end.
        highest: its upper end; both are in it.
        key: highest order key drawn; None: all of the band.
    """

    lowest: float
    highest: float
    key: int | None

    def band(self, similarity: np.ndarray) -> np.ndarray:
        """Which pairs are in the band: [n] bool."""
        return (similarity >= np.float32(self.lowest)) & (similarity <= np.float32(self.highest))

    def holds(self, similarity: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which pairs are drawn: [n] bool."""
        return self.band(similarity) & lowest_keys(keys, self.key)  # type: ignore[no-any-return]


def draw_from_band(similarity: np.ndarray, keys: np.ndarray, settings: MineSettings) -> Draw:
    """Draw ``share`` of the pairs of a source and relation, at most ``max_queries``, out of the band.

    Args:
        similarity: [n] float32, n ≥ 1.
        keys: [n] uint64, distinct order keys.
        settings: of the recipe.
    """
    n = len(similarity)
    ordered = np.sort(similarity)
    last = max(int(np.ceil(settings.highest_quantile * n)) - 1, 0)
    draw = Draw(float(ordered[int(settings.lowest_quantile * n)]), float(ordered[last]), None)
    wanted = min(int(np.ceil(settings.share * n)), settings.max_queries)
    return Draw(draw.lowest, draw.highest, sample_cut(keys[draw.band(similarity)], wanted))


def sample_cut(keys: np.ndarray, most: int) -> int | None:
    """The highest order key in a sample of `most` ≥ 1 rows; None when all rows fit."""
    if len(keys) <= most:
        return None
    return int(np.partition(keys, most - 1)[most - 1])


def lowest_keys(keys: np.ndarray, last: int | None) -> np.ndarray:
    """Which rows are in the sample that `sample_cut` gave `last` for: [n] bool."""
    return np.ones(len(keys), bool) if last is None else keys <= np.uint64(last)


@dataclass(frozen=True)
class PoolPlan:
    """What a pool holds, and who searches it.

    Attributes:
        passages: source → highest order key of its passages in the pool; None: all are.
        searchers: sources whose queries search it.
    """

    passages: dict[str, int | None]
    searchers: list[str]


@dataclass(frozen=True)
class MiningPlan:
    """What becomes of the pairs. Pools are numbered in the order of `pools`, which is that of their names.

    Attributes:
        draws: by source and relation, the pairs that become queries; None: all do.
        pools: by name.
    """

    draws: dict[Group, Draw | None]
    pools: dict[PoolName, PoolPlan]

    def to_json(self) -> dict[str, Any]:
        """JSON form, in order of the names."""
        return {
            "draws": [
                [*group, None if draw is None else [draw.lowest, draw.highest, draw.key]]
                for group, draw in sorted(self.draws.items())
            ],
            "pools": [
                [*name, sorted(pool.passages.items()), sorted(pool.searchers)]
                for name, pool in sorted(self.pools.items())
            ],
        }

    @classmethod
    def from_json(cls, plan: Mapping[str, Any]) -> MiningPlan:
        """The inverse of `to_json`."""
        draws = {(source, relation): None if draw is None else Draw(*draw) for source, relation, draw in plan["draws"]}
        pools = {
            (source, kind): PoolPlan(dict(passages), searchers) for source, kind, passages, searchers in plan["pools"]
        }
        return cls(draws, pools)

    def queries(self, source: str, relation: str, similarity: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which rows of a source and relation are drawn: [n] bool."""
        draw = self.draws[source, relation]
        return np.ones(len(keys), bool) if draw is None else draw.holds(similarity, keys)


class Planned(NamedTuple):
    """A plan, and what it comes to.

    Attributes:
        plan: the plan.
        sizes: rows that each pool holds.
        not_drawn: pairs that are no queries, by reason: ``outside_band`` or ``not_drawn``.
    """

    plan: MiningPlan
    sizes: dict[PoolName, int]
    not_drawn: dict[str, int]


def plan_mining(rows: pa.Table, keys: np.ndarray, settings: MineSettings) -> Planned:
    """The plan for all pairs of a build.

    Args:
        rows: columns source, relation and similarity.
        keys: [n] uint64, order keys of the rows.
        settings: of the recipe.
    """
    similarity = rows["similarity"].to_numpy()
    draws: dict[Group, Draw | None] = {}
    not_drawn = {"outside_band": 0, "not_drawn": 0}
    of_kind: dict[str, dict[str, np.ndarray]] = {}
    for (source, kind), relations in groups_of(rows).items():
        for relation, group in relations.items():
            draws[source, relation] = None
            if not settings.is_labelled(source, relation):
                draw = draws[source, relation] = draw_from_band(similarity[group], keys[group], settings)
                inside = int(draw.band(similarity[group]).sum())
                not_drawn["outside_band"] += int(group.sum()) - inside
                not_drawn["not_drawn"] += inside - int(draw.holds(similarity[group], keys[group]).sum())
        of_kind.setdefault(kind, {})[source] = keys[np.logical_or.reduce([*relations.values()])]
    pools = {name: pool for kind, sources in of_kind.items() for name, pool in _pools_of(kind, sources, settings)}
    pools = {name: pools[name] for name in sorted(pools)}
    sizes = {
        name: sum(int(lowest_keys(of_kind[name[1]][source], last).sum()) for source, last in pool.passages.items())
        for name, pool in pools.items()
    }
    return Planned(MiningPlan(draws, pools), sizes, not_drawn)


def _pools_of(kind: str, sources: dict[str, np.ndarray], settings: MineSettings) -> list[tuple[PoolName, PoolPlan]]:
    """The pools of one kind: one for each large source, and one that the small ones share.

    Args:
        kind: see `Relation.pool`.
        sources: source → order keys of its rows.
        settings: of the recipe.
    """
    small = [source for source, keys in sources.items() if len(keys) < settings.min_pool]
    if len(sources) == 1:
        small = []
    pools = [
        ((source, kind), PoolPlan({source: sample_cut(keys, settings.max_pool)}, [source]))
        for source, keys in sources.items()
        if source not in small
    ]
    if small:
        every = np.concatenate([sources[source] for source in small])
        passages: dict[str, int | None] = dict.fromkeys(small, sample_cut(every, settings.max_pool))
        room = settings.shared_pool - len(every)
        large = [source for source in sources if source not in small]
        if room > 0 and large:
            last = sample_cut(np.concatenate([sources[source] for source in large]), room)
            passages |= dict.fromkeys(large, last)
        pools.append(((SHARED, kind), PoolPlan(passages, small)))
    return pools


def groups_of(rows: pa.Table) -> dict[PoolName, dict[str, np.ndarray]]:
    """The rows of each source and kind of pool, by relation: bool [n] each, in order of their names."""
    sources, relations = rows["source"].cast(pa.string()), rows["relation"].cast(pa.string())
    groups: dict[PoolName, dict[str, np.ndarray]] = {}
    for source in sorted(pc.unique(sources).to_pylist()):
        of_source = pc.equal(sources, source).to_numpy()
        for relation in sorted(pc.unique(relations.filter(pa.array(of_source))).to_pylist()):
            group = of_source & pc.equal(relations, relation).to_numpy()
            groups.setdefault((source, RELATIONS[relation].pool), {})[relation] = group
    return groups
