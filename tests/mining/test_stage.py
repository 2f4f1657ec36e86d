"""The stage on partitions written by hand: what dedup and the labels know, large pools, other miners, same bytes."""

import json

import numpy as np
import pyarrow as pa
import pytest

from cmtp.encoders.registry import load_encoder
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.figures import plain_values
from cmtp.engine.plan import run_alone
from cmtp.engine.stage import StageFolder
from cmtp.engine.store import Store
from cmtp.errors import UsageError
from cmtp.mining import pool as pool_module
from cmtp.mining import search as search_module
from cmtp.mining.stage import MineStage, shortfall
from cmtp.recipe import Recipe, load_recipe
from cmtp.similarity.encode import EncodeStage, encode_work
from tests.rows import pair, pair_table, rejects_table

QUESTIONS = [
    ("怎样清洗油烟机的滤网？", "把滤网拆下来，在放了碱面的热水里泡半小时，再用刷子刷干净。"),
    ("油烟机滤网多久清洗一次？", "家里天天做饭的话，滤网两三个星期就要清洗一次，不然风力会变小。"),
    ("油烟机的油杯怎么取下？", "双手托住油杯，向左转一点就能取下来，里面的油不要倒进下水道。"),
    ("油烟机声音很大是什么原因？", "多半是风轮上积了油，转起来不平衡，也可能是螺丝松了。"),
    ("燃气灶打不着火怎么办？", "先看电池有没有电，再看火盖有没有放正，最后清理点火针。"),
    ("洗碗机要放多少盐？", "第一次使用要把盐盒装满，以后看指示灯，亮了再加软水盐。"),
    ("冰箱里的冰怎么除？", "断电以后放一碗热水进去，关上门等冰化开，再用软布擦干。"),
    ("热水器的水不热怎么办？", "检查进水压力和温度的设置，还不行就要清理换热器。"),
]


def pairs(rows):
    return pair_table(
        pair(*row[:2], row[3], relation=row[2], pair_id=f"{i:032x}", doc_id=f"d{i:031x}", similarity=0.5)
        for i, row in enumerate(rows)
    )


def rejects(rows):
    """Rows (query, passage, relation, reason, kept_id)."""
    tables = []
    for i, (query, passage, relation, reason, kept) in enumerate(rows):
        row = pair(query, passage, "家电", relation=relation, pair_id=f"e{i:031x}", doc_id=f"f{i:031x}")
        tables.append(rejects_table([row], reason=reason, kept_id=kept))
    return pa.concat_tables(tables)


def mined(folder, overrides=(), rows=None, extracted=(), deduped=(), half=None):
    """Encode and mine; rows of finetune by query, and the facts. `half`: rows of the first of two partitions."""
    store = Store(str(folder))
    rows = rows or [(*one, "question_answer", "家电") for one in QUESTIONS]
    half = len(rows) // 2 if half is None else half
    parts = []
    table = pairs(rows)
    for i, some in enumerate((table.slice(0, half), table.slice(half))):
        parts.append(f"parts/part-{i:05d}.parquet")
        store.write_table(parts[-1], some)
    for name, given in (("extracted", extracted), ("deduped", deduped)):
        if given:
            store.write_table(f"{name}/part-00000.parquet", rejects(given))
    recipe = load_recipe(
        None, ["mine.labelled=[家电]", "mine.first_rank=1", "mine.negatives=3", "mine.hub_share=1", *overrides]
    )
    run = {"input_fingerprint": 0, "executor": SerialExecutor()}
    encoded = run_alone(EncodeStage(), store, encode_work("static-zh"), parts, **run)
    before = {"encode": StageFolder(encoded.folder, "", None, "")}
    before |= {name: StageFolder("", "", None, f"{name}ed") for name in ("extract", "dedup")}
    before["dedup"] = StageFolder("", "", None, "deduped")
    done = run_alone(MineStage(), store, MineStage().resolve(recipe, before), parts, **run)
    found = pa.concat_tables([store.read_table(path) for path in store.list(f"{done.folder}/finetune")])
    return {row["query"]: row for row in found.to_pylist()}, plain_values(done.figures)


