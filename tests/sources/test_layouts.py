import pytest

from cmtp.sources.document import (
    Abstract,
    Article,
    Broken,
    Context,
    QueryDocuments,
    QuestionAnswers,
    Reading,
    TextPair,
)
from cmtp.sources.layouts import columns_for, read_record
from cmtp.sources.mapping import SourceMapping

RECORDS = [
    ({"title": "春晓", "text": "春晓\n\n春眠不觉晓"}, Article("o", "s", "春晓", ["春晓", "春眠不觉晓"])),
    ({"Title": " 标题 ", "Content": "甲\u3000\u3000乙\r\n\r\n丙\u200b"}, Article("o", "s", "标题", ["甲 乙", "丙"])),
    (
        {"title": "春晓", "author": "孟浩然", "paragraphs": ["春眠不觉晓，", "处处闻啼鸟。"], "id": "1"},
        Article("o", "s", "春晓 孟浩然", ["春眠不觉晓，", "处处闻啼鸟。"]),
    ),
    ({"title": "题", "abst": "摘要", "keywords": ["a"]}, Abstract("o", "s", "题", "摘要")),
    ({"question": "几点开门？", "answer": "九点。"}, QuestionAnswers("o", "s", "几点开门？", ["九点。"])),
    (
        {"question": "几点？", "answers": ["九点。", "", "十点。"]},
        QuestionAnswers("o", "s", "几点？", ["九点。", "十点。"]),
    ),
    (
        {"department": "内科", "title": "能吃吗？", "ask": "血压高。", "answer": "能。"},
        QuestionAnswers("o", "s", "能吃吗？\n血压高。", ["能。"]),
    ),
    (
        {"title": "能吃吗？", "desc": "请问能吃吗？", "answer": "能。"},
        QuestionAnswers("o", "s", "请问能吃吗？", ["能。"]),
    ),
    (
        {
            "en_instruction": "Name",
            "en_input": "",
            "en_output": "x",
            "zh_instruction": "说出",
            "zh_input": "三种",
            "zh_output": "红",
        },
        QuestionAnswers("o", "s", "说出\n三种", ["红"]),
    ),
    ({"instruction": "翻译", "input": "", "output": "译文"}, QuestionAnswers("o", "s", "翻译", ["译文"])),
    ({"query": "问", "pos": ["甲", "乙"], "neg": ["丙"]}, QueryDocuments("o", "s", "问", ["甲", "乙"], ["丙"])),
    ({"query": "问", "passage": "文"}, QueryDocuments("o", "s", "问", ["文"])),
    (
        {"question": "谁？", "context": "张三来了。", "answers": {"text": ["张三"], "answer_start": [0]}},
        Reading("o", "s", [Context("张三来了。", [("谁？", "张三")])]),
    ),
    (
        {
            "title": "梵文",
            "paragraphs": [
                {"context": "文", "qas": [{"question": "问", "answers": [{"text": "文"}]}, {"question": " "}]}
            ],
        },
        Reading("o", "s", [Context("文", [("问", "文")])]),
    ),
]


@pytest.mark.parametrize(("record", "document"), RECORDS)
def test_known_layouts(record, document):
    assert read_record(record, "o", "s", None) == document


def test_of_script_conversions_in_a_passage_one_form_stays():
    record = {
        "question": "是什么？",
        "context": "<br>又称作-{zh-cn:宽叶毛毡苔;zh-hk:锦地罗}-，是草本。",
        "answers": ["草本"],
    }
    assert read_record(record, "o", "s", None).contexts[0].text == "又称作宽叶毛毡苔，是草本。"


@pytest.mark.parametrize(
    ("record", "relation", "query", "passage"),
    [
        ({"title": " ", "content": "正文"}, "title_body", None, "正文"),
        ({"title": "题", "content": None}, "title_body", "题", None),
        ({"question": "问", "answer": ""}, "question_answer", "问", None),
        ({"instruction": "做", "input": "", "output": "\n"}, "question_answer", "做", None),
        ({"query": "问", "pos": []}, "query_document", "问", None),
    ],
)
def test_blank_fields(record, relation, query, passage):
    item = read_record(record, "o", "s", None)
    assert isinstance(item, Broken)
    assert (item.reason, item.relation, item.query, item.passage) == ("empty_field", relation, query, passage)


@pytest.mark.parametrize(
    ("title", "paragraphs", "empty"), [("", ["春眠不觉晓，"], "title"), ("春晓", [], "paragraphs"), ("", [], "title")]
)
def test_a_poem_without_a_title_is_not_one_without_a_body(title, paragraphs, empty):
    item = read_record({"title": title, "author": "孟浩然", "paragraphs": paragraphs}, "o", "s", None)
    assert item.evidence == {"empty": empty}


ANSWER = "放在阴凉干燥的地方，用铁罐密封，不要和有气味的东西放在一起。" * 10


