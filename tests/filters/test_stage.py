"""The stage over small partitions: rows add up, evidence is JSON, the same bytes every time."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from cmtp.engine.figures import plain_values
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Result
from cmtp.errors import UsageError
from cmtp.filters.pair_filter import open_filter
from cmtp.filters.screen import ScreenStage, filter_work
from cmtp.filters.settings import FilterApplied, FilterSettings, FilterWork
from cmtp.filters.stage import FilterStage
from cmtp.partition import read_masked
from cmtp.recipe import Recipe
from cmtp.schema import PAIR, REJECTS
from tests.rows import pair, pair_table

ROWS = [
    ("杭州西湖", "杭州西湖位于浙江省杭州市西部，三面环山，春天的苏堤桃红柳绿。"),
    ("首页", "杭州西湖位于浙江省杭州市西部，三面环山。"),
    ("失物招领", "捡到钱包请打13800138000，谢谢你。"),
    ("娱乐", "真人荷官在线发牌，注册送彩金，加V❤ abc12345，电话13800138000"),
    ("What is a fox", "It is the quick brown fox that we have seen."),
]


def table(rows: list[tuple[str, str]], start: int = 0) -> pa.Table:
    return pair_table(
        pair(query, passage, "web", pair_id=f"{start + i:032x}", doc_id=f"{i:032x}", origin=f"web/a.jsonl#{i + 1}")
        for i, (query, passage) in enumerate(rows)
    )


def job(root, settings: dict, parts: list[pa.Table]) -> Job[FilterWork]:
    """The job of the screen, with its input partitions in the store."""
    store = Store(str(root))
    for i, part in enumerate(parts):
        store.write_table(f"in/part-{i:05d}.parquet", part)
    return Job(store, "screen", ScreenStage().resolve(Recipe.model_validate({"filter": settings}), {}))


def run(job: Job[FilterWork]) -> list[Result]:
    """Run the tasks of both stages over all partitions; the results of the filter's, with the figures of the screen's.

    Dedup, which is left out here, hands rows on with the masked texts.
    """
    store, parts = job.store, job.store.list("in")
    screened = [task.run() for step in ScreenStage().steps(job, parts) for task in step]
    for i, part in enumerate(parts):
        store.write_table(f"masked/part-{i:05d}.parquet", read_masked(store, part, i, "screen/judged", PAIR.names))
    applied = Job(
        store,
        "filter",
        FilterApplied(**job.settings.model_dump(include=set(FilterSettings.model_fields)), screened="screen/judged"),
    )
    results = [task.run() for step in FilterStage().steps(applied, store.list("masked")) for task in step]
    for one, before in zip(results, screened, strict=True):
        one.figures |= before.figures
    return results


def kept(job: Job[FilterWork], index: int) -> pa.Table:
    """What the filter kept of a partition."""
    return job.store.read_table(f"filter/kept/part-{index:05d}.parquet")


def rejected(job: Job[FilterWork], index: int) -> pa.Table:
    """What the filter rejected of a partition."""
    return job.store.read_table(f"filter/rejects/part-{index:05d}.parquet")


def test_rows_are_kept_masked_or_rejected_with_evidence(tmp_path):
    work = job(tmp_path, {}, [table(ROWS), table(ROWS[:1], 10)])
    first, second = run(work)
    stays, rejects = kept(work, 0), rejected(work, 0)
    assert stays.schema.equals(PAIR)
    assert rejects.schema.equals(REJECTS)
    assert stays["query"].to_pylist() == ["杭州西湖", "失物招领"]
    assert stays["passage"].to_pylist() == [ROWS[0][1], "捡到钱包请打[手机号]，谢谢你。"]
    assert rejects["reason"].to_pylist() == ["boilerplate_title", "malicious_gambling", "language"]
    assert rejects["passage"].to_pylist() == [ROWS[i][1] for i in (1, 3, 4)]
    for reason, evidence, score in zip(
        *(rejects[name].to_pylist() for name in ("reason", "evidence", "score")), strict=True
    ):
        rules = json.loads(evidence)["rules"]
        assert rules[0]["reason"] == reason
        assert rules[0]["value"] == pytest.approx(score, abs=1e-3)
        assert all(item.keys() >= {"rule", "reason", "side", "value", "limit"} for item in rules)
    assert first.ledger.imbalance() == []
    assert (first.rows, first.ledger.rows_in, first.ledger.rows_kept) == (5, 5, 2)
    assert plain_values(first.figures) == {"private": {"mobile": 1}}
    assert second.ledger.reasons() == {}
    assert rejected(work, 1).num_rows == 0


def test_an_empty_partition(tmp_path):
    work = job(tmp_path, {}, [table([])])
    (result,) = run(work)
    assert (result.rows, result.ledger.rows_in) == (0, 0)
    assert kept(work, 0).schema.equals(PAIR)
    assert rejected(work, 0).schema.equals(REJECTS)


def test_the_same_bytes_every_time(tmp_path):
    works = [job(tmp_path / name, {"private": "drop"}, [table(ROWS)]) for name in "ab"]
    for work in works:
        run(work)
    for path in ("filter/kept/part-00000.parquet", "filter/rejects/part-00000.parquet"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    assert "private_data" in rejected(works[0], 0)["reason"].to_pylist()


def test_settings_are_checked_before_any_task(tmp_path):
    with pytest.raises(UsageError, match="no rule 'spam'"):
        FilterStage().check(Recipe.model_validate({"filter": {"thresholds": {"spam": 1}}}))
    (tmp_path / "x.model").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a model"):
        FilterStage().check(Recipe.model_validate({"filter": {"model": str(tmp_path / "x.model")}}))


def test_a_table_is_judged_without_a_stage(tmp_path):
    """What mining does with labelled negatives: four columns, no task and no file."""
    rows = table(ROWS).select(["query", "passage", "relation", "source"])
    pair_filter = open_filter(filter_work(FilterSettings()))
    passed = pair_filter.passed(rows, pair_filter.judge_table(rows))
    assert passed.schema.equals(rows.schema)
    assert passed["passage"].to_pylist() == [ROWS[0][1], "捡到钱包请打[手机号]，谢谢你。"]
