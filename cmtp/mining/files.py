"""The mine stage's files: a folder per pool with a file per partition, and vectors in fp16 in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cmtp.engine.store import Store
from cmtp.engine.task import Task
from cmtp.recipe import MineSettings


def path(folder: str, kind: str, number: int, index: int) -> str:
    """Path of what a partition has of pool `number`; `kind` is pools, queries, twins or curated."""
    return f"{folder}/{kind}/{number:05d}/part-{index:05d}.parquet"


def index_path(folder: str, number: int) -> str:
    """Path of a pool's inverted lists."""
    return f"{folder}/indices/{number:05d}.faiss"


def paths(store: Store, folder: str, kind: str, number: int) -> Sequence[str]:
    """Paths of what there is of pool `number`, in order of the partitions."""
    return store.list(f"{folder}/{kind}/{number:05d}")


def count(store: Store, folder: str, kind: str, number: int) -> int:
    """Rows of pool `number`."""
    return sum(map(store.rows, paths(store, folder, kind, number)))


def settings(task: Task) -> MineSettings:
    """The recipe's mine settings of a task."""
    return MineSettings.model_validate({name: task.settings[name] for name in MineSettings.model_fields})


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column of texts as large_string in one piece: a pool may hold more than 2 GiB of them."""
    return pa.concat_arrays(
        [chunk.cast(pa.large_string()) for chunk in column.chunks] or [pa.array([], pa.large_string())]
    )


def vector_column(vectors: np.ndarray) -> pa.Array:
    """Column of vectors [n, dim] that the encode stage left in fp16: nothing is lost by that form."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float16).ravel()), vectors.shape[1])


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    """[n, dim] float32 of a column of vectors."""
    flat = pa.concat_arrays(column.chunks)
    return flat.flatten().to_numpy().reshape(len(flat), flat.type.list_size).astype(np.float32)


def read_vectors(store: Store, files: Sequence[str]) -> np.ndarray:
    """The vectors of several files, [m, dim] float32 in one piece, of which no second copy is held."""
    out = np.empty((0, 0), np.float32)
    start = 0
    for file in files:
        some = matrix(store.read_table(file, ["vector"])["vector"])
        if start == 0:
            out = np.empty((sum(map(store.rows, files)), some.shape[1]), np.float32)
        out[start : start + len(some)] = some
        start += len(some)
    return out
