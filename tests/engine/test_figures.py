"""Figures add up as they are declared."""

import pytest

from cmtp.engine.figures import from_json, merge, most, plain_values, same, to_json, total, totals


def test_figures_add_up_as_they_are_declared():
    one = {"rows": total(3), "largest": most(5), "dim": same(512), "by source": totals({"a": 1, "b": 2})}
    two = {"rows": total(4), "largest": most(2), "dim": same(512), "by source": totals({"b": 1, "c": 1})}
    merged = plain_values(merge([one, two]))
    assert merged == {"rows": 7, "largest": 5, "dim": 512, "by source": {"a": 1, "b": 3, "c": 1}}
    assert plain_values(one)["rows"] == 3  # merging changes none of its parts
    assert from_json(to_json(one)) == one


def test_what_must_agree_and_does_not_is_named():
    with pytest.raises(ValueError, match="encoder: weights: tasks of one stage disagree: a and b"):
        merge([{"encoder": {"weights": same("a")}}, {"encoder": {"weights": same("b")}}])
    with pytest.raises(ValueError, match="rows: a figure is declared as sum by one task and as max by another"):
        merge([{"rows": total(1)}, {"rows": most(1)}])
