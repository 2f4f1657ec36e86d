"""True Jaccard similarity of shingle sets, and clusters in which every lost row resembles the row it lost to."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from cmtp.dedup.amounts import numbers_of
from cmtp.dedup.subjects import Subjects, other_subjects
from cmtp.kernels.jit import kernel
from cmtp.kernels.sets import jaccard
from cmtp.text.compare import Folded
from cmtp.text.hashes import hash_folded
from cmtp.text.ngrams import shingle_sets

MISSED: Final = 1e-4
"""Probability that two texts at the threshold are taken to be below it by their sketches, and not compared."""


class Rows(NamedTuple):
    """What is held of every row of a batch, in policy order.

    Attributes:
        document: uint64[rows], hash of the document; rows that share one are not compared.
        use: uint64[rows], see `TextRows.use`; rows that differ in it are not compared, unless one of them is fixed.
        form: uint64[rows], hash of the comparison form; the exact exchange has decided about rows that share one.
        lengths: uint32[rows], characters of comparison form.
        numbers: uint64[rows], hash of the sequence of numbers, negations and Latin letters.
        sketch: uint8[rows, permutations], the lowest byte of every slot of the signature.
        fixed: bool[rows], rows that stay whatever they resemble.
    """

    document: np.ndarray
    use: np.ndarray
    form: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    sketch: np.ndarray
    fixed: np.ndarray


class Sets(NamedTuple):
    """What is held of the rows that are compared.

    Attributes:
        position: int32[all rows], where a row stands among these; -1: it is not compared.
        shingles: uint64[:], hashes, sorted and unique within each text.
        shingle_starts: int64[rows + 1], where the shingles of each text start.
        amounts: uint64[:], hashes of the numbers that are not ordinals, sorted and unique within each text.
        amount_starts: int64[rows + 1], where the amounts of each text start.
        subjects: what tells their subjects apart.
    """

    position: np.ndarray
    shingles: np.ndarray
    shingle_starts: np.ndarray
    amounts: np.ndarray
    amount_starts: np.ndarray
    subjects: Subjects


class Neighbours(NamedTuple):
    """For each row of a batch, the better rows that it is compared with.

    Attributes:
        starts: int64[all rows + 1], where the neighbours of each row start.
        rows: int32[:], better rows (lower positions), ascending for each row.
    """

    starts: np.ndarray
    rows: np.ndarray


class CopyLimits(NamedTuple):
    """When two rows are copies.

    Attributes:
        threshold: lowest Jaccard similarity.
        chars: texts of up to this many characters are not copies if their numbers, negations or Latin letters differ.
        amounts: longer texts are not copies if the Jaccard similarity of their amounts is lower; 0: no guard.
        slots: equal bytes of two sketches from which the texts are compared.
    """

    threshold: float
    chars: int
    amounts: float
    slots: int


class Decisions(NamedTuple):
    """What has been decided about the rows of a batch.

    Attributes:
        keeper: int32[rows], the row each one lost to, or itself.
        similarity: float32[rows], to the keeper; NaN for those that stay.
        compared_with: int32[rows], the last row that was compared with each, so that none is compared twice.
    """

    keeper: np.ndarray
    similarity: np.ndarray
    compared_with: np.ndarray


@lru_cache(maxsize=8)
def least_slots(permutations: int, threshold: float) -> int:
    """Equal slots below which two texts resemble each other by `threshold` with a probability of at most `MISSED`.

    The number of equal slots of two texts of Jaccard similarity J is binomial with J; the low bytes of unequal slots
    may agree by chance, which only adds to it (b-bit minwise hashing, Li and König 2010).
    """
    below = 0.0
    for slots in range(permutations + 1):
        below += math.comb(permutations, slots) * threshold**slots * (1 - threshold) ** (permutations - slots)
        if below > MISSED:
            return slots
    return permutations


def rows_of(folded: Folded, document: np.ndarray, *, use: np.ndarray, fixed: np.ndarray, sketch: np.ndarray) -> Rows:
    """What is held of every row; the arguments are as the attributes of Rows."""
    return Rows(
        document=document,
        use=use,
        form=hash_folded(folded)[:, 0].copy(),
        lengths=folded.lengths.astype(np.uint32),
        numbers=numbers_of(folded).sequences,
        sketch=sketch,
        fixed=fixed,
    )


def sets_of(folded: Folded, subjects: Subjects, rows: np.ndarray, total: int, width: int) -> Sets:
    """What is held of the rows that are compared.

    Args:
        folded: their texts.
        subjects: what tells their subjects apart.
        rows: their positions in the batch, ascending.
        total: rows of the batch.
        width: characters per n-gram.
    """
    position = np.full(total, -1, np.int32)
    position[rows] = np.arange(len(rows), dtype=np.int32)
    shingles, shingle_starts = shingle_sets(folded, width)
    numbers = numbers_of(folded)
    return Sets(
        position=position,
        shingles=shingles,
        shingle_starts=shingle_starts,
        amounts=numbers.amounts,
        amount_starts=numbers.amount_starts,
        subjects=subjects,
    )


@kernel
def _agree(sketch: np.ndarray, a: int, b: int, slots: int) -> bool:
    equal = np.uint32(0)
    for k in range(sketch.shape[1]):
        equal += np.uint32(sketch[a, k] == sketch[b, k])
    return bool(equal >= slots)


@kernel
def _promising(a: np.ndarray, b: np.ndarray, rows: Rows, limits: CopyLimits, out: np.ndarray) -> None:
    for i in range(len(a)):
        left, right = a[i], b[i]
        out[i] = (
            not (rows.fixed[left] and rows.fixed[right])
            and rows.document[left] != rows.document[right]
            and (rows.use[left] == rows.use[right] or rows.fixed[left] or rows.fixed[right])
            and rows.form[left] != rows.form[right]
            and (
                rows.numbers[left] == rows.numbers[right] or min(rows.lengths[left], rows.lengths[right]) > limits.chars
            )
            and _agree(rows.sketch, left, right, limits.slots)
        )


def promising(rows: Rows, a: np.ndarray, b: np.ndarray, limits: CopyLimits) -> np.ndarray:
    """bool[edges]: whether the rows a[i] and b[i] may be copies, by all that is held of every row."""
    out = np.empty(len(a), np.bool_)
    _promising(a, b, rows, limits, out)
    return out


@kernel
def _amounts_differ(sets: Sets, a: int, b: int, share: float) -> bool:
    starts = sets.amount_starts
    both = starts[a + 1] > starts[a] and starts[b + 1] > starts[b]
    return both and share > 0 and jaccard(sets.amounts, starts, a, b, share) < 0


@kernel
def _guarded(rows: Rows, sets: Sets, limits: CopyLimits, a: int, b: int) -> bool:
    """Whether the numbers of two rows keep them apart."""
    if rows.numbers[a] == rows.numbers[b]:
        return False
    if min(rows.lengths[a], rows.lengths[b]) <= limits.chars:
        return True
    return _amounts_differ(sets, sets.position[a], sets.position[b], limits.amounts)


@kernel
def _similarity(sets: Sets, a: int, b: int, threshold: float) -> float:
    """Jaccard similarity of two rows, or -1 where it is below the threshold or they are about two subjects."""
    left, right = sets.position[a], sets.position[b]
    value = jaccard(sets.shingles, sets.shingle_starts, left, right, threshold)
    if value >= 0 and other_subjects(sets.subjects, left, right):
        return -1.0
    return value


@kernel
def _decide(
    span: tuple[int, int], rows: Rows, sets: Sets, neighbours: Neighbours, limits: CopyLimits, decisions: Decisions
) -> int:
    """Decide about the rows from span[0] to span[1]; returns how many sets were compared."""
    keeper, compared_with = decisions.keeper, decisions.compared_with
    comparisons = 0
    for row in range(span[0], span[1]):
        if rows.fixed[row]:
            continue
        for k in range(neighbours.starts[row], neighbours.starts[row + 1]):
            neighbour = neighbours.rows[k]
            leader = keeper[neighbour]
            if (
                compared_with[leader] == row
                or rows.document[leader] == rows.document[row]
                or rows.form[leader] == rows.form[row]
            ):
                continue
            compared_with[leader] = row
            if _guarded(rows, sets, limits, leader, row):
                continue
            if leader != neighbour and not _agree(rows.sketch, leader, row, limits.slots):
                continue
            comparisons += 1
            value = _similarity(sets, leader, row, limits.threshold)
            if value >= 0:
                keeper[row] = leader
                decisions.similarity[row] = value
                break
    return comparisons


class Clusters:
    """Who lost to whom, filled in from the best row to the worst.

    Attributes:
        keeper: int32[rows], the row each one lost to, or itself.
        similarity: float32[rows], to the keeper; NaN for those that stay.
        comparisons: sets compared.
    """

    def __init__(self, rows: int) -> None:
        self.keeper = np.arange(rows, dtype=np.int32)
        self.similarity = np.full(rows, np.nan, np.float32)
        self.comparisons = 0
        self._compared_with = np.full(rows, -1, np.int32)

    def decide(self, span: range, rows: Rows, sets: Sets, neighbours: Neighbours, limits: CopyLimits) -> None:
        """Decide about some rows. A row is lost if a row that stayed is similar enough to it.

        For each row, from the best to the worst:

        1. Its candidates are the better rows it shares a band with. A candidate that was lost is replaced by the row
           it lost to. So a row is lost only for a row that it resembles itself, however long the chain between them.
        2. Skip candidates that were compared, that are of the same document, or that have the same comparison form.
        3. Skip candidates that a guard keeps apart, see below.
        4. The first candidate whose shingles have a Jaccard similarity of at least the threshold is its keeper.

        Four guards keep apart what differs in substance rather than in wording:

        - Document: an author who writes two articles that differ in one word means both.
        - Numbers of short texts: any number, negation or Latin letter matters.
        - Amounts of longer texts: most of them must agree. Ordinals (第三十条) are left out, because a reference moves
          when a law is amended.
        - Subject: the same is said of two things, see `subjects.other_subjects`: 法官法 says of 法官 what 检察官法 says
          of 检察官.

        Args:
            span: the rows to decide about; all rows before them are decided.
            rows: of the batch, in policy order.
            sets: of the rows that are compared.
            neighbours: of the rows of the batch.
            limits: when two rows are copies.
        """
        decisions = Decisions(self.keeper, self.similarity, self._compared_with)
        self.comparisons += _decide((span.start, span.stop), rows, sets, neighbours, limits, decisions)
