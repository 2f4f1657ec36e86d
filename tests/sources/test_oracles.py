"""Own readers beside libraries that do the same for well-formed input.

On broken input they part on purpose: the other tests of this folder say how. docs/dependencies.md says why each reader
is our own.
"""

import gzip
import io
import re
from pathlib import Path

import mwparserfromhell
import pytest
from charset_normalizer import from_bytes
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from resiliparse.parse.encoding import detect_encoding

from cmtp.sources.encoding import decode, detect
from cmtp.sources.markdown.article import read_markdown
from cmtp.sources.wiki.article import read_wiki
from tests.builds import SAMPLE
from tests.sources.reading import read
from tests.sources.test_warc import http, record

WORDS = st.text("山水花鸟鱼虫草木春夏秋冬天地玄黄宇宙", min_size=1, max_size=12)


def squeezed(text):
    return re.sub(r"\s+", "", text)


def text_of(article):
    parts = [article.title, *article.lead]
    for section in article.sections:
        parts += [section.heading, *section.paragraphs]
    return parts


# --- WARC: FastWARC

KINDS = ("response", "resource", "conversion", "request", "metadata", "warcinfo")


@given(st.lists(st.tuples(st.sampled_from(KINDS), WORDS), min_size=1, max_size=8), st.booleans())
def test_fastwarc_finds_the_same_pages_in_the_same_records(tmp_path_factory, records, compressed):
    folder = tmp_path_factory.mktemp("warc")
    parts = []
    for kind, text in records:
        page = f"<html><title>{text}</title><body><h1>{text}</h1><p>{text}，{text}。</p></body></html>".encode()
        text_page = f"{text}\n\n{text}有很长的来历，本地的老人都会讲，讲的时候总要先说从前的事。".encode()
        body, of_type = {
            "response": (http(page), "application/http; msgtype=response"),
            "resource": (page, "text/html"),
            "conversion": (text_page, "text/plain"),
        }.get(kind, (b"x: y\r\n", "application/warc-fields"))
        parts.append(record(body, kind, of_type))
    data = b"".join(map(gzip.compress, parts)) if compressed else b"".join(parts)
    items, _ = read(folder, "a.warc.gz" if compressed else "a.warc", data)

    expected = []
    for number, entry in enumerate(ArchiveIterator(io.BytesIO(data), parse_http=True), 1):
        body = entry.reader.read().decode()
        if entry.record_type in (WarcRecordType.response, WarcRecordType.resource):
            expected.append((number, squeezed(re.sub("<title>.*</title>|<.*?>", "", body))))
        elif entry.record_type == WarcRecordType.conversion:
            expected.append((number, squeezed(body)))
    assert [(int(item.origin.rpartition("#")[2]), squeezed("".join(text_of(item)))) for item in items] == expected


# --- Markdown: markdown-it, which follows CommonMark

COMMONMARK = MarkdownIt("commonmark")

EXAMPLES = [
    # tabs, precedence, thematic breaks
    "-\t山\n\n\t水\n", "- 山\n\n\n  水\n", "山\n***\n水\n", "山\n\n---\n\n水\n", "- - -\n山\n", "***\n---\n___\n",
    # headings
    "# 山\n## 水\n### 花\n#### 鸟\n", "#  山  ##\n", "山\n===\n\n水\n---\n", "## \n#\n", "山\n# 水\n花\n",
    # code
    "    山\n      水\n", "山\n\n    水\n", "```\n山\n```\n",
    "~~~\n山\n~~~\n", "```\n山\n\n水\n```\n", "- 山\n\n      水\n",
    # paragraphs, quotes
    "山\n\n水\n", "山\n水\n\n花\n", "> 山\n> 水\n", ">山\n>水\n", "> 山\n水\n", "> 山\n---\n",
    "> 山\n\n> 水\n", "> > 山\n",
    # lists
    "- 山\n- 水\n+ 花\n", "- 山\n  - 水\n    - 花\n", "* 山\n\n* 水\n",
    "- 山\n\n  水\n", "- 山\n-\n- 水\n", "- 山\n***\n- 水\n",
    # characters
    "\\*山\\*\n", "\\# 山\n", "&amp; &lt;山&gt; &#23665; &#x5c71;\n", "山  \n水\n", "山\\\n水\n", "你好 山水 `花`\n",
    # code spans, emphasis
    "`山`\n", "`` 山 ` 水 ``\n", "`山\n水`\n", "*山*\n",
    "**山**\n", "***山***\n", "*山**水**花*\n", "**山*水*花**\n", "_山_\n",
    "__山__\n", "* 山*\n", "2 * 3 * 4\n", "snake_case_name\n",
    # links, images, autolinks
    "[山](/水)\n", '[山](/水 "花")\n', "[山](</水 花>)\n", "[山]()\n", "[**山**](/水)\n", "[山][1]\n\n[1]: /水\n",
    "[山]\n\n[山]: /水\n", "[山] 水\n", "山 <http://a.b/c> 水\n", "[山](/a_b_c)\n",
]  # fmt: skip


