"""The known layouts: which fields make a record of which kind. To add a layout, add a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from cmtp.sources import builders, two_texts
from cmtp.sources.document import Broken, Document

Build = Callable[[dict[str, Any], str, str], Document | Broken]

TITLE: Final = ("title", "headline", "标题", "题目")
BODY: Final = ("content", "body", "text", "article", "maintext", "正文", "内容")
ANSWER: Final = ("answer", "answers", "response", "responses", "答案", "回答")
LEFT: Final = ("sentence1", "sentence_a", "text1", "text_a", "question1", "query1", "sent1", "s1", "句子1")
RIGHT: Final = ("sentence2", "sentence_b", "text2", "text_b", "question2", "query2", "sent2", "s2", "句子2")
LABEL: Final = ("label", "gold_label", "is_duplicate", "标签")
GRADE: Final = ("score", "similarity", "similarity_score")


@dataclass(frozen=True)
class RecordLayout:
    """A known layout.

    Attributes:
        name: what it is called in messages.
        relation: the relation its pairs have; where a label or the texts decide, the most likely one.
        build: makes a document of the values by role.
        required: role → field names that may fill it, best first.
        optional: the same for roles that may be missing.
        lists: roles whose value must be a list.
        fits: what else the values by role must be.
        sources: public collections that come in this layout.
        language: of records that hold two languages, the half this layout reads.
    """

    name: str
    relation: str
    build: Build
    required: dict[str, tuple[str, ...]]
    optional: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    fits: Callable[[dict[str, Any]], bool] | None = None
    sources: tuple[str, ...] = ()
    language: str = ""


def _are_passages(values: dict[str, Any]) -> bool:
    """Whether a list of paragraphs is SQuAD's: poems have a list of that name too."""
    paragraphs = values["paragraphs"]
    return bool(paragraphs) and all(isinstance(part, dict) and "context" in part for part in paragraphs)


