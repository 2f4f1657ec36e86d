"""What an encoder is, and how to get one by name."""

import functools
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

Side = Literal["query", "passage"]
"""Which half of a pair a text is: some models prompt the two differently."""

PRESETS = {
    "text2vec-large": "GanymedeNil/text2vec-large-chinese",
    "text2vec-base": "shibing624/text2vec-base-chinese",
}
"""Short names of sentence-transformers models: the two that are called Text2Vec-Chinese, with which C-MTP was cut."""

BUNDLED = ("static-zh", "e5-small")
"""Encoders that come in a package with their weights and compute on the CPU."""

ENCODER_NAMES = (*BUNDLED, *PRESETS)
"""Every short name `load_encoder` knows."""


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity.

    `name`: what a recipe calls it. `dim`: length of a vector. `max_chars`: characters of a text that it reads, None
    for all. `weights_hash`: hex digest of everything its vectors depend on besides the text; same hash, same vectors.
    """

    name: str
    dim: int
    max_chars: int | None
    weights_hash: str

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """Encode a `string` or `large_string` array of n texts into float32 [n, dim].

        Rows have length 1, or 0 for a text in which the encoder knows nothing (empty, punctuation only). A row depends
        on its own text alone, never on the batch. Raises TypeError for another type and ValueError for a null or an
        unknown side.
        """
        ...


def check_texts(texts: pa.Array, side: str) -> None:
    """Raise what `Encoder.encode` promises to raise for unusable input."""
    if not isinstance(texts, pa.Array) or not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        found = texts.type if isinstance(texts, pa.Array | pa.ChunkedArray) else type(texts).__name__
        raise TypeError(f"texts must be a pyarrow.Array of string or large_string, not {found}")
    if texts.null_count:
        raise ValueError(f"texts holds {texts.null_count} nulls; drop or fill them before encoding")
    if side not in ("query", "passage"):
        raise ValueError(f"side must be 'query' or 'passage', not {side!r}")


def is_encoder_name(name: str) -> bool:
    """Whether `load_encoder` would try: a short name, an existing folder, or a hub name, owner/model."""
    if name in ENCODER_NAMES or Path(name).is_dir():
        return True
    owner, slash, model = name.partition("/")
    return bool(slash and model) and "/" not in model and owner not in ("", ".", "..", "~")


@functools.cache
def hub_revision(name: str) -> str:
    """Commit of a model of the hub, the newest one; without a network that of the copy in the hub's cache.

    Args:
        name: a preset or a hub name.

    Raises:
        OSError: there is neither a network nor a copy, or no such model.
    """
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(PRESETS.get(name, name), "config.json")).parent.name


@functools.cache
def load_encoder(name: str) -> Encoder:
    """The encoder called `name`, loaded once in a process: a model takes a second or more, and memory.

    Args:
        name: one of ENCODER_NAMES, or the hub name or folder of any sentence-transformers model.

    Raises:
        ValueError: unknown name.
        ImportError: its package is missing; names the extra.
    """
    if name == "static-zh":
        from cmtp.encoders.static_zh import StaticZh

        return StaticZh()
    if name == "e5-small":
        from cmtp.encoders.e5 import E5Small

        return E5Small()
    if is_encoder_name(name):
        from cmtp.encoders.sentence import SentenceModel

        return SentenceModel(name)
    known = ", ".join(ENCODER_NAMES)
    raise ValueError(f"unknown encoder {name!r}; known: {known}, or a sentence-transformers model's hub name or folder")
