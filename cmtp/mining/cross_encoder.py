"""A cross-encoder reads query and passage together: expensive and good (extra ``gpu``)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from cmtp.encoders.hub import is_model_name, model_identity
from cmtp.encoders.registry import ENCODERS
from cmtp.errors import UsageError

Rescore = Callable[[list[str], list[str]], np.ndarray]
"""n queries and n passages to n scores, float32."""


class CrossEncoder:
    """Any cross-encoder of sentence-transformers that gives one score; a `Rescore`.

    Raises:
        ImportError: sentence-transformers or torch is missing.
        ValueError: the model gives several scores.
    """

    def __init__(self, name: str) -> None:
        try:
            import sentence_transformers
        except ImportError as error:
            raise ImportError(
                f"mine.cross_encoder {name} needs sentence-transformers: pip install 'cmtp[gpu]'"
            ) from error
        self._model: Any = sentence_transformers.CrossEncoder(name)
        if self._model.num_labels != 1:
            raise ValueError(f"mine.cross_encoder {name}: it gives {self._model.num_labels} scores, not one")
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
        self.weights_hash = digest.hexdigest()

    def __call__(self, queries: list[str], passages: list[str]) -> np.ndarray:
        """Scores of n queries and passages: [n] float32, rounded to five places."""
        pairs = list(zip(queries, passages, strict=True))
        if not pairs:
            return np.empty(0, np.float32)
        scores = self._model.predict(pairs, show_progress_bar=False, convert_to_numpy=True)
        return np.round(np.asarray(scores, np.float32), 5)


@cache
def load_cross_encoder(name: str) -> CrossEncoder:
    """The cross-encoder of this name, loaded once in a process."""
    return CrossEncoder(name)


def check_cross_encoder(name: str) -> None:
    """Refuse a cross-encoder that cannot be loaded.

    Raises:
        UsageError: naming the setting and the remedy.
    """
    if name in ENCODERS or not is_model_name(name):
        raise UsageError(f"mine.cross_encoder = {name!r}: give a model's hub name, owner/model, or its folder")
    if not find_spec("sentence_transformers"):
        raise UsageError(f"mine.cross_encoder = {name!r} needs sentence-transformers: pip install 'cmtp[gpu]'")
    try:
        model_identity(name)
    except UsageError as error:
        raise UsageError(f"mine.cross_encoder = {name!r}: {error}") from error