LAYOUTS: Final = (
    RecordLayout(
        "SQuAD",
        "question_passage",
        builders.squad,
        {"paragraphs": ("paragraphs",)},
        lists=("paragraphs",),
        fits=_are_passages,
        sources=(
            "CMRC 2018 (SQuAD form)",
            "DRCD",
            "DuReader-robust",
            "DuReader-checklist",
            "MLQA",
        ),
    ),
    RecordLayout(
        "CMRC 2018",
        "question_passage",
        builders.reading_2018,
        {"context": ("context_text",), "questions": ("qas",)},
        lists=("questions",),
        sources=("CMRC 2018",),
    ),
    RecordLayout(
        "DuReader",
        "question_passage",
        builders.search_results,
        {"question": ("question",), "pages": ("documents",)},
        lists=("pages",),
        sources=("DuReader 2.0 (search, zhidao)",),
    ),
    RecordLayout(
        "WebQA",
        "question_passage",
        builders.evidences,
        {"question": ("question",), "evidences": ("evidences",)},
        sources=("WebQA",),
    ),
    RecordLayout(
        "question, answer_paragraphs",
        "query_document",
        builders.query_documents,
        {"query": ("question", "query"), "documents": ("answer_paragraphs",)},
        lists=("documents",),
        sources=("DuReader-retrieval",),
    ),
    RecordLayout(
        "poem",
        "title_body",
        builders.poem,
        {"title": (*TITLE, "rhythmic"), "author": ("author", "作者"), "body": ("paragraphs",)},
        lists=("body",),
        sources=("chinese-poetry",),
    ),
    RecordLayout(
        "query, pos, neg",
        "query_document",
        builders.query_documents,
        {"query": ("query",), "documents": ("pos",)},
        {"negatives": ("neg",)},
        sources=("FlagEmbedding's finetuning format",),
    ),
    RecordLayout(
        "query, passages",
        "query_document",
        builders.query_documents,
        {
            "query": ("query", "查询"),
            "documents": ("positive_passages", "positive", "passage", "document", "doc", "段落"),
        },
        {"negatives": ("negative_passages", "negative")},
        sources=(
            "MIRACL-zh",
            "mMARCO-zh (triples)",
        ),
    ),
    RecordLayout(
        "query, title, neg_title",
        "similar_question",
        two_texts.similar_with_negative,
        {"left": ("query",), "right": ("title",)},
        {"negative": ("neg_title",), "label": LABEL},
        sources=("SimCLUE",),
    ),
    RecordLayout(
        "premise, hypothesis",
        "premise_hypothesis",
        two_texts.inference,
        {"left": ("premise", "前提"), "right": ("hypothesis", "假设")},
        {"label": LABEL},
        sources=(
            "SNLI",
            "XNLI",
        ),
    ),
    RecordLayout(
        "two sentences, label",
        "similar_question",
        two_texts.sentences,
        {"left": LEFT, "right": RIGHT, "label": LABEL},
        sources=(
            "NLI-zh (ATEC, BQ, LCQMC, PAWS-X, STS-B)",
            "AFQMC",
            "CMNLI",
            "OCNLI",
        ),
    ),
    RecordLayout(
        "two sentences, grade",
        "paraphrase",
        two_texts.graded,
        {"left": LEFT, "right": RIGHT, "label": GRADE},
        sources=("STS-B",),
    ),
    RecordLayout("two sentences", "paraphrase", two_texts.sentences, {"left": LEFT, "right": RIGHT}),
    RecordLayout(
        "query, paragraph, label",
        "query_document",
        two_texts.labelled_document,
        {"query": ("query",), "document": ("para", "paragraph"), "label": LABEL},
        sources=("DuReader-retrieval (dual-encoder training set)",),
    ),
    RecordLayout(
        "edits",
        "paraphrase",
        two_texts.edits,
        {"left": ("base_sentence",), "right": ("edited_sentence",)},
        sources=("wiki_atomic_edits",),
    ),
    RecordLayout(
        "review",
        "topic_review",
        two_texts.review,
        {"topic": ("review_title", "review_headline", "topic"), "review": ("review_body", "review_text", "review")},
        sources=("amazon_reviews_multi",),
    ),
    RecordLayout(
        "instruction in two languages",
        "question_answer",
        builders.question,
        {"question": ("zh_instruction",), "answers": ("zh_output",)},
        {"details": ("zh_input",)},
        sources=("alpaca_chinese_dataset",),
        language="zh",
    ),
    RecordLayout(
        "instruction in two languages, the English half",
        "question_answer",
        builders.question,
        {"question": ("en_instruction",), "answers": ("en_output",), "other": ("zh_instruction",)},
        {"details": ("en_input",)},
        language="en",
    ),
    RecordLayout(
        "instruction",
        "question_answer",
        builders.question,
        {"question": ("instruction", "en_instruction"), "answers": ("output", "en_output", *ANSWER)},
        {"details": ("input", "en_input")},
        sources=(
            "alpaca",
            "alpaca-gpt4",
            "Belle",
            "Zhihu-KOL",
        ),
    ),
    RecordLayout(
        "kind, input, target",
        "question_answer",
        builders.question,
        {"question": ("input",), "answers": ("target",), "kind": ("kind",)},
        sources=("Firefly",),
    ),
    RecordLayout(
        "conversation",
        "question_answer",
        builders.conversation,
        {"turns": ("conversations", "conversation", "messages")},
        lists=("turns",),
        sources=("Belle (multi-turn)",),
    ),
    RecordLayout(
        "human_answers, chatgpt_answers",
        "question_answer",
        builders.answers_of_two,
        {"question": ("question",), "answers": ("human_answers",)},
        {"more": ("chatgpt_answers",)},
        sources=("HC3-Chinese",),
    ),
    RecordLayout(
        "question, context",
        "question_passage",
        builders.context,
        {"question": ("question", "问题"), "context": ("context", "passage", "段落")},
        {"answers": ANSWER},
        sources=("CMRC 2018, DRCD, MLQA as flat rows",),
    ),
    RecordLayout(
        "title, desc, content of an answer",
        "question_answer",
        builders.question,
        {"question": TITLE, "answers": ("content",), "mark": ("answer_id", "answerer_tags", "star")},
        {"details": ("desc",)},
        sources=("webtext2019zh",),
    ),
    RecordLayout(
        "question with title and details",
        "question_answer",
        builders.question,
        {
            "question": (*TITLE, "question_title"),
            "details": ("ask", "desc", "question_detail", "detail", "question"),
            "answers": ANSWER,
        },
        sources=(
            "baike2018qa",
            "Chinese-medical-dialogue-data",
            "Zhihu QA",
        ),
    ),
    RecordLayout(
        "question, answer",
        "question_answer",
        builders.question,
        {"question": ("question", "ask", "prompt", "query", "问题", "提问"), "answers": ANSWER},
        sources=(
            "ChatMed",
            "Zhihu QA",
        ),
    ),
    RecordLayout(
        "title, abstract",
        "title_abstract",
        builders.abstract,
        {"title": TITLE, "abstract": ("abstract", "abst", "摘要")},
        sources=("CSL",),
    ),
    RecordLayout(
        "title, summary, text",
        "title_body",
        builders.article,
        {"title": TITLE, "summary": ("summary",), "body": ("text", "document")},
        sources=("XL-Sum",),
    ),
    RecordLayout(
        "title, content",
        "title_body",
        builders.article,
        {"title": TITLE, "body": (*BODY, "paragraphs")},
        sources=(
            "Wudao",
            "wiki2019zh",
            "news2016zh",
        ),
    ),
    RecordLayout(
        "CSL title generation (no header)",
        "title_abstract",
        builders.abstract,
        {"task": ("to title",), "abstract": ("2",), "title": ("3",)},
        sources=("CSL benchmark",),
    ),
    RecordLayout(
        "input, output",
        "question_answer",
        builders.question,
        {"question": ("input",), "answers": ("output",)},
        sources=("WebQA (question and answer)",),
    ),
)
"""Known layouts; the first that fits is taken, so the special ones come before the general ones."""

FIELD_NAMES: Final = frozenset(
    name for layout in LAYOUTS for names in (layout.required | layout.optional).values() for name in names
) - {"2", "3"}
"""Names that tell a table's header from its first row."""
