"""What a junk rule is: a number per side of a pair, and the limit beyond which it rejects.

A package adds a rule of its own by an entry point, whose name is the rule's name::

    [project.entry-points."cmtp.rules"]
    "exclamations" = "my_package.rules:EXCLAMATIONS"

    EXCLAMATIONS = Rule(
        "exclamations", ("passage",), lambda c: pl.when(c("prose") >= 20).then(c("measure") / c("prose")),
        fires="above", limit=0.2, basis="measured: at most .05 in 2,000 texts of our forum", unit="share of ！ and !",
        measure=lambda texts: texts.str.count_matches("[！!]"),
    )

A recipe sets its limit and switches it off by its name, as those of the built-in rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import polars as pl

from cmtp.errors import CmtpError
from cmtp.relations import RELATIONS, relations_where
from cmtp.schema import Side

SideColumns = Callable[[str], pl.Expr]
"""``c``: gives a column of the side that a rule looks at, by its name."""
Expression = Callable[[SideColumns], pl.Expr]
"""Builds the expression of a rule's value from `Columns`."""
Measure = Callable[[pl.Series], pl.Series]
"""A column of numbers, one per text of a column of strings. It depends on nothing but the text."""

TITLES: Final = frozenset(relations_where(lambda relation: relation.query == "title"))
SENTENCES: Final = relations_where(lambda relation: relation.query in ("question", "text"))
"""Relations whose query is a question or a sentence."""
ANSWERS: Final = frozenset(relations_where(lambda relation: relation.query == "question" and not relation.symmetric))
"""Relations whose passage answers a question."""


@dataclass(frozen=True)
class Rule:
    """One junk rule.

    Attributes:
        name: its reject reason, or the reason, a dot and a detail where a reason has several measures.
        sides: which sides are measured; it is enough that one of them is beyond the limit.
        expression: gives the value from the columns of `measure`, `phrases` and `verdict.PAIR_COLUMNS`; null where the
            rule does not apply.
        limit: the built-in threshold.
        basis: where the limit comes from.
        unit: what the value counts, for the evidence.
        fires: whether the rule rejects above or below the limit. A value that equals it passes.
        relations: limits of single relations.
        only: the relations the rule is for; None: all.
        language: the rule is off when the recipe's language is any.
        measure: what the rule counts besides, which its expression reads as ``c("measure")``; None: nothing.

    Raises:
        ValueError: no such side or relation, or a name that a recipe could not write.
    """

    name: str
    sides: tuple[Side, ...]
    expression: Expression
    limit: float
    basis: str
    unit: str
    fires: Literal["above", "below"] = "above"
    relations: Mapping[str, float] = field(default_factory=dict)
    only: frozenset[str] | None = None
    language: bool = False
    measure: Measure | None = None

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set("@ /"):
            raise ValueError(f"filter rule {self.name!r}: a name has no @, / or space")
        if not self.sides or not set(self.sides) <= {"query", "passage"}:
            raise ValueError(f"filter rule {self.name}: sides are query and passage, not {self.sides}")
        if self.fires not in ("above", "below"):
            raise ValueError(f"filter rule {self.name}: it fires above or below its limit, not {self.fires!r}")
        unknown = sorted({*self.relations, *(self.only or ())} - set(RELATIONS))
        if unknown:
            raise ValueError(f"filter rule {self.name}: there is no relation {unknown[0]!r}")

    @property
    def reason(self) -> str:
        """The reject reason."""
        return self.name.partition(".")[0]

    def measured(self, texts: pl.Series) -> pl.Series:
        """What `measure` gives for a column of texts.

        Raises:
            CmtpError: not one number per text.
        """
        assert self.measure is not None
        numbers: Any = self.measure(texts)
        if not isinstance(numbers, pl.Series) or len(numbers) != len(texts) or not numbers.dtype.is_numeric():
            raise CmtpError(f"filter rule {self.name}: its measure gives {numbers!r} and not one number per text")
        return numbers


def share(part: str, least: int = 1, of: str = "prose") -> Expression:
    """The share part / of, in texts with `least` characters of prose or more."""
    return lambda c: pl.when(c("prose") >= least).then(c(part) / c(of).clip(1))


def placeholders(c: SideColumns) -> pl.Expr:
    """Share of unfilled placeholders, where the query is not about them."""
    return pl.when(~c("asks_template")).then(c("placeholders") / c("chars").clip(1))


def missing_page(c: SideColumns) -> pl.Expr:
    """How many of three a page says: it is not there, where to go instead, the same in its title."""
    said = c("missing") + c("way_back") + c("says_missing").cast(pl.Int64)
    return pl.when((c("missing") > 0) & ~c("explains")).then(said)


def tags(c: SideColumns) -> pl.Expr:
    """Share of HTML tags and entities, in texts of at least eight characters where no markup was asked for."""
    return pl.when((c("prose") >= 8) & ~c("asks_code")).then(c("tag_chars") / (c("prose") + c("spaces")).clip(1))


