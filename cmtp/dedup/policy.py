"""Which of several copies stays: rows of older releases always, then rows that the cut leaves, then what `keep` names.

Equal ranks are decided by the texts themselves, so that names and places of files decide nothing: first by the document
as a whole, which keeps the pairs of one document together, then by the pair. See `document_keys`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.settings import DedupWork
from cmtp.kernels.jit import kernel
from cmtp.order import seeded_keys
from cmtp.text.buffers import string_buffers

_LENGTH_BITS: Final = 21

LENGTH_MAX: Final = (1 << _LENGTH_BITS) - 1
"""Longest length that is told from a longer one, in characters."""

_ENDS: Final = tuple(map(ord, "。！？；…”’」』）】》.!?;\"')]"))
"""Last characters of a finished text."""

_OWN: Final = 1 << 31
"""Set in the rank of a row of this build: rows of older releases come first."""

_CUT: Final = np.uint32(1 << 30)
"""Set in the rank of a row that the similarity cut takes: it never beats one that the cut leaves."""


def ranks(
    passage: pa.ChunkedArray,
    source: pa.ChunkedArray,
    lengths: np.ndarray,
    settings: DedupWork,
    *,
    left: np.ndarray | None = None,
    older: bool = False,
) -> np.ndarray:
    """uint32[rows], lower is better: the criteria that `keep` names before the hash, the first one highest.

    Bits, from the highest: 1 for rows of this build, 1 for rows that the cut takes, then 2 for quality, 7 for the
    source and 21 for the length, in the order of `keep`.

    Args:
        passage: the pairs' passages.
        source: their sources.
        lengths: passage lengths in characters of comparison form, so that markup and spaces do not win.
        settings: `keep`, and `source_priority`: sources, best first, unnamed ones come last.
        left: bool[rows], rows that the similarity cut leaves; None: all.
        older: whether these are rows of a release made earlier.
    """
    rank = np.zeros(len(lengths), np.uint32) if older else np.full(len(lengths), _OWN, np.uint32)
    if left is not None:
        rank[~left] |= _CUT
    free_bits = 30
    for name in settings.keep:
        if name == "hash":
            break
        if name == "length":
            free_bits -= _LENGTH_BITS
            rank |= (LENGTH_MAX - np.minimum(lengths, LENGTH_MAX)).astype(np.uint32) << np.uint32(free_bits)
        elif name == "quality":
            free_bits -= 2
            faults = np.empty(len(passage), np.uint32)
            _faults(*string_buffers(passage), faults)
            rank |= faults << np.uint32(free_bits)
        else:
            free_bits -= 7
            rank |= _source_positions(source, settings.source_priority) << np.uint32(free_bits)
    return rank


@kernel
def _entity(data: np.ndarray, start: np.int64, end: np.int64) -> bool:
    """Whether an HTML entity starts here: &nbsp; or &#12288;."""
    for i in range(start + 1, min(start + 10, end)):
        byte = data[i]
        if byte == ord(";"):
            return bool(i > start + 2)
        if not (ord("a") <= byte | 32 <= ord("z") or ord("0") <= byte <= ord("9") or byte == ord("#")):
            return False
    return False


@kernel
def _faults(data: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    """For each text, 2 if it is damaged, plus 1 if it does not end as a sentence does.

    A text is damaged if it has a replacement character (U+FFFD), a private-use one (U+E000 to U+F8FF) or an HTML
    entity. A sentence ends with 。！？；…, their ASCII forms, or a closing quote or bracket.
    """
    for row in range(len(offsets) - 1):
        end = offsets[row + 1]
        damaged = False
        for i in range(np.uint64(offsets[row]), np.uint64(end)):  # unsigned, see cmtp.text.compare
            byte = data[i]
            if byte >= 0xEE:
                if byte == 0xEE:
                    damaged = True
                elif byte == 0xEF:
                    second = data[i + np.uint64(1)]
                    damaged |= second < 0xA4 or (second == 0xBF and data[i + np.uint64(2)] == 0xBD)
            elif byte == ord("&"):
                damaged |= _entity(data, np.int64(i), end)
        while end > offsets[row] and data[end - 1] <= 0x20:
            end -= 1
        code = 0
        if end - offsets[row] >= 3 and data[end - 1] >= 0x80:
            code = (data[end - 3] & 0x0F) << 12 | (data[end - 2] & 0x3F) << 6 | (data[end - 1] & 0x3F)
        elif end > offsets[row]:
            code = data[end - 1]
        finished = False
        for last in _ENDS:
            finished |= code == last
        out[row] = 2 * damaged + (not finished)


def _source_positions(source: pa.ChunkedArray, priority: list[str]) -> np.ndarray:
    """uint32[rows]: position of each source in the list; sources that it does not name come last."""
    if not priority:
        return np.zeros(len(source), np.uint32)
    positions = pc.index_in(pc.cast(source, pa.string()), pa.array(priority, pa.string()))
    return pc.fill_null(positions, len(priority)).to_numpy().astype(np.uint32)  # type: ignore[no-any-return]


def is_cut(rank: np.ndarray) -> np.ndarray:
    """uint8[rows]: 1 where the rank is that of a row which the similarity cut takes."""
    return (rank & _CUT != 0).astype(np.uint8)  # type: ignore[no-any-return]


def document_keys(doc_ids: pa.ChunkedArray, pairs: np.ndarray) -> np.ndarray:
    """uint64[rows]: a hash of all pairs of each row's document, whatever their order; copies of a document share it.

    Args:
        doc_ids: of the rows of a partition; a document lies in one partition.
        pairs: uint64[rows], hash of each pair's texts, see `cmtp.text.hashes.pair_keys`.
    """
    document = pc.dictionary_encode(doc_ids.combine_chunks()).indices.to_numpy()
    sums = np.zeros(int(document.max(initial=-1)) + 1, np.uint64)
    np.add.at(sums, document, seeded_keys(pairs, 0))
    return np.asarray(sums[document])


def compact(rank: np.ndarray, document: np.ndarray) -> np.ndarray:
    """uint64[rows]: rank and the upper half of the document key in one number.

    That is enough to choose which rows to compare, and to cut a component. Verdicts go by the full order.
    """
    return rank.astype(np.uint64) << np.uint64(32) | document >> np.uint64(32)
