"""Every part of a regular expression matches the example that stands beside it."""

from __future__ import annotations

import re

import polars as pl
import pytest

from cmtp.filters import contact, offer, phrases
from cmtp.filters.pattern import Alternative, either

PARTS = [
    (module.__name__, part)
    for module in (contact, offer, phrases)
    for value in vars(module).values()
    if isinstance(value, tuple) and value and all(isinstance(part, Alternative) for part in value)
    for part in value
]


def test_parts_are_found():
    assert len({module for module, _ in PARTS}) == 3
    assert len(PARTS) > 80


@pytest.mark.parametrize(("module", "part"), PARTS)
def test_an_example_is_matched_whole(module, part):
    assert re.fullmatch(part.pattern, part.example)


def test_placeholders_are_read_by_polars_alike():
    examples = [part.example for part in phrases.PLACEHOLDERS]
    assert pl.Series(examples).str.extract_all(phrases.PLACEHOLDER).to_list() == [[example] for example in examples]
    assert phrases.placeholder_chars(pl.Series(examples)).to_list() == [*map(len, examples)]


def test_the_first_alternative_wins():
    assert re.match(either((Alternative("ab", "ab"), Alternative("a", "a"))), "ab")[0] == "ab"
    assert re.match(either((Alternative("a", "a"), Alternative("ab", "ab"))), "ab")[0] == "a"
