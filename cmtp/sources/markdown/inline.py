"""Inline Markdown and HTML to plain text: emphasis, code spans, links, images, tags, entities, escapes."""

from __future__ import annotations

import html
import re
from typing import Final

from cmtp.text.clean import clean

_MARKUP: Final = re.compile(r"[\[\]*_`<>&\\~]")
_KEEP: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)|\\([!-/:-@\[-`{-~])", re.DOTALL)
_KEPT: Final = re.compile("\x00(\\d+)\x00")
_DESTINATION: Final = (
    r"""\(\s*(?:<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:"[^"]*"|'[^']*'|“[^”]*”))?\s*\)"""
)
_TEXT: Final = r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]"
_IMAGE: Final = re.compile(rf"!\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\](?:{_DESTINATION}|\([^()]*\)|[ ]?\[[^\[\]]*\])?")
_LINK: Final = re.compile(rf"(?<!\]){_TEXT}(?:{_DESTINATION}|\([^()]*[)）])")  # [text][1](remark)
_LINK_BY_LABEL: Final = re.compile(rf"{_TEXT}[ ]?\[([^\[\]]*)\]")
_SHORTCUT: Final = re.compile(r"\[([^\[\]]+)\]")
_FOOTNOTE: Final = re.compile(
    r"\[\^[^\[\]]+\]|<su[bp]>\s*(?:<a\b[^<>]*>)?\s*\[?\d{1,3}\]?(?:\([^()]*\))?\s*(?:</a>)?\s*</su[bp]>"
)
_AUTOLINK: Final = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+|[\w.+-]+@[\w-]+\.[\w.-]+)>")
_RUBY: Final = re.compile(r"<rt\b[^>]*>(.*?)</rt>", re.IGNORECASE)
_LINE_BREAK: Final = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6])>", re.IGNORECASE)
_CELL_END: Final = re.compile(r"</t[dh]>", re.IGNORECASE)
_TAG: Final = re.compile(
    r"</?(?:a|abbr|article|aside|b|big|blockquote|body|button|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|"
    r"em|embed|figcaption|figure|font|footer|form|frame|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|"
    r"link|main|map|mark|meta|nav|noscript|object|ol|p|param|picture|pre|q|rb|rp|rt|ruby|s|samp|section|small|source|span|"
    r"strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_PARENTHESES: Final = re.compile(r"<rp>.*?</rp>", re.IGNORECASE)
_EMPHASIS: Final = (
    ("***", re.compile(r"\*\*\*(?=\S)(.+?)\*\*\*", re.DOTALL), r"\1"),
    ("**", re.compile(r"\*\*(.+?)\*\*", re.DOTALL), r"\1"),
    ("__", re.compile(r"(?<![0-9A-Za-z_*])__(?=\S)(.+?)(?<=\S)__(?![0-9A-Za-z_])", re.DOTALL), r"\1"),
    ("*", re.compile(r"\*(?=[^\s*])([^*]*?[^\s*])\*", re.DOTALL), r"\1"),
    ("_", re.compile(r"(?<![0-9A-Za-z_])_(?=[^\s_])([^_]*?[^\s_])_(?![0-9A-Za-z_])", re.DOTALL), r"\1"),
    ("~~", re.compile(r"~~(?=\S)(.+?)~~", re.DOTALL), r"\1"),
    ("*", re.compile(r"(?m)^\*{1,3}(?=[^\s*])|\*\*\**$"), ""),
)
_ONLY_LINK: Final = re.compile(
    rf"(?:\d+[.)、]\s+)?(?:[*_《「]|\[译\] ?)*(?:{_TEXT}(?:{_DESTINATION}|[ ]?\[[^\[\]]*\])|<?https?://\S+>?)[*_》」]*[\s.。;；,，]*$"
)
_SENTENCE: Final = re.compile(r"[。！？；…]")
_BETWEEN_LINKS: Final = " |/·•<>&-–—*_\n"


def plain(lines: list[str], references: set[str]) -> str:
    """The text of a block's raw lines: joined, without markup, clean."""
    text = join(lines)
    if not _MARKUP.search(text):
        return clean(text).strip()
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        if match[1]:
            code = match[2].strip()
            # Links and bold text put into code spans by mistake are common.
            code = _LINK.sub(r"\1", code) if "](http" in code else code
            code = code[2:-2].strip() if len(code) > 4 and code.startswith("**") and code.endswith("**") else code
            kept.append(code)
        else:
            kept.append(match[3])
        return f"\x00{len(kept) - 1}\x00"

    text = text.replace("\x00", "")
    if "`" in text or "\\" in text:
        text = _KEEP.sub(keep, text)
    if "[" in text:
        text = _links(text, references)
    if "<" in text:
        text = _AUTOLINK.sub(r"\1", text)
        text = _PARENTHESES.sub("", text)
        text = _RUBY.sub(r"（\1）", text)
        text = _CELL_END.sub(" ", _LINE_BREAK.sub("\n", text))
        text = _TAG.sub("", text)
    for mark, pattern, replacement in _EMPHASIS:
        if mark in text:
            text = pattern.sub(replacement, text)
    if "&" in text:
        text = html.unescape(text)
    if kept:
        text = _KEPT.sub(lambda match: kept[int(match[1])], text)
    text = clean(text)
    return "\n".join(filter(None, map(str.strip, text.split("\n")))) if "\n" in text else text.strip()


def _links(text: str, references: set[str]) -> str:
    if "[^" in text or "<su" in text:
        text = _FOOTNOTE.sub("", text)
    if "![" in text:
        text = _IMAGE.sub("", text)
    if "](" in text:
        text = _LINK.sub(r"\1", text)

    def by_label(match: re.Match[str]) -> str:
        label = (match[2] or match[1]).strip().lower()
        if label in references:
            return match[1]
        # A numbered link whose definition is missing; but values[0][7] is code.
        before = match.string[match.start() - 1 : match.start()]
        is_code = match[1].strip().isdigit() or before.isalnum() or before in ("]", "_", ")")
        return match[1] if label.isdigit() and not is_code else match[0]

    def shortcut(match: re.Match[str]) -> str:
        label = match[1].strip().lower()
        if label not in references:
            return match[0]
        return "" if label.isdigit() else match[1]

    if "][" in text or "] [" in text:
        text = _LINK_BY_LABEL.sub(by_label, text)
    if references:
        text = _SHORTCUT.sub(shortcut, text)
    return text


def join(lines: list[str]) -> str:
    """The lines of a paragraph as one: a space between them unless Chinese stands on both sides; hard breaks stay."""
    if len(lines) == 1:
        return lines[0].strip()
    text = lines[0].lstrip()
    for line in lines[1:]:
        if text.endswith(("  ", "\\")):
            text = text.rstrip().removesuffix("\\") + "\n"
        else:
            text = text.rstrip()
            if text and not (text[-1] >= "\u2e80" and line.lstrip()[:1] >= "\u2e80"):
                text += " "
        text += line.lstrip()
    return text.rstrip()


def is_only_link(line: str) -> bool:
    """Whether a list item is a link and nothing else, as in tables of contents and link lists."""
    return bool(_ONLY_LINK.match(line.strip()))


def is_link_row(line: str) -> bool:
    """Whether a paragraph is two or more links and nothing else: 第一篇 | 第三篇, a photographer and a site."""
    rest, count = _LINK.subn("", line)
    rest, more = _LINK_BY_LABEL.subn("", rest)
    return count + more > 1 and "![" not in line and not rest.strip(_BETWEEN_LINKS) and not _SENTENCE.search(line)


def without_links(line: str) -> tuple[str, int]:
    """The line without its links and their texts, and how many there were."""
    return _LINK.subn("", line)


def is_only_image(line: str) -> bool:
    """Whether a line holds nothing but images."""
    if "![" not in line and "<img" not in line:
        return False
    bare = _LINK_BY_LABEL.sub("", _LINK.sub("", _IMAGE.sub("", line)))
    return not _TAG.sub("", bare).strip(" []*_\n")
