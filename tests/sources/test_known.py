"""Every public collection in the form it is published in; texts written for these tests, fields as published."""

import json

import pytest

from cmtp.extract.relations import pairs_of
from cmtp.extract.settings import ExtractSettings
from cmtp.sources.layouts_data import LAYOUTS
from tests.sources.reading import broken, documents, jsonl, read

SETTINGS = ExtractSettings(max_answers=2)
A, B, C = "西湖在杭州城的西面，三面环山。", "长城东起山海关，西至嘉峪关。", "故宫是明清两代的皇家宫殿。"
Q, R = "西湖在哪里？", "西湖位于什么地方？"


def squad(question="西湖在哪里？", answer="杭州", **more):
    qas = [{"question": question, "id": "1", "answers": [{"text": answer, "answer_start": 3}], **more}]
    return {"version": "v1", "data": [{"title": "西湖", "id": "T1", "paragraphs": [{"context": A, "qas": qas}]}]}


def dumps(value):
    return json.dumps(value, ensure_ascii=False).encode()


CASES = {
    # C-MTP, unlabelled
    "Wudao": (
        "part-2021278643.json",
        dumps(
            [
                {
                    "id": 1,
                    "uniqueKey": "x",
                    "titleUkey": "y",
                    "dataType": "百科",
                    "title": "西湖",
                    "content": A + "\n" + B,
                }
            ]
        ),
        [("title_body", "西湖", A + "\n" + B)],
    ),
    "wiki2019zh": (
        "AA/wiki_00",
        jsonl(
            [{"id": "1", "url": "https://zh.wikipedia.org/wiki?curid=1", "title": "西湖", "text": "西湖\n\n" + A}] * 2
        ),
        [("title_body", "西湖", A)] * 2,
    ),
    "news2016zh": (
        "news2016zh_train.json",
        jsonl(
            [
                {
                    "news_id": "1",
                    "keywords": "西湖",
                    "title": "西湖开放",
                    "desc": "",
                    "source": "新华网",
                    "time": "",
                    "content": A,
                }
            ]
        ),
        [("title_body", "西湖开放", A)],
    ),
    "baike2018qa": (
        "baike_qa_train.json",
        jsonl([{"qid": "qid_1", "category": "旅游", "title": Q, "desc": "周末想去。", "answer": A}]),
        [("question_answer", Q + "\n周末想去。", A)],
    ),
    "webtext2019zh": (
        "web_text_zh_train.json",
        jsonl(
            [
                {"qid": 1, "title": Q, "desc": "", "topic": "旅游", "star": 3, "content": A, "answer_id": 9}
                | {"answerer_tags": "人"}
            ]
        ),
        [("question_answer", Q, A)],
    ),
    "Zhihu QA": (
        "zhihu.jsonl",
        jsonl(
            [
                {
                    "question_title": Q,
                    "question_detail": "",
                    "answers": [{"content": B, "voteup_count": 2}, {"content": A, "voteup_count": 30}],
                }
            ]
        ),
        [("question_answer", Q, A), ("question_answer", Q, B)],
    ),
    "Zhihu-KOL": (
        "kol.jsonl",
        jsonl([{"INSTRUCTION": Q, "RESPONSE": A, "SOURCE": "Zhihu", "METADATA": "{}"}]),
        [("question_answer", Q, A)],
    ),
    "CSL": (
        "csl_camera_readly.tsv",
        "".join(f"西湖水质{n}\t本文研究水质，{A * 3}\t西湖_水质\t工学\t环境科学与工程\n" for n in "甲乙").encode(),
        [("title_abstract", f"西湖水质{n}", f"本文研究水质，{A * 3}") for n in "甲乙"],
    ),
    "XL-Sum": (
        "chinese_simplified_train.jsonl",
        jsonl([{"id": "1", "url": "https://x", "title": "西湖开放", "summary": "西湖今天开放。", "text": A}]),
        [("title_abstract", "西湖开放", "西湖今天开放。"), ("title_body", "西湖开放", A)],
    ),
    "amazon_reviews_multi": (
        "dataset_zh_train.json",
        jsonl(
            [
                {"review_id": "zh_1", "product_id": "p", "reviewer_id": "r", "stars": "5", "language": "zh"}
                | {"review_title": "很好看的书", "review_body": "一口气读完了，推荐。", "product_category": "book"}
            ]
        ),
        [("topic_review", "很好看的书", "一口气读完了，推荐。")],
    ),
    "SimCLUE": (
        "train_rank.json",
        jsonl([{"query": Q, "title": R, "neg_title": "东湖在哪里？"}]),
        [("similar_question", Q, R), ("labelled_negative", Q, "东湖在哪里？")],
    ),
    "wiki_atomic_edits": (
        "chinese_insertions.tsv",
        "base_sentence\tphrase\tedited_sentence\n西湖在杭州。\t城西\t西湖在杭州城西。\n".encode(),
        [("paraphrase", "西湖在杭州。", "西湖在杭州城西。")],
    ),
    "DuReader-robust": ("dureader_robust/train.json", dumps(squad()), [("question_passage", Q, A)]),
    "DuReader-checklist": (
        "dureader_checklist/train.json",
        dumps(squad(is_impossible=False, type="in-domain")),
        [("question_passage", Q, A)],
    ),
    "DuReader 2.0 (search, zhidao)": (
        "search.train.json",
        jsonl(
            [
                {
                    "question_id": 1,
                    "question_type": "ENTITY",
                    "question": Q,
                    "fact_or_opinion": "FACT",
                    "answers": ["杭州"],
                    "documents": [
                        {"title": "长城", "paragraphs": [B], "is_selected": False},
                        {"title": "西湖", "paragraphs": [C, A], "is_selected": True, "most_related_para": 1},
                    ],
                }
            ]
        ),
        [("question_passage", Q, A)],
    ),
    "DuReader-retrieval": (
        "dev.json",
        jsonl([{"question_id": "x", "question": Q, "answer_paragraphs": [{"paragraph_id": "p", "paragraph_text": A}]}]),
        [("query_document", Q, A)],
    ),
    "DuReader-retrieval (dual-encoder training set)": (
        "dual.train.tsv",
        f"{Q}\t\t{A}\t1\n{Q}\t\t{B}\t0\n".encode(),
        [("query_document", Q, A), ("labelled_negative", Q, B)],
    ),
    "CMRC 2018": (
        "cmrc2018_train.json",
        dumps(
            [
                {
                    "context_id": "T1",
                    "context_text": A,
                    "title": "西湖",
                    "qas": [{"query_id": "T1_Q0", "query_text": Q, "answers": ["杭州"]}],
                }
            ]
        ),
        [("question_passage", Q, A)],
    ),
    "DRCD": ("DRCD_training.json", dumps(squad("西湖在哪裡？")), [("question_passage", "西湖在哪裡？", A)]),
    "MLQA": ("test-context-zh-question-zh.json", dumps(squad()), [("question_passage", Q, A)]),
    # C-MTP, labelled
    "NLI-zh (ATEC, BQ, LCQMC, PAWS-X, STS-B)": (
        "LCQMC/train.jsonl",
        jsonl([{"sentence1": Q, "sentence2": R, "label": 1}, {"sentence1": Q, "sentence2": B, "label": 0}]),
        [("similar_question", Q, R), ("labelled_negative", Q, B)],
    ),
    "STS-B": (
        "STS-B/train.tsv",
        f"一个人在走。\t有人在走。\t5\n{A}\t{B}\t0\n{A}\t{C}\t3\n".encode(),
        [
            ("paraphrase", "一个人在走。", "有人在走。"),
            ("labelled_negative", A, B),
            ("labelled_uncertain", A, C),
        ],
    ),
    "AFQMC": (
        "afqmc_public/train.json",
        jsonl([{"sentence1": "双十一花呗提额在哪", "sentence2": "里可以提花呗额度", "label": "1"}]),
        [("similar_question", "双十一花呗提额在哪", "里可以提花呗额度")],
    ),
    "CMNLI": (
        "cmnli_public/train.json",
        jsonl(
            [
                {"sentence1": A, "sentence2": "西湖在杭州。", "label": "entailment"},
                {"sentence1": A, "sentence2": "西湖很大。", "label": "neutral"},
                {"sentence1": A, "sentence2": "西湖在北京。", "label": "contradiction"},
            ]
        ),
        [
            ("premise_hypothesis", A, "西湖在杭州。"),
            ("labelled_uncertain", A, "西湖很大。"),
            ("labelled_negative", A, "西湖在北京。"),
        ],
    ),
    "OCNLI": (
        "ocnli/train.50k.json",
        jsonl(
            [
                {"level": "medium", "sentence1": A, "sentence2": "西湖在杭州。", "label": "entailment", "label0": None}
                | {"genre": "gov", "prem_id": "gov_1", "id": 0},
                {"level": "hard", "sentence1": A, "sentence2": "西湖。", "label": "-", "id": 1},
            ]
        ),
        [("premise_hypothesis", A, "西湖在杭州。"), ("labelled_uncertain", A, "西湖。")],
    ),
    "XNLI": (
        "xnli.jsonl",
        jsonl(
            [
                {"premise": A, "hypothesis": "西湖在杭州。", "label": 0},
                {"premise": A, "hypothesis": "西湖在北京。", "label": 2},
            ]
        ),
        [("premise_hypothesis", A, "西湖在杭州。"), ("labelled_negative", A, "西湖在北京。")],
    ),
    "mMARCO-zh (triples)": (
        "mmarco.jsonl",
        jsonl([{"query": Q, "positive": A, "negative": B}]),
        [("query_document", Q, A), ("labelled_negative", Q, B)],
    ),
    "FlagEmbedding's finetuning format": (
        "toy_finetune_data.jsonl",
        jsonl([{"query": Q, "pos": [A], "neg": [B, C]}]),
        [("query_document", Q, A), ("labelled_negative", Q, B), ("labelled_negative", Q, C)],
    ),
    # what M3E took besides
    "Belle": (
        "Belle_open_source_1M.json",
        jsonl([{"instruction": "写一句话介绍西湖。", "input": "", "output": A}]),
        [("question_answer", "写一句话介绍西湖。", A)],
    ),
    "Belle (multi-turn)": (
        "train_3.5M_CN.json",
        jsonl(
            [
                {
                    "id": "1",
                    "conversations": [
                        {"from": "human", "value": Q},
                        {"from": "assistant", "value": A},
                        {"from": "human", "value": "还有呢？"},
                    ],
                }
            ]
        ),
        [("question_answer", Q, A)],
    ),
    "HC3-Chinese": (
        "baike.jsonl",
        jsonl([{"id": "0", "question": Q, "human_answers": [A], "chatgpt_answers": [B]}]),
        [("question_answer", Q, A), ("question_answer", Q, B)],
    ),
    "ChatMed": (
        "ChatMed_Consult.json",
        jsonl([{"query": "感冒怎么办？", "response": "多喝水，多休息。"}]),
        [("question_answer", "感冒怎么办？", "多喝水，多休息。")],
    ),
    "Firefly": (
        "firefly-train-1.1M.jsonl",
        jsonl([{"kind": "NLI", "input": Q, "target": A}]),
        [("question_answer", Q, A)],
    ),
    "MIRACL-zh": (
        "miracl.jsonl",
        jsonl(
            [
                {
                    "query_id": "1",
                    "query": Q,
                    "positive_passages": [{"docid": "1#0", "title": "西湖", "text": A}],
                    "negative_passages": [{"docid": "2#0", "title": "长城", "text": B}],
                }
            ]
        ),
        [("query_document", Q, A), ("labelled_negative", Q, B)],
    ),
    "WebQA": (
        "me_train.json",
        dumps(
            {
                "Q_TRN_000001": {
                    "question": Q,
                    "evidences": {
                        "Q_TRN_000001#00": {"answer": ["杭州"], "evidence": A},
                        "Q_TRN_000001#01": {"answer": ["no_answer"], "evidence": B},
                    },
                },
                "Q_TRN_000002": {"question": R, "evidences": {"Q_TRN_000002#00": {"answer": ["杭州"], "evidence": C}}},
            }
        ),
        [("question_passage", Q, A), ("question_passage", R, C)],
    ),
    "WebQA (question and answer)": (
        "webqa.jsonl",
        jsonl([{"id": "1", "input": Q, "output": "杭州"}]),
        [("question_answer", Q, "杭州")],
    ),
    "alpaca_chinese_dataset": (
        "data_v3/alpaca_chinese_part_0.json",
        dumps(
            [
                {"en_instruction": "Describe West Lake.", "en_input": "", "en_output": "It lies west of Hangzhou."}
                | {"zh_instruction": "介绍西湖。", "zh_input": "", "zh_output": A}
            ]
        ),
        [("question_answer", "介绍西湖。", A), ("question_answer", "Describe West Lake.", "It lies west of Hangzhou.")],
    ),
}


