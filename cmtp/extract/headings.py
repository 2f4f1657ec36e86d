"""The queries of an article's headings: what a person would type to find the text below each.

The path of a heading is the article's title and the headings above it: ``安装 Webmin › 准备 › 3) 防火墙``.

1. A heading's name is its text without a number or step before it: 防火墙. A heading that only says what kind of text
   follows (总结, 示例, 方法三) has no name, see `is_generic`.
2. The query is the name alone where it carries the subject of the title: it holds the title, or shares with it a Latin
   word or a run of four Han characters and says more than that. Else it is the title and the name: 安装 Webmin 防火墙.
3. Where two texts of the article would have one query, the headings between title and name join it, nearest first.
4. A text whose heading has no name takes the query of the heading above. Where that is taken, as by the text below the
   title, the text is no pair: ``generic_heading``. Two texts below one path cannot be told apart: the later one is
   ``ambiguous_heading``.
5. The number of a statute's article names nothing: ``address_query``, see `statute_queries`.

All of it is decided within the article, so another file never changes the queries of this one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from cmtp.extract.statute import is_statute_article
from cmtp.sources.document import Article

HEADING_SEPARATOR: Final = " › "
"""Between the headings of a path, where a whole path is shown."""

GENERIC_HEADING: Final = "generic_heading"
AMBIGUOUS_HEADING: Final = "ambiguous_heading"
ADDRESS_QUERY: Final = "address_query"
"""Reasons of texts that their headings do not name."""

MIN_SHARED_LATIN: Final = 3
"""Letters of a Latin word that title and heading share."""
MIN_SHARED_HAN: Final = 4
"""Han characters in a row that title and heading share."""
MIN_OWN_CHARS: Final = 4
"""Letters and digits that a heading has besides what it shares with the title, to stand alone."""

_HAN_NUMBER: Final = "[一二三四五六七八九十百零〇两]"
_NUMBER: Final = re.compile(
    r"(?:"
    rf"(?:第\s*(?:\d+|{_HAN_NUMBER}+)\s*[步部章节篇讲课条点]分?|步骤\s*(?:\d+|{_HAN_NUMBER}+)|(?:Step|Part|Chapter)\s*\d+)"
    r"(?:\s*[:：、.．)）—–-]+\s*|\s+|$)"
    r"|[（(]?\d{1,3}(?:\.\d{1,3}){0,4}(?:[.．、:：)）]+\s*|\s+(?=[\u3400-\u9fff])(?![个种款条项大位年月日天次倍行台张类"
    r"步分秒小点部篇名万千百亿岁级层]))"
    rf"|[（(]?{_HAN_NUMBER}{{1,3}}[、.．:：)）]+\s*"
    r"|#\s*\d+\s*[:：、.．)）-]*\s*"
    r"|[a-z][)）]\s*"
    rf"|(?:示例|例|问题|技巧|方法|Example|Tip|Option)\s*(?:\d+|{_HAN_NUMBER}+)\s*[:：、.．)）]+\s*"
    r")",
    re.IGNORECASE,
)
"""Numbers and steps before a heading: 3)  5、 一、 （二） 第六步 - 步骤 2： Step 3: #4."""

_ORDINAL: Final = re.compile(
    rf"(?:方[法案式]|选项|示例|例子?|实例|案例|练习|场景|情况|阶段|部分|附录|解法|用例|问题|技巧|example|option|method|appendix|part|no)"
    rf"\s*(?:\d+|{_HAN_NUMBER}+|[A-Z])?",
    re.IGNORECASE,
)
"""A kind of text with a number, and nothing that says what it is about: 方法三, 示例 2, Option B."""
_SYMBOLS: Final = re.compile(r"^[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff\s]+")
"""Pictures before a heading: ⭐️ 🚀."""
_AND_MORE: Final = re.compile(r"(?:总结|结论|结语|结尾|最后|简介|概述)(?:和|与|及|以及|的).{1,6}")
"""总结和展望, 结尾的一些想法."""
_LATIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+#]*(?:[._-][A-Za-z0-9]+)*")
_NO_LETTER: Final = re.compile(r"[^\w+#]+|_+")
"""What two names may differ in and still be one; C, C++ and C# are three."""
_EDGES: Final = " \t:：。.，,;；-–—、"


@dataclass(frozen=True)
class HeadingQuery:
    """The query of a section's text.

    Attributes:
        path: title and headings, outermost first, as they stand in the article.
        query: what is asked; the whole path where there is a reason.
        reason: why the text is no pair; empty where it is one.
    """

    path: tuple[str, ...]
    query: str
    reason: str = ""


