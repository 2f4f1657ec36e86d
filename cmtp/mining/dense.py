"""The nearest passages by their vectors: exact in memory (`Matrix`), approximate through inverted lists (`Lists`).

Which program searches depends on the machine: torch on a GPU, the int8 scan or faiss on a processor. What comes out
does not. Each of them gives candidates, and `cmtp.kernels.dot.decide` scores those that can matter and keeps the k
nearest, so that rows, scores and their order are the same bytes everywhere.

The lists hold the vectors in fp16, as the encode stage left them. What they miss is missed because its list was not
read, and `build` measures how much that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import faiss as _faiss
import numpy as np

from cmtp.device import own_device
from cmtp.engine.store import Store
from cmtp.kernels import int8
from cmtp.kernels.dot import RoughCandidates, decide, dots

faiss: Any = _faiss  # its type stubs lack half of it

FLOAT_ERROR = 1e-5
"""How far a dot product in float32 may be from the true one, relative to the product of the lengths. Summing 1,024
dimensions one by one is off by 6e-5 at worst; the libraries sum in 8 lanes at least, and so by an eighth of that."""

SPARE = 16
"""Candidates asked for beyond the k nearest at first."""

SCORES_HELD = 1 << 27
"""Scores held at once on a GPU, and candidates at once here: half a GiB."""

PASSAGES_HELD = 1 << 18
"""Passages scored at once on a GPU."""

VECTORS_HELD = 1 << 15
"""Vectors taken out of the lists at once: 64 MiB at 512 dimensions."""

POINTS_PER_LIST = 64
"""Vectors that a list's centre is learned from; faiss wants 39 at least."""

TRAINING_ROUNDS = 20
"""Rounds of k-means."""

