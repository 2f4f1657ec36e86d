"""What a junk rule is, and the measures that need more than a column: polars expressions over one side of a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

Side = Literal["query", "passage"]
Measure = Callable[[Callable[[str], pl.Expr]], pl.Expr]
"""Builds an expression from ``c``, which gives a column of the side that the rule looks at."""

TITLES: Final = frozenset({"title_body", "title_abstract", "subtitle_passage"})
QUESTIONS: Final = frozenset({"question_answer", "question_passage"})


@dataclass(frozen=True)
class Rule:
    """One junk rule.

    Attributes:
        name: reason, or reason.detail.
        sides: which sides are measured; one of them beyond the limit is enough.
        measure: gives the value; null where the rule does not apply.
        compare: the rule fires when the value is above or below the limit.
        limit: the built-in threshold.
        basis: where it comes from.
        unit: what the value counts, for the evidence.
        relations: limits of single relations.
        only: the relations the rule is for; None: all.
        language: the rule is off when the recipe's language is any.
    """

    name: str
    sides: tuple[Side, ...]
    measure: Measure
    compare: Literal["above", "below"]
    limit: float
    basis: str
    unit: str
    relations: Mapping[str, float] = field(default_factory=dict)
    only: frozenset[str] | None = None
    language: bool = False

    @property
    def reason(self) -> str:
        """The reject reason."""
        return self.name.partition(".")[0]


def share(part: str, least: int = 1, of: str = "prose") -> Measure:
    """Share part / of, for texts with at least so many characters of prose."""
    return lambda c: pl.when(c("prose") >= least).then(c(part) / c(of).clip(1))


def tags(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of HTML tags and entities in texts of at least eight characters, where no markup was asked for."""
    return pl.when((c("prose") >= 8) & ~c("asks_code")).then(c("tag_chars") / (c("prose") + c("spaces")).clip(1))


def repeated(part: str) -> Measure:
    """Share of repeated text in at least 40 characters, but for code and logs where such were asked for."""
    return lambda c: pl.when((c("prose") >= 40) & ~(c("asks_code") & (c("latin") > c("han")))).then(
        c(part) / c("prose")
    )


def passage_content(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Letters and digits, and one for a sentence that ends: 大蟲來。 is a proverb, 一般规定 a heading without text."""
    return content(c) + (c("ends") > 0)


def content(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Letters and digits, with those of code."""
    return c("han") + c("kana") + c("hangul") + c("latin") + c("letters") + c("digits") + c("code_chars")


def script(part: str, least: int) -> Measure:
    """Share of a script among the letters, Latin ones counted as words."""
    total = ("han", "kana", "hangul", "words", "letters")
    return lambda c: pl.when(c(part) >= least).then(c(part) / pl.sum_horizontal(*map(c, total)).clip(1))


def foreign(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of European function words among the Latin words, where there are three to one Han character.

    Null for commented code where code was asked for: its share of signs is .10 to .25, that of English prose .01 to .06
    (measured on 25 programs and 11,258 English texts, 5 % to 95 %).
    """
    mostly_latin = (3 * c("han") < c("words")) & (c("function_words") >= 3)
    code = c("asks_code") & (c("symbols") + c("punctuation") + c("ends") > 0.1 * c("prose"))
    return pl.when(mostly_latin & ~code).then(c("function_words") / c("words").clip(1))


def signs(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of punctuation and symbols, in texts of at least ten characters."""
    return pl.when(c("prose") >= 10).then((c("symbols") + c("punctuation") + c("ends")) / c("prose").clip(1))


def stuffing(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of the most frequent pair of characters in a text without function words and sentences that is no list."""
    loose = (c("han") >= 40) & (c("stops") < 0.03 * c("han")) & (c("ends") * 60 < c("han"))
    loose &= c("han") > 12 * c("lines")
    return pl.when(loose).then(c("bigram_chars") / c("prose").clip(1))


def gbk(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of telltale characters of UTF-8 read as GBK among at least six Han characters."""
    return pl.when(c("han") >= 6).then(c("gbk_leads") / c("han").clip(1))


def debris(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of script, style and attribute debris and tags: at least three kinds, in texts that are mostly no code."""
    loose = (c("debris_kinds") >= 3) & (2 * c("code_chars") < c("chars")) & ~c("asks_code")
    return pl.when(loose).then((c("debris") + c("tag_chars")) / c("chars").clip(1))


def navigation(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of navigation phrases, where at least two different ones are."""
    return pl.when(c("navigation_kinds") >= 2).then(c("navigation") / c("chars").clip(1))


def title_share(c: Callable[[str], pl.Expr]) -> pl.Expr:
    """Share of a passage in copies of its title: at least four copies of at least six characters."""
    spun = (c("title_copies") >= 4) & (c("title_chars") >= 6)
    return pl.when(spun).then(c("title_copies") * c("title_chars") / c("chars").clip(1))