def test_a_passage_that_dedup_found_again_belongs_to_the_lost_pair_too(tmp_path):
    query, near = QUESTIONS[0][0], QUESTIONS[3][1]
    before, _ = mined(tmp_path / "before")
    assert near in before[query]["neg"]
    lost = [(query, near + "。", "question_answer", "near_duplicate", f"{3:032x}")]
    lost += [(QUESTIONS[1][0], "别的", "question_answer", "duplicate_query", f"{3:032x}")]
    after, facts = mined(tmp_path / "after", deduped=lost)
    assert near not in after[query]["neg"]
    assert facts["known_again"] == 1
    assert after[QUESTIONS[1][0]] == before[QUESTIONS[1][0]]


def test_labelled_negatives_come_back_as_curated_ones(tmp_path):
    query, spam = QUESTIONS[0][0], "加微信 abc12345 办证刻章，代开发票，包过包真，各类证件一条龙服务"
    given = [
        (query, "油烟机的滤网在电器商店里买得到，价格从二十元到一百元。", "question_answer", "labelled_negative", None),
        (query, QUESTIONS[0][1], "question_answer", "labelled_negative", None),  # another row says it is one
        (
            query,
            spam,
            "question_answer",
            "labelled_negative",
            None,
        ),
        (query, "滤网的颜色和型号。", "question_answer", "labelled_uncertain", None),
        ("没有这个问题", "没有这个回答，真的没有。", "question_answer", "labelled_negative", None),
    ]
    rows, facts = mined(tmp_path / "a", extracted=given)
    kinds = dict(zip(rows[query]["neg"], rows[query]["neg_kinds"], strict=True))
    assert [text for text, kind in kinds.items() if kind == "curated"] == [given[0][1]]
    assert rows[query]["neg"][0] == given[0][1]
    assert rows[query]["neg_ranks"][0] == -1
    assert len(rows[query]["neg"]) == 3
    assert facts["curated"] == {"labelled": 4, "filtered": 1, "contaminated": 0, "disputed": 1}
    rows, _ = mined(tmp_path / "b", ["mine.curated=false"], extracted=given)
    assert "curated" not in rows[query]["neg_kinds"]


def test_rows_that_are_left_short_are_counted(tmp_path):
    _, facts = mined(tmp_path / "all")
    assert facts["rows"] == {"all": 8, "without_negatives": 0, "with_too_few": 0}
    _, facts = mined(tmp_path / "small", ["mine.negatives=9"])
    assert facts["rows"] == {"all": 8, "without_negatives": 0, "with_too_few": 8}
    _, facts = mined(tmp_path / "none", ["mine.max_score=-1"])
    assert facts["rows"] == {"all": 8, "without_negatives": 8, "with_too_few": 0}
    line = shortfall(facts)
    assert line.startswith("of 8 finetune rows 8 have no negatives")
    assert line.endswith("it scores too high: look at mine.max_score")


