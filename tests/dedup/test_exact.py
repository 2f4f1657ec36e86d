import json

import pytest

from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.stage import DedupStage, dedup_work
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from tests.dedup import pairs
from tests.dedup.pairs import row, run

BODY = "为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，制定本法。"


def reasons(rejects):
    return {one["query"]: one["reason"] for one in rejects}


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("第一条", BODY.replace("，", ", ")),  # half-width punctuation
        ("第一条：", f"\u3000\u3000{BODY}\n"),
        ("第一條", BODY.replace("护", "護").replace("权", "權")),  # traditional
        ("第一\u200b条", BODY),
    ],
)
def test_copy_of_a_pair_in_other_clothes(tmp_path, query, passage):
    kept, rejects, _, _ = run(tmp_path, [row("第一条", BODY), row(query, passage, source="t")])
    assert len(kept) == 1
    (lost,) = rejects
    assert (lost["reason"], lost["stage"], lost["kept_id"]) == ("duplicate_pair", "dedup", kept[0]["pair_id"])
    assert json.loads(lost["evidence"]) == {"copies": 2}
    assert lost["score"] is None


def test_swapped_pair(tmp_path):
    rows = [row("怎样备份手机？", "手机如何做备份"), row("手机如何做备份？", "怎样备份手机")]
    kept, rejects, _, _ = run(tmp_path, rows)
    assert [one["reason"] for one in rejects] == ["duplicate_swapped"]
    assert rejects[0]["kept_id"] == kept[0]["pair_id"]


def test_swapped_and_straight_copies_are_told_apart(tmp_path):
    rows = [row("甲问", "乙答很长", source=f"s{i}") for i in range(2)] + [row("乙答很长", "甲问")]
    kept, rejects, _, _ = run(tmp_path, rows)
    assert len(kept) == 1  # the longer passage: 乙答很长
    assert sorted(one["reason"] for one in rejects) == ["duplicate_pair", "duplicate_swapped"]


def test_query_equal_to_passage(tmp_path):
    kept, rejects, _, _ = run(
        tmp_path, [row("什么是民法典？", "什么是民法典"), row("什么是民法典？", "民法典是一部法律。")]
    )
    assert len(kept) == 1
    assert rejects[0]["reason"] == "query_equals_passage"
    assert rejects[0]["kept_id"] is None


@pytest.mark.parametrize("cap", [1, 2, 4])
def test_cap_per_passage(tmp_path, cap):
    rows = [row(f"标题{i}号", BODY) for i in range(4)]
    kept, rejects, _, _ = run(tmp_path, rows, max_per_passage=cap)
    best = pairs.in_order(rows)
    assert pairs.ids(kept) == pairs.ids(best[:cap])
    assert {one["reason"] for one in rejects} <= {"duplicate_passage"}
    assert {one["kept_id"] for one in rejects} <= {best[0]["pair_id"]}
    assert all(json.loads(one["evidence"]) == {"copies": 4, "max_per_passage": cap} for one in rejects)


def test_questions_share_an_answer_up_to_a_cap_of_their_own(tmp_path):
    """A title and three questions over one text: the title does not count among the questions."""
    rows = [row(f"问题{i}号", BODY, relation="question_answer") for i in range(3)] + [row("民法典", BODY)]
    kept, _, _, _ = run(tmp_path, rows)
    assert pairs.ids(kept) == pairs.ids(rows)
    kept, rejects, _, _ = run(tmp_path, rows, folder="two", max_per_answer=2)
    assert len(kept) == 3
    assert rows[3]["pair_id"] in pairs.ids(kept)
    assert [json.loads(one["evidence"]) for one in rejects] == [{"copies": 3, "max_per_answer": 2}]


def test_of_copies_of_a_pair_the_question_stays(tmp_path):
    """The title would lose its passage to a longer one, and the pair would be nowhere. Names decide nothing."""
    for name in "abcd":
        rows = [row("民法典", BODY, doc=name), row("民法典", BODY, doc=f"{name}2", relation="question_answer")]
        rival = row("民法典第一条", BODY.replace("制定本法", "特制定本法"))
        kept, rejects, _, _ = run(tmp_path, [*rows, rival], folder=name)
        assert pairs.ids(kept) == pairs.ids([rows[1], rival])
        assert [(one["reason"], one["kept_id"]) for one in rejects] == [("duplicate_pair", rows[1]["pair_id"])]


