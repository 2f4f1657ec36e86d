"""Properties: what goes in comes out, no character lost or made up, but for white space and the documented cleaning."""

import html
import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cmtp.extract.relations import pairs_of, prepared
from cmtp.extract.settings import ExtractSettings
from cmtp.extract.texts import document_texts
from cmtp.sources.document import Abstract, Article, Broken, QueryDocuments, QuestionAnswers, Section, TextPair
from cmtp.sources.formats.text import read_plain
from cmtp.sources.html.article import read_html
from cmtp.sources.layouts import read_record
from cmtp.sources.layouts_data import FIELD_NAMES
from cmtp.sources.markdown.article import read_markdown
from cmtp.sources.wiki.article import read_wiki
from cmtp.text.clean import clean

SETTINGS = ExtractSettings(
    max_passage_chars=50,
    min_passage_chars=2,
    max_passages=10**6,
    max_answers=10**6,
    min_lead_chars=0,
    heading_path=False,
)
WORDS = st.lists(st.sampled_from("山水风花雪月天地人和，、；。！？ab3é"), min_size=1, max_size=70).map("".join)
TEXT = WORDS.map(lambda text: f"这里{text}完了。")  # neither a bare number nor a credit
HEADING = st.lists(st.sampled_from("春夏秋冬东西南北"), min_size=2, max_size=9).map("".join)
SECTIONS = st.lists(st.tuples(st.integers(2, 4), HEADING, st.lists(TEXT, min_size=1, max_size=3)), max_size=4)


def bare(texts):
    return "".join("".join(texts).split())


@given(HEADING.map("题".__add__), st.lists(TEXT, min_size=1, max_size=4), SECTIONS)
def test_articles(title, lead, sections):
    article = Article("o", "s", title, list(lead), [Section(*section) for section in sections])
    pairs = list(pairs_of(article, SETTINGS))
    assert bare(pair.passage for pair in pairs if pair.relation == "title_body") == bare(lead)
    below = [paragraph for *_, paragraphs in sections for paragraph in paragraphs]
    assert bare(pair.passage for pair in pairs if pair.relation == "subtitle_passage") == bare(below)
    assert {pair.query for pair in pairs if not pair.reason} == {title, *(heading for _, heading, _ in sections)}
    text = "\n".join(line for one in document_texts(prepared(article)) for line in one.lines)
    assert all(line in text for line in [title, *lead, *below])
    assert all(0 < len(pair.passage) <= 50 for pair in pairs)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_other_documents(query, texts):
    for document in (QuestionAnswers("o", "s", query, texts), QueryDocuments("o", "s", query, texts)):
        assert bare(pair.passage for pair in pairs_of(document, SETTINGS)) == bare(texts)
    for document in (Abstract("o", "s", query, texts[0]), TextPair("o", "s", "topic_review", query, texts[0])):
        assert bare(pair.passage for pair in pairs_of(document, SETTINGS)) == bare(texts[:1])
    negatives = list(pairs_of(QueryDocuments("o", "s", query, texts[:1], texts), SETTINGS))
    assert sum(pair.reason == "labelled_negative" for pair in negatives) == len(texts)


def structure(article):
    return article.title, article.lead, [(one.level, one.heading, one.paragraphs) for one in article.sections]


@settings(max_examples=60)
@given(HEADING, st.lists(TEXT, min_size=1, max_size=4), SECTIONS)
def test_readers_give_the_structure_that_was_written(title, lead, sections):
    expected = (title, [clean(text) for text in lead], sections)
    markdown = [f"# {title}", *lead]
    page = [f"<h1>{title}</h1>", *(f"<p>{html.escape(text)}</p>" for text in lead)]
    wiki = list(lead)
    for level, heading, paragraphs in sections:
        markdown += [f"{'#' * level} {heading}", *paragraphs]
        page += [f"<h{level}>{heading}</h{level}>", *(f"<div>{html.escape(text)}</div>" for text in paragraphs)]
        wiki += [f"{'=' * level}{heading}{'=' * level}", *paragraphs]
    assert structure(read_markdown("\n\n".join(markdown), "o", "s")) == expected
    assert structure(read_html(f"<body>{''.join(page)}</body>", "o", "s")) == expected
    assert structure(read_wiki(title, "\n\n".join(wiki), "o", "s")) == expected
    if not sections:
        assert structure(read_plain("\n".join([title, *lead]), "o", "s")) == expected


@example("\t\x08")  # indented code of an invisible character alone
@given(st.text(max_size=300))
def test_readers_make_no_character_up(text):
    """Whatever the text: the characters of the article are characters of the text, or of the entities in it."""
    known = set(clean(html.unescape(html.unescape(text)))) | set(clean(text)) | set(" \n（）｜") | set("\ufffd")
    for read in (read_markdown, read_html, read_plain, lambda *a: read_wiki("题", *a)):
        article = read(text, "o", "s")
        found = [article.title, *article.lead, *(p for s in article.sections for p in (s.heading, *s.paragraphs))]
        assert set("".join(found)) <= known | {"题"}


NAMES = st.sampled_from(
    ["text", "content", "votes", "context", "qas", "question", "answers", "value", "from", "paragraphs", "evidence"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.text(max_size=60)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)


def characters(value):
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return set(clean(str(value))) if parts is None else set().union(*map(characters, parts))


@example({"question": "问", "evidences": None})
@example({"paragraphs": [{"context": "文", "qas": 3}]})
@example({"question": "问", "documents": [{"paragraphs": {"a": 1}}]})
@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(FIELD_NAMES)), VALUES, min_size=1, max_size=5))
def test_any_record_gives_pairs_of_its_own_characters_or_a_reason(record):
    item = read_record(record, "o#1", "s", None, "any")
    if isinstance(item, Broken):
        json.dumps(item.evidence)
        return
    for pair in pairs_of(item, SETTINGS):
        assert set(pair.query) | set(pair.passage) <= characters(record) | set("\n ")
        assert pair.query.strip()
        assert pair.passage.strip()
