"""True Jaccard similarity of shingle sets, and clusters in which every lost row resembles the row it lost to."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from cmtp.dedup.kernel import hash_folded, shingle_sets
from cmtp.dedup.numbers import NUMERALS, numbers_of
from cmtp.kernels.jit import kernel
from cmtp.text.compare import Folded

MISSED: Final = 1e-4
"""Probability that two texts at the threshold are taken to be below it by their sketches, and not compared."""


class Rows(NamedTuple):
    """What is held of every row of a job, in policy order.

    Attributes:
        document: uint64[rows], hash of the document; rows that share one are not compared.
        form: uint64[rows], hash of the comparison form; rows that share one are as many as the exact exchange allowed.
        lengths: uint32[rows], characters of comparison form.
        numbers: uint64[rows], hash of the sequence of numbers, negations and Latin letters.
        sketch: uint8[rows, permutations], the lowest byte of every slot of the signature.
        fixed: bool[rows], rows that stay whatever they resemble.
    """

    document: np.ndarray
    form: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    sketch: np.ndarray
    fixed: np.ndarray


class Sets(NamedTuple):
    """What is held of some rows.

    Attributes:
        place: int32[all rows], where a row is among these; -1: it is not.
        shingles: uint64[:], hashes, sorted and unique within each text.
        starts: int64[some rows + 1], where the shingles of each text start.
        amounts: uint64[:], hashes of the numbers that are no ordinals, sorted and unique within each text.
        amount_starts: int64[some rows + 1], where the amounts of each text start.
        texts: int32[:], the texts in comparison form, and where each of them starts.
        queries: int32[:], their queries in comparison form, empty ones where these do not matter.
    """

    place: np.ndarray
    shingles: np.ndarray
    starts: np.ndarray
    amounts: np.ndarray
    amount_starts: np.ndarray
    texts: np.ndarray
    text_starts: np.ndarray
    queries: np.ndarray
    query_starts: np.ndarray


class Limits(NamedTuple):
    """When two rows are copies.

    Attributes:
        threshold: lowest Jaccard similarity.
        chars: texts of up to this many characters are no copies if their numbers, negations or Latin letters differ.
        amounts: longer texts are no copies if the Jaccard similarity of their amounts is lower; 0: no guard.
        slots: equal bytes of two sketches from which the texts are compared.
    """

    threshold: float
    chars: int
    amounts: float
    slots: int


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


def rows_of(folded: Folded, document: np.ndarray, fixed: np.ndarray, sketch: np.ndarray) -> Rows:
    """What is held of every row."""
    form = hash_folded(folded)[:, 0].copy()
    return Rows(document, form, folded.lengths.astype(np.uint32), numbers_of(folded)[0], sketch, fixed)


def sets_of(folded: Folded, queries: Folded, rows: np.ndarray, total: int, width: int) -> Sets:
    """What is held of some rows: `folded` and `queries` are their texts, `rows` their numbers among `total`."""
    place = np.full(total, -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    _, amounts, starts = numbers_of(folded)
    return Sets(place, *shingle_sets(folded, width), amounts, starts, *folded, *queries)


@kernel
def jaccard(shingles: np.ndarray, ends: np.ndarray, a: int, b: int, threshold: float) -> float:
    """Jaccard similarity of two sets, or -1 as soon as it is certain to be below the threshold."""
    i, last_i = ends[a], ends[a + 1]
    j, last_j = ends[b], ends[b + 1]
    size = last_i - i + last_j - j
    # |A ∩ B| / (|A| + |B| - |A ∩ B|) >= t  ⇔  |A ∩ B| >= t (|A| + |B|) / (1 + t)
    needed = threshold * size / (1.0 + threshold) - 1e-9
    met = 0
    while i < last_i and j < last_j:
        if met + min(last_i - i, last_j - j) < needed:
            return -1.0
        if shingles[i] == shingles[j]:
            met += 1
            i += 1
            j += 1
        elif shingles[i] < shingles[j]:
            i += 1
        else:
            j += 1
    if met == 0 or met < needed:
        return -1.0
    return met / (size - met)


@kernel
def jaccard_reaches(
    shingles: np.ndarray, ends: np.ndarray, left: np.ndarray, right: np.ndarray, threshold: float
) -> np.ndarray:
    """Whether the sets left[i] and right[i] have a Jaccard similarity of at least `threshold`: [n] bool."""
    out = np.empty(len(left), np.bool_)
    for i in range(len(left)):
        out[i] = jaccard(shingles, ends, left[i], right[i], threshold) >= 0
    return out


@kernel
def _agree(sketch, a, b, slots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    equal = np.uint32(0)
    for k in range(sketch.shape[1]):
        equal += np.uint32(sketch[a, k] == sketch[b, k])
    return equal >= slots


@kernel
def _promising(a, b, document, form, lengths, numbers, sketch, fixed, chars, slots, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(len(a)):
        one, other = a[i], b[i]
        out[i] = (
            not (fixed[one] and fixed[other])
            and document[one] != document[other]
            and form[one] != form[other]
            and (numbers[one] == numbers[other] or min(lengths[one], lengths[other]) > chars)
            and _agree(sketch, one, other, slots)
        )


def promising(rows: Rows, a: np.ndarray, b: np.ndarray, limits: Limits) -> np.ndarray:
    """bool[edges]: whether the rows a[i] and b[i] may be copies, by all that is held of them."""
    out = np.empty(len(a), np.bool_)
    _promising(a, b, *rows, limits.chars, limits.slots, out)
    return out


@kernel
def _amounts_differ(amounts, starts, a, b, share):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    both = starts[a + 1] > starts[a] and starts[b + 1] > starts[b]
    return both and share > 0 and jaccard(amounts, starts, a, b, share) < 0


@kernel
def _ideograph(code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return 0x3400 <= code <= 0x9FFF or 0x20000 <= code < 0x32000


@kernel
def _says(texts, starts, row, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    i, last = starts[row], starts[row + 1] - 1
    while i < last and not (texts[i] == first and texts[i + 1] == second):
        i += 1
    return i < last


@kernel
def _own_subject(texts, starts, queries, query_starts, a, b, numerals):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether two ideographs that are no numerals follow each other in the query and the text of a and in none of b."""
    for i in range(query_starts[a], query_starts[a + 1] - 1):
        one, two = queries[i], queries[i + 1]
        if not (_ideograph(one) and _ideograph(two)):
            continue
        if (one < len(numerals) and numerals[one]) or (two < len(numerals) and numerals[two]):
            continue
        if (
            _says(texts, starts, a, one, two)
            and not _says(texts, starts, b, one, two)
            and not _says(queries, query_starts, b, one, two)
        ):
            return True
    return False