def pairs_in(items):
    return [
        (pair.reason or pair.relation, pair.query, pair.passage)
        for item in documents(items)
        for pair in pairs_of(item, SETTINGS)
    ]


@pytest.mark.parametrize("name", CASES)
def test_published_form(tmp_path, name):
    path, data, expected = CASES[name]
    items, _ = read(tmp_path, path, data, language="any")
    assert broken(items) == []
    assert pairs_in(items) == expected


def test_every_layout_names_where_it_comes_from_and_those_are_tested():
    named = {source for layout in LAYOUTS for source in layout.sources}
    variants = {
        "CMRC 2018 (SQuAD form)",  # as DRCD
        "CMRC 2018, DRCD, MLQA as flat rows",
        "chinese-poetry",
        "Chinese-medical-dialogue-data",
        "CSL benchmark",
        "SNLI",  # as XNLI
        "alpaca",
        "alpaca-gpt4",  # as Belle
    }
    assert named - set(CASES) == variants


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        (
            "ATEC.csv",
            f"\ufeff1\t\ufeff{Q}\t{R}\t1\n2\t{Q}\t{B}\t0\n",
            [("similar_question", Q, R), ("labelled_negative", Q, B)],
        ),
        ("AFQMC_train.txt", f"{Q}\t{R}\t1\n{Q}\t{B}\t0\n", [("similar_question", Q, R), ("labelled_negative", Q, B)]),
        (
            "Chinese-SNLI_dev.txt",
            f"{A}\t西湖在杭州。\tentailment\n{A}\t{B}\tcontradiction\n",
            [("premise_hypothesis", A, "西湖在杭州。"), ("labelled_negative", A, B)],
        ),
        ("LCQMC.tsv", f"text_a\ttext_b\tlabel\n{Q}\t{R}\t1\n", [("similar_question", Q, R)]),
        (
            "BQ_corpus.csv",
            "sentence1,sentence2,label\n怎么还款,如何还款,1\n",
            [("similar_question", "怎么还款", "如何还款")],
        ),
        ("PAWS-X.tsv", f"id\tsentence1\tsentence2\tlabel\n1\t{A}\t{A}\t0\n", [("labelled_negative", A, A)]),
        ("a.txt", "第一行\t有制表符\n但不是标签\t在最后\n", [("title_body", "第一行 有制表符", "但不是标签 在最后")]),
    ],
)
def test_labelled_tables(tmp_path, name, rows, expected):
    items, _ = read(tmp_path, name, rows.encode())
    assert pairs_in(items) == expected


