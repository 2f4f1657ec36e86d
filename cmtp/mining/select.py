"""Which pairs become finetune rows, and which passages make up the pool of a source.

Both are cuts on a sorted column: the rows above them are known to any task that knows the cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmtp.schema import SYMMETRIC_RELATIONS


@dataclass(frozen=True)
class Cut:
    """Lowest similarity that is in; among rows with that very similarity, the highest order key that is in."""

    similarity: float
    key: int

    def holds(self, similarity: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which rows are in: [n] bool."""
        lowest = np.float32(self.similarity)
        return (similarity > lowest) | ((similarity == lowest) & (keys <= np.uint64(self.key)))


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


def pool_cut(keys: np.ndarray, most: int) -> int | None:
    """The highest order key in a sample of `most` rows; None when all rows fit."""
    if len(keys) <= most:
        return None
    return int(np.partition(keys, most - 1)[most - 1])


def task_of(relation: str) -> str:
    """``symmetric`` for a relation of two texts of one kind, else ``retrieval``."""
    return "symmetric" if relation in SYMMETRIC_RELATIONS else "retrieval"


def pool_of(relation: str) -> str:
    """Which of a source's pools a relation has: retrieval tasks share one; questions and sentences do not mix."""
    return relation if relation in SYMMETRIC_RELATIONS else "retrieval"


Plan = tuple[dict[tuple[str, str], Cut], dict[tuple[str, str], int | None]]
"""Cuts by source and relation; cuts of pools by source and pool."""


def plan_to_json(cuts: dict[tuple[str, str], Cut], pools: dict[tuple[str, str], int | None]) -> dict[str, Any]:
    """JSON form of the plan: ``cuts`` by source and relation, ``pools`` by source and pool, in order."""
    return {
        "cuts": [[*group, cut.similarity, cut.key] for group, cut in sorted(cuts.items())],
        "pools": [[*name, pools[name]] for name in sorted(pools)],
    }


def plan_from_json(plan: dict[str, Any]) -> Plan:
    """The inverse of `plan_to_json`."""
    cuts = {(source, relation): Cut(similarity, key) for source, relation, similarity, key in plan["cuts"]}
    return cuts, {(source, pool): last for source, pool, last in plan["pools"]}
