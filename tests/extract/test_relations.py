import pytest

from cmtp.extract.relations import Pair, pairs_of
from cmtp.extract.settings import ExtractSettings
from cmtp.sources.document import (
    Abstract,
    Article,
    Context,
    JudgedPassage,
    QueryDocuments,
    QuestionAnswers,
    Reading,
    Section,
    TextPair,
)

SETTINGS = ExtractSettings(
    max_passage_chars=60, min_passage_chars=2, max_passages=2, max_answers=3, min_lead_chars=10, heading_path=True
)


def pairs(document, **changes):
    return [pair[:4] for pair in pairs_of(document, SETTINGS.model_copy(update=changes))]


def article(title, lead, *sections):
    return Article("o", "s", title, lead, [Section(*section) for section in sections])


def test_title_with_its_lead():
    found = pairs(article("西湖", ["西湖在杭州城的西面，三面环山。"], (2, "历史", ["唐代已有此名。"])))
    assert found == [
        ("title_body", "西湖", "西湖在杭州城的西面，三面环山。", 0),
        ("subtitle_passage", "西湖 历史", "唐代已有此名。", 0),
    ]


def test_a_short_lead_takes_the_text_that_follows_up_to_one_passage():
    found = pairs(article("西湖", ["在杭州。"], (2, "历史", ["唐" * 30 + "。"]), (2, "景点", ["断桥残雪。" * 20])))
    assert found[0] == (
        "title_body",
        "西湖",
        "在杭州。\n历史\n" + "唐" * 30 + "。",
        0,
    )
    assert [pair[0] for pair in found].count("title_body") == 1


def test_long_text_is_cut_and_numbered():
    found = pairs(article("题", ["一二三四五六七八九。" * 15]))
    assert [(pair[3], len(pair[2])) for pair in found] == [(0, 60), (1, 60), (2, 30)]


def test_below_a_title_the_passage_that_carries_its_words_comes_first():
    far = "先说天气和心情。" * 7
    near = "西湖的断桥残雪最有名。" * 5
    found = pairs(article("西湖断桥", [far, near, far]))
    assert [(pair[3], pair[2] == near) for pair in found] == [(1, False), (0, True), (2, False)]
    assert [pair[3] for pair in pairs(article("西湖断桥", [near, near, far]))] == [0, 1, 2]


def test_a_section_that_is_the_passage_of_the_title_is_no_pair_again():
    document = article("西湖", ["在杭州。"], (2, "历史", ["唐代已有此名，" * 8]), (2, "景点", ["断桥残雪。" * 4]))
    found = [(pair.relation, pair.reason, pair.evidence) for pair in pairs_of(document, SETTINGS)]
    assert found == [
        ("title_body", "", None),
        ("subtitle_passage", "title_passage", {"path": ["西湖", "历史"]}),
        ("subtitle_passage", "", None),
    ]


def test_a_long_section_ends_an_opening_that_is_long_enough():
    document = article("西湖", ["在杭州。"], (2, "名字", ["因在城西得名。"]), (2, "历史", ["唐代已有此名，" * 8]))
    found = [(pair.query, pair.passage[:20], pair.reason) for pair in pairs_of(document, SETTINGS)]
    assert found == [
        ("西湖", "在杭州。\n名字\n因在城西得名。", ""),
        ("西湖 › 名字", "因在城西得名。", "title_passage"),
        ("西湖 历史", "唐代已有此名，唐代已有此名，唐代已有此名", ""),
    ]


def test_headings():
    document = article(
        "题", [], (2, "甲", ["a。"]), (3, "子", ["b。"]), (2, "乙", []), (3, "子", ["c。"]), (2, "总结", ["d。"])
    )
    found = [
        (pair.query, pair.reason) for pair in pairs_of(document, SETTINGS.model_copy(update={"min_lead_chars": 0}))
    ]
    assert found == [("题 甲", ""), ("题 甲 子", ""), ("题 乙 子", ""), ("题 › 总结", "generic_heading")]
    plain = SETTINGS.model_copy(update={"heading_path": False, "min_lead_chars": 0})
    assert [(pair.query, pair.reason) for pair in pairs_of(document, plain)] == [
        ("甲", ""),
        ("子", ""),
        ("题 › 乙 › 子", "ambiguous_heading"),
        ("题 › 总结", "generic_heading"),
    ]


def test_sections_without_a_title_stand_alone():
    assert pairs(article("", ["引子没有题目，不成对。"], (2, "小节", ["文。"]))) == [
        ("subtitle_passage", "小节", "文。", 0)
    ]


