"""A rule of another package: found by its entry point, named in recipes, applied with its own measure."""

from __future__ import annotations

import json
import sys

import polars as pl
import pytest

from cmtp.errors import CmtpError, UsageError
from cmtp.filters.book import open_book
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.rule import Rule
from cmtp.filters.rules import RULE_REGISTRY, RULES, outside_rules
from cmtp.filters.screen import filter_work
from cmtp.filters.settings import FilterSettings
from tests.filters.helpers import fired, judged, reason

MODULE = """
import polars as pl
from cmtp.filters.rule import Rule

SHOUTING = Rule(
    "shouting.marks", ("passage",), lambda c: pl.when(c("prose") >= 5).then(c("measure") / c("prose")),
    fires="above", limit=0.2, basis="chosen", unit="share of exclamation marks",
    relations={"question_answer": 0.6}, measure=lambda texts: texts.str.count_matches("[！!]"),
)
"""
LOUD = "今天真的好！！！！！"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package is installed whose entry point has the given name."""
    info = tmp_path / "my_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rules\nVersion: 1.0\n")
    (tmp_path / "my_rules.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(RULE_REGISTRY, "_outside", None)

    def install(name: str = "shouting.marks", value: str = "my_rules:SHOUTING") -> None:
        (info / "entry_points.txt").write_text(f"[cmtp.rules]\n{name} = {value}\n")

    yield install
    sys.modules.pop("my_rules", None)


def test_the_rule_is_applied_with_its_measure(package):
    package()
    verdicts = judged(("今天天气", LOUD), ("今天天气", "今天真的好。"), malicious=False)
    assert verdicts.reason == {0: "shouting"}
    (item,) = json.loads(verdicts.evidence[0])["rules"]
    assert item == {
        "rule": "shouting.marks",
        "reason": "shouting",
        "side": "passage",
        "value": 0.5,
        "limit": 0.2,
        "unit": "share of exclamation marks",
    }
    assert reason("今天天气", LOUD, "question_answer") is None


def test_recipes_name_it(package):
    package()
    assert fired("今天天气", LOUD, disable=["shouting"]) == []
    assert fired("今天天气", LOUD, thresholds={"shouting.marks": 0.5}) == []
    stricter = {"shouting@question_answer": 0.4}
    assert fired("今天天气", LOUD, "question_answer", thresholds=stricter) == ["shouting.marks"]
    with pytest.raises(UsageError, match=r"no rule 'shouting.mark'; did you mean shouting.marks"):
        open_book(FilterSettings(thresholds={"shouting.mark": 1}))


def test_it_names_the_reason_after_the_built_in_rules(package):
    package()
    book = open_book(FilterSettings())
    assert book.rules == (*RULES, book.rules[-1])
    assert book.reasons[-2:] == ("shouting", "private_data")
    assert fired("首页", LOUD) == ["boilerplate_title", "shouting.marks"]


def test_without_the_package_its_name_is_unknown(monkeypatch):
    monkeypatch.setattr(RULE_REGISTRY, "_outside", None)
    assert outside_rules() == {}
    with pytest.raises(UsageError, match=r"no rule 'shouting.marks'"):
        open_book(FilterSettings(disable=["shouting.marks"]))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("yelling", "my_rules:SHOUTING", "'shouting.marks' has the entry point 'yelling'"),
        ("shouting.marks", "my_rules:MODULE", "cannot be loaded"),
        ("shouting.marks", "my_rules:pl", "and not a Rule"),
        ("symbols", "my_rules:SHOUTING", "there is one already"),
    ],
)
def test_entry_points_that_give_no_rule_are_refused(package, name, value, said):
    package(name, value)
    with pytest.raises(UsageError, match=said):
        open_book(FilterSettings())


def test_the_fingerprint_follows_the_package(package, tmp_path):
    assert filter_work(FilterSettings()).outside_rules == {}
    package()
    before = filter_work(FilterSettings())
    assert before.outside_rules["shouting.marks"].startswith("my-rules 1.0 ")
    open_filter(before)
    (tmp_path / "my_rules.py").write_text(MODULE.replace("0.2", "0.3"))
    assert filter_work(FilterSettings()) != before
    with pytest.raises(CmtpError, match="the filter rules of other packages are not those that the build began with"):
        open_filter(before)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "a@b"}, "a name has no @"),
        ({"name": ""}, "a name has no"),
        ({"sides": ("both",)}, "sides are query and passage"),
        ({"sides": ()}, "sides are query and passage"),
        ({"fires": "beyond"}, "above or below"),
        ({"relations": {"poem": 1}}, "no relation 'poem'"),
        ({"only": frozenset({"poem"})}, "no relation 'poem'"),
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_made(change, said):
    fields = {"name": "a", "sides": ("passage",), "fires": "above"} | change
    with pytest.raises(ValueError, match=said):
        Rule(**fields, expression=lambda c: c("han"), limit=1, basis="chosen", unit="")


@pytest.mark.parametrize("measure", [lambda texts: texts, lambda texts: pl.Series([1]), lambda texts: 3])
def test_a_measure_gives_one_number_per_text(measure):
    rule = Rule("a", ("passage",), lambda c: c("measure"), 1, "chosen", "", measure=measure)
    with pytest.raises(CmtpError, match="rule a: its measure gives"):
        rule.measured(pl.Series(["一", "二"]))
