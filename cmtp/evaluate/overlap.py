"""Training texts that copy an evaluation text: they would reward a build for its duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

GRAM = 13
"""Characters of a run that two independent texts seldom share; GPT-3 (arXiv 2005.14165, appendix C) took 13 words."""
SHARE = 0.5
"""Of a training text's runs that occur in the evaluation texts: from here on it is a copy."""

_BASE = np.uint64(0x100000001B3)


def grams(text: str) -> NDArray[np.uint64]:
    """[n] hashes of the runs of GRAM letters and digits; a shorter text is one run."""
    kept = "".join(filter(str.isalnum, text.lower()))
    codes = np.frombuffer(kept.encode("utf-32-le"), np.uint32).astype(np.uint64)
    width = min(GRAM, len(codes))
    if width == 0:
        return np.empty(0, np.uint64)
    found = np.full(len(codes) - width + 1, width, np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
        for i in range(width):
            found = (found ^ codes[i : len(codes) - width + 1 + i]) * _BASE
    return found


class Copies:
    """Recognises texts that copy one of the given ones."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [grams(text) for text in texts]
        self.known = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)

    def found(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """[n] bool: at least SHARE of the text's runs are known. A text without letters copies nothing."""
        result = np.zeros(len(texts), bool)
        for i, text in enumerate(texts):
            own = grams(text)
            if len(own) and len(self.known):
                at = np.searchsorted(self.known, own).clip(max=len(self.known) - 1)
                result[i] = (self.known[at] == own).mean() >= SHARE
        return result