@kernel
def _cluster(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    last,  # noqa: ANN001
    rows,  # noqa: ANN001
    sets,  # noqa: ANN001
    starts,  # noqa: ANN001
    near,  # noqa: ANN001
    limits,  # noqa: ANN001
    keeper,  # noqa: ANN001
    similarity,  # noqa: ANN001
    asked,  # noqa: ANN001
    numerals,  # noqa: ANN001
):
    document, form, lengths, numbers, sketch, fixed = rows
    place, shingles, ends, amounts, at, texts, text_starts, queries, query_starts = sets
    threshold, chars, share, slots = limits
    comparisons = 0
    for row in range(first, last):
        if fixed[row]:
            continue
        for k in range(starts[row], starts[row + 1]):
            leader = keeper[near[k]]
            if asked[leader] == row or document[leader] == document[row] or form[leader] == form[row]:
                continue
            asked[leader] = row
            one, other = place[leader], place[row]
            if numbers[leader] != numbers[row] and (
                min(lengths[leader], lengths[row]) <= chars or _amounts_differ(amounts, at, one, other, share)
            ):
                continue
            if leader != near[k] and not _agree(sketch, leader, row, slots):
                continue
            comparisons += 1
            found = jaccard(shingles, ends, one, other, threshold)
            if found >= 0:
                if _own_subject(texts, text_starts, queries, query_starts, one, other, numerals) and _own_subject(
                    texts, text_starts, queries, query_starts, other, one, numerals
                ):
                    continue
                keeper[row] = leader
                similarity[row] = found
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
        self._asked = np.full(rows, -1, np.int32)

    def walk(
        self, first: int, last: int, rows: Rows, sets: Sets, starts: np.ndarray, neighbours: np.ndarray, limits: Limits
    ) -> None:
        """Decide on the rows in [first, last); a row is lost if a row that stayed is similar enough to it.

        Whom a row is compared with: the better rows it shares a band with that stayed, and for those that did not, the
        row they lost to. So a row is lost only for a row it resembles itself, however long the chain between them.

        Three guards keep apart what differs in substance rather than in wording. Rows of one document are never copies
        of each other: an author who writes two articles that differ in one word means both. Numbers are substance: in
        a short text any number, negation or Latin letter, in a longer one most of its amounts. Ordinals (第三十条) are
        no amounts: a reference moves when a law is amended. And so is the subject: where the words that differ are also
        those in which the queries differ, on both sides, the same is said of two things (法官 in 法官法, 检察官 in
        检察官法).

        Args:
            first: the first row to decide on; all before it are decided.
            last: the row after the last.
            rows: of the job, in policy order.
            sets: of the rows that are compared.
            starts: int64[rows + 1], where the neighbours of each row start.
            neighbours: int32[:], better rows (lower numbers) that share a band, ascending for each row.
            limits: when two rows are copies.
        """
        decided = self.keeper, self.similarity, self._asked
        self.comparisons += _cluster(first, last, rows, sets, starts, neighbours, limits, *decided, NUMERALS)