def repeated_share(part: str) -> Expression:
    """Share of repeated units, in at least 30; code and logs that were asked for are left out."""
    return lambda c: pl.when((c("units") >= 30) & ~(c("asks_code") & (c("latin") > c("han")))).then(
        c(part) / c("units")
    )


def passage_content(c: SideColumns) -> pl.Expr:
    """Content, and one more for a sentence that ends: 大蟲來。 is a proverb, 一般规定 a heading without text."""
    return content(c) + (c("ends") > 0)


def content(c: SideColumns) -> pl.Expr:
    """Letters and digits, with all of the code."""
    return c("han") + c("kana") + c("hangul") + c("latin") + c("letters") + c("digits") + c("code_chars")


def script(part: str, least: int) -> Expression:
    """Share of a script among the letters, Latin ones counted as words, where it has `least` letters or more."""
    total = ("han", "kana", "hangul", "words", "letters")
    return lambda c: pl.when(c(part) >= least).then(c(part) / pl.sum_horizontal(*map(c, total)).clip(1))


def foreign(c: SideColumns) -> pl.Expr:
    """Share of European function words among the Latin words, where there are three to one Han character.

    Null for commented code where code was asked for. What tells code from prose is its share of signs: .10 to .25 in
    code, .01 to .06 in English prose (measured on 25 programs and 11,258 English texts, 5 % to 95 %).
    """
    mostly_latin = (3 * c("han") < c("words")) & (c("function_words") >= 3)
    code = c("asks_code") & (c("symbols") + c("punctuation") + c("ends") > 0.1 * c("prose"))
    return pl.when(mostly_latin & ~code).then(c("function_words") / c("words").clip(1))


def signs(c: SideColumns) -> pl.Expr:
    """Share of signs, a run of one of them once, in at least ten characters; null where symbols were asked for."""
    letters = c("prose") - c("symbols") - c("punctuation") - c("ends")
    share_of_signs = c("signs") / (c("signs") + letters).clip(1)
    return pl.when((c("prose") >= 10) & ~c("asks_signs")).then(share_of_signs)


def lone_signs(c: SideColumns) -> pl.Expr:
    """As `signs`, in a query of fewer than six units: a question about a drawing says more than that beside it."""
    return pl.when(c("units") < 6).then(signs(c))


def numbers(c: SideColumns) -> pl.Expr:
    """Share of numbers among the units, where there are 20 numbers: two addresses or a value answer a question."""
    return pl.when(c("numbers") >= 20).then(c("numbers") / c("units"))


def answer_numbers(c: SideColumns) -> pl.Expr:
    """Share of numbers among the units of an answer, where there are 40 of three digits on average.

    The even numbers to 100 and the primes below 1,000 have fewer digits; a device's log has more.
    """
    long = c("digits") >= 3 * c("numbers")
    return pl.when((c("numbers") >= 40) & long).then(c("numbers") / c("units"))


def stuffing(c: SideColumns) -> pl.Expr:
    """Share of the most frequent pair of characters in a text that has neither function words nor sentences.

    A list, one entry a line, is left out: its lines have at most 12 Han characters on average.
    """
    loose = (c("han") >= 40) & (c("stops") < 0.03 * c("han")) & (c("ends") * 60 < c("han"))
    loose &= c("han") > 12 * c("lines")
    return pl.when(loose).then(c("bigram_chars") / c("prose").clip(1))


def spaced(c: SideColumns) -> pl.Expr:
    """Share of Han characters with a space between them and the one before, among at least ten."""
    return pl.when(c("han") >= 10).then(c("spaced") / c("han"))


def gbk(c: SideColumns) -> pl.Expr:
    """Share of telltale characters of UTF-8 read as GBK among at least six Han characters."""
    return pl.when(c("han") >= 6).then(c("gbk_leads") / c("han").clip(1))


def debris(c: SideColumns) -> pl.Expr:
    """Share of script, style and attribute debris and tags, where there are three kinds and code is not the most."""
    loose = (c("debris_kinds") >= 3) & (2 * c("code_chars") < c("chars")) & ~c("asks_code")
    return pl.when(loose).then((c("debris") + c("tag_chars")) / c("chars").clip(1))


def navigation(c: SideColumns) -> pl.Expr:
    """Share of navigation phrases, where there are at least two different ones."""
    return pl.when(c("navigation_kinds") >= 2).then(c("navigation") / c("chars").clip(1))


def title_share(c: SideColumns) -> pl.Expr:
    """Share of a passage in copies of its title, in units: at least four copies of at least eight units."""
    spun = (c("title_copies") >= 4) & (c("title_units") >= 8)
    return pl.when(spun).then(c("title_copies") * c("title_units") / c("units").clip(1))
