"""Sources and relations as groups of rows, and vectors as table columns: what the steps of the stage share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def group_names(rows: pa.Table) -> pa.ChunkedArray:
    """source/relation of each row."""
    return pc.binary_join_element_wise(rows["source"].cast(pa.string()), rows["relation"].cast(pa.string()), "/")


def codes(values: pa.ChunkedArray, names: list[str] | None = None) -> np.ndarray:
    """Place of each value in `names`, or among the distinct ones in order of appearance: [n] int32."""
    dictionary = values.unique() if names is None else pa.array(names, pa.string())
    return pc.index_in(values, dictionary).to_numpy()  # type: ignore[no-any-return]


def rank_in_group(group: np.ndarray) -> np.ndarray:
    """Place of each row in its group, from 0; rows of a group lie together."""
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))


def vector_column(vectors: np.ndarray) -> pa.Array:
    """[n, dim] as a column of n lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    """The inverse of `vector_column`."""
    flat = pa.concat_arrays(column.chunks)
    return flat.flatten().to_numpy().reshape(len(flat), flat.type.list_size)  # type: ignore[no-any-return]
