"""The filter of a build, ready to judge tables: the rule book and what its rules keep in memory.

The stage judges partitions with it, and mining the negatives that a source labelled::

    pair_filter = open_filter(filter_work(settings))    # the lexicon and the model are loaded once per process
    verdicts = pair_filter.judge_table(table)           # reasons by row number, masked texts by row number
    clean = pair_filter.passed(table, verdicts)         # the rows that pass, private data masked
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.errors import CmtpError
from cmtp.filters.book import Book, open_book
from cmtp.filters.learned import Model, load_model
from cmtp.filters.malicious import Matcher
from cmtp.filters.rules import outside_rules
from cmtp.filters.settings import FilterSettings, FilterWork
from cmtp.filters.verdict import PairVerdicts, judge

JUDGED: Final = ("query", "passage", "relation", "source")
"""The columns that a verdict depends on."""

_Frozen = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
"""Word lists that can be a key: names, and terms with their weights."""


@dataclass(frozen=True)
class PairFilter:
    """A rule book with its tools; judging depends on nothing else.

    Attributes:
        book: rules and limits.
        matcher: the compiled word lists; None where no malicious category is switched on.
        model: the learned score; None where the recipe names none.
    """

    book: Book
    matcher: Matcher | None
    model: Model | None

    def for_texts(self) -> PairFilter:
        """The filter for texts without a query: the rules of the passage's side, without the learned score of pairs."""
        rules = [replace(rule, sides=("passage",)) for rule in self.book.rules if "passage" in rule.sides]
        return PairFilter(replace(self.book, rules=tuple(rules)), self.matcher, None)

    def judge_table(self, table: pa.Table) -> PairVerdicts:
        """Judge each row of a table with the columns `JUDGED`, strings or dictionaries of strings without nulls."""
        texts = {name: pc.cast(table[name], pa.string()) for name in JUDGED}
        return judge(pl.DataFrame(pl.from_arrow(pa.table(texts))), self.book, self.matcher, self.model)

    def passed(self, table: pa.Table, verdicts: PairVerdicts) -> pa.Table:
        """The rows that no rule rejects, with private data masked; the columns keep their types."""
        return mask_rows(table, verdicts).filter(pa.array(verdicts.kept(len(table)), pa.bool_()))


def open_filter(settings: FilterWork) -> PairFilter:
    """The filter under the recipe's ``filter`` section and what a build adds to it (`filter_work`).

    Raises:
        UsageError: a rule, category, list or model that does not exist.
        CmtpError: the model's file or the rules of other packages are not those that the build began with.
    """
    if outside_rules() != settings.outside_rules:
        raise CmtpError("the filter rules of other packages are not those that the build began with; start it again")
    book = open_book(settings)
    matcher = _matcher(_frozen(book.lexicons)) if book.malicious else None
    model = _model(book.model, settings.model_sha256) if book.model is not None else None
    return PairFilter(book, matcher, model)


def mask_rows(table: pa.Table, verdicts: PairVerdicts) -> pa.Table:
    """The table with the masked texts of its verdicts in place of the originals."""
    for side, texts in verdicts.masked.items():
        if texts:
            flags = pa.array([row in texts for row in range(len(table))], pa.bool_())
            masked = pa.array([texts[row] for row in sorted(texts)], pa.string())
            column = pc.replace_with_mask(table[side].combine_chunks().cast(pa.string()), flags, masked)
            field = table.schema.field(side)
            table = table.set_column(table.schema.get_field_index(side), field, column.cast(field.type))
    return table


@cache
def _matcher(lexicons: _Frozen) -> Matcher:
    return Matcher({name: dict(terms) for name, terms in lexicons})


@cache
def _model(path: str, sha256: str | None) -> Model:
    if FilterSettings(model=path).model_digest() != sha256:
        raise CmtpError(f"filter.model: {path} changed while the build ran; start the build again")
    return load_model(path)


def _frozen(lexicons: Mapping[str, Mapping[str, float]]) -> _Frozen:
    return tuple((name, tuple(sorted(terms.items()))) for name, terms in sorted(lexicons.items()))
