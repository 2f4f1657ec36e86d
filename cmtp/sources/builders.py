"""Documents from the values of a record, one function per kind of layout.

Each takes the values by role, the origin and the source, and gives a Document, or a Broken record where the query or
the passage is blank.
"""

from __future__ import annotations

from typing import Any, Final

from cmtp.sources.document import Abstract, Article, Broken, Context, Document, QueryDocuments, QuestionAnswers, Reading
from cmtp.sources.wiki.markup import without_remains
from cmtp.text.clean import clean, one_line, paragraphs

Values = dict[str, Any]
"""Values of a record by role."""


def text_of(value: Any) -> str:
    """A field's value as clean text; a list is joined by newlines, anything that is not text is nothing."""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_of, value)))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


_TEXT_KEYS: Final = ("text", "content", "paragraph_text", "answer", "body", "value")
_VOTE_KEYS: Final = ("voteup_count", "votes", "upvotes", "score", "star", "likes", "agree", "zan")
_ACCEPTED_KEYS: Final = ("accepted", "is_accepted", "is_best", "best")


def texts_of(value: Any) -> list[str]:
    """A field's value as a list of clean texts, without empty ones.

    Of objects the text is taken; where they carry votes or are marked as accepted, the accepted one comes first, then
    those with most votes.
    """
    values = value if isinstance(value, list) else [value]
    if len(values) > 1 and all(isinstance(one, dict) for one in values):
        values = sorted(values, key=_rank, reverse=True)
    texts = (text_of(_text_in(one) if isinstance(one, dict) else one) for one in values)
    return [text for text in texts if text]


def _text_in(value: Values) -> Any:
    return next((value[key] for key in _TEXT_KEYS if value.get(key)), None)


def _rank(value: Values) -> tuple[bool, float]:
    votes = next((value[key] for key in _VOTE_KEYS if isinstance(value.get(key), (int, float))), 0)
    return any(value.get(key) is True for key in _ACCEPTED_KEYS), float(votes)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def paragraphs_of(value: Any) -> list[str]:
    """A field's value as paragraphs."""
    return paragraphs(value if isinstance(value, str) else text_of(value))


def empty(origin: str, source: str, relation: str, role: str, *, query: str = "", passage: str = "") -> Broken:
    """A record in which the field of a role is there and blank. `layouts` puts the field's name for the role's.

    Args:
        origin: of the record.
        source: its name.
        relation: of the pair it would have given.
        role: of the blank field.
        query: what could be read of it.
        passage: what could be read of it.
    """
    return Broken(
        origin,
        source,
        "empty_field",
        {"empty": role},
        relation=relation,
        query=query or None,
        passage=passage or None,
    )


def article(values: Values, origin: str, source: str) -> Document | Broken:
    """A title and a text."""
    title = one_line(text_of(values["title"]))
    lead = paragraphs_of(values["body"])
    if not title or not lead:
        role = "body" if title else "title"
        return empty(origin, source, "title_body", role, query=title, passage="\n".join(lead))
    return Article(origin, source, title, lead, summary=text_of(values.get("summary")))


def poem(values: Values, origin: str, source: str) -> Document | Broken:
    """A poem's title and author, and its lines."""
    # 「句」 and 「雜詩」 are the titles of thousands of poems; with the poet's name the query says which.
    title = " ".join(filter(None, (one_line(text_of(values["title"])), one_line(text_of(values["author"])))))
    lead = paragraphs_of(values["body"])
    named = bool(text_of(values["title"]))
    if not named or not lead:
        role = "body" if named else "title"
        return empty(origin, source, "title_body", role, query=title, passage="\n".join(lead))
    return Article(origin, source, title, lead)


def abstract(values: Values, origin: str, source: str) -> Document | Broken:
    """A paper's title and abstract."""
    title, text = one_line(text_of(values["title"])), text_of(values["abstract"])
    if not title or not text:
        role = "abstract" if title else "title"
        return empty(origin, source, "title_abstract", role, query=title, passage=text)
    return Abstract(origin, source, title, text)


def question(values: Values, origin: str, source: str) -> Document | Broken:
    """A question, with its details on lines of their own where they add something, and its answers."""
    question = ""
    for role in ("question", "details"):
        more = text_of(values.get(role))
        if more and more not in question:
            question = more if question in more else f"{question}\n{more}"
    answers = texts_of(values["answers"])
    if not question or not answers:
        role = "answers" if question else "question"
        return empty(origin, source, "question_answer", role, query=question, passage="\n".join(answers[:1]))
    return QuestionAnswers(origin, source, question, answers)


