"""Further measures of a loss, averaged between two entries of the log."""

from __future__ import annotations

from torch import Tensor


class RunningMeans:
    """Running means of named scalars; they stay on their device until they are read."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps = 0

    def add(self, **values: Tensor) -> None:
        """Add a step's values."""
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value.detach() if name in self.sums else value.detach()
        self.steps += 1

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: round(float(value) / self.steps, 4) for name, value in self.sums.items()}
        self.sums, self.steps = {}, 0
        return means
