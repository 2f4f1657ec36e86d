"""What to say about finetune rows that mining left without negatives, or with too few."""

from __future__ import annotations

from collections.abc import Mapping

from cmtp.mining.rules import RULES

MANY = 0.1
"""Share of rows with too few negatives from which something is said; from one row without any it always is."""


def shortfall(figures: Mapping[str, Mapping[str, int]]) -> str | None:
    """A line that says how many rows are short, and which rule took most candidates; None: few enough are short.

    Args:
        figures: of the mine stage, as in the manifest: ``rows`` (see `cmtp.mining.search`) and ``candidates``.
    """
    rows = figures.get("rows", {})
    none, few, every = (rows.get(name, 0) for name in ("without_negatives", "with_too_few", "all"))
    if none == 0 and few <= MANY * every:
        return None
    line = f"of {every:,} finetune rows {none:,} have no negatives and {few:,} have fewer than mine.negatives asks for"
    if 2 * rows["short_in_small_pools"] >= none + few:
        return f"{line}, most of them because their source has hardly more passages than that"
    candidates = figures["candidates"]
    rule = max(RULES, key=lambda name: candidates[name])
    reason, settings = RULES[rule]
    return f"{line}; most candidates, {candidates[rule]:,}, were left out because {reason}: look at {settings}"
