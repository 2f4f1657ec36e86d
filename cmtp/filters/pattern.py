"""Regular expressions in parts. Beside each alternative stands a text that it matches whole; a test checks it."""

from __future__ import annotations

from typing import NamedTuple


class Alternative(NamedTuple):
    """One alternative of a regular expression.

    Attributes:
        pattern: the expression.
        example: a text that it matches from end to end.
    """

    pattern: str
    example: str


def either(parts: tuple[Alternative, ...]) -> str:
    """The alternatives in their order: the first that matches wins."""
    return "|".join(part.pattern for part in parts)