@pytest.mark.parametrize("first", ["西湖 十景", "《西湖十景》", "西湖十景。", "西湖十景："])
def test_a_repeated_title_leaves_the_body(first):
    assert pairs(article("西湖十景", [first, "断桥残雪在白堤。"]))[0][2] == "断桥残雪在白堤。"


def test_a_title_broken_over_two_lines_leaves_the_body():
    assert pairs(article("北京市计划审查监督条例", ["北京市计划", "审查监督条例", "全文如下。"]))[0][2] == "全文如下。"


def test_a_repeated_title_as_first_heading():
    found = pairs(article("西湖", [], (2, "西湖", ["西湖在杭州城的西面，三面环山。"])))
    assert found == [("title_body", "西湖", "西湖在杭州城的西面，三面环山。", 0)]


def test_questions():
    assert pairs(QuestionAnswers("o", "s", "问", ["甲。" * 40, "乙。"])) == [
        ("question_answer", "问", "甲。" * 30, 0),
        ("question_answer", "问", "甲。" * 10, 1),
        ("question_answer", "问", "乙。", 2),
    ]
    assert pairs(QueryDocuments("o", "s", "问", ["甲", "乙"])) == [
        ("query_document", "问", "甲", 0),
        ("query_document", "问", "乙", 1),
    ]
    assert pairs(Abstract("o", "s", "题", "摘要。")) == [("title_abstract", "题", "摘要。", 0)]


def test_reading_takes_the_piece_that_holds_the_answer():
    text = "前面说的是天气。" * 10 + "答案在后面这里。"
    document = Reading(
        "o", "s", [Context("短文。", [("问一", "短")]), Context(text, [("问二", "答案"), ("问三", "没有")])]
    )
    found = list(pairs_of(document, SETTINGS))
    assert found[0] == Pair("question_passage", "问一", "短文。", 0, part=0)
    assert "答案在后面" in found[1].passage
    assert found[2].passage == "前面说的是天气。" * 7
    assert [pair.part for pair in found] == [0, 1, 1]


def test_of_a_long_negative_one_piece_is_set_aside():
    document = QueryDocuments("o", "s", "问", ["甲"], ["乙。" * 40, "丙"])
    found = [(pair.passage, pair.reason) for pair in pairs_of(document, SETTINGS)]
    assert found == [("甲", ""), ("乙。" * 30, "labelled_negative"), ("丙", "labelled_negative")]


def test_of_a_long_judged_passage_every_piece_answers_and_one_does_not():
    document = JudgedPassage("o", "s", "乙。" * 40, [("问一", "3", ""), ("问二", "1", "labelled_uncertain")])
    found = [(pair.query, pair.passage, pair.number, pair.evidence) for pair in pairs_of(document, SETTINGS)]
    assert found == [
        ("问一", "乙。" * 30, 0, None),
        ("问一", "乙。" * 10, 1, None),
        ("问二", "乙。" * 30, 0, {"label": "1"}),
    ]


def test_mapped_pairs():
    assert pairs(TextPair("o", "s", "paraphrase", "甲" * 80, "乙" * 80)) == [("paraphrase", "甲" * 80, "乙" * 80, 0)]
    assert [pair[2] for pair in pairs(TextPair("o", "s", "topic_review", "甲", "乙" * 80))] == ["乙" * 60, "乙" * 20]


LAW = article(
    "国旗法",
    ["为了规范，制定本法。"],
    (
        2,
        "第一章 总则",
        ["第一条 为了维护国旗的尊严，制定本法。", "第二条 国旗是五星红旗。", "（一）旗面为红色；", "（二）长方形。"],
    ),
    (2, "第二章 附则", ["第十条之一\u3000本法自公布之日起施行。", "第十一条的规定，另行解释。"]),
)


def test_statutes():
    found = list(pairs_of(LAW, SETTINGS.model_copy(update={"max_passage_chars": 200})))
    articles = [(pair.query, pair.passage, pair.reason) for pair in found if pair.relation == "subtitle_passage"]
    assert articles == [
        ("国旗法 › 第一章 总则 › 第一条", "为了维护国旗的尊严，制定本法。", "address_query"),
        ("国旗法 › 第一章 总则 › 第二条", "国旗是五星红旗。\n（一）旗面为红色；\n（二）长方形。", "address_query"),
        ("国旗法 › 第二章 附则 › 第十条之一", "本法自公布之日起施行。\n第十一条的规定，另行解释。", "address_query"),
    ]


def test_an_article_of_a_statute_with_a_question():
    asked = ["第二条 国旗的悬挂应当符合下列规定：", "（一）置于显著位置；", "（二）不得倒挂。"]
    law = article("国旗法", ["第一条 甲。", *asked, "第三条 乙。", *(line.replace("二", "四", 1) for line in asked)])
    found = [(pair.query, pair.reason) for pair in pairs_of(law, SETTINGS) if pair.relation == "subtitle_passage"]
    assert found == [
        ("国旗法 › 第一条", "address_query"),
        ("国旗法 国旗的悬挂应当符合哪些规定", ""),
        ("国旗法 › 第三条", "address_query"),
        ("国旗法 › 第四条", "ambiguous_heading"),
    ]