def test_a_label_its_annotators_did_not_agree_on_is_still_one_of_inference(tmp_path):
    items, _ = read(tmp_path, "ocnli/dev.json", jsonl([{"sentence1": A, "sentence2": B, "label": "-"}]))
    assert items[0].relation == "premise_hypothesis"


def test_labels_by_a_mapping(tmp_path):
    mapping = {"files": "*", "relation": "paraphrase", "query": "a", "passage": "b", "label": "same"}
    data = jsonl([{"a": A, "b": B, "same": "true"}, {"a": A, "b": C, "same": False}, {"a": A, "b": C, "same": "?"}])
    items, _ = read(tmp_path, "x.jsonl", data, [mapping])
    assert [reason for reason, *_ in pairs_in(items)] == ["paraphrase", "labelled_negative", "labelled_uncertain"]


def test_answers_are_ordered_by_acceptance_and_votes(tmp_path):
    answers = [
        {"text": "票少", "votes": 1},
        {"text": "票多", "votes": 9},
        {"text": "采纳", "votes": 0, "is_accepted": True},
    ]
    items, _ = read(tmp_path, "x.jsonl", jsonl([{"question": Q, "answers": answers}]))
    assert pairs_in(items) == [
        ("question_answer", Q, "采纳"),
        ("question_answer", Q, "票多"),
        ("over_max_answers", Q, "票少"),
    ]


def test_languages(tmp_path):
    path, data, both = CASES["alpaca_chinese_dataset"]
    assert pairs_in(read(tmp_path, path, data, language="zh")[0]) == both[:1]
    assert pairs_in(read(tmp_path, path, data, language="en")[0]) == both[1:]
