"""Approximate search of large pools: faiss' inverted lists over fp16, with their recall against exact search measured.

The vectors lie in fp16, as the encode stage left them, so that a score is that of the exact search; what is missed is
missed because its list was not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss as _faiss
import numpy as np

from cmtp.engine.store import Store

faiss: Any = _faiss  # its type stubs lack half of it

POINTS_PER_LIST = 64
"""Vectors that a list's centre is learned from; faiss wants 39 at least."""

TRAINING = 20
"""Rounds of k-means."""


@dataclass(frozen=True)
class Lists:
    """The vectors of a pool in inverted lists.

    Attributes:
        index: ids are the rows as they were added.
        row: [added] int64, row of the pool for each row added: a passage may have been added several times.
        first: [m] int64, where each row of the pool was added first.
    """

    index: Any
    row: np.ndarray
    first: np.ndarray

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Vectors`."""
        rows, scores = _search(self.index, queries, min(k, self.index.ntotal))
        missing = rows < 0
        rows = np.where(missing, -1, self.row[rows])
        order = np.argsort(rows, axis=1, kind="stable")
        ordered = np.take_along_axis(rows, order, 1)
        again = np.zeros(rows.shape, bool)
        np.put_along_axis(again, order[:, 1:], (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0), 1)
        return np.where(again, -1, rows), np.where(missing, -np.inf, scores).astype(np.float32)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See `Vectors`."""
        return self.index.reconstruct_batch(self.first[rows])  # type: ignore[no-any-return]


def _search(index: Any, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    scores, rows = index.search(queries, k)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)


def build(
    blocks: Callable[[], Iterator[np.ndarray]], total: int, sample: np.ndarray, k: int, recall: float, seed: int
) -> tuple[Any, dict[str, float]]:
    """Build the lists of a pool that is read in blocks, and set how many of them a search reads.

    Args:
        blocks: gives the pool's vectors anew, [·, dim] float32 each.
        total: how many there are.
        sample: [n, dim] float32, queries to measure with.
        k: neighbours per query.
        recall: lowest share of the exact neighbours that are to be found.
        seed: of the vectors that the centres are learned from.

    Returns:
        The index; and rows, lists, lists read, queries measured with, and the recall reached.
    """
    dim = sample.shape[1]
    lists = max(1 << round(np.log2(4 * np.sqrt(total))), 1)  # faiss' advice: 4 √n to 16 √n
    lists = min(lists, max(total // POINTS_PER_LIST, 1))
    chosen = np.sort(np.random.Generator(np.random.PCG64(seed % 2**64)).permutation(total)[: lists * POINTS_PER_LIST])
    points, best = [], _Best(len(sample), min(k, total))
    start = 0
    for block in blocks():
        here = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(block))] - start
        points.append(block[here])
        best.add(sample, block, start)
        start += len(block)
    centres = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFScalarQuantizer(
        centres, dim, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.seed, index.cp.niter = seed % 2**31, TRAINING
    index.cp.max_points_per_centroid = POINTS_PER_LIST
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # the centres are sums, and must not depend on how many threads shared them
    try:
        index.train(np.concatenate(points))
        del points
        for block in blocks():
            index.add(block)
    finally:
        faiss.omp_set_num_threads(threads)
    index.make_direct_map()
    index.nprobe = 1
    while (reached := _recall(_search(index, sample, best.k)[0], best.rows)) < recall and index.nprobe < lists:
        index.nprobe = min(index.nprobe * 2, lists)
    facts = {"rows": total, "lists": lists, "read": index.nprobe, "measured": len(sample), "recall": round(reached, 5)}
    return index, facts


class _Best:
    """The best rows of each query over blocks."""

    def __init__(self, n: int, k: int) -> None:
        self.k = k
        self.rows = np.empty((n, 0), np.int64)
        self._scores = np.empty((n, 0), np.float32)

    def add(self, queries: np.ndarray, block: np.ndarray, start: int) -> None:
        scores, rows = faiss.knn(queries, block, min(self.k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.concatenate([self._scores, scores], 1), np.concatenate([self.rows, rows + start], 1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
        self._scores, self.rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True))
    return hits / max(exact.size, 1)


def save(index: Any, store: Store, path: str) -> None:
    """Write an index into the store."""
    with store.write(path) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))


def load(store: Store, path: str) -> Any:
    """Read it again."""
    with store.read(path) as file:
        index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
    index.make_direct_map()
    return index
