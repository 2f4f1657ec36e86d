"""Documents that say the same in part: which of them are held out together, and which passages the others hold too.

Two documents belong together when they have a query in common, or a passage of one holds nearly half of the 8-grams
of a passage of the other. The first is found for all documents; the second is looked for where it matters, for the
passages of the documents that may be held out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.columns import rank_in_group
from cmtp.dedup.components import join_edges
from cmtp.dedup.index import Grams, Index, count_grams, make_index, texts_with_grams
from cmtp.kernels.jit import kernel
from cmtp.kernels.sets import sort_unique
from cmtp.text.compare import Folded

HELD_WIDTH: Final = 8
"""Characters per n-gram by which a held-out passage is looked for in the others."""

HALF: Final = 0.4
"""Share of a passage's n-grams in one other passage from which that other holds it. Less than a half, because others
count n-grams with punctuation and space: of 2,344 held-out passages, 9 that have less than a half by our count have a
half or more by theirs."""

MANY_DOCUMENTS_ASK: Final = 20
"""Documents with one query beyond which the query, 总结 or 無題, says nothing about them."""

MANY_KNOWN: Final = 0.25
"""Share of a document's rows that stand in training as well from which it is trained on whole: it is a version of
another."""


def clusters_by_query(document: np.ndarray, query: np.ndarray, documents: int) -> np.ndarray:
    """Join the documents that have a query in common.

    Args:
        document: [n] int64, number of the document of each row, from 0.
        query: [n] int64 or uint64, a hash of its query.
        documents: how many there are.

    Returns:
        [documents] int64: the lowest document of each one's cluster.
    """
    rows = np.unique(np.stack([query.astype(np.uint64), document.astype(np.uint64)], 1), axis=0)
    same = np.flatnonzero(rows[1:, 0] == rows[:-1, 0])
    _, group, sizes = np.unique(rows[:, 0], return_inverse=True, return_counts=True)
    same = same[sizes[group[same]] <= MANY_DOCUMENTS_ASK]
    parent = np.arange(documents)
    join_edges(
        parent, np.zeros(documents, np.int64), rows[same, 1].astype(np.int64), rows[same + 1, 1].astype(np.int64)
    )
    return roots(parent)


def roots(parent: np.ndarray) -> np.ndarray:
    """The root of each row of a union-find by lowest row."""
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent = above


class Held(NamedTuple):
    """Which of the candidates are held out.

    Attributes:
        documents: [d] bool.
        known: [p] bool, passages that a document which is trained on holds.
    """

    documents: np.ndarray
    known: np.ndarray


def settle_held(
    owner: np.ndarray, in_training: np.ndarray, weight: np.ndarray, edges: np.ndarray, cluster: np.ndarray
) -> Held:
    """Decide which candidates are held out, until no more documents change sides.

    A document of whose rows more than `MANY_KNOWN` stand in training goes to training, and with it its cluster. Then
    its passages are in training, too, and so on.

    Args:
        owner: [p] int64, the candidate document, from 0, that each of their passages stands in.
        in_training: [p] bool, passages that a document outside the candidates holds.
        weight: [d] float64, share of each candidate's rows whose query is known in training whatever happens.
        edges: [e, 2] int64, a passage and another candidate document that holds it.
        cluster: [d] int64, cluster of each candidate.
    """
    known = in_training.copy()
    held = np.ones(len(cluster), bool)
    size = np.maximum(np.bincount(owner, minlength=len(cluster)), 1)
    while True:
        share = np.bincount(owner[known], minlength=len(cluster)) / size
        leave = held & (np.maximum(share, weight) > MANY_KNOWN)
        if not leave.any():
            return Held(held, known)
        held &= ~np.isin(cluster, cluster[leave])
        known[edges[~held[edges[:, 1]], 0]] = True


class HeldPassages(NamedTuple):
    """The passages that are looked for, p of them.

    Attributes:
        rare: finds those that a text may hold: for each passage as many of its n-grams as a text that holds it may
            lack, and one more, the rarest. So such a text has one of these.
        values: uint64, the n-grams of every passage, sorted and each once.
        starts: int64 [p + 1], where those of each passage start.
    """

    rare: Index
    values: np.ndarray
    starts: np.ndarray


def index_passages(texts: pa.Array) -> HeldPassages:
    """Index passages, so that `holders` finds the texts that hold them."""
    grams = count_grams(texts, HELD_WIDTH)
    frequency = np.diff(grams.starts)
    gram = np.repeat(np.arange(len(grams.grams)), frequency)
    passage = grams.postings.astype(np.int64)
    by_passage = np.lexsort((gram, passage))  # grams are numbered in order of their hashes
    starts = np.concatenate([[0], np.cumsum(grams.sizes, dtype=np.int64)])
    order = np.lexsort((gram, frequency[gram], passage))
    rank = np.empty(len(order), np.int64)
    rank[order] = rank_in_group(passage[order])
    sizes = grams.sizes[passage].astype(np.int64)
    rare = rank <= sizes - np.ceil(HALF * sizes).astype(np.int64)
    kept, counts = np.unique(gram[rare], return_counts=True)
    chosen = Grams(grams.grams[kept], np.concatenate([[0], np.cumsum(counts)]), grams.postings[rare], grams.sizes)
    forms = np.zeros((len(texts), 2), np.uint64)  # equal forms have equal n-grams
    return HeldPassages(make_index(forms, chosen, HELD_WIDTH), grams.grams[gram[by_passage]], starts)


def holders(folded: Folded, held: HeldPassages) -> np.ndarray:
    """Which texts hold which passages: [m, 2] int64, row of a text and number of a passage.

    A text holds a passage when it has `HALF` of its n-grams. A passage shorter than an n-gram is held by none.
    """
    longest = max(1, int(folded.lengths.max(initial=0)))
    room = 2 * (len(folded.ends) - 1) + 64
    while True:
        found = np.empty((room, 2), np.int64)
        total = _holders(folded, held, np.empty(longest, np.uint64), np.empty(longest, np.uint64), found)
        if total <= room:
            return found[:total]
        room = total


@kernel
def _holders(folded: Folded, held: HeldPassages, hashes: np.ndarray, known: np.ndarray, found: np.ndarray) -> int:
    """Writes as much as `found` has room for; returns how much there is."""
    total = 0
    for row in range(len(folded.ends) - 1):
        codes = folded.codes[folded.ends[row] : folded.ends[row + 1]]
        passages = texts_with_grams(codes, held.rare, hashes, known)
        if len(passages) == 0:
            continue
        size = sort_unique(hashes[: len(codes) - held.rare.width + 1])
        for i in range(len(passages)):
            passage = np.int64(passages[i])
            if i > 0 and passages[i - 1] == passages[i]:
                continue
            own = held.values[held.starts[passage] : held.starts[passage + 1]]
            if _common(hashes[:size], own) >= HALF * len(own):
                if total < len(found):
                    found[total, 0], found[total, 1] = row, passage
                total += 1
    return total


@kernel
def _common(left: np.ndarray, right: np.ndarray) -> int:
    """How many values two sorted sets have in common."""
    count, i, j = 0, 0, 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            count += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return count
