import pytest

from cmtp.mining.rules import NEGATIVE_RULES
from cmtp.mining.stage import shortfall


def figures(rows, **taken):
    names = ("all", "without_negatives", "with_too_few")
    return {
        "rows": dict(zip(names, rows, strict=True)),
        "candidates": dict.fromkeys(NEGATIVE_RULES, 0) | taken | {"mined": 9999},
    }


@pytest.mark.parametrize("rows", [(100, 0, 0), (100, 5, 20), (0, 0, 0)])
def test_nothing_is_said_where_few_rows_are_short(rows):
    assert shortfall(figures(rows, margin=500)) is None


def test_rows_without_negatives_are_worth_a_line_that_names_the_rule_and_its_setting():
    assert shortfall(figures((1000, 51, 0), margin=3, cross_encoder=1169)) == (
        "of 1,000 finetune rows 51 have no negatives and 0 have fewer than mine.negatives asks for; "
        "most candidates, 1,169, "
        "were left out because it answers the query by the cross-encoder's judgement: "
        "look at mine.cross_encoder and mine.cross_margin"
    )


def test_many_rows_with_too_few_are_worth_a_line():
    assert "of 100 finetune rows 0 have no negatives and 26 have fewer" in shortfall(figures((100, 0, 26), margin=7))


def test_a_build_from_before_these_figures_says_nothing():
    assert shortfall({"candidates": {}}) is None
