"""Which pairs become finetune rows, and which passages make up the pools of a source.

Both are cuts on a sorted column: any task that knows the cut knows the rows above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.relations import RELATIONS


@dataclass(frozen=True)
class Cut:
    """Lowest similarity that is in; among rows with that very similarity, the highest order key that is in."""

    similarity: float
    key: int

    def holds(self, similarity: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which rows are in: [n] bool."""
        lowest = np.float32(self.similarity)
        return (similarity > lowest) | ((similarity == lowest) & (keys <= np.uint64(self.key)))  # type: ignore[no-any-return]


def best_cut(similarity: np.ndarray, keys: np.ndarray, share: float, most: int) -> Cut:
    """The cut that lets in ceil(share × n) rows, at most `most`: best similarity first, then lowest key.

    Args:
        similarity: [n] float32, n ≥ 1.
        keys: [n] uint64, distinct.
        share: in (0, 1].
        most: at least 1.
    """
    wanted = min(int(np.ceil(share * len(similarity))), most)
    last = np.lexsort((keys, -similarity))[wanted - 1]
    return Cut(float(similarity[last]), int(keys[last]))


def sample_cut(keys: np.ndarray, most: int) -> int | None:
    """The highest order key in a sample of `most` rows; None when all rows fit."""
    if len(keys) <= most:
        return None
    return int(np.partition(keys, most - 1)[most - 1])


Group = tuple[str, str]
"""A source, and a relation or a pool of it."""


@dataclass(frozen=True)
class MiningPlan:
    """What becomes of the pairs. Pools are numbered in the order of `pools`, which is that of their names.

    Attributes:
        cuts: by source and relation, the pairs that become queries.
        pools: by source and pool, the highest order key of the passages in it; None: all are.
    """

    cuts: dict[Group, Cut]
    pools: dict[Group, int | None]

    def to_json(self) -> dict[str, Any]:
        """JSON form, in order of the names."""
        return {
            "cuts": [[*group, cut.similarity, cut.key] for group, cut in sorted(self.cuts.items())],
            "pools": [[*name, self.pools[name]] for name in sorted(self.pools)],
        }

    @classmethod
    def from_json(cls, plan: Mapping[str, Any]) -> MiningPlan:
        """The inverse of `to_json`."""
        cuts = {(source, relation): Cut(similarity, key) for source, relation, similarity, key in plan["cuts"]}
        return cls(cuts, {(source, pool): last for source, pool, last in plan["pools"]})

    def queries(self, source: str, relation: str, similarity: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which rows of a source and relation become queries: [n] bool."""
        return self.cuts[source, relation].holds(similarity, keys)

    def passages(self, pool: Group, keys: np.ndarray) -> np.ndarray:
        """Which rows of a pool's source and relations are in the pool: [n] bool."""
        last = self.pools[pool]
        return np.ones(len(keys), bool) if last is None else keys <= np.uint64(last)


def plan_mining(
    rows: pa.Table, keys: np.ndarray, share: float, max_queries: int, max_pool: int
) -> tuple[MiningPlan, dict[Group, int]]:
    """The plan for all pairs of a build, and how many rows each pool holds.

    Args:
        rows: columns source, relation and similarity.
        keys: [n] uint64, order keys of the rows.
        share: of each source's and relation's pairs, those that become queries.
        max_queries: most of them per source and relation.
        max_pool: most rows of a pool.
    """
    similarity = rows["similarity"].to_numpy()
    plan, sizes = MiningPlan({}, {}), {}
    for pool, relations in groups_of(rows).items():
        pooled = np.zeros(rows.num_rows, bool)
        for relation, group in relations.items():
            plan.cuts[pool[0], relation] = best_cut(similarity[group], keys[group], share, max_queries)
            pooled |= group
        plan.pools[pool] = sample_cut(keys[pooled], max_pool)
        sizes[pool] = min(int(pooled.sum()), max_pool)
    return plan, sizes


def groups_of(rows: pa.Table) -> dict[Group, dict[str, np.ndarray]]:
    """The rows of each source and pool, by relation: bool [n] each, in order of their names."""
    sources, relations = rows["source"].cast(pa.string()), rows["relation"].cast(pa.string())
    groups: dict[Group, dict[str, np.ndarray]] = {}
    for source in sorted(pc.unique(sources).to_pylist()):
        of_source = pc.equal(sources, source).to_numpy()
        for relation in sorted(pc.unique(relations.filter(pa.array(of_source))).to_pylist()):
            group = of_source & pc.equal(relations, relation).to_numpy()
            groups.setdefault((source, RELATIONS[relation].pool), {})[relation] = group
    return groups
