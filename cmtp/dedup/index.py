"""Evaluation texts by their comparison forms and n-grams, and the search for texts that share them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.kernels.jit import kernel
from cmtp.text.compare import Folded, fold

_BASE: Final = np.uint64(0x9FB21C651E98DF25)
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)  # the finaliser of MurmurHash3
_S32: Final = np.uint64(32)
_S29: Final = np.uint64(29)
_ONE: Final = np.uint64(1)
_SEVEN: Final = np.uint64(7)
_THREE: Final = np.uint64(3)

BITS_PER_GRAM: Final = 16
"""Of the filter that tells most n-grams apart from the known ones without a search: 1 in 16 passes by chance."""


class Index(NamedTuple):
    """The evaluation texts as a worker holds them: about 18 bytes per n-gram.

    Attributes:
        forms: uint64[texts, 2], 128-bit hashes of the comparison forms, sorted by the first half.
        form_text: int64[texts], which text each is of.
        filter: uint8[:], a bit per value of the upper bits of a known n-gram's hash.
        shift: by how much a hash is shifted to find its bit.
        grams: uint64[:], hashes of the known n-grams, sorted, each once.
        starts: int64[grams + 1], where the texts of each begin.
        postings: uint32[:], the texts that have an n-gram.
        sizes: uint32[texts], different n-grams of each text.
    """

    forms: np.ndarray
    form_text: np.ndarray
    filter: np.ndarray
    shift: int
    grams: np.ndarray
    starts: np.ndarray
    postings: np.ndarray
    sizes: np.ndarray


class Found(NamedTuple):
    """What was found for each text of a column.

    Attributes:
        text: int64[rows], place of the evaluation text; -1: none.
        share: float32[rows], share of n-grams in common; NaN where the whole comparison form is equal.
    """

    text: np.ndarray
    share: np.ndarray


@kernel
def _grams(codes, first, last, width, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the hash of every n-gram of codes[first:last], in order; returns how many."""
    count = last - first - width + 1
    if count <= 0:
        return 0
    lead, value = _ONE, np.uint64(0)
    for i in range(first, first + width):
        lead *= _BASE
        value = value * _BASE + np.uint64(codes[i])
    for i in range(count):
        mixed = (value ^ (value >> _S32)) * _MIX
        out[i] = mixed ^ (mixed >> _S29)
        if i + 1 < count:
            value = value * _BASE + np.uint64(codes[first + i + width]) - np.uint64(codes[first + i]) * lead
    return count


@kernel
def _distinct(values, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    values[:count].sort()
    unique = 0
    for i in range(count):
        if i == 0 or values[i] != values[unique - 1]:
            values[unique] = values[i]
            unique += 1
    return unique


@kernel
def _all_grams(codes, ends, width, grams, texts, sizes, buffer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for row in range(len(ends) - 1):
        count = _distinct(buffer, _grams(codes, ends[row], ends[row + 1], width, buffer))
        grams[total : total + count] = buffer[:count]
        texts[total : total + count] = row
        sizes[row] = count
        total += count
    return total


@kernel
def _overlaps(codes, ends, width, limit, filter_, shift, grams, starts, postings, sizes, buffer, hits, found, share):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(ends) - 1):
        count = _grams(codes, ends[row], ends[row + 1], width, buffer)
        met = 0
        for i in range(count):
            bit = buffer[i] >> shift
            if filter_[bit >> _THREE] >> (bit & _SEVEN) & _ONE:
                place, above = 0, len(grams)
                while place < above:
                    middle = (place + above) >> 1
                    if grams[middle] < buffer[i]:
                        place = middle + 1
                    else:
                        above = middle
                if place < len(grams) and grams[place] == buffer[i]:
                    hits[met] = np.uint64(place)
                    met += 1
        if met == 0:
            continue
        met = _distinct(hits, met)
        size = _distinct(buffer, count)
        total = 0
        for i in range(met):
            total += starts[hits[i] + 1] - starts[hits[i]]
        of = np.empty(total, np.uint64)
        total = 0
        for i in range(met):
            for k in range(starts[hits[i]], starts[hits[i] + 1]):
                of[total] = postings[k]
                total += 1
        of.sort()
        first = 0
        for i in range(1, total + 1):
            if i == total or of[i] != of[first]:
                value = np.float32((i - first) / min(size, sizes[of[first]]))
                if value >= limit and not value <= share[row]:  # the first of equals; NaN is not yet any
                    found[row] = of[first]
                    share[row] = value
                first = i


def index_texts(texts: pa.Array, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which texts have which n-grams: `grams`, `starts`, `postings` and `sizes` as in Index."""
    folded = fold(texts)
    room = max(1, len(folded.codes))
    grams, of = np.empty(room, np.uint64), np.empty(room, np.uint32)
    sizes = np.zeros(len(texts), np.uint32)
    longest = max(1, int(folded.lengths.max(initial=0)))
    total = _all_grams(folded.codes, folded.ends, width, grams, of, sizes, np.empty(longest, np.uint64))
    order = np.argsort(grams[:total], kind="stable")
    grams, of = grams[:total][order], of[:total][order]
    new = np.ones(total, bool)
    new[1:] = grams[1:] != grams[:-1]
    return grams[new], np.append(np.flatnonzero(new), total), of, sizes


def make_index(
    forms: np.ndarray, grams: np.ndarray, starts: np.ndarray, postings: np.ndarray, sizes: np.ndarray
) -> Index:
    """Put the index together; arguments as in Index, `forms` in order of the texts."""
    order = np.argsort(forms[:, 0], kind="stable")
    bits = max(10, int(len(grams) * BITS_PER_GRAM).bit_length())
    place = grams >> np.uint64(64 - bits)
    known = np.zeros(1 << bits, bool)
    known[place] = True
    packed = np.packbits(known, bitorder="little")
    return Index(forms[order], order, packed, 64 - bits, grams, starts, postings, sizes)


def contaminated(folded: Folded, hashes: np.ndarray, index: Index, width: int, limit: float) -> Found:
    """Compare a column of texts with the evaluation texts.

    Args:
        folded: the texts.
        hashes: uint64[rows, 2], their 128-bit hashes.
        index: the evaluation texts.
        width: characters per n-gram.
        limit: lowest share of n-grams in common, of those of the shorter text.

    Returns:
        the evaluation text that each text equals, else the one it has the largest share in common with.
    """
    rows = len(hashes)
    found, share = np.full(rows, -1, np.int64), np.full(rows, np.nan, np.float32)
    longest = max(1, int(folded.lengths.max(initial=0)))
    buffers = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    known = index.grams, index.starts, index.postings, index.sizes
    _overlaps(
        folded.codes, folded.ends, width, limit, index.filter, np.uint64(index.shift), *known, *buffers, found, share
    )
    place = np.searchsorted(index.forms[:, 0], hashes[:, 0])
    place = np.minimum(place, len(index.forms) - 1)
    equal = (index.forms[place] == hashes).all(axis=1) & (folded.lengths > 0)
    found[equal] = index.form_text[place[equal]]
    share[equal] = np.nan
    return Found(found, share)
