"""Figures that tasks report. A figure declares where it is made how those of many tasks become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Union

Merge = Literal["sum", "max", "same"]


@dataclass(frozen=True)
class Figure:
    """A value with the rule by which several are merged; made by `total`, `most` and `same`."""

    merge: Merge
    value: Any

    def __add__(self, other: Figure) -> Figure:
        """Merge two figures.

        Raises:
            ValueError: they are merged by different rules, or must be the same and are not.
        """
        if self.merge != other.merge:
            raise ValueError(f"a figure is declared as {self.merge} by one task and as {other.merge} by another")
        if self.merge == "sum":
            return Figure("sum", self.value + other.value)
        if self.merge == "max":
            return Figure("max", max(self.value, other.value))
        if self.value != other.value:
            raise ValueError(f"tasks of one stage disagree: {self.value} and {other.value}")
        return self


Figures: TypeAlias = dict[str, Union[Figure, "Figures"]]  # noqa: UP007: a string cannot stand beside |
"""Figures by name, in groups by name."""


def total(value: float) -> Figure:
    """A number that adds up over tasks: rows, bytes, seconds."""
    return Figure("sum", value)


def most(value: float) -> Figure:
    """A number; the largest of all tasks is reported: the size of the largest cluster."""
    return Figure("max", value)


def same(value: Any) -> Figure:
    """A JSON value on which all tasks must agree: the encoder's name, the length of a vector."""
    return Figure("same", value)


def totals(values: Mapping[str, float]) -> Figures:
    """A group of numbers that add up."""
    return {name: total(value) for name, value in values.items()}


def merge(parts: Iterable[Figures]) -> Figures:
    """The figures of all tasks as one group.

    Raises:
        ValueError: see `Figure.__add__`; names the figure.
    """
    merged: Figures = {}
    for part in parts:
        _merge_into(merged, part)
    return merged


def _merge_into(merged: Figures, part: Figures) -> None:
    for name, figure in sorted(part.items()):
        before = merged.get(name)
        try:
            if isinstance(figure, dict):
                group = merged.setdefault(name, {})
                assert isinstance(group, dict), "one task reports a figure where another reports a group"
                _merge_into(group, figure)
            elif before is None:
                merged[name] = figure
            else:
                assert isinstance(before, Figure), "one task reports a group where another reports a figure"
                merged[name] = before + figure
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def plain_values(figures: Figures) -> dict[str, Any]:
    """The values alone, as the manifest has them."""
    return {name: plain_values(one) if isinstance(one, dict) else one.value for name, one in figures.items()}


def to_json(figures: Figures) -> dict[str, Any]:
    """JSON form, as a receipt has it: a figure is a list of its rule and its value."""
    return {name: to_json(one) if isinstance(one, dict) else [one.merge, one.value] for name, one in figures.items()}


def from_json(value: dict[str, Any]) -> Figures:
    """The inverse of `to_json`."""
    return {name: from_json(one) if isinstance(one, dict) else Figure(*one) for name, one in value.items()}