def answers_of_two(values: Values, origin: str, source: str) -> Document | Broken:
    """A question with two fields of answers: people's first, then a model's."""
    both = [*texts_of(values["answers"]), *texts_of(values.get("more"))]
    return question({"question": values["question"], "answers": both}, origin, source)


def conversation(values: Values, origin: str, source: str) -> Document | Broken:
    """The first question of a conversation and its answer; what follows is understood from what went before."""
    turns = [turn for turn in values["turns"] if isinstance(turn, dict)]
    said = [(str(turn.get("from", turn.get("role"))).lower(), turn.get("value", turn.get("content"))) for turn in turns]
    said = [turn for turn in said if turn[0] != "system"]
    asked = said[0][1] if said and said[0][0] in ("human", "user") else None
    answer = said[1][1] if len(said) > 1 and said[1][0] in ("gpt", "assistant", "bot") else None
    return question({"question": asked, "answers": answer}, origin, source)


def query_documents(values: Values, origin: str, source: str) -> Document | Broken:
    """A query, the documents that answer it and those that do not."""
    query, documents = text_of(values["query"]), texts_of(values["documents"])
    if not query or not documents:
        role = "documents" if query else "query"
        return empty(origin, source, "query_document", role, query=query, passage="\n".join(documents[:1]))
    return QueryDocuments(origin, source, query, documents, texts_of(values.get("negatives")))


def context(values: Values, origin: str, source: str) -> Document | Broken:
    """A question with the passage it was asked about."""
    question, context = text_of(values["question"]), without_remains(text_of(values["context"]))
    if not question or not context:
        role = "context" if question else "question"
        return empty(origin, source, "question_passage", role, query=question, passage=context)
    answers = values.get("answers")
    if isinstance(answers, dict):
        answers = answers.get("text")
    return Reading(origin, source, [Context(context, [(question, "".join(texts_of(answers)[:1]))])])


def squad(values: Values, origin: str, source: str) -> Document | Broken:
    """An article of SQuAD-style data: passages, each with its questions."""
    contexts = []
    for paragraph in values["paragraphs"]:
        text = without_remains(text_of(paragraph.get("context")))
        questions = [
            (question, "".join(texts_of(one.get("answers"))[:1]))
            for one in _list(paragraph.get("qas"))
            if isinstance(one, dict) and (question := text_of(one.get("question")))
        ]
        if text and questions:
            contexts.append(Context(text, questions))
    if not contexts:
        return empty(origin, source, "question_passage", "paragraphs")
    return Reading(origin, source, contexts)


def reading_2018(values: Values, origin: str, source: str) -> Document | Broken:
    """A passage of CMRC 2018 in its own form: context_text, and questions as query_text."""
    text = without_remains(text_of(values["context"]))
    asked = [one for one in values["questions"] if isinstance(one, dict)]
    questions = [(text_of(one.get("query_text")), "".join(texts_of(one.get("answers"))[:1])) for one in asked]
    questions = [question for question in questions if question[0]]
    if not text or not questions:
        return empty(origin, source, "question_passage", "questions" if text else "context", passage=text)
    return Reading(origin, source, [Context(text, questions)])


def search_results(values: Values, origin: str, source: str) -> Document | Broken:
    """DuReader: a question with web pages; of the selected ones the paragraph that people found most related."""
    question = text_of(values["question"])
    contexts = []
    for page in values["pages"]:
        parts = _list(page.get("paragraphs")) if isinstance(page, dict) else None
        if not parts or not page.get("is_selected", True):
            continue
        index = page.get("most_related_para", 0)
        text = text_of(parts[index if isinstance(index, int) and 0 <= index < len(parts) else 0])
        if text:
            contexts.append(Context(text, [(question, "")]))
    if not question or not contexts:
        return empty(origin, source, "question_passage", "pages" if question else "question", query=question)
    return Reading(origin, source, contexts)


def evidences(values: Values, origin: str, source: str) -> Document | Broken:
    """WebQA: a question with the passages found for it; those that hold an answer are taken."""
    question = text_of(values["question"])
    found = values["evidences"]
    contexts = []
    for one in found.values() if isinstance(found, dict) else _list(found):
        answers = texts_of(one.get("answer")) if isinstance(one, dict) else []
        text = text_of(one.get("evidence")) if isinstance(one, dict) else ""
        if text and answers and answers[0] != "no_answer":
            contexts.append(Context(text, [(question, answers[0])]))
    if not question or not contexts:
        return empty(origin, source, "question_passage", "evidences" if question else "question", query=question)
    return Reading(origin, source, contexts)
