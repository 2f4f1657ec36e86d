"""Which of several copies stays: rows of older releases always, then as the setting `keep` says."""

from __future__ import annotations

import binascii
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.text.compare import string_buffers

LENGTH_MAX: Final = (1 << 24) - 1
"""Characters above which lengths are not told apart."""

_OWN: Final = 1 << 31
"""Set in the rank of a row of this build: rows of older releases come first."""


def ranks(source: pa.ChunkedArray, lengths: np.ndarray, settings: dict[str, Any], older: bool = False) -> np.ndarray:
    """uint32[rows], lower is better: what `keep` names before the id, which decides between equal ranks.

    Args:
        source: the pairs' sources.
        lengths: passage lengths in characters of comparison form, so that markup and spaces do not win.
        settings: `keep`, and `source_priority`: sources, best first, unnamed ones come last.
        older: whether these are rows of a release made earlier.
    """
    rank = np.zeros(len(lengths), np.uint32) if older else np.full(len(lengths), _OWN, np.uint32)
    free = 31
    for name in settings["keep"]:
        if name == "id":
            break
        if name == "length":
            free -= 24
            rank |= (LENGTH_MAX - np.minimum(lengths, LENGTH_MAX)).astype(np.uint32) << np.uint32(free)
        else:
            free -= 7
            rank |= _places(source, settings["source_priority"]) << np.uint32(free)
    return rank


def _places(source: pa.ChunkedArray, priority: list[str]) -> np.ndarray:
    if not priority:
        return np.zeros(len(source), np.uint32)
    found = pc.index_in(pc.cast(source, pa.string()), pa.array(priority, pa.string()))
    return pc.fill_null(found, len(priority)).to_numpy().astype(np.uint32)


def compact(rank: np.ndarray, id_high: np.ndarray) -> np.ndarray:
    """uint64[rows]: rank and the upper quarter of the id in one number.

    Enough to choose whom to compare with whom, and to cut a component; verdicts go by the full order.
    """
    return rank.astype(np.uint64) << np.uint64(32) | id_high >> np.uint64(32)


def id_halves(pair_id: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The 128-bit ids (32 hex digits) as upper and lower uint64."""
    data, offsets = string_buffers(pair_id)
    assert (np.diff(offsets) == 32).all(), "a pair_id is not 32 hex digits"
    halves = np.frombuffer(binascii.unhexlify(data[offsets[0] : offsets[-1]].tobytes()), ">u8")
    halves = halves.reshape(-1, 2).astype(np.uint64)
    return halves[:, 0].copy(), halves[:, 1].copy()


def id_texts(high: np.ndarray, low: np.ndarray) -> list[str]:
    """The inverse of `id_halves`."""
    text = np.stack([high, low], axis=1).astype(">u8").tobytes().hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]