def test_questions_written_for_a_passage_all_stay(tmp_path):
    """In whatever documents they lie; a question that stands twice stays once, with the others of its document."""
    ask = "question_passage"
    first = [row(f"问题{i}号", BODY, doc="a", relation=ask, name=f"a{i}") for i in range(4)]
    again = [row(f"问题{i}号", BODY, doc="b", relation=ask, name=f"b{i}") for i in range(2)]
    other = [row(f"别的问题{i}号", BODY, doc="c", relation=ask) for i in range(3)]
    kept, rejects, _, _ = run(tmp_path, first + again + other, max_per_answer=1)
    assert sorted(one["query"] for one in kept) == sorted(one["query"] for one in first + other)
    assert {one["reason"] for one in rejects} == {"duplicate_pair"}


def test_of_two_copies_of_a_document_the_pairs_of_one_stay(tmp_path):
    rows = [
        row(f"问题{i}号", BODY, doc=doc, relation="question_passage", name=f"{doc}{i}")
        for doc in "ab"
        for i in range(9)
    ]
    kept, rejects, _, _ = run(tmp_path, rows, partitions=2)
    assert len(kept) == 9
    assert len({one["doc_id"] for one in kept}) == 1
    assert {one["kept_id"] for one in rejects} == set(pairs.ids(kept))


def test_cap_per_query_keeps_the_longest(tmp_path):
    rows = [row("公告", f"{'内容'[i % 2]}第{i}号公告的正文" + "，其一" * i) for i in range(6)]
    kept, rejects, _, _ = run(tmp_path, rows, max_per_query=2)
    assert pairs.ids(kept) == pairs.ids(rows[-2:])
    assert all(one["reason"] == "duplicate_query" for one in rejects)
    assert all(one["kept_id"] == rows[-1]["pair_id"] for one in rejects)


def test_passage_does_not_vanish_with_a_boilerplate_title(tmp_path):
    """The copy under the capped title must not beat the one under a good title."""
    boilerplate = [row("公告", f"这是一份很长很长的公告，其编号是{i}，" + "请大家知悉并相互转告" * 3) for i in range(3)]
    poor, good = row("公告", BODY, name="a"), row("民法典第一条", BODY, name="b")
    kept, _, _, _ = run(tmp_path, [*boilerplate, poor, good], max_per_query=3, near="off")
    assert good["pair_id"] in pairs.ids(kept)
    assert poor["pair_id"] not in pairs.ids(kept)


def test_punctuation_only_texts_do_not_collapse(tmp_path):
    rows = [row("怎么读？", "……"), row("怎么写？", "——"), row("怎么念？", "！！"), row("怎样读？", "……")]
    kept, rejects, _, _ = run(tmp_path, rows)
    assert len(kept) == 3
    assert [one["reason"] for one in rejects] == ["duplicate_passage"]


def test_numbers_keep_passages_apart(tmp_path):
    rows = [row(f"问{i}", text) for i, text in enumerate(["第12条", "第13条", "1.5克", "15克", "3-4人", "34人"])]
    kept, _, _, _ = run(tmp_path, rows)
    assert len(kept) == len(rows)


def test_source_priority_beats_length_and_id(tmp_path):
    rows = [row("甲", BODY, source="web"), row("乙", BODY, source="book"), row("丙", BODY, source="forum")]
    for first in ("web", "book", "forum"):
        kept, _, _, _ = run(tmp_path, rows, folder=first, source_priority=[first, "nobody"])
        assert [one["source"] for one in kept] == [first]
    kept, _, _, _ = run(tmp_path, rows, folder="none")
    assert pairs.ids(kept) == [pairs.in_order(rows)[0]["pair_id"]]


def test_copy_of_a_copy_points_to_a_row_that_stayed(tmp_path):
    other = BODY.replace("制定本法", "特制定本法，自公布之日起施行")
    rows = [row("甲", BODY), row("乙", BODY), row("丙", other)]
    kept, rejects, _, _ = run(tmp_path, rows, threshold=0.5)
    assert [one["query"] for one in kept] == ["丙"]
    assert {one["reason"] for one in rejects} == {"duplicate_passage", "near_duplicate"}
    assert {one["kept_id"] for one in rejects} == {kept[0]["pair_id"]}


def test_row_capped_for_its_query_keeps_pointing_to_that_query(tmp_path):
    rows = [row("公告", BODY + "增补若干文字。"), row("公告", BODY), row("民法典", BODY)]
    _, rejects, _, _ = run(tmp_path, rows, max_per_query=1, near="off")
    assert reasons(rejects) == {"公告": "duplicate_query"}
    assert rejects[0]["kept_id"] == rows[0]["pair_id"]


def test_no_partitions(tmp_path):
    job = Job(Store(str(tmp_path)), "dedup", dedup_work(DedupSettings(), seed=42))
    assert list(DedupStage().steps(job, [])) == []


def test_no_rows(tmp_path):
    kept, rejects, ledger, _ = run(tmp_path, [], partitions=2)
    assert (kept, rejects, ledger.rows_in) == ([], [], 0)