def test_chapters_above_sections_whatever_their_marks():
    law = article(
        "办法",
        [],
        (2, "第二节 摊贩", ["第一条 甲。"]),
        (3, "第四章 监督", ["第二条 乙。"]),
        (2, "第一节 检查", ["第三条 丙。"]),
    )
    assert [pair[1] for pair in pairs(law) if pair[0] == "subtitle_passage"] == [
        "办法 › 第二节 摊贩 › 第一条",
        "办法 › 第四章 监督 › 第二条",
        "办法 › 第四章 监督 › 第一节 检查 › 第三条",
    ]


def test_the_opening_of_a_statute_reads_as_printed():
    body = pairs(LAW, max_passage_chars=200, min_lead_chars=20)[0]
    assert body[2].startswith("为了规范，制定本法。\n第一章 总则\n第一条 为了维护国旗的尊严，制定本法。\n第二条 国旗")


def test_chapters_and_contents_within_plain_text():
    lines = ["第一章 总则", "第二章 附则", "第一章 总则", "第一条 甲。", "第二条 乙。", "第二章 附则", "第三条 丙。"]
    found = pairs(article("办法", lines), min_lead_chars=0)
    assert [pair[1] for pair in found if pair[0] == "subtitle_passage"] == [
        "办法 › 第一章 总则 › 第一条",
        "办法 › 第一章 总则 › 第二条",
        "办法 › 第二章 附则 › 第三条",
    ]


def test_a_text_that_quotes_a_statute_is_none():
    quotes = ["第一条 甲。", "他说这一条很重要。", "第二条 乙。"]
    assert [pair[0] for pair in pairs(article("评论", quotes))] == ["title_body"]
    long = ["一段评论。"] * 60 + ["第一条 甲。", "第二条 乙。", "第三条 丙。"]
    assert {pair[0] for pair in pairs(article("评论", long))} == {"title_body"}


def test_who_passed_a_statute_and_when_is_no_text_of_it():
    notes = ["（2013年1月21日最高人民法院审判委员会第1568次会议通过，根据2020年12月23日决定修正）", "法释〔2013〕11号"]
    numbered = ["第一条 甲。", "第二条 乙。", "第三条 丙。"]
    found = pairs(article("某规定", [*notes, "为正确审理案件，制定本规定。", *numbered]))
    assert found[0] == ("title_body", "某规定", "为正确审理案件，制定本规定。", 0)
    assert pairs(article("题", [notes[0], "不是法律的正文。"]))[0][2].startswith("（2013年")


def test_a_chapter_whose_number_was_lost_is_a_heading_and_no_text_of_the_article_before():
    lines = [
        "总则",
        "第一条 甲。",
        "资助：",
        "（一）学校；",
        "（二）医院",
        "第二条 乙。",
        "法律责任",
        "第三条 丙。",
    ]
    found = pairs(article("办法", [*lines, "公章", "联系人"]), min_lead_chars=0)
    assert [pair[1:3] for pair in found if pair[0] == "subtitle_passage"] == [
        ("办法 › 总则 › 第一条", "甲。\n资助：\n（一）学校；\n（二）医院"),
        ("办法 › 总则 › 第二条", "乙。"),
        ("办法 › 法律责任 › 第三条", "丙。\n公章\n联系人"),
    ]


@pytest.mark.parametrize("items", [["学校；", "医院"], ["一、学校；", "二、医院"], ["本办法自公布之日起施行"]])
def test_the_end_of_an_article_is_no_chapter(items):
    found = pairs(article("办法", ["第一条 甲。", *items, "第二条 乙。", "第三条 丙。"]), min_lead_chars=0)
    assert [pair[1:3] for pair in found if pair[0] == "subtitle_passage"][:2] == [
        ("办法 › 第一条", "\n".join(["甲。", *items])),
        ("办法 › 第二条", "乙。"),
    ]


def test_chapters_of_one_name_are_both_headings():
    lines = ["第一条 甲。", "一般规定", "第二条 乙。", "一般规定", "第三条 丙。", "附 则", "第四条 丁。"]
    found = pairs(article("法", lines), min_lead_chars=0)
    assert [pair[1] for pair in found if pair[0] == "subtitle_passage"] == [
        "法 › 第一条",
        "法 › 一般规定 › 第二条",
        "法 › 一般规定 › 第三条",
        "法 › 附 则 › 第四条",
    ]
