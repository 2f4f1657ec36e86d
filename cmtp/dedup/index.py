"""Evaluation texts by their comparison forms and n-grams, and the search for texts that share them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.kernels.jit import kernel
from cmtp.kernels.sets import sort_unique
from cmtp.text.compare import Folded, fold
from cmtp.text.hashes import hash_folded
from cmtp.text.ngrams import ngram_hashes

_ONE: Final = np.uint64(1)
_SEVEN: Final = np.uint64(7)
_THREE: Final = np.uint64(3)

BITS_PER_GRAM: Final = 16
"""Of the filter that tells most n-grams apart from the known ones without a search: 1 in 16 passes by chance."""


class Index(NamedTuple):
    """The evaluation texts as a worker holds them: about 18 bytes per n-gram.

    Attributes:
        width: characters per n-gram.
        forms: uint64[texts, 2], 128-bit hashes of the comparison forms, sorted by the first half.
        form_text: int64[texts], number of the text that each form is of.
        filter: uint8[:], a bit per value of the upper bits of a known n-gram's hash.
        shift: by how much a hash is shifted to find its bit.
        grams: uint64[:], hashes of the known n-grams, sorted, each once.
        starts: int64[grams + 1], where the texts of each begin.
        postings: uint32[:], numbers of the texts that have an n-gram.
        sizes: uint32[texts], different n-grams of each text.
    """

    width: int
    forms: np.ndarray
    form_text: np.ndarray
    filter: np.ndarray
    shift: np.uint64
    grams: np.ndarray
    starts: np.ndarray
    postings: np.ndarray
    sizes: np.ndarray


class Grams(NamedTuple):
    """Which texts have which n-grams; the attributes are as in Index."""

    grams: np.ndarray
    starts: np.ndarray
    postings: np.ndarray
    sizes: np.ndarray


class Overlaps(NamedTuple):
    """What the texts of a column have in common with the evaluation texts.

    Attributes:
        text: int64[rows], number of the evaluation text; -1: none.
        share: float32[rows], share of n-grams in common; NaN where the whole comparison form is equal.
    """

    text: np.ndarray
    share: np.ndarray


@kernel
def _all_grams(
    folded: Folded, width: int, grams: np.ndarray, texts: np.ndarray, sizes: np.ndarray, buffer: np.ndarray
) -> int:
    total = 0
    for row in range(len(folded.ends) - 1):
        count = ngram_hashes(folded.codes[folded.ends[row] : folded.ends[row + 1]], width, buffer)
        count = sort_unique(buffer[:count])
        grams[total : total + count] = buffer[:count]
        texts[total : total + count] = row
        sizes[row] = count
        total += count
    return total


@kernel
def _known_grams(hashes: np.ndarray, count: int, index: Index, out: np.ndarray) -> int:
    """Write the positions in the index of those n-grams that it has; returns how many."""
    known = 0
    for i in range(count):
        bit = hashes[i] >> index.shift
        if index.filter[bit >> _THREE] >> (bit & _SEVEN) & _ONE:
            position = np.searchsorted(index.grams, hashes[i])
            if position < len(index.grams) and index.grams[position] == hashes[i]:
                out[known] = np.uint64(position)
                known += 1
    return known


@kernel
def _texts_with(positions: np.ndarray, index: Index) -> np.ndarray:
    """The numbers of the texts that have these n-grams, ascending; a text stands there once for every n-gram."""
    total = 0
    for position in positions:
        total += index.starts[position + _ONE] - index.starts[position]
    texts = np.empty(total, np.uint64)
    total = 0
    for position in positions:
        for k in range(index.starts[position], index.starts[position + _ONE]):
            texts[total] = index.postings[k]
            total += 1
    texts.sort()
    return texts


@kernel
def texts_with_grams(codes: np.ndarray, index: Index, hashes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The known texts that share an n-gram with a text, ascending: uint64, each once for every n-gram that they share.

    Args:
        codes: the text's code points.
        index: the known texts.
        hashes: room for the text's n-grams, which are left there.
        known: as much room again.
    """
    count = ngram_hashes(codes, index.width, hashes)
    met = _known_grams(hashes, count, index, known)
    return _texts_with(known[: sort_unique(known[:met])], index)


