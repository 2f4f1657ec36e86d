"""Nested wikitext: templates and tables, in one pass however deep they go."""

from __future__ import annotations

import re
from typing import Final

_VARIANT: Final = re.compile(r"-\{([^{}]*)\}-")
_LINE_BREAK: Final = re.compile(r"\s*<br\s*/?>\s*")
_BRACES: Final = re.compile(r"\{\{+|\}\}+")

_KEEP: Final = {
    "lang": 2, "link-en": 1, "link": 1, "le": 1, "tsl": -1, "translink": -1, "ill": 1, "illm": 1,
    "internal link helper": 1,
    "nowrap": 1, "nobr": 1, "small": 1, "big": 1, "red": 1, "lj": 1, "zh": 1, "bd": 0, "ruby": 1, "hlist": 1, "le2": 1,
    "r": 0, "lang-zh": 1, "jpn": 1, "kor": 1, "cquote": 1, "quote": 1, "blockquote": 1, "mono": 1, "strong": 1,
}  # fmt: skip
"""Templates that stand for words of the sentence, and which of their values (from 1; -1 the last) the reader sees."""
MAX_KEPT: Final = 2000
"""Characters of the longest template that may be one of those."""


def without_templates(text: str) -> str:
    """Without {{…}}, however deep; of a few that stand for words in a sentence, the word stays.

    A template that is never closed ends at the next empty line.
    """
    if "{{" not in text:
        return text
    stack: list[list[str]] = [[]]
    at = 0
    for match in _BRACES.finditer(text):
        stack[-1].append(text[at : match.start()])
        at = match.end()
        pairs, odd = divmod(len(match[0]), 2)
        if match[0][0] == "{":
            stack[-1].append("{" * odd)
            stack.extend([] for _ in range(min(pairs, 1000)))
        else:
            for _ in range(pairs):
                if len(stack) == 1:
                    break
                inner = "".join(stack.pop())
                stack[-1].append(_shown(inner))
    stack[-1].append(text[at:])
    while len(stack) > 1:
        inner = "".join(stack.pop())
        _, gap, rest = inner.partition("\n\n")
        stack[-1].append(gap + rest)
    return "".join(stack[0])


def _shown(template: str) -> str:
    if len(template) > MAX_KEPT:
        return ""
    name, *values = template.split("|")
    place = _KEEP.get(name.strip().lower(), 0)
    values = [value for value in values if not re.match(r"\s*[\w-]+\s*=", value)]
    if not place or not values or place > len(values):
        return ""
    return values[place - 1 if place > 0 else place].strip()


def without_nested(text: str, opening: str, closing: str) -> str:
    """Without what stands between two marks, however deep; what is never closed ends at the next heading."""
    if opening not in text:
        return text
    kept, depth, at, start = [], 0, 0, 0
    for match in re.finditer(f"{re.escape(opening)}|{re.escape(closing)}", text):
        if match[0] == opening:
            if not depth:
                kept.append(text[at : match.start()])
                start = match.start()
            depth += 1
        elif depth:
            depth -= 1
            at = match.end()
    if depth:
        heading = text.find("\n==", start)
        return "".join(kept) + (text[heading:] if heading >= 0 else "")
    return "".join([*kept, text[at:]])


def without_variants(text: str) -> str:
    """Of a conversion between scripts the simplified form stays."""
    return _VARIANT.sub(_variant, text) if "-{" in text else text


def without_remains(text: str) -> str:
    """Without what passages that others took from Wikipedia still hold of it: script conversions and line breaks."""
    text = without_variants(text)
    return _LINE_BREAK.sub("\n", text).strip() if "<br" in text else text


def _variant(match: re.Match[str]) -> str:
    """-{zh-hans:甲;zh-hant:乙}- → 甲; -{甲}- → 甲; flags and conversion rules (-{H|…}-) → nothing."""
    text = match[1]
    flag, bar, rest = text.partition("|")
    if bar:
        if flag.strip() in ("H", "T", "-"):
            return ""
        text = rest
    if ":" not in text:
        return text
    forms = dict(part.split(":", 1) for part in text.split(";") if ":" in part)
    forms = {name.strip().lower(): form.strip() for name, form in forms.items()}
    return next((forms[name] for name in ("zh-hans", "zh-cn", "zh") if name in forms), next(iter(forms.values()), ""))
