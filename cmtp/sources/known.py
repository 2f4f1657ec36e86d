"""The known layouts: which fields make a record of which kind. Data; the first layout that fits is taken."""

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
class Layout:
    """A known layout.

    Attributes:
        name: what it is called in messages.
        relation: the relation its pairs have; where a label or the texts decide, the most likely one.
        build: makes a document of the values by role.
        required: role → field names that may fill it, best first.
        optional: the same for roles that may be missing.
        lists: roles whose value must be a list.
        sources: public collections that come in this layout.
        language: of records that hold two languages, the half this layout reads.
    """

    name: str
    relation: str
    build: Build
    required: dict[str, tuple[str, ...]]
    optional: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    language: str = ""


def _layout(
    name: str,
    relation: str,
    build: Build,
    required: dict[str, tuple[str, ...]],
    optional: dict[str, tuple[str, ...]] | None = None,
    lists: str = "",
    sources: str = "",
    language: str = "",
) -> Layout:
    names = tuple(filter(None, (one.strip() for one in sources.split(";"))))
    return Layout(name, relation, build, required, optional or {}, frozenset(lists.split()), names, language)


LAYOUTS: Final = (
    _layout(
        "SQuAD",
        "question_passage",
        builders.squad,
        {"paragraphs": ("paragraphs",)},
        lists="paragraphs",
        sources="CMRC 2018 (SQuAD form); DRCD; DuReader-robust; DuReader-checklist; MLQA",
    ),
    _layout(
        "CMRC 2018",
        "question_passage",
        builders.reading_2018,
        {"context": ("context_text",), "questions": ("qas",)},
        lists="questions",
        sources="CMRC 2018",
    ),
    _layout(
        "DuReader",
        "question_passage",
        builders.search_results,
        {"question": ("question",), "pages": ("documents",)},
        lists="pages",
        sources="DuReader 2.0 (search, zhidao)",
    ),
    _layout(
        "WebQA",
        "question_passage",
        builders.evidences,
        {"question": ("question",), "evidences": ("evidences",)},
        sources="WebQA",
    ),
    _layout(
        "question, answer_paragraphs",
        "query_document",
        builders.query_documents,
        {"query": ("question", "query"), "documents": ("answer_paragraphs",)},
        lists="documents",
        sources="DuReader-retrieval",
    ),
    _layout(
        "poem",
        "title_body",
        builders.poem,
        {"title": (*TITLE, "rhythmic"), "author": ("author", "作者"), "body": ("paragraphs",)},
        lists="body",
        sources="chinese-poetry",
    ),
    _layout(
        "query, pos, neg",
        "query_document",
        builders.query_documents,
        {"query": ("query",), "documents": ("pos",)},
        {"negatives": ("neg",)},
        sources="FlagEmbedding's finetuning format",
    ),
    _layout(
        "query, passages",
        "query_document",
        builders.query_documents,
        {
            "query": ("query", "查询"),
            "documents": ("positive_passages", "positive", "passage", "document", "doc", "段落"),
        },
        {"negatives": ("negative_passages", "negative")},
        sources="MIRACL-zh; mMARCO-zh (triples)",
    ),
    _layout(
        "query, title, neg_title",
        "similar_question",
        two_texts.similar_with_negative,
        {"left": ("query",), "right": ("title",)},
        {"negative": ("neg_title",), "label": LABEL},
        sources="SimCLUE",
    ),
    _layout(
        "premise, hypothesis",
        "premise_hypothesis",
        two_texts.inference,
        {"left": ("premise", "前提"), "right": ("hypothesis", "假设")},
        {"label": LABEL},
        sources="SNLI; XNLI",
    ),
    _layout(
        "two sentences, label",
        "similar_question",
        two_texts.sentences,
        {"left": LEFT, "right": RIGHT, "label": LABEL},
        sources="NLI-zh (ATEC, BQ, LCQMC, PAWS-X, STS-B); AFQMC; CMNLI; OCNLI",
    ),
    _layout(
        "two sentences, grade",
        "paraphrase",
        two_texts.graded,
        {"left": LEFT, "right": RIGHT, "label": GRADE},
        sources="STS-B",
    ),
    _layout("two sentences", "paraphrase", two_texts.sentences, {"left": LEFT, "right": RIGHT}),
    _layout(
        "query, paragraph, label",
        "query_document",
        two_texts.labelled_document,
        {"query": ("query",), "document": ("para", "paragraph"), "label": LABEL},
        sources="DuReader-retrieval (dual-encoder training set)",
    ),
    _layout(
        "edits",
        "paraphrase",
        two_texts.edits,
        {"left": ("base_sentence",), "right": ("edited_sentence",)},
        sources="wiki_atomic_edits",
    ),
    _layout(
        "review",
        "topic_review",
        two_texts.review,
        {"topic": ("review_title", "review_headline", "topic"), "review": ("review_body", "review_text", "review")},
        sources="amazon_reviews_multi",
    ),
    _layout(
        "instruction in two languages",
        "question_answer",
        builders.question,
        {"question": ("zh_instruction",), "answers": ("zh_output",)},
        {"details": ("zh_input",)},
        sources="alpaca_chinese_dataset",
        language="zh",
    ),
    _layout(
        "instruction in two languages, the English half",
        "question_answer",
        builders.question,
        {"question": ("en_instruction",), "answers": ("en_output",), "other": ("zh_instruction",)},
        {"details": ("en_input",)},
        language="en",
    ),
    _layout(
        "instruction",
        "question_answer",
        builders.question,
        {"question": ("instruction", "en_instruction"), "answers": ("output", "en_output", *ANSWER)},
        {"details": ("input", "en_input")},
        sources="alpaca; alpaca-gpt4; Belle; Zhihu-KOL",
    ),
    _layout(
        "kind, input, target",
        "question_answer",
        builders.question,
        {"question": ("input",), "answers": ("target",), "kind": ("kind",)},
        sources="Firefly",
    ),
    _layout(
        "conversation",
        "question_answer",
        builders.conversation,
        {"turns": ("conversations", "conversation", "messages")},
        lists="turns",
        sources="Belle (multi-turn)",
    ),
    _layout(
        "human_answers, chatgpt_answers",
        "question_answer",
        builders.answers_of_two,
        {"question": ("question",), "answers": ("human_answers",)},
        {"more": ("chatgpt_answers",)},
        sources="HC3-Chinese",
    ),
    _layout(
        "question, context",
        "question_passage",
        builders.context,
        {"question": ("question", "问题"), "context": ("context", "passage", "段落")},
        {"answers": ANSWER},
        sources="CMRC 2018, DRCD, MLQA as flat rows",
    ),
    _layout(
        "title, desc, content of an answer",
        "question_answer",
        builders.question,
        {"question": TITLE, "answers": ("content",), "mark": ("answer_id", "answerer_tags", "star")},
        {"details": ("desc",)},
        sources="webtext2019zh",
    ),
    _layout(
        "question with title and details",
        "question_answer",
        builders.question,
        {
            "question": (*TITLE, "question_title"),
            "details": ("ask", "desc", "question_detail", "detail", "question"),
            "answers": ANSWER,
        },
        sources="baike2018qa; Chinese-medical-dialogue-data; Zhihu QA",
    ),
    _layout(
        "question, answer",
        "question_answer",
        builders.question,
        {"question": ("question", "ask", "prompt", "query", "问题", "提问"), "answers": ANSWER},
        sources="ChatMed; Zhihu QA",
    ),
    _layout(
        "title, abstract",
        "title_abstract",
        builders.abstract,
        {"title": TITLE, "abstract": ("abstract", "abst", "摘要")},
        sources="CSL",
    ),
    _layout(
        "title, summary, text",
        "title_body",
        builders.article,
        {"title": TITLE, "summary": ("summary",), "body": ("text", "document")},
        sources="XL-Sum",
    ),
    _layout(
        "title, content",
        "title_body",
        builders.article,
        {"title": TITLE, "body": (*BODY, "paragraphs")},
        sources="Wudao; wiki2019zh; news2016zh",
    ),
    _layout(
        "CSL title generation (no header)",
        "title_abstract",
        builders.abstract,
        {"task": ("to title",), "abstract": ("2",), "title": ("3",)},
        sources="CSL benchmark",
    ),
    _layout(
        "input, output",
        "question_answer",
        builders.question,
        {"question": ("input",), "answers": ("output",)},
        sources="WebQA (question and answer)",
    ),
)
"""Known layouts; the first that fits is taken, so the special ones come before the general ones."""

FIELD_NAMES: Final = frozenset(
    name for layout in LAYOUTS for names in (layout.required | layout.optional).values() for name in names
) - {"2", "3"}
"""Names that tell a table's header from its first row."""
