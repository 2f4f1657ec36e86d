"""Groups: the rows of each source and relation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.columns import rank_in_group
from cmtp.relations import RELATIONS

SMALL_GROUPS: Final = "*"
"""Stands for all groups that are too small for an estimate of their own."""


def group_names(rows: pa.Table) -> pa.ChunkedArray:
    """``source/relation`` of each row."""
    return pc.binary_join_element_wise(rows["source"].cast(pa.string()), rows["relation"].cast(pa.string()), "/")


def is_labelled(group: str) -> bool:
    """Whether people wrote or judged the pairs of a group."""
    return RELATIONS[group.rpartition("/")[2]].labelled


def rows_by_group(names: pa.ChunkedArray) -> Iterator[tuple[str, np.ndarray]]:
    """Each name and its rows, in order of the names' first appearance."""
    for name in names.unique().to_pylist():
        yield name, np.flatnonzero(pc.equal(names, name).to_numpy())


def lowest_in_group(group: np.ndarray, key: np.ndarray, most: int) -> np.ndarray:
    """Rows with the lowest keys of each group, at most `most` of each, in order of group and key.

    Args:
        group: int [n], code of each row's group.
        key: uint64 [n].
        most: rows per group.
    """
    order = np.lexsort((key, group))
    return order[rank_in_group(group[order]) < most]
