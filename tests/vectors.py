"""Vectors for tests of exact search, and the search that they are compared with."""

import numpy as np


def unit(vectors):
    """The vectors as the encode stage stores them: of length 1, in fp16."""
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors.astype(np.float16).astype(np.float32)


def exact(queries, pool, k):
    """Rows and scores of the k nearest, [n, k] each, by products in float64."""
    scores = queries.astype(np.float64) @ pool.T.astype(np.float64)
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(scores, rows, 1).astype(np.float32)
