"""The junk rules as data: name, side, what is measured, the limit, and where the limit comes from.

To add a rule, add a row. A rule from another package comes by an entry point; see `rule`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from cmtp.errors import UsageError
from cmtp.filters.rule import (
    ANSWERS,
    SENTENCES,
    TITLES,
    Rule,
    answer_numbers,
    content,
    debris,
    foreign,
    gbk,
    lone_signs,
    missing_page,
    navigation,
    numbers,
    passage_content,
    placeholders,
    repeated_share,
    script,
    share,
    signs,
    spaced,
    stuffing,
    tags,
    title_share,
)
from cmtp.registry import Registry
from cmtp.schema import SIDES, Side

_BOTH: Final[tuple[Side, ...]] = SIDES
_PASSAGE: Final[tuple[Side, ...]] = ("passage",)
_QUERY: Final[tuple[Side, ...]] = ("query",)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "mojibake.replaced",
        _BOTH,
        share("replaced"),
        limit=0.08,
        basis="measured: 0 in 99.9 % of every source; one lost or rare character in a quatrain of 32 is tolerable",
        unit="share of U+FFFD and private use",
    ),
    Rule(
        "mojibake.latin1",
        _BOTH,
        lambda c: 3 * c("latin1_triples") / c("chars").clip(1),
        limit=0.1,
        basis="measured: 0 in every source",
        unit="share of UTF-8 read as Latin-1",
    ),
    Rule(
        "mojibake.gbk",
        _BOTH,
        gbk,
        limit=0.25,
        basis="measured: at most .17 in poems, .14 elsewhere; .3 to .5 in UTF-8 read as GBK",
        unit="share of telltale characters in Han",
    ),
    Rule(
        "mojibake.phrase",
        _BOTH,
        share("mojibake", of="chars"),
        limit=0.04,
        basis="chosen: an article about 锟斤拷 names it, debris is full of it",
        unit="share of 锟斤拷, 烫烫烫烫 and the like",
    ),
    Rule(
        "spaced_out",
        _BOTH,
        spaced,
        limit=0.6,
        basis="chosen: a scan puts a space between all characters; a list of single characters stays below",
        unit="share of Chinese characters after a space",
    ),
    Rule(
        "language.none",
        _PASSAGE,
        lambda c: pl.when(c("chars") > 0).then(c("pair_han")),
        fires="below",
        limit=1,
        basis="by definition: neither side has a Chinese character",
        unit="Han characters in query and passage",
        language=True,
    ),
    Rule(
        "language.foreign",
        _PASSAGE,
        foreign,
        limit=0.12,
        basis="measured: English prose .2 to .4, program code and names below .06",
        unit="share of European function words",
        language=True,
    ),
    Rule(
        "language.kana",
        _BOTH,
        script("kana", 5),
        limit=0.15,
        basis="measured: at most .07 in Chinese texts about Japan, over .3 in Japanese",
        unit="share of kana",
        language=True,
    ),
    Rule(
        "language.hangul",
        _BOTH,
        script("hangul", 5),
        limit=0.2,
        basis="chosen as for kana; Korean is nearly all hangul",
        unit="share of hangul",
        language=True,
    ),
    Rule(
        "language.script",
        _BOTH,
        script("letters", 8),
        limit=0.4,
        basis="chosen: Cyrillic, Arabic, Thai, Greek; formulas stay below",
        unit="share of letters of other scripts",
        language=True,
    ),
    Rule(
        "template",
        _BOTH,
        placeholders,
        limit=0.12,
        basis="chosen: a letter with a placeholder is a text, a form is not",
        unit="share of unfilled placeholders",
    ),
    Rule(
        "boilerplate_title",
        _QUERY,
        lambda c: c("listed"),
        limit=0,
        basis="lexicons/titles.txt",
        unit="title is in the list",
        only=TITLES,
    ),
    Rule(
        "address",
        _QUERY,
        lambda c: c("address").cast(pl.Int64),
        limit=0,
        basis="by definition: nobody searches for a passage by its address",
        unit="query is an address of the web",
    ),
    Rule(
        "error_page",
        _PASSAGE,
        missing_page,
        limit=1,
        basis="chosen: one of the three is said in manuals, too",
        unit="signs of a page that is not there",
        only=TITLES,
    ),
    Rule(
        "refusal",
        _PASSAGE,
        lambda c: c("refusal"),
        limit=0,
        basis="by definition: a model says that it cannot answer",
        unit="passage declines to answer",
        only=ANSWERS,
    ),
    Rule(
        "empty_answer",
        _PASSAGE,
        lambda c: c("empty"),
        limit=0,
        basis="lexicons/empty_answers.txt",
        unit="passage is made of listed phrases",
    ),
    Rule(
        "navigation",
        _PASSAGE,
        navigation,
        limit=0.2,
        basis="measured: at most .1 in running text with a footer",
        unit="share of navigation phrases, at least two different",
    ),
    Rule(
        "markup.tags",
        _PASSAGE,
        tags,
        limit=0.7,
        basis="measured: above .6 in .3 % of technical articles, whose passages then hold tags and little else",
        unit="share of HTML tags and entities outside code",
        relations={"question_answer": 0.95},
    ),
    Rule(
        "markup.debris",
        _PASSAGE,
        debris,
        limit=0.3,
        basis="chosen: three kinds of script, style or attribute debris, and little else",
        unit="share of debris and tags outside code",
        relations={"question_answer": 0.6},
    ),
    Rule(
        "repetition.lines",
        _PASSAGE,
        repeated_share("dup_line_units"),
        limit=0.6,
        basis="FineWeb-2 cmn_Hani dup_line .287 is met by songs and questionnaires (up to .45 measured), sessions at a "
        "database's prompt reach .51",
        unit="share of units in repeated lines",
    ),
    Rule(
        "repetition.ngrams",
        _PASSAGE,
        repeated_share("dup_ngram_units"),
        limit=0.8,
        basis="measured: tables of versions and of columns that are not in use reach .797; FineWeb-2's .127 would take "
        "10 % of statutes",
        unit="share of units in repeated 12-grams",
        relations={"question_answer": 0.65},
    ),
    Rule(
        "repetition.pair",
        _PASSAGE,
        share("bigram_chars", 30),
        limit=0.4,
        basis="FineWeb-2 cmn_Hani top 2-gram .256 in words; measured: at most .25 in 99.9 % of every source",
        unit="share of the most frequent pair of characters",
        relations={"question_answer": 0.5},
    ),
    Rule(
        "repetition.run",
        _BOTH,
        lambda c: c("longest_run"),
        limit=24,
        basis="measured: at most 10 of one Chinese character in a row; a fingerprint of x has 19",
        unit="one letter in a row",
    ),
    Rule(
        "keyword_stuffing",
        _PASSAGE,
        stuffing,
        limit=0.25,
        basis="FineWeb-2 cmn_Hani top 2-gram .256 in words; measured in characters on texts without "
        "function words: lists of findings reach .25",
        unit="share of the most frequent pair of characters",
    ),
    Rule(
        "spun_text",
        _PASSAGE,
        title_share,
        limit=0.2,
        basis="measured: .16 at most in documentation whose subject has eight characters; machine-spun pages put their "
        "title into every sentence",
        unit="share of the passage in copies of its title, in units",
        only=TITLES,
    ),
    Rule(
        "symbols",
        _PASSAGE,
        signs,
        limit=0.65,
        basis="measured: .44 at most in recipes full of brackets, .56 in shell one-liners, .63 in listings of a "
        "database; data-juicer's .25 counts 。 and ，",
        unit="share of punctuation and symbols",
        relations={"question_answer": 0.8},
    ),
    Rule(
        "symbols.query",
        _QUERY,
        lone_signs,
        limit=0.8,
        basis="chosen: a heading may be a formula ([1] + [2] === 3: .6)",
        unit="share of punctuation and symbols",
    ),
    Rule(
        "digits",
        _PASSAGE,
        numbers,
        limit=0.8,
        basis="measured: tables of figures with their headings .7 at most; an answer may be nothing but numbers",
        unit="share of numbers among the units",
        relations={"question_answer": 1},
    ),
    Rule(
        "digits.answer",
        _PASSAGE,
        answer_numbers,
        limit=0.98,
        basis="chosen: an answer may be a list of numbers, a log without a word answers nothing",
        unit="share of numbers among the units",
        only=ANSWERS,
    ),
    Rule(
        "digits.query",
        _QUERY,
        share("digits", 6),
        limit=0.8,
        basis="chosen: a title of digits is a file name or a date",
        unit="share of digits",
        only=TITLES,
    ),
    Rule(
        "too_short.query",
        _QUERY,
        content,
        fires="below",
        limit=1,
        basis="a classical title is one character (簫); a question has at least three",
        unit="letters and digits",
        relations=dict.fromkeys(SENTENCES, 3),
    ),
    Rule(
        "too_short.passage",
        _PASSAGE,
        passage_content,
        fires="below",
        limit=5,
        basis="a line of classical verse has five characters, a proverb four and a full stop; answers may be one (隋)",
        unit="letters and digits, one more for a sentence that ends",
        relations={
            "question_answer": 1,
            "title_abstract": 20,
            "question_passage": 10,
            "similar_question": 3,
            "paraphrase": 3,
            "premise_hypothesis": 3,
        },
    ),
    Rule(
        "too_short.advice",
        _PASSAGE,
        lambda c: pl.when(c("asks_how")).then(content(c)),
        fires="below",
        limit=5,
        basis="chosen: 怎么办 and 如何处理 ask for advice; measured: nothing in ten sources",
        unit="letters and digits",
        only=frozenset({"question_answer"}),
    ),
    Rule(
        "too_long.query",
        _QUERY,
        lambda c: c("chars"),
        limit=300,
        basis="a title with its heading path; FineWeb has none",
        unit="characters",
        relations={"question_answer": 2000, "question_passage": 2000, "premise_hypothesis": 2000, "paraphrase": 2000},
    ),
    Rule(
        "too_long.passage",
        _PASSAGE,
        lambda c: c("chars"),
        limit=20_000,
        basis="extraction cuts at 1,000; longer ones come from mapped fields",
        unit="characters",
    ),
)
"""In the order in which they name the reason of a pair that breaks several, the most telling first."""

RULE_REGISTRY: Final = Registry("filter rule", "cmtp.rules", {rule.name: rule for rule in RULES})
"""The built-in rules and those of other packages."""


def all_rules() -> tuple[Rule, ...]:
    """The built-in rules in their order, then those of other packages by name.

    Raises:
        UsageError: an entry point that gives no rule, or one of another name.
    """
    for name, rule in RULE_REGISTRY.items():
        if not isinstance(rule, Rule):
            raise UsageError(f"the entry point {name!r} of {RULE_REGISTRY.group} gives {rule!r} and not a Rule")
        if rule.name != name:
            raise UsageError(f"the filter rule {rule.name!r} has the entry point {name!r}: give both one name")
    return tuple(RULE_REGISTRY)


def outside_rules() -> dict[str, str]:
    """The rules of other packages by name: package, version, and a digest of the module."""
    return RULE_REGISTRY.origins()