def test_a_curated_negative_of_an_evaluation_file_is_left_out(tmp_path):
    text = "油烟机的滤网在电器商店里买得到，价格从二十元到一百元。"
    (tmp_path / "eval.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    given = [(QUESTIONS[0][0], text, "question_answer", "labelled_negative", None)]
    rows, facts = mined(tmp_path / "a", [f"dedup.decontaminate=[{tmp_path / 'eval.jsonl'}]"], extracted=given)
    assert "curated" not in rows[QUESTIONS[0][0]]["neg_kinds"]
    assert facts["curated"]["contaminated"] == 1


def test_two_texts_of_one_kind_are_each_others_curated_negatives(tmp_path):
    rows = [
        ("花呗怎么还款", "如何归还花呗的欠款", "similar_question", "家电"),
        ("借呗的利息是多少", "借呗一天收多少利息", "similar_question", "家电"),
        *[(*one, "question_answer", "家电") for one in QUESTIONS],
    ]
    given = [("花呗怎么还款", "借呗的利息是多少", "similar_question", "labelled_negative", None)]
    found, facts = mined(tmp_path, rows=rows, extracted=given)
    assert found["花呗怎么还款"]["neg"][0] == "借呗的利息是多少"
    assert found["借呗的利息是多少"]["neg"][0] == "花呗怎么还款"
    assert facts["pools"] == {"家电/retrieval": 8, "家电/similar_question": 2}
    assert {one["instruction"] for one in found.values() if one["task"] == "symmetric"} == {""}
    answers = {answer for _, answer in QUESTIONS}
    assert not answers & set(found["花呗怎么还款"]["neg"])  # a pool of its own


def test_instructions_are_settable_by_task(tmp_path):
    overrides = ["mine.instruction.retrieval=检索：", "mine.instruction.symmetric=相似："]
    rows = [
        ("花呗怎么还款", "如何归还花呗的欠款", "similar_question", "家电"),
        (*QUESTIONS[0], "question_answer", "家电"),
    ]
    found, _ = mined(tmp_path, overrides, rows=rows)
    assert [found[query]["instruction"] for query in ("花呗怎么还款", QUESTIONS[0][0])] == ["相似：", "检索："]


def test_a_pool_beyond_exact_rows_goes_through_lists_with_a_measured_recall(tmp_path):
    exact, _ = mined(tmp_path / "exact")
    lists, facts = mined(tmp_path / "lists", ["mine.exact_rows=4", "mine.recall=1.0"])
    assert lists == exact
    assert facts["approximate"] == {"家电/retrieval": {"rows": 8, "lists": 1, "read": 1, "measured": 8, "recall": 1.0}}


@pytest.mark.parametrize("miner", ["bm25", "mix"])
def test_other_miners_are_marked_and_give_the_same_again(tmp_path, miner):
    found, facts = mined(tmp_path / "a", [f"mine.miner={miner}"])
    again, _ = mined(tmp_path / "b", [f"mine.miner={miner}"])
    assert found == again
    assert facts["candidates"]["bm25"] > 0
    assert (facts["candidates"]["mined"] > 0) == (miner == "mix")
    for query, answer in QUESTIONS:
        row = found[query]
        assert answer not in row["neg"]
        assert all(score <= 0.95 * row["pos_scores"][0] + 1e-4 for score in row["neg_scores"])


def test_a_cross_encoder_rescores(tmp_path, monkeypatch):
    class Lengths:
        weights_hash = "abc"

        def __call__(self, queries, passages):
            return np.array([len(text) / 100 for text in passages], np.float32)

    monkeypatch.setattr(search_module, "load_cross_encoder", lambda name: Lengths())
    monkeypatch.setattr("cmtp.encoders.hub.hub_revision", lambda name: f"commit of {name}")
    found, facts = mined(tmp_path, ["mine.cross_encoder=someone/model"])
    assert facts["cross_encoder"] == {"name": "someone/model", "weights": "abc"}
    for query, answer in QUESTIONS:
        assert found[query]["pos_scores"] == pytest.approx([len(answer) / 100])
        assert found[query]["neg_scores"] == pytest.approx([len(text) / 100 for text in found[query]["neg"]])
        assert all(len(text) <= 0.95 * len(answer) + 1e-4 for text in found[query]["neg"])
    assert facts["candidates"]["cross_encoder"] > 0


@pytest.mark.parametrize("name", ["static-zh", "nowhere"])
def test_what_is_no_cross_encoder_is_refused_before_any_work(name):
    with pytest.raises(UsageError, match=r"mine\.cross_encoder"):
        MineStage().check(load_recipe(None, [f"mine.cross_encoder={name}"]))
    MineStage().check(Recipe())


@pytest.mark.parametrize("exact_rows", [1_000_000, 4])
def test_vectors_of_positives_and_means_reach_the_rule_near_answer(tmp_path, monkeypatch, exact_rows):
    """With a ratio below all others every passage on the positive's side of the mean goes, and no other."""
    overrides = [
        "mine.relative_margin=0",
        f"mine.exact_rows={exact_rows}",
        "mine.max_jaccard=1",
        "mine.max_contained=1",
    ]
    _, few = mined(tmp_path / "few", [*overrides, "mine.max_answer_ratio=1e-6"])
    assert few["candidates"]["near_answer"] == 0  # eight passages have no mean worth the name
    monkeypatch.setattr(pool_module, "CENTRE_MIN", 2)
    _, none = mined(tmp_path / "none", [*overrides, "mine.max_answer_ratio=null"])
    assert none["candidates"]["near_answer"] == 0
    vectors = load_encoder("static-zh")
    query, passage = (
        vectors.encode(pa.array([one[k] for one in QUESTIONS], pa.large_string()), side)
        .astype(np.float16)
        .astype(float)
        for k, side in enumerate(("query", "passage"))
    )
    query, passage = query - query.mean(axis=0), passage - passage.mean(axis=0)
    own, others = (query * passage).sum(axis=1), passage @ passage.T
    expected = {
        QUESTIONS[i][0]: {QUESTIONS[j][1] for j in range(8) if others[i, j] < 0} for i in range(8) if own[i] > 0
    }
    found, facts = mined(tmp_path / "all", [*overrides, "mine.max_answer_ratio=1e-6", "mine.negatives=8"])
    assert facts["candidates"]["near_answer"] > 0
    assert len(expected) > 4
    for asked, allowed in expected.items():
        assert set(found[asked]["neg"]) <= allowed


def test_every_pair_is_chosen_or_counted_by_the_reason_why_not(tmp_path):
    rows = [(*one, "question_answer", "论坛") for one in QUESTIONS]
    rows += [
        ("写一首诗", QUESTIONS[3][1] + "这是第一行。", "question_answer", "论坛"),
        ("冰箱怎么除冰？", "抱歉，我不能回答这个问题，请您问一问冰箱的生产厂家。", "question_answer", "论坛"),
        (*QUESTIONS[0], "question_passage", "百科"),
        (QUESTIONS[0][0], "滤网要先拆下来，再用热水和碱面泡软油污，最后刷净晾干。", "question_passage", "百科"),
    ]
    _, facts = mined(tmp_path, ["mine.labelled=[]", "mine.share=1", "mine.lowest_quantile=0"], rows=rows)
    assert facts["chosen"]["百科/question_passage"] == 1
    assert facts["not_chosen"]["same_query"] == 2  # one of the forum, too: both sources search one pool
    assert facts["not_chosen"]["other_task"] + facts["not_chosen"]["refusal"] == 2
    assert sum(facts["chosen"].values()) + sum(facts["not_chosen"].values()) == len(rows)


def test_all_passages_of_a_query_are_its_positives(tmp_path):
    query = QUESTIONS[0][0]
    others = ["滤网先拆下来，用热水和碱面泡软油污再刷净。", "拆下滤网，喷上清洁剂，十分钟以后冲洗干净。"]
    rows = [(*one, "question_passage", "家电") for one in QUESTIONS]
    rows += [(query, other, "question_passage", "家电") for other in others]
    found, facts = mined(tmp_path, rows=rows)
    row = found[query]
    assert set(row["pos"]) == {QUESTIONS[0][1], *others}
    assert len(row["pos_scores"]) == 3
    assert row["pos_scores"][1:] == sorted(row["pos_scores"][1:], reverse=True)
    assert not set(row["pos"]) & set(row["neg"])
    assert facts["not_chosen"]["same_query"] == 2


def test_partitions_do_not_matter(tmp_path):
    rows = [(*one, "question_answer", "家电") for one in QUESTIONS]
    rows += [(f"第{i}个问题怎么办？", answer, "title_body", "论坛") for i, (_, answer) in enumerate(QUESTIONS)]
    overrides = ["mine.labelled=[]", "mine.share=0.7", "mine.max_per_document=1"]
    assert mined(tmp_path / "a", overrides, rows=rows) == mined(tmp_path / "b", overrides, rows=rows, half=3)


def test_a_query_that_names_several_passages_or_not_its_own_gives_no_row(tmp_path):
    rows = [(*one, "question_answer", "家电") for one in QUESTIONS]
    rows += [("总结与建议", answer + "以上。", "title_body", "家电") for _, answer in QUESTIONS]
    rows += [("洗碗机要放多少盐", "双手托住油杯，向左转一点就能取下来，里面的油不要倒进水池。", "title_body", "家电")]
    overrides = ["mine.labelled=[]", "mine.share=1", "mine.lowest_quantile=0", "mine.max_positive_rank=2"]
    found, facts = mined(tmp_path, overrides, rows=rows)
    assert facts["not_chosen"]["ambiguous_query"] >= 1
    assert facts["not_chosen"]["not_found"] >= 1
    assert "总结与建议" not in found
    assert "洗碗机要放多少盐" not in found