Search = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Queries [n, dim], a pool [m, dim] and k ≤ m to rows and float32 scores, [n, k] each, best first."""


@dataclass(frozen=True)
class Hits:
    """What a search found for n queries.

    Attributes:
        rows: [n, k] int64, rows of the pool, best first; -1 where there are fewer.
        scores: [n, k] float32, cosines as `cmtp.kernels.dot` computes them, -inf where the row is -1. None: the search
            scores by something else, or does not score.
    """

    rows: np.ndarray
    scores: np.ndarray | None = None


class VectorIndex(Protocol):
    """The vectors of a pool's passages."""

    def nearest(self, queries: np.ndarray, k: int) -> Hits:
        """The nearest passages of queries [n, dim]."""
        ...

    def score(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Cosines of query i and passages rows[i], [n, k] float32; -inf where the row is -1."""
        ...

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows: [len(rows), dim] float32."""
        ...


@dataclass(frozen=True)
class Matrix:
    """The vectors of a pool in memory, searched exactly: [m, dim] float32, contiguous."""

    vectors: np.ndarray

    def nearest(self, queries: np.ndarray, k: int) -> Hits:
        """See `VectorIndex`."""
        return exact_nearest(queries, self.vectors, k)

    def score(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `VectorIndex`."""
        return dots(queries, self.vectors, rows)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See `VectorIndex`."""
        return self.vectors[rows]  # type: ignore[no-any-return]


def exact_nearest(queries: np.ndarray, pool: np.ndarray, k: int) -> Hits:
    """The k passages with the highest dot product, equal scores by row.

    Args:
        queries: [n, dim] float32, contiguous.
        pool: [m, dim] float32, contiguous; m ≥ 1.
        k: at most m.
    """
    device = own_device()
    if device != "cpu":
        return decided_nearest(queries, pool, k, lambda some, every, n: search_with_torch(some, every, n, device))
    found = int8.nearest(queries, pool, k)
    if found is None:
        return decided_nearest(queries, pool, k, search_with_faiss)
    again = found.given_up
    if len(again):
        rest = decided_nearest(queries[again], pool, k, search_with_faiss)
        found.rows[again], found.scores[again] = rest.rows, rest.scores
    return Hits(found.rows, found.scores)


def decided_nearest(queries: np.ndarray, pool: np.ndarray, k: int, search: Search) -> Hits:
    """Exact search by a program that is only nearly exact: `exact_nearest`, whatever `search` rounds.

    1. Search for a few more than k.
    2. `decide` scores as many of these as can be among the k. Where the last of them still could, one that was not
       found could, too:
    3. search for twice as many, for these queries alone.
    """
    n, m = len(queries), len(pool)
    rows, scores = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    longest = np.sqrt(np.einsum("ij,ij->i", pool, pool).max())
    error = (FLOAT_ERROR * longest * np.linalg.norm(queries, axis=1)).astype(np.float32)
    undecided, wanted = np.arange(n), min(k + SPARE, m)
    while len(undecided):
        exhausted = []
        for part in np.array_split(undecided, -(-len(undecided) * wanted // SCORES_HELD)):
            found, rough = search(queries[part], pool, wanted)
            given = RoughCandidates(found.astype(np.int32), rough, np.full(len(part), wanted), error[part])
            part_rows, part_scores = np.empty((len(part), k), np.int64), np.empty((len(part), k), np.float32)
            exhausted.append(decide(queries[part], pool, given, part_rows, part_scores))
            rows[part], scores[part] = part_rows, part_scores
        undecided = undecided[np.concatenate(exhausted)] if wanted < m else undecided[:0]
        wanted = min(2 * wanted, m)
    return Hits(rows, scores)


def search_with_faiss(queries: np.ndarray, pool: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """A `Search` on a processor."""
    scores, rows = faiss.knn(queries, pool, k, metric=faiss.METRIC_INNER_PRODUCT)
    return rows, scores


def search_with_torch(queries: np.ndarray, pool: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """A `Search` by products of blocks and a running list of the best, on a device as torch calls it.

    `cpu` does the same.
    """
    import torch

    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    starts = range(0, len(pool), PASSAGES_HELD)
    blocks = [torch.from_numpy(pool[start : start + PASSAGES_HELD]).to(device) for start in starts]
    step = max(SCORES_HELD // (min(PASSAGES_HELD, len(pool)) + k), 1)
    for start in range(0, len(queries), step):
        some = torch.from_numpy(queries[start : start + step]).to(device)
        best = torch.empty((len(some), 0), device=device)
        best_rows = torch.empty((len(some), 0), dtype=torch.int64, device=device)
        for first_row, block in zip(starts, blocks, strict=True):
            block_scores, places = torch.topk(some @ block.T, min(k, len(block)), dim=1)
            best, best_rows = torch.cat([best, block_scores], 1), torch.cat([best_rows, places + first_row], 1)
            best, places = torch.topk(best, min(k, best.shape[1]), dim=1)
            best_rows = best_rows.gather(1, places)
        rows[start : start + step], scores[start : start + step] = best_rows.cpu().numpy(), best.cpu().numpy()
    return rows, scores


@dataclass(frozen=True)
class Lists:
    """The vectors of a pool in faiss' inverted lists.

    Attributes:
        index: ids are the rows as they were added.
        row: [added] int64, row of the pool for each row added: a passage may have been added several times.
        first: [m] int64, where each row of the pool was added first.
    """

    index: Any
    row: np.ndarray
    first: np.ndarray

    def nearest(self, queries: np.ndarray, k: int) -> Hits:
        """See `VectorIndex`."""
        added = _search_lists(self.index, queries, min(k, self.index.ntotal))
        rows = np.where(added < 0, -1, self.row[added])
        order = np.argsort(rows, axis=1, kind="stable")
        ordered = np.take_along_axis(rows, order, 1)
        again = np.zeros(rows.shape, bool)
        np.put_along_axis(again, order[:, 1:], (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0), 1)
        return Hits(np.where(again, -1, rows))

    def score(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """See `VectorIndex`."""
        scores = np.empty(rows.shape, np.float32)
        step = max(VECTORS_HELD // rows.shape[1], 1)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            places = np.where(some < 0, -1, np.arange(some.size).reshape(some.shape))
            scores[start : start + step] = dots(
                queries[start : start + step], self.take(np.maximum(some, 0).ravel()), places
            )
        return scores

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See `VectorIndex`."""
        return self.index.reconstruct_batch(self.first[rows])  # type: ignore[no-any-return]


def _search_lists(index: Any, queries: np.ndarray, k: int) -> np.ndarray:
    """Rows as they were added, [n, k] int64: best first, equal scores by row; -1 where the lists read hold fewer."""
    scores, rows = index.search(queries, k)
    return np.take_along_axis(rows, np.lexsort((rows, -scores), axis=1), 1)


Blocks = Callable[[], Iterator[np.ndarray]]
"""Gives a pool's vectors anew, in blocks [·, dim] float32."""


@dataclass(frozen=True)
class Recall:
    """What the lists are to find.

    Attributes:
        sample: [n, dim] float32, queries that it is measured with.
        k: neighbours per query.
        least: lowest share of the exact neighbours.
    """

    sample: np.ndarray
    k: int
    least: float


def build_index(blocks: Blocks, total: int, recall: Recall, seed: int) -> tuple[Any, dict[str, float]]:
    """Build the lists of a pool, and set how many of them a search reads.

    1. Read the pool: draw the vectors that the centres are learned from, and find the sample's exact neighbours.
    2. Learn the centres.
    3. Read the pool again, into the lists.
    4. Read twice as many lists, from one upwards, until the recall is reached.

    Args:
        blocks: the pool.
        total: how many vectors it has.
        recall: what a search is to find.
        seed: of the drawing.

    Returns:
        The index; and rows, lists, lists read, queries measured with, and the recall reached.
    """
    lists = _number_of_lists(total)
    drawn = np.sort(np.random.Generator(np.random.PCG64(seed % 2**64)).permutation(total)[: lists * POINTS_PER_LIST])
    points, exact = _read_pool(blocks, drawn, recall.sample, min(recall.k, total))
    dim = recall.sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.seed, index.cp.niter = seed % 2**31, TRAINING_ROUNDS
    index.cp.max_points_per_centroid = POINTS_PER_LIST
    index.train(points)  # each thread has centres of its own, so that their number does not matter: see the test
    for block in blocks():
        index.add(block)
    index.make_direct_map()
    index.nprobe = 1
    while (reached := _share_found(index, recall.sample, exact)) < recall.least and index.nprobe < lists:
        index.nprobe = min(index.nprobe * 2, lists)
    measured = {"measured": len(recall.sample), "recall": round(reached, 5)}
    return index, {"rows": total, "lists": lists, "read": index.nprobe, **measured}


def _number_of_lists(total: int) -> int:
    """A power of two near 4 √n (faiss advises 4 √n to 16 √n), with vectors enough to learn each centre from."""
    return min(max(1 << round(np.log2(4 * np.sqrt(total))), 1), max(total // POINTS_PER_LIST, 1))  # type: ignore[no-any-return]


def _read_pool(blocks: Blocks, drawn: np.ndarray, sample: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of the rows drawn (sorted), and the rows of the sample's k nearest, best first."""
    points = []
    best, scores = np.empty((len(sample), 0), np.int64), np.empty((len(sample), 0), np.float32)
    start = 0
    for block in blocks():
        first, last = np.searchsorted(drawn, (start, start + len(block)))
        points.append(block[drawn[first:last] - start])
        rows, found = search_with_faiss(sample, block, min(k, len(block)))
        best, scores = np.concatenate([best, rows + start], 1), np.concatenate([scores, found], 1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, scores = np.take_along_axis(best, order, 1), np.take_along_axis(scores, order, 1)
        start += len(block)
    return np.concatenate(points), best


def _share_found(index: Any, sample: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact neighbours [n, k] that the lists find."""
    rows = _search_lists(index, sample, exact.shape[1])
    return sum(len(np.intersect1d(a, b)) for a, b in zip(rows, exact, strict=True)) / max(exact.size, 1)


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