@kernel
def _overlaps(
    folded: Folded, index: Index, limit: float, hashes: np.ndarray, known: np.ndarray, found: Overlaps
) -> None:
    """For each text, the evaluation text with the largest share of n-grams in common; of equals, the first.

    `hashes` and `known` are room for the n-grams of one text.
    """
    for row in range(len(folded.ends) - 1):
        codes = folded.codes[folded.ends[row] : folded.ends[row + 1]]
        texts = texts_with_grams(codes, index, hashes, known)
        if len(texts) == 0:
            continue
        size = sort_unique(hashes[: len(codes) - index.width + 1])
        first = 0
        for i in range(1, len(texts) + 1):
            if i < len(texts) and texts[i] == texts[first]:
                continue
            text = texts[first]
            share = np.float32((i - first) / min(size, index.sizes[text]))
            best = found.share[row]
            if share >= limit and (np.isnan(best) or share > best):
                found.text[row] = text
                found.share[row] = share
            first = i


def count_grams(texts: pa.Array, width: int) -> Grams:
    """Which of the texts have which n-grams.

    Args:
        texts: strings.
        width: characters per n-gram.
    """
    folded = fold(texts)
    room = max(1, len(folded.codes))
    grams, postings = np.empty(room, np.uint64), np.empty(room, np.uint32)
    sizes = np.zeros(len(texts), np.uint32)
    longest = max(1, int(folded.lengths.max(initial=0)))
    total = _all_grams(folded, width, grams, postings, sizes, np.empty(longest, np.uint64))
    order = np.argsort(grams[:total], kind="stable")
    grams, postings = grams[:total][order], postings[:total][order]
    new = np.ones(total, bool)
    new[1:] = grams[1:] != grams[:-1]
    return Grams(grams[new], np.append(np.flatnonzero(new), total), postings, sizes)


def make_index(forms: np.ndarray, grams: Grams, width: int) -> Index:
    """Put the index together.

    Args:
        forms: uint64[texts, 2], 128-bit hashes of the comparison forms, in order of the texts.
        grams: of the texts.
        width: characters per n-gram.
    """
    order = np.argsort(forms[:, 0], kind="stable")
    bits = max(10, int(len(grams.grams) * BITS_PER_GRAM).bit_length())
    shift = np.uint64(64 - bits)
    known = np.zeros(1 << bits, bool)
    known[grams.grams >> shift] = True
    packed = np.packbits(known, bitorder="little")
    return Index(width, forms[order], order, packed, shift, *grams)


def index_texts(texts: pa.Array, width: int) -> Index:
    """The index of some texts.

    Args:
        texts: strings.
        width: characters per n-gram.
    """
    return make_index(hash_folded(fold(texts)), count_grams(texts, width), width)


def find_overlaps(folded: Folded, hashes: np.ndarray, index: Index, limit: float) -> Overlaps:
    """Compare a column of texts with the evaluation texts.

    Args:
        folded: the texts.
        hashes: uint64[rows, 2], their 128-bit hashes.
        index: the evaluation texts.
        limit: lowest share of n-grams in common, of those of the shorter text.

    Returns:
        The evaluation text that each text equals, else the one it has the largest share in common with.
    """
    rows = len(hashes)
    found = Overlaps(np.full(rows, -1, np.int64), np.full(rows, np.nan, np.float32))
    longest = max(1, int(folded.lengths.max(initial=0)))
    _overlaps(folded, index, limit, np.empty(longest, np.uint64), np.empty(longest, np.uint64), found)
    position = np.searchsorted(index.forms[:, 0], hashes[:, 0])
    position = np.minimum(position, len(index.forms) - 1)
    equal = (index.forms[position] == hashes).all(axis=1) & (folded.lengths > 0)
    found.text[equal] = index.form_text[position[equal]]
    found.share[equal] = np.nan
    return found
