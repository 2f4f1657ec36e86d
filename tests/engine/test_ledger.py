import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cmtp.engine.ledger import Ledger

ROWS = st.lists(
    st.tuples(st.sampled_from(["laws", "lctt"]), st.sampled_from([None, "title_body"]), st.sampled_from(["a", "b", ""]))
)


def fill(rows):
    ledger = Ledger()
    columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
    table = pa.table(
        dict(zip(("source", "relation", "reason"), [pa.array(c, pa.string()) for c in columns], strict=True))
    )
    ledger.take(table)
    ledger.keep(table.filter(pa.array([reason == "" for _, _, reason in rows], pa.bool_())))
    ledger.reject(table.filter(pa.array([reason != "" for _, _, reason in rows], pa.bool_())))
    return ledger


@given(ROWS, ROWS)
def test_ledgers_add_up_and_survive_json(one, two):
    both = fill(one)
    both += fill(two)
    assert both == fill(one + two)
    assert both.imbalance() == []
    assert both.rows_in == len(one) + len(two) == both.rows_kept + both.reasons().total()
    assert Ledger.from_rows(both.to_rows()) == both


def test_a_lost_row_shows():
    ledger = fill([("laws", "title_body", ""), ("laws", "title_body", "a")])
    ledger.outcome["laws", "title_body", "a"] -= 1
    assert ledger.imbalance() == ["laws / title_body: 2 in, 1 accounted for"]