def heading_queries(article: Article, with_path: bool = True) -> list[HeadingQuery | None]:
    """The query of each section, None for a section without text.

    Args:
        article: title and sections.
        with_path: whether title and headings above may be part of the query.
    """
    texts = [place for place, section in enumerate(article.sections) if section.paragraphs]
    paths = _paths(article)
    named = [place for place in texts if not is_statute_article(article.sections[place])]
    options = [_options(article.title, paths[place], with_path) for place in named]
    chosen = dict(zip(named, _shortest_apart(options), strict=True))
    generic = {place for place in named if not heading_name(paths[place][-1])}
    taken = {_bare(query) for place, query in chosen.items() if place not in generic}
    if article.title:
        taken.add(_bare(article.title))
    seen = set[str]()
    found: list[HeadingQuery | None] = [None] * len(article.sections)
    for place in texts:
        query = chosen.get(place, "")
        bare = _bare(query)
        reason = ""
        if place not in chosen:
            reason = ADDRESS_QUERY
        elif not bare or (place in generic and (bare in taken or bare in seen)):
            reason = GENERIC_HEADING
        elif bare in seen:
            reason = AMBIGUOUS_HEADING
        else:
            seen.add(bare)
        found[place] = HeadingQuery(paths[place], HEADING_SEPARATOR.join(paths[place]) if reason else query, reason)
    return found


def _paths(article: Article) -> list[tuple[str, ...]]:
    """Title and headings down to each section, a repeated heading once."""
    above: list[tuple[int, str]] = []
    paths = []
    for section in article.sections:
        while above and above[-1][0] >= section.level:
            above.pop()
        above.append((section.level, section.heading))
        title = [article.title] if article.title else []
        paths.append(tuple(dict.fromkeys([*title, *(heading for _, heading in above)])))
    return paths


def _options(title: str, path: tuple[str, ...], with_path: bool) -> Iterator[str]:
    """The queries that may be asked for a path, the shortest first."""
    headings = path[1:] if title and len(path) > 1 else path
    names = [name for name in map(heading_name, headings) if name]
    if not names or not with_path:
        yield names[-1] if names else title if with_path else ""
        return
    title = title if heading_name(title) else ""
    if not title or stands_alone(names[-1], title):
        yield names[-1]
    for start in range(len(names) - 1, -1, -1):
        yield _joined([title, *names[start:]] if title else names[start:])


def _joined(parts: Sequence[str]) -> str:
    """Title and names as one line, without a part that a later one holds: 西湖, 西湖十景 is 西湖十景."""
    bare = [_bare(part) for part in parts]
    return " ".join(
        part for place, part in enumerate(parts) if not any(bare[place] in later for later in bare[place + 1 :])
    )


def _shortest_apart(options: list[Iterator[str]]) -> list[str]:
    """For each section its first option that no other section has taken; the last one where all are taken."""
    chosen = [next(own) for own in options]
    clashing = list(range(len(options)))
    while clashing:
        count = Counter(map(_bare, chosen))
        longer = {place: next(options[place], None) for place in clashing if count[_bare(chosen[place])] > 1}
        clashing = [place for place, query in longer.items() if query is not None]
        for place in clashing:
            chosen[place] = longer[place] or ""
    return chosen


def stands_alone(name: str, title: str) -> bool:
    """Whether a heading says what its text is about without the title beside it."""
    bare_title, latin = _subject(title)
    bare_name = _bare(name)
    if bare_title and bare_title in bare_name:
        return True
    shared = sum(map(len, latin & _latin_words(name))) if latin else 0
    if not shared:
        shared = _longest_shared_han(bare_name, bare_title)
    return shared > 0 and len(bare_name) - shared >= MIN_OWN_CHARS


@lru_cache(maxsize=64)  # the title is the same for all headings of an article
def _subject(title: str) -> tuple[str, frozenset[str]]:
    return _bare(title), _latin_words(title)


def _latin_words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _LATIN.findall(text) if len(word) >= MIN_SHARED_LATIN)


def _longest_shared_han(left: str, right: str) -> int:
    """Length of the longest run of Han characters that two texts share; 0 for less than `MIN_SHARED_HAN`."""
    longest = 0
    for start in range(len(left)):
        size = max(longest + 1, MIN_SHARED_HAN)
        while start + size <= len(left) and left[start : start + size] in right:
            if any(char < "\u3400" for char in left[start : start + size]):
                break
            longest = size
            size += 1
    return longest


@lru_cache(maxsize=4096)
def heading_name(heading: str) -> str:
    """A heading without the number or step before it; empty where it only says what kind of text follows.

    >>> heading_name("第六步 - 安装 Bugzilla"), heading_name("3. 总结"), heading_name("方法三")
    ('安装 Bugzilla', '', '')
    """
    name = _SYMBOLS.sub("", heading).strip(_EDGES)
    number = _NUMBER.match(name)
    if number:
        name = name[number.end() :].strip(_EDGES)
    return "" if is_generic(name) else name


def is_generic(name: str) -> bool:
    """Whether a heading says only what kind of text follows: 总结, 示例, 方法三, or nothing but digits and signs."""
    bare = _bare(name)
    if not bare or bare.isdigit() or bare in _generic_names():
        return True
    name = name.strip(_EDGES)
    return bool(_ORDINAL.fullmatch(name) or _AND_MORE.fullmatch(name))


@lru_cache(maxsize=1)
def _generic_names() -> frozenset[str]:
    text = (files("cmtp.extract") / "generic_headings.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return frozenset(_bare(word) for line in lines for word in line.split("|"))


@lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    return _NO_LETTER.sub("", text).lower()
