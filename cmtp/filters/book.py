"""The rule book of a build: the junk rules and categories under a recipe's settings, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from cmtp.errors import UsageError
from cmtp.filters.lexicon import CONTEXTS, MALICIOUS_CATEGORIES
from cmtp.filters.malicious import LIMIT
from cmtp.filters.rule import Rule
from cmtp.filters.rules import all_rules
from cmtp.filters.settings import FilterSettings
from cmtp.registry import did_you_mean
from cmtp.relations import RELATIONS

MALICIOUS: Final = tuple(f"malicious_{category}" for category in MALICIOUS_CATEGORIES)
PRIVATE: Final = "private_data"
LEARNED: Final = "learned_score"
EVERYWHERE: Final = ""
"""The scope of a threshold that names neither a relation nor a source."""

RecipeLimits = Mapping[str, Mapping[str, float]]
"""Thresholds of a recipe: by rule name, then by scope: a relation, a source or `EVERYWHERE`."""


@dataclass(frozen=True)
class Book:
    """Rules and limits of a build.

    Attributes:
        rules: junk rules that are switched on.
        limits: thresholds that the recipe sets.
        malicious: the categories that are switched on, and the score from which each is met.
        private: mask, drop or keep.
        lexicons: users' terms and weights by category.
        model: file of a learned score, or None.
        learned: the probability from which it rejects.
    """

    rules: tuple[Rule, ...]
    limits: RecipeLimits
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
        """The limit of a junk rule per row.

        It is the recipe's for the row's source, else for its relation, else for all; else the built-in one for the
        relation, else the built-in one. A limit of the recipe for all replaces the built-in ones of relations, too.
        """
        own = self.limits.get(rule.name, {})
        relations = {} if EVERYWHERE in own else dict(rule.relations)
        relations |= {scope: value for scope, value in own.items() if scope in RELATIONS}
        sources = {scope: value for scope, value in own.items() if scope not in (*RELATIONS, EVERYWHERE)}
        limit = pl.lit(own.get(EVERYWHERE, rule.limit))
        for column, values in (("relation", relations), ("source", sources)):
            for scope, value in sorted(values.items()):
                limit = pl.when(pl.col(column) == scope).then(pl.lit(value)).otherwise(limit)
        return limit

    def malicious_limit(self, category: str, relation: str, source: str) -> float:
        """The score from which a pair is in a category."""
        own = self.limits.get(f"malicious_{category}", {})
        return own.get(source, own.get(relation, self.malicious[category]))

    def learned_limit(self, relation: str, source: str) -> float:
        """The probability from which the learned score rejects a pair."""
        own = self.limits.get(LEARNED, {})
        return own.get(source, own.get(relation, self.learned))

    def least_learned(self) -> float:
        """The lowest probability that rejects anywhere."""
        return min([self.learned, *self.limits.get(LEARNED, {}).values()])

    def least_malicious(self) -> float:
        """The lowest score that any category asks for anywhere."""
        own = [limit for name in MALICIOUS for limit in self.limits.get(name, {}).values()]
        return min([*self.malicious.values(), *own])


def open_book(settings: FilterSettings) -> Book:
    """The rule book under the recipe's group ``filter``.

    Raises:
        UsageError: a rule, category or word list that does not exist; names the likeliest.
    """
    rules = all_rules()
    off = set(settings.disable)
    known = {*(rule.name for rule in rules), *(rule.reason for rule in rules), *MALICIOUS, PRIVATE, LEARNED}
    for name in settings.disable:
        _check("disable", "rule", name, sorted(known))
    for name in settings.lexicons:
        _check("lexicons", "list", name, [*MALICIOUS_CATEGORIES, *CONTEXTS])
    limits = _limits(settings.thresholds, rules)
    return Book(
        rules=tuple(
            rule
            for rule in rules
            if not ({rule.name, rule.reason} & off or (rule.language and settings.language == "any"))
        ),
        limits=limits,
        malicious={
            category: limits.get(name, {}).get(EVERYWHERE, LIMIT)
            for category, name in zip(MALICIOUS_CATEGORIES, MALICIOUS, strict=True)
            if settings.malicious and name not in off
        },
        private="keep" if PRIVATE in off else settings.private,
        lexicons=settings.lexicons,
        model=None if LEARNED in off else settings.model,
        learned=limits.get(LEARNED, {}).get(EVERYWHERE, settings.model_threshold),
    )


def _limits(thresholds: Mapping[str, float], rules: tuple[Rule, ...]) -> RecipeLimits:
    """Thresholds by rule and scope. A reason stands for its rule where it has one only: ``symbols`` is a rule, too."""
    names = [*(rule.name for rule in rules), *MALICIOUS, LEARNED]
    limits: dict[str, dict[str, float]] = {}
    for key, value in thresholds.items():
        name, _, scope = key.partition("@")
        of_reason = [rule.name for rule in rules if rule.reason == name]
        if name not in names and len(of_reason) > 1:
            raise UsageError(f"filter.thresholds: {name!r} has several measures; name one: {', '.join(of_reason)}")
        if name not in names and of_reason:
            name = of_reason[0]
        _check("thresholds", "rule", name, names)
        limits.setdefault(name, {})[scope] = value
    return limits


def _check(setting: str, what: str, name: str, known: list[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"filter.{setting}: there is no {what} {name!r}{hint}; known: {', '.join(known)}")
