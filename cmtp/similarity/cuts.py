"""The cut of every group as a table: written by one task, read by those that apply it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cmtp.encoders.registry import encoder_card
from cmtp.engine.store import Store
from cmtp.engine.task import Task
from cmtp.errors import UsageError
from cmtp.similarity.calibrate import auc, centred
from cmtp.similarity.groups import matrix, vector_column

WHOLE = "*"
"""Name of the group that holds all pairs: its cut serves groups too small for one of their own."""

HEAVIER = (1.0, 4 / 3, 5 / 3, 2.0, 7 / 3, 8 / 3, 3.0, 10 / 3, 4.0, 5.0, 20 / 3)
"""Multiples of `cascade_weight` that are tried where the expensive encoder tells little."""

MORE_ERROR = 0.02
"""Share by which the error (1 - AUC) may grow for a heavier weight."""

Scores = tuple[np.ndarray, np.ndarray]
"""Of pairs as they are, and of shuffled ones."""

Centre = tuple[np.ndarray, np.ndarray]
"""Means of a group's query and passage vectors, [dim] each."""


@dataclass(frozen=True)
class Cut:
    """One group's.

    Attributes:
        threshold: lowest score kept by the encoder that decides.
        centre: what its scores are centred by; None: they are plain cosines.
        low, high: cheap scores between them are decided by the expensive encoder of a cascade.
        cheap: what the cheap scores are centred by; None: there is no cascade, or nothing is known of the group.
        weight: of the cheap score beside the expensive encoder's.
    """

    threshold: float
    centre: Centre | None
    low: float = -np.inf
    high: float = np.inf
    cheap: Centre | None = None
    weight: float = 0.0


def cuts_to_table(cuts: dict[str, Cut]) -> pa.Table:
    """Table form."""
    columns: dict[str, Any] = {"group": pa.array([*cuts], pa.string())}
    for name in ("threshold", "low", "high", "weight"):
        columns[name] = pa.array([getattr(cut, name) for cut in cuts.values()], pa.float32())
    for name in ("centre", "cheap"):
        means = [getattr(cut, name) for cut in cuts.values()]
        for side in (0, 1):
            some = next((mean[side] for mean in means if mean is not None), np.zeros(1, np.float32))
            rows = np.array([np.full_like(some, np.nan) if mean is None else mean[side] for mean in means], np.float32)
            columns[f"{name}_{side}"] = vector_column(rows.reshape(len(cuts), len(some)))
    return pa.table(columns)


def cuts_from_table(table: pa.Table) -> dict[str, Cut]:
    """The inverse of `cuts_to_table`."""
    means = {name: (matrix(table[f"{name}_0"]), matrix(table[f"{name}_1"])) for name in ("centre", "cheap")}

    def centre(name: str, row: int) -> Centre | None:
        left, right = means[name][0][row], means[name][1][row]
        return None if np.isnan(left).any() else (left, right)

    plain = zip(*(table[name].to_pylist() for name in ("group", "threshold", "low", "high", "weight")), strict=True)
    return {
        name: Cut(threshold, centre("centre", i), low, high, centre("cheap", i), weight)
        for i, (name, threshold, low, high, weight) in enumerate(plain)
    }


def cuts_path(folder: str) -> str:
    """Where the table lies in the stage's folder."""
    return f"{folder}/cuts.parquet"


def read_cuts(task: Task, store: Store) -> dict[str, Cut]:
    """The cuts; none where a fixed threshold leaves nothing to find out."""
    path = cuts_path(task.folder)
    return cuts_from_table(store.read_table(path)) if store.exists(path) else {}


def cut_of(group: str, cuts: dict[str, Cut], settings: dict[str, Any]) -> Cut:
    """A group's cut: its own, else that of all pairs, else the encoder's fallback on the plain cosine.

    Raises:
        UsageError: there is none.
    """
    if settings["threshold"] is not None and group not in cuts and WHOLE not in cuts:
        return Cut(settings["threshold"], None)
    found = cuts.get(group, cuts.get(WHOLE))
    fallback = encoder_card(settings["encoder"]).fallback_cut
    if found is not None:
        return found
    if fallback is None:
        raise UsageError(
            f"no cut is known for the encoder {settings['encoder']}: set similarity.threshold, or lower "
            "similarity.min_sample so that this build is calibrated"
        )
    return Cut(fallback, None)


def score(
    query: np.ndarray, passage: np.ndarray, centre: Centre | None, similarity: np.ndarray | None = None
) -> np.ndarray:
    """Scores of pairs: [n] float32, rounded to 5 digits.

    Args:
        query: [n, dim].
        passage: [n, dim].
        centre: None for plain cosines.
        similarity: [n] cosines where they are known already.
    """
    if similarity is None:
        similarity = np.round(np.einsum("ij,ij->i", query, passage), 5).astype(np.float32)
    return similarity if centre is None else centred(similarity, query, passage, *centre)


def combined(dear: np.ndarray, cheap: np.ndarray, weight: float) -> np.ndarray:
    """The expensive encoder's scores with the cheap ones put to use beside them: [n] float32.

    Two encoders err on different pairs; in eleven of fourteen groups of real pairs the sum tells true from shuffled
    ones better than the better one alone (benchmarks/similarity.md).
    """
    return np.round(dear + np.float32(weight) * cheap, 5).astype(np.float32) if weight else dear


def weigh(dear: Scores, cheap: Scores, settings: dict[str, Any]) -> float:
    """Weight of the cheap score beside the expensive encoder's, see `combined`; a stage's settings say the least.

    That is `cascade_weight`, counted in standard deviations of shuffled pairs. Where `max_loss` sets the cut, the
    expensive encoder does not tell the group's pairs apart (poems and their titles): there the cheap score gets the
    heaviest weight that costs at most MORE_ERROR, since that leaves fewer pairs to be encoded for little.
    """
    unit = float(dear[1].std() / max(cheap[1].std(), 1e-6))

    def together(times: float) -> Scores:
        weight = round(times * settings["cascade_weight"] * unit, 5)
        return combined(dear[0], cheap[0], weight), combined(dear[1], cheap[1], weight)

    true, wrong = together(1)
    times = 1.0
    if np.quantile(true, settings["max_loss"]) < np.quantile(wrong, 1 - settings["shuffled_share"]):
        allowed = (1 - auc(true, wrong)) * (1 + MORE_ERROR)
        times = max(one for one in HEAVIER if 1 - auc(*together(one)) <= allowed)
    weight: float = settings["cascade_weight"]
    return round(times * weight * unit, 5)
