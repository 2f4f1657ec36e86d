"""Exact search: on a GPU where there is one, else by the int8 scan (`scan`) or faiss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmtp.device import own_device
from cmtp.mining.scan import search as search_on_cpu

SCORES = 1 << 27
"""Scores held at once on a GPU: half a GiB."""

PASSAGES = 1 << 18
"""Passages scored at once on a GPU."""


@dataclass(frozen=True)
class Matrix:
    """The vectors of a pool in memory: [m, dim] float32, contiguous."""

    vectors: np.ndarray

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Vectors`."""
        device = own_device()
        if device == "cpu":
            return search_on_cpu(queries, self.vectors, k)
        return search_with_torch(queries, self.vectors, k, device)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See `Vectors`."""
        return self.vectors[rows]  # type: ignore[no-any-return]


def search_with_torch(queries: np.ndarray, pool: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """The k passages with the highest dot product, by float32 products of blocks and a running list of the best.

    Args:
        queries: [n, dim] float32.
        pool: [m, dim] float32; m ≥ 1.
        k: at most m.
        device: as torch calls it; `cpu` does the same.

    Returns:
        Rows int64 and scores float32, [n, k] each: best first, equal scores by row.
    """
    import torch

    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    blocks = [torch.from_numpy(pool[start : start + PASSAGES]).to(device) for start in range(0, len(pool), PASSAGES)]
    step = max(SCORES // (min(PASSAGES, len(pool)) + k), 1)
    for start in range(0, len(queries), step):
        some = torch.from_numpy(queries[start : start + step]).to(device)
        best = torch.empty((len(some), 0), device=device)
        where = torch.empty((len(some), 0), dtype=torch.int64, device=device)
        for number, block in enumerate(blocks):
            here, place = torch.topk(some @ block.T, min(k, len(block)), dim=1)
            best, where = torch.cat([best, here], 1), torch.cat([where, place + number * PASSAGES], 1)
            best, place = torch.topk(best, min(k, best.shape[1]), dim=1)
            where = where.gather(1, place)
        rows[start : start + step], scores[start : start + step] = where.cpu().numpy(), best.cpu().numpy()
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)
