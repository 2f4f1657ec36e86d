"""The rule book of a build: the built-in rules under a recipe's settings, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from cmtp.errors import UsageError
from cmtp.filters.lexicon import CATEGORIES, CONTEXTS
from cmtp.filters.malicious import LIMIT
from cmtp.filters.rule import Rule
from cmtp.filters.rules import RULES
from cmtp.schema import RELATIONS

MALICIOUS: Final = tuple(f"malicious_{category}" for category in CATEGORIES)
PRIVATE: Final = "private_data"
LEARNED: Final = "learned_score"


@dataclass(frozen=True)
class Book:
    """Rules and limits of a build.

    Attributes:
        rules: junk rules that are switched on.
        limits: thresholds from the recipe: by rule name, or ``rule@relation``, ``rule@source``.
        malicious: limits of the categories that are switched on, by category.
        private: mask, drop or keep.
        lexicons: users' terms by category.
        model: file of a learned score, or None.
        learned: probability from which it rejects.
    """

    rules: tuple[Rule, ...]
    limits: Mapping[str, float]
    malicious: Mapping[str, float]
    private: str
    lexicons: Mapping[str, Mapping[str, float]]
    model: str | None
    learned: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reject reason, in the order in which they name a row; malicious categories go by score."""
        return (*MALICIOUS, LEARNED, *dict.fromkeys(rule.reason for rule in self.rules), PRIVATE)

    def limit(self, rule: Rule) -> pl.Expr:
        """The limit per row: the source's, else the relation's, else the rule's; the recipe's before the built-in."""
        expr = pl.lit(self.limits.get(rule.name, rule.limit))
        relations = {} if rule.name in self.limits else dict(rule.relations)
        scoped = self._scoped(rule.name)
        relations |= {scope: value for scope, value in scoped.items() if scope in RELATIONS}
        for column, values in (
            ("relation", relations),
            ("source", {s: v for s, v in scoped.items() if s not in RELATIONS}),
        ):
            for scope, value in sorted(values.items()):
                expr = pl.when(pl.col(column) == scope).then(pl.lit(value)).otherwise(expr)
        return expr

    def malicious_limit(self, category: str, relation: str, source: str) -> float:
        """The score from which a pair is in a category."""
        scoped = self._scoped(f"malicious_{category}")
        return scoped.get(source, scoped.get(relation, self.malicious[category]))

    def learned_limit(self, relation: str, source: str) -> float:
        """The probability from which the learned score rejects a pair."""
        scoped = self._scoped(LEARNED)
        return scoped.get(source, scoped.get(relation, self.learned))

    def least_learned(self) -> float:
        """The lowest probability that rejects anywhere."""
        return min([self.learned, *self._scoped(LEARNED).values()])

    def least_malicious(self) -> float:
        """The lowest score that any category asks for anywhere."""
        scoped = [limit for key, limit in self.limits.items() if key.startswith("malicious_")]
        return min([*self.malicious.values(), *scoped])

    def _scoped(self, name: str) -> dict[str, float]:
        return {key.partition("@")[2]: value for key, value in self.limits.items() if key.startswith(f"{name}@")}


def open_book(settings: Mapping[str, Any]) -> Book:
    """The rule book under the settings of the recipe's ``filter`` section.

    Raises:
        UsageError: a rule or category that does not exist.
    """
    names = [rule.name for rule in RULES]
    groups = {rule.reason for rule in RULES}
    known = sorted({*names, *groups, *MALICIOUS, PRIVATE, LEARNED})
    for name in settings["disable"]:
        if name not in known:
            raise UsageError(f"filter.disable: there is no rule {name!r}; known: {', '.join(known)}")
    limits: dict[str, float] = {}
    for key, value in settings["thresholds"].items():
        name, at, scope = key.partition("@")
        members = [rule.name for rule in RULES if rule.reason == name]
        if name in (*names, *MALICIOUS, LEARNED):
            limits[key] = float(value)
        elif len(members) == 1:
            limits[members[0] + at + scope] = float(value)
        elif members:
            raise UsageError(f"filter.thresholds: {name!r} has several measures; name one: {', '.join(members)}")
        else:
            raise UsageError(
                f"filter.thresholds: there is no rule {name!r}; known: {', '.join((*names, *MALICIOUS, LEARNED))}"
            )
    lexicons = settings.get("lexicons", {})
    for name in lexicons:
        if name not in (*CATEGORIES, *CONTEXTS):
            raise UsageError(
                f"filter.lexicons: there is no list {name!r}; known: {', '.join((*CATEGORIES, *CONTEXTS))}"
            )
    off = set(settings["disable"])
    on = settings["malicious"]
    return Book(
        rules=tuple(
            rule
            for rule in RULES
            if not ({rule.name, rule.reason} & off or (rule.language and settings["language"] == "any"))
        ),
        limits=limits,
        malicious={
            category: limits.get(f"malicious_{category}", LIMIT)
            for category in CATEGORIES
            if on and f"malicious_{category}" not in off
        },
        private="keep" if PRIVATE in off else settings["private"],
        lexicons=lexicons,
        model=None if LEARNED in off else settings["model"],
        learned=limits.get(LEARNED, settings["model_threshold"]),
    )
