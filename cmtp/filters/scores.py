"""How good probabilities of label 1 are: macro-F1, precision and recall by threshold, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

THRESHOLDS: Final = (0.5, 0.7, 0.9, 0.95, 0.99)
"""Probabilities from which precision and recall are given."""
CALIBRATION_BINS: Final = 10
"""Bins of the calibration error."""

Labels = npt.NDArray[np.int64]
"""0 or 1 per text."""
Floats = npt.NDArray[np.float64]
"""A number per text."""


@dataclass(frozen=True)
class ScoreFigures:
    """What was measured on one set of texts.

    Attributes:
        texts: size of the set.
        macro_f1: mean of the F1 of label 0 and of label 1 where a probability of .5 means label 1.
        error: expected calibration error over ten equal bins of probability (Guo et al., 2017).
        reliability: per bin that has texts: mean probability, share of label 1, texts.
        thresholds: threshold, and precision and recall of label 1 from it on.
    """

    texts: int
    macro_f1: float
    error: float
    reliability: list[tuple[float, float, int]]
    thresholds: list[tuple[float, float, float]]

    def lines(self) -> list[str]:
        """What to print."""
        bins = "  ".join(f"{mean:.2f}→{share:.2f}" for mean, share, _ in self.reliability)
        cuts = "  ".join(f"{cut:g}: {precision:.2f}/{recall:.2f}" for cut, precision, recall in self.thresholds)
        return [
            f"macro-F1 {self.macro_f1:.3f}, calibration error {self.error:.3f}",
            f"probability→share of label 1: {bins}",
            f"threshold: precision/recall of label 1: {cuts}",
        ]

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values, rounded."""
        return {
            "texts": self.texts,
            "macro_f1": round(self.macro_f1, 4),
            "calibration_error": round(self.error, 4),
            "thresholds": [[cut, round(precision, 4), round(recall, 4)] for cut, precision, recall in self.thresholds],
        }


def macro_f1(predicted: Labels, labels: Labels) -> float:
    """Mean of the F1 of label 0 and of label 1."""
    by_label = []
    for label in (0, 1):
        hits = int(((predicted == label) & (labels == label)).sum())
        named = int((predicted == label).sum()) + int((labels == label).sum())
        by_label.append(2 * hits / max(named, 1))
    return sum(by_label) / 2


def score_figures(probabilities: Floats, labels: Labels) -> ScoreFigures:
    """Measure probabilities of label 1 against the truth; both have shape [texts]."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    reliability = []
    for index in range(CALIBRATION_BINS):
        inside = bins == index
        if inside.any():
            reliability.append((float(probabilities[inside].mean()), float(labels[inside].mean()), int(inside.sum())))
    error = sum(abs(mean - share) * n for mean, share, n in reliability) / max(len(labels), 1)
    thresholds = []
    for cut in THRESHOLDS:
        named = probabilities >= cut
        hits = int(labels[named].sum())
        thresholds.append((cut, hits / max(int(named.sum()), 1), hits / max(int(labels.sum()), 1)))
    f1 = macro_f1((probabilities >= 0.5).astype(np.int64), labels)
    return ScoreFigures(len(labels), f1, error, reliability, thresholds)
