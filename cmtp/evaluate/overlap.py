"""Finds training texts that copy an evaluation text. Training on them would reward a build for its duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cmtp.text.ngrams import ngram_hashes

GRAM_CHARS = 13
"""Characters of a run. Independent texts seldom share one. GPT-3 (arXiv 2005.14165, appendix C) took 13 words."""
COPIED_SHARE = 0.5
"""A text is a copy if at least this share of its runs occurs in the evaluation texts."""


def run_hashes(text: str) -> NDArray[np.uint64]:
    """Hashes of the runs of GRAM_CHARS letters and digits of a text: uint64 [n]. A shorter text is one run."""
    kept = "".join(filter(str.isalnum, text.lower()))
    codes = np.frombuffer(kept.encode("utf-32-le"), np.uint32)
    width = min(GRAM_CHARS, len(codes))
    if width == 0:
        return np.empty(0, np.uint64)
    hashes = np.empty(len(codes) - width + 1, np.uint64)
    ngram_hashes(codes, width, hashes)
    return hashes


class Copies:
    """Recognises texts that copy one of the given ones."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [run_hashes(text) for text in texts]
        self.known = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)

    def copied(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether at least COPIED_SHARE of each text's runs are known: [n] bool. For a text without letters: no."""
        result = np.zeros(len(texts), bool)
        for i, text in enumerate(texts):
            hashes = run_hashes(text)
            if len(hashes) and len(self.known):
                nearest = np.searchsorted(self.known, hashes).clip(max=len(self.known) - 1)
                result[i] = (self.known[nearest] == hashes).mean() >= COPIED_SHARE
        return result
