"""A wiki page as an Article."""

from __future__ import annotations

import html
import re
from typing import Final

from cmtp.sources.document import Article, Section
from cmtp.sources.stream import Failure
from cmtp.sources.wiki.dump import WikiPage
from cmtp.sources.wiki.markup import without_nested, without_templates, without_variants
from cmtp.text.clean import one_line, paragraphs

REDIRECT: Final = re.compile(r"\s*#\s*(?:redirect|重定向|重新導向|REDIRECT)\s*:?\s*\[\[([^\]]*)", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DROPPED: Final = re.compile(
    r"<(ref|math|chem|gallery|timeline|score|imagemap|syntaxhighlight|source|pre|graph|mapframe|templatestyles|hiero)\b"
    r"(?:[^<>\"]|\"[^\"]*\")*?(?:/>|>.*?(?:</\1\s*>|(?=\n==[^=])|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_HEADING: Final = re.compile(r"(={2,6})\s*(.+?)\s*\1\s*$")
_TAG: Final = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>")
_BREAK: Final = re.compile(r"<br\s*/?>|</(?:p|div|li)>", re.IGNORECASE)
_FILE: Final = re.compile(
    r"\[\[\s*(?:File|Image|Category|文件|檔案|档案|图像|圖像|圖片|图片|分类|分類|Media|[a-z]{2,3}(?:-[a-z]+)*)\s*:",
    re.IGNORECASE,
)
_LINK: Final = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]]*))?\]\]")
_EXTERNAL: Final = re.compile(r"\[(?:https?:|ftp:)?//[^\s\[\]]*(?:\s+([^\[\]]*))?\]")
_BOLD: Final = re.compile(r"'{2,5}")
_MAGIC: Final = re.compile(r"__[A-Z\u4e00-\u9fff]+__")
_LIST: Final = re.compile(r"^[*#:;]+\s*")
_EMPTY: Final = re.compile(r"[（(][\s，,、；;：:]*[）)]")
_LEFT: Final = re.compile(r"[（(]\s*[，,、；;：:]\s*")
_RIGHT: Final = re.compile(r"[\s，,、；;：:]+(?=[）)])")
_NOT_TEXT: Final = re.compile(
    r"(?:参[考见看]|參[考見看]|外部|相关|相關|延伸|扩展|"
    r"注[释解]|註[釋解]|脚注|腳註|备注|備註|来源|來源|资料|資料|文献|文獻|书目|書目|图[集片]|圖[集片]|画廊|"
    r"References?|External links?|See also|Notes?|Further reading)(?:.{0,2}(?:资料|資料|文献|文獻|"
    r"连结|連結|链接|鏈接|阅读|閱讀|条目|條目|注释|註釋|来源|來源|书目|書目|项目|項目))?"
    r"(?:(?:和|与|與|及)(?:资料|注释|備註|备注|參考|参考|文献|來源|来源|脚注|外部链接).{0,4})?",
    re.IGNORECASE,
)


_DISAMBIGUATION: Final = re.compile(
    r"\{\{\s*(?:disambig\w*|dab|"
    r"消歧[义義]\w*|hndis|geodis|人名消歧[义義]|地名消歧[义義]|mil-?dis|set ?index\w*)\s*[|}]",
    re.IGNORECASE,
)


def no_article(page: WikiPage) -> Failure | None:
    """Why a page of a dump is no article: a talk or help page, a redirect, a list of meanings."""
    if page.namespace not in ("", "0"):
        return Failure("not_an_article", {"title": page.title[:200], "namespace": page.namespace})
    redirect = REDIRECT.match(page.text)
    if page.redirect is not None or redirect:
        to = page.redirect or (redirect[1] if redirect else "")
        return Failure("redirect", {"title": page.title[:200], "to": to[:200]})
    if page.too_long:
        return Failure("too_long", {"title": page.title[:200]})
    if _DISAMBIGUATION.search(page.text):
        return Failure("disambiguation", {"title": page.title[:200]})
    return None


def read_wiki(title: str, text: str, origin: str, source: str) -> Article:
    """The article a page holds: its lead and its sections, without templates, tables, references, files, categories.

    Of a link its label stays, of a conversion between scripts (``-{zh-hans:软件;zh-hant:軟體}-``) the simplified form.
    Sections that only list references and links are left out.
    """
    lead: list[str] = []
    sections: list[Section] = []
    into = lead
    for line in _plain(text).split("\n"):
        heading = _HEADING.match(line) if line.startswith("==") else None
        if heading:
            into = []
            name = one_line(_inline(heading[2]))
            if name:
                sections.append(Section(len(heading[1]), name, into))
        else:
            into.extend(paragraphs(_inline(_LIST.sub("", line))))
    sections = [section for section in sections if not _NOT_TEXT.fullmatch(section.heading)]
    return Article(origin, source, one_line(title), lead, sections)


def _plain(text: str) -> str:
    """Without what spans lines: comments, references, templates, tables, files."""
    text = _COMMENT.sub("", text)
    if "<" in text:
        text = _DROPPED.sub("", text)
    text = without_templates(text)
    text = without_nested(text, "{|", "|}")
    return _without_files(text)


def _without_files(text: str) -> str:
    """Without [[File:…]], [[Category:…]] and links to other languages, which may hold links themselves."""
    parts, at = [], 0
    for match in _FILE.finditer(text):
        if match.start() < at:
            continue
        end = _closing(text, match.start())
        parts.append(text[at : match.start()])
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def _closing(text: str, start: int) -> int:
    """Where the link that begins at `start` ends; the line's end where it is not closed."""
    depth = 0
    for match in re.compile(r"\[\[|\]\]|\n\n").finditer(text, start):
        if match[0] == "[[":
            depth += 1
        elif match[0] == "]]":
            depth -= 1
            if not depth:
                return match.end()
        else:
            return match.start()
    return len(text)


def _inline(line: str) -> str:
    line = without_variants(line)
    if "[" in line:
        line = _LINK.sub(lambda match: match[2] or match[1].lstrip(":"), line)
        line = _EXTERNAL.sub(lambda match: match[1] or "", line)
    if "<" in line:
        line = _TAG.sub("", _BREAK.sub("\n", line))
    if "''" in line:
        line = _BOLD.sub("", line)
    if "__" in line:
        line = _MAGIC.sub("", line)
    if "&" in line:
        line = html.unescape(line)
    return _RIGHT.sub("", _LEFT.sub("（", _EMPTY.sub("", line))).strip()
