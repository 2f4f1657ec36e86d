"""The learned score: a logistic regression over hashed character n-grams, and its file.

1. Take the different n-grams of 1 to 4 characters of a text, ASCII letters in lower case.
2. Hash each to one of 2^18 slots. Equal slots count once.
3. Sum the slots' weights and divide by the square root of their number: they are a vector of ones, made unit length.
4. Add the bias. That is the score; sigmoid(scale × score + shift) is the probability of label 1 (Platt, 1999).

No weights come with the package: `train` makes a model from a user's labels.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cmtp.errors import UsageError
from cmtp.kernels.jit import kernel
from cmtp.text.buffers import string_buffers
from cmtp.text.ngrams import NO_NGRAM, longer_ngram
from cmtp.text.utf8 import decode_point

BITS: Final = 18
"""2^18 slots: a megabyte of weights. 2^20 slots gain .001 of macro-F1 on 26,000 comments."""
LONGEST: Final = 4
"""Characters of the longest n-gram."""
MOST_CHARS: Final = 8192
"""Characters of a text that are read, from its beginning."""
_FORMAT: Final = 1
"""Version of the model file."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """A trained score.

    Attributes:
        weights: one per slot, shape [2^bits], float32.
        bias: added to the sum.
        longest: longest n-gram in characters.
        scale, shift: the probability is sigmoid(scale × score + shift).
        about: what it was trained on and what was measured; JSON values.
    """

    weights: npt.NDArray[np.float32]
    bias: float
    longest: int = LONGEST
    scale: float = 1.0
    shift: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)

    def scores(self, column: pl.Series) -> npt.NDArray[np.float64]:
        """The uncalibrated score of each text of a string column without nulls."""
        data, offsets = string_buffers(column.to_arrow())
        out = np.zeros(len(column), np.float64)
        _score(offsets, data, self.weights, self.longest, out)
        return out + self.bias

    def probabilities(self, column: pl.Series) -> npt.NDArray[np.float64]:
        """The probability that each text has label 1."""
        return sigmoid(self.scale * self.scores(column) + self.shift)

    def save(self, path: Path) -> None:
        """Write the model; the same model gives the same bytes.

        Raises:
            UsageError: the file cannot be written.
        """
        settings = {
            "format": _FORMAT,
            "bias": self.bias,
            "longest": self.longest,
            "scale": self.scale,
            "shift": self.shift,
            "about": self.about,
        }
        text = json.dumps(settings, ensure_ascii=False, sort_keys=True).encode()
        try:
            with path.open("wb") as file:
                np.savez_compressed(file, weights=self.weights, settings=np.frombuffer(text, np.uint8))
        except OSError as error:
            raise UsageError(f"{path}: cannot write the model: {error.strerror}") from error


def load_model(path: str) -> Model:
    """Read a model file.

    Raises:
        UsageError: it is not there, or not a model of this format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            weights = file["weights"]
            settings = json.loads(file["settings"].tobytes())
    except OSError as error:
        raise UsageError(f"filter.model: cannot read {path}: {error.strerror or error}") from error
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"filter.model: {path} is not a model of `cmtp filter train`: {error}") from error
    if settings.pop("format", None) != _FORMAT:
        raise UsageError(f"filter.model: {path} has another format than {_FORMAT}; train it again")
    return Model(weights, **settings)


def sigmoid(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))


def ngram_slots(column: pl.Series, bits: int = BITS, longest: int = LONGEST) -> tuple[Ints, npt.NDArray[np.int32]]:
    """The slots of each text's different n-grams, as a CSR matrix of ones has them.

    Args:
        column: strings without nulls.
        bits: there are 2^bits slots.
        longest: longest n-gram in characters.

    Returns:
        Where each text's slots begin, shape [texts + 1]; and the slots, sorted within each text.
    """
    data, offsets = string_buffers(column.to_arrow())
    starts = np.zeros(len(column) + 1, np.int64)
    indices = np.zeros(longest * (int(offsets[-1]) - int(offsets[0])) + 1, np.int32)
    _collect(offsets, data, 1 << bits, longest, starts, indices)
    return starts, indices[: starts[-1]]


@kernel
def _code_points(data: npt.NDArray[np.uint8], begin: int, end: int, out: npt.NDArray[np.uint32]) -> int:
    """Decode valid UTF-8, ASCII letters in lower case, as far as `out` has room; the number of characters."""
    at, stop, n = np.uint64(begin), np.uint64(end), 0
    while at < stop and n < len(out):
        point, at = decode_point(data, at)
        out[n] = point + 32 if 65 <= point <= 90 else point
        n += 1
    return n


@kernel
def _ngram_slots(codes: npt.NDArray[np.uint32], longest: int, seen: Ints, row: int,
                 out: npt.NDArray[np.int32]) -> int:  # fmt: skip
    """Write the slots of a text's different n-grams; their number.

    Args:
        codes: the text.
        longest: longest n-gram.
        seen: one entry per slot, a power of two of them: the last row that used it.
        row: number of the text, which no other has.
        out: where the slots go.
    """
    mask, count = np.uint64(len(seen) - 1), 0
    for begin in range(len(codes)):
        key = NO_NGRAM
        for size in range(min(longest, len(codes) - begin)):
            key = longer_ngram(key, codes[begin + size])
            slot = np.int64((key >> np.uint64(7)) & mask)
            if seen[slot] != row:
                seen[slot] = row
                out[count] = slot
                count += 1
    return count


@kernel
def _collect(offsets: Ints, data: npt.NDArray[np.uint8], size: int, longest: int, starts: Ints,
             indices: npt.NDArray[np.int32]) -> None:  # fmt: skip
    """Write the sorted slots of all texts, one text behind the other, and where each text's begin."""
    seen, codes = np.full(size, -1, np.int64), np.zeros(MOST_CHARS, np.uint32)
    for row in range(len(offsets) - 1):
        n = _code_points(data, offsets[row], offsets[row + 1], codes)
        count = _ngram_slots(codes[:n], longest, seen, row, indices[starts[row] :])
        indices[starts[row] : starts[row] + count].sort()
        starts[row + 1] = starts[row] + count


@kernel
def _score(offsets: Ints, data: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], longest: int,
           out: npt.NDArray[np.float64]) -> None:  # fmt: skip
    seen, codes = np.full(len(weights), -1, np.int64), np.zeros(MOST_CHARS, np.uint32)
    slots = np.zeros(longest * MOST_CHARS, np.int32)
    for row in range(len(offsets) - 1):
        n = _code_points(data, offsets[row], offsets[row + 1], codes)
        count = _ngram_slots(codes[:n], longest, seen, row, slots)
        total = 0.0
        for i in range(count):
            total += weights[slots[i]]
        out[row] = total / np.sqrt(max(count, 1))