def markdown_text(markdown):
    """The text that markdown-it finds: of headings, paragraphs and code; the labels of links, nothing of images."""
    parts = []
    for token in COMMONMARK.parse(markdown):
        if token.type in ("fence", "code_block"):
            parts.append(token.content)
        for child in token.children or []:
            if child.type in ("text", "code_inline"):
                parts.append(child.content)
    return "".join(parts)


@pytest.mark.parametrize("example", EXAMPLES)
def test_commonmark_gives_the_same_text(example):
    assert squeezed("".join(text_of(read_markdown(example, "o", "s")))) == squeezed(markdown_text(example))


INLINE = st.one_of(
    WORDS,
    WORDS.map("**{}**".format),
    WORDS.map("*{}*".format),
    WORDS.map("`{}`".format),
    WORDS.map("[{}](http://a.b/c)".format),
)
LINE = st.lists(INLINE, min_size=1, max_size=4).map(lambda parts: f"在{'，'.join(parts)}。")
BLOCK = st.one_of(
    LINE,
    st.tuples(st.integers(2, 4), WORDS).map(lambda heading: f"{'#' * heading[0]} {heading[1]}"),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"> {line}" for line in lines)),
    st.lists(LINE, min_size=2, max_size=3).map("\n".join),
)


@given(WORDS, st.lists(BLOCK, min_size=1, max_size=6))
def test_commonmark_gives_the_same_text_for_whole_articles(title, blocks):
    markdown = "\n\n".join([f"# {title}", *blocks, "最后是一段普通的正文，有足够的字。"])
    assert squeezed("".join(text_of(read_markdown(markdown, "o", "s")))) == squeezed(markdown_text(markdown))


# --- Wiki text: mwparserfromhell

WIKI_INLINE = st.one_of(
    WORDS,
    WORDS.map("'''{}'''".format),
    WORDS.map("''{}''".format),
    WORDS.map("[[{}]]".format),
    st.tuples(WORDS, WORDS).map(lambda link: f"[[{link[0]}|{link[1]}]]"),
    WORDS.map("[http://a.b/c {}]".format),
    WORDS.map("<ref name=x>{}</ref>".format),
    WORDS.map("<!-- {} -->".format),
    WORDS.map("{{{{Cite|title={}}}}}".format),
    st.tuples(WORDS, WORDS).map(lambda pair: f"{{{{a|{pair[0]}|{{{{b|{pair[1]}}}}}}}}}"),
)
WIKI_LINE = st.lists(WIKI_INLINE, min_size=1, max_size=4).map(lambda parts: f"在{'，'.join(parts)}。")


@given(st.lists(WIKI_LINE, min_size=1, max_size=4))
def test_mwparserfromhell_gives_the_same_text(lines):
    text = "\n\n".join(lines)
    article = read_wiki("题", text, "o", "s")
    parsed = mwparserfromhell.parse(text)
    for reference in parsed.filter_tags(matches=lambda tag: tag.tag == "ref"):
        parsed.remove(reference)
    assert squeezed("".join(article.lead)) == squeezed(parsed.strip_code())


# --- Encodings: charset-normalizer and resiliparse

NOTES = ["kitchen_notes", "tech_blog", "community_rules"]
SIMPLIFIED = "\n".join(path.read_text(encoding="utf-8-sig") for name in NOTES for path in sorted(
    (SAMPLE / "raw" / name).glob("*.md")) if path.name != "utf8-intro.md")  # fmt: skip
TRADITIONAL = "\n".join(path.read_text(encoding="big5") for path in sorted(Path(SAMPLE / "raw/opera_notes").glob("*")))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5", "utf-16"])
def test_libraries_detect_the_same_encoding(encoding):
    text = TRADITIONAL if encoding == "big5" else SIMPLIFIED[:20_000]
    data = text.encode(encoding)
    own = decode(data, detect(data))
    assert own == text
    assert str(from_bytes(data).best()) == own
    assert data.decode(detect_encoding(data)).lstrip("\ufeff") == own


def test_utf_16_needs_its_mark():
    assert detect(SIMPLIFIED[:20_000].encode("utf-16-le")) is None
