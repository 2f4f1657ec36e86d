"""docs/filters.md says of every rule what the rule book says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmtp.filters.rule import Rule
from cmtp.filters.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


def row(rule: Rule) -> str:
    (only,) = [line for line in ROWS if f"`{rule.name}`" in line.split(" | ")[0]]
    return only


def gives(text: str, limit: float) -> bool:
    written = f"{limit:,g}".removeprefix("0")
    return re.search(rf"(?<![\d.,]){re.escape(written)}(?!\d)", text) is not None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_page_gives_every_limit(rule):
    limits = [] if rule.basis.startswith(("lexicons/", "by definition")) else [rule.limit, *rule.relations.values()]
    why = row(rule).split(" | ")[-1]
    assert [limit for limit in limits if not gives(why, limit)] == []
