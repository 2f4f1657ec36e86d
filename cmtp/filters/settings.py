"""Settings of the filter, and what the tasks of its two stages are given."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cmtp.errors import UsageError
from cmtp.settings import Settings


class FilterSettings(Settings):
    """Junk, malicious and private text."""

    language: Literal["zh", "any"] = "zh"
    """zh: a pair in another language is rejected as ``language``."""
    private: Literal["mask", "drop", "keep"] = "mask"
    """What happens to private data: masked by a placeholder per kind, the row rejected, or nothing."""
    malicious: bool = True
    """Whether the malicious categories are looked for."""
    disable: list[str] = []
    """Names of rules that are not to be applied."""
    thresholds: dict[str, float] = {}
    """Thresholds by rule name, or ``rule@relation`` or ``rule@source``, that replace the built-in ones."""
    lexicons: dict[str, dict[str, float]] = {}
    """More words and their weights by malicious category, or ``offer`` and ``benign``; see docs/filters.md."""
    model: str | None = None
    """File of a score learned by ``cmtp filter train``: a pair is rejected as ``learned_score`` when either side's
    probability reaches model_threshold. Its content is part of the build's fingerprint."""
    model_threshold: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Probability from which the learned score rejects; ``learned_score@SOURCE`` in thresholds sets it by source."""

    def model_digest(self) -> str | None:
        """Hex digest of the model file, or None without one.

        Raises:
            UsageError: it cannot be read.
        """
        if self.model is None:
            return None
        try:
            return hashlib.sha256(Path(self.model).read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(f"filter.model: cannot read {self.model}: {error.strerror}") from error


class FilterWork(FilterSettings):
    """What a task that judges rows is given."""

    model_sha256: str | None
    """Digest of the model file when the build began."""
    outside_rules: dict[str, str] = {}
    """Where the rules of other packages come from when the build began: package, version and digest by rule name."""


class FilterApplied(FilterSettings):
    """What the tasks of the filter stage are given."""

    screened: str
    """Folder of the verdicts that the screen stage recorded."""
