"""Shuffled pairs: what the scores of wrong pairs look like.

A wrong pair is one whose passage belongs to another query. So queries of a sample are put beside passages of other
documents, and what those pairs score is the null distribution F0 of all that follows: the rank of a wrong pair's score
in it is uniform on [0, 1].
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

DRAWS: Final = 10
"""Shuffled pairs per pair. The allowance and the posterior need the tail of F0, which one draw does not show."""

TWIN: Final = 0.9
"""Cosine of two queries from which they are near twins. Nobody could see that the passages of
``TiDB 2.1.9 › TiKV`` and ``TiDB 2.1.8 › TiKV`` were exchanged, so such pairs are not judged."""

_BLOCK: Final = 512
"""Queries compared with all others at once."""


class SampleCodes(NamedTuple):
    """Which of n sampled pairs have something in common: int64 [n] each, equal where the pairs are.

    Attributes:
        group: source and relation.
        document: the pair's document.
        query: its query's text.
        passage: its passage's text.
    """

    group: np.ndarray
    document: np.ndarray
    query: np.ndarray
    passage: np.ndarray


def shuffled_pairs(codes: SampleCodes, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Put each query beside the passages of the next pairs of its group.

    Pairs of one document, of one query and of one passage are not put together: they may belong to each other.

    Args:
        codes: of the sample, in an order that says nothing about the texts (by hash).
        draws: passages per query, fewer in a group that has fewer pairs.

    Returns:
        int64 [m] each, rows of queries and of passages; no combination occurs twice.
    """
    by_group = np.argsort(codes.group, kind="stable")
    starts = np.flatnonzero(np.diff(codes.group[by_group])) + 1
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for rows in np.split(by_group, starts):
        for shift in range(1, min(draws + 1, len(rows))):
            left.append(rows)
            right.append(np.roll(rows, -shift))
    query, passage = np.concatenate(left), np.concatenate(right)
    apart = np.ones(len(query), bool)
    for code in (codes.document, codes.query, codes.passage):
        apart &= code[query] != code[passage]
    return query[apart], passage[apart]


def near_twins(vectors: np.ndarray, codes: SampleCodes) -> np.ndarray:
    """Whether another document has nearly the same query: [n] bool.

    Args:
        vectors: float32 [n, dim], of the queries, of length 1.
        codes: of the same pairs. Equal queries are one query, and no twins.
    """
    return has_twin(vectors, codes.document, codes.query, vectors, codes)


def has_twin(
    vectors: np.ndarray, document: np.ndarray, query: np.ndarray, others: np.ndarray, codes: SampleCodes
) -> np.ndarray:
    """Whether a query of a sample, in another document, is nearly the same as each of m queries: [m] bool.

    Args:
        vectors: float32 [m, dim].
        document: int64 [m], codes as those of the sample; -1 for a document that has no pair in it.
        query: int64 [m] likewise.
        others: float32 [n, dim], the sample's.
        codes: the sample's.
    """
    found = np.zeros(len(vectors), bool)
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        near = np.round(vectors[block] @ others.T, 5) >= np.float32(TWIN)
        near &= document[block, None] != codes.document[None]
        near &= query[block, None] != codes.query[None]
        found[block] = near.any(axis=1)
    return found


def ranks_among(null: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The rank of each score among a null distribution's, from 0 to 1; ties count half: float64 [n].

    Args:
        null: m ≥ 1 scores of shuffled pairs, ascending.
        scores: [n].
    """
    low, high = np.searchsorted(null, scores, side="left"), np.searchsorted(null, scores, side="right")
    return (low + high) / (2.0 * len(null))