@pytest.mark.parametrize(
    ("record", "mapping"),
    [
        ({"title": "怎样保存茶叶", "answer": ANSWER}, ("question_answer", "title", "answer")),
        ({"question": "茶叶怎么保存？", "best": "放进铁罐。"}, ("question_answer", "question", "best")),
        ({"query": "茶叶的保质期", "top_reply": "绿茶一年，红茶三年。"}, ("title_body", "query", "top_reply")),
        ({"text": ANSWER, "topic": "保存茶叶"}, ("title_body", "topic", "text")),
        ({"title": "茶叶", "zhengwen": ANSWER}, ("title_body", "title", "zhengwen")),
        # neither the order of the fields nor ids, dates, numbers and addresses count
        (
            {"id": "t-1", "label": "茶", "url": "https://茶.cn", "best_reply": ANSWER, "n": 3, "subject": "茶叶怎么存"},
            ("question_answer", "subject", "best_reply"),
        ),
        ({"posted": "2024-03-01", "intro": ANSWER[:120], "main": ANSWER}, ("title_body", "intro", "main")),
        ({"q": "花呗怎么还款？", "similar": "花呗的钱在哪里还？"}, ("similar_question", "q", "similar")),
        ({"head": "茶叶", "replies": [{"text": "放铁罐"}, {"text": ANSWER}]}, ("question_answer", "head", "replies")),
        # a title beside its column has no passage; one text has no partner
        ({"title": "小区门口的红绿灯", "column": "市政"}, None),
        ({"title": "茶叶"}, None),
        ({"url": "https://a.b", "status": 301}, None),
        ({}, None),
    ],
)
def test_a_field_that_is_not_there_is_not_a_blank_one(record, mapping):
    item = read_record(record, "dir/f.jsonl#3", "s", None)
    assert (item.reason, item.evidence["fields"]) == ("unknown_layout", list(record))
    proposed = item.evidence.get("recipe", {"sources": [None]})["sources"][0]
    if mapping is None:
        assert proposed is None
    else:
        relation, query, passage = mapping
        assert proposed == {"files": "dir/f.jsonl", "relation": relation, "query": query, "passage": passage}
        read = read_record(record, "dir/f.jsonl#3", "s", SourceMapping(**proposed))
        assert not isinstance(read, Broken)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"标题": " ", "正文": "文"}, "标题"),
        ({"instruction": "做", "output": "\n"}, "output"),
        ({"query": "问", "pos": []}, "pos"),
        ({"question": "问", "documents": [{"paragraphs": []}]}, "documents"),
        ({"question": "问", "evidences": {}}, "evidences"),
        ({"conversations": [{"from": "human", "value": "问"}]}, "conversations"),
        ({"paragraphs": [{"context": "文", "qas": []}]}, "paragraphs"),
        ({"context_text": "文", "qas": []}, "qas"),
        ({"text_a": "甲", "text_b": "", "label": 1}, "text_b"),
        ({"review_title": "", "review_body": "文"}, "review_title"),
    ],
)
def test_a_blank_field_has_the_name_it_has_in_the_file(record, field):
    item = read_record(record, "o", "s", None)
    assert (item.reason, item.evidence) == ("empty_field", {"empty": field})


def test_unknown_layout_shows_fields_and_a_mapping():
    item = read_record({"a": "一", "b": "二"}, "dir/f.jsonl#3", "s", None)
    assert isinstance(item, Broken)
    assert item.evidence["fields"] == ["a", "b"]
    mapping = SourceMapping(**item.evidence["recipe"]["sources"][0])  # what is shown must be valid as it stands
    assert (mapping.files, mapping.query, mapping.passage) == ("dir/f.jsonl", "a", "b")
    assert read_record(["一"], "f#1", "s", None).reason == "unknown_layout"


@pytest.mark.parametrize(
    ("relation", "document"),
    [
        ("title_body", Article("o", "s", "一", ["二"])),
        ("title_abstract", Abstract("o", "s", "一", "二")),
        ("question_answer", QuestionAnswers("o", "s", "一", ["二"])),
        ("question_passage", Reading("o", "s", [Context("二", [("一", "")])])),
        ("query_document", QueryDocuments("o", "s", "一", ["二"])),
        ("similar_question", TextPair("o", "s", "similar_question", "一", "二")),
    ],
)
def test_mappings_win(relation, document):
    mapping = SourceMapping(files="*", relation=relation, query="title", passage="b")
    assert read_record({"title": "一", "b": "二", "content": "三"}, "o", "s", mapping) == document


def test_mapping_to_a_missing_or_blank_field():
    mapping = SourceMapping(files="*", relation="similar_question", query="a", passage="b")
    assert read_record({"a": "一"}, "o", "s", mapping).evidence["missing"] == ["b"]
    assert read_record({"a": "一", "b": " "}, "o", "s", mapping).evidence == {"empty": "b"}
    mapping = SourceMapping(files="*", relation="title_body", query="a", passage="b")
    assert read_record({"a": "一", "b": " "}, "o", "s", mapping).evidence == {"empty": "b"}


def test_columns_of_a_table():
    assert columns_for(["id", "title", "url", "content"], None) == ["title", "content"]
    assert columns_for(["x", "y"], None) is None
    mapping = SourceMapping(files="*", relation="paraphrase", query="x", passage="y")
    assert columns_for(["x", "y", "z"], mapping) == ["x", "y"]
