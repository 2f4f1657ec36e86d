"""What `measure` counts, said again in plain Python: slow, from the definitions, with no line in common."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, pairwise

from cmtp.filters import chars
from cmtp.filters.counts import Count
from cmtp.filters.measure import ENTITY_BYTES, TAG_BYTES
from cmtp.filters.repetition import LINE, LOOK, NGRAM


def class_of(char: str) -> int:
    code = ord(char)
    if code < 0x10000:
        return int(chars.class_table()[code]) & chars.CLASS
    if 0x20000 <= code < 0x40000:
        return chars.HAN
    return chars.SYMBOL if 0x1F000 <= code < 0x1FC00 else chars.LETTER


def flagged(char: str, flag: int) -> bool:
    return ord(char) < 0x10000 and bool(chars.class_table()[ord(char)] & flag)


TAIL = "".join(chr(code) for code in range(0x10000) if flagged(chr(code), chars.LATIN1_TAIL))
TRIPLE = re.compile(rf"[ã-éï][{re.escape(TAIL)}]{{2}}")


def plain_counts(text: str, function_words: set[str]) -> dict[str, int]:
    """Every count of one text, by its column's name."""
    outside = without_code(text)
    out = dict.fromkeys((count.name.lower() for count in Count), 0)
    kinds = Counter(class_of(char) for char, _ in outside)
    out |= {count.name.lower(): kinds[count.value] for count in Count if count.value <= chars.REPLACEMENT}
    blank = (chars.SPACE, chars.NEWLINE, chars.INVISIBLE)
    solid = [char for char, _ in outside if class_of(char) not in blank]
    out["chars"], out["code_chars"], out["prose"] = len(text), len(text) - len(outside), len(solid)
    out |= {"signs": signs([char for char, _ in outside]), "spaced": spaced([char for char, _ in outside])}
    return out | private_hints(text) | content(text, outside, function_words) | repetition(outside)


def without_code(text: str) -> list[tuple[str, int]]:
    """Characters outside code, with their places in the text."""
    before, *later = text.split("```")
    wide = sum(byte >= 0xE3 for byte in before.encode())
    fenced = len(later) % 2 == 1 and before != "" and wide * 30 < len(before.encode())
    out: list[tuple[str, int]] = []
    begin = 0
    for part in (before, *later):
        code = fenced
        for place, char in enumerate(part, begin):
            if char == "`":
                code = fenced or not code
            else:
                code = fenced if class_of(char) == chars.NEWLINE else code
                out += [] if code else [(char, place)]
        begin += len(part) + len("```")
        fenced = not fenced
    return out


def private_hints(text: str) -> dict[str, int]:
    shown = {chars.DIGIT: "0", chars.SPACE: " "}
    kinds = "".join(shown.get(class_of(char), char) for char in text.replace("```", "`"))
    gap = r"[ .．·•\-－−‒–—]{0,3}"
    runs = re.findall(rf"0(?:{gap}0)*{gap}(?:[^0]|$)", kinds)
    groups = re.findall(r"(?<![^:])[0a-fA-F]{0,4}:", kinds)
    return {
        "digit_run": max((run.count("0") for run in runs), default=0),
        "dotted_digits": sum(run.count(".") for run in runs),
        "at_signs": text.count("@") + text.count("＠"),
        "hex_colons": len(groups),
        "plates": len(re.findall(rf"[{chars.PROVINCES}][A-ZＡ-Ｚ]", text)),
    }


def content(text: str, outside: list[tuple[str, int]], function_words: set[str]) -> dict[str, int]:
    string = "".join(char for char, _ in outside)
    han = [char for char in string if class_of(char) == chars.HAN]
    words = ["".join(run) for latin, run in groupby(string, lambda char: class_of(char) == chars.LATIN) if latin]
    return {
        "stops": sum(flagged(char, chars.STOP) for char in han),
        "gbk_leads": sum(flagged(char, chars.GBK_LEAD) for char in han),
        "words": len(words),
        "function_words": sum(word.lower() in function_words for word in words if word.isascii()),
        "latin1_triples": len(TRIPLE.findall(string)),
        "tag_chars": tag_chars(text, outside),
    }


def tag_chars(text: str, outside: list[tuple[str, int]]) -> int:
    """Characters outside code that a tag covers; a tag may begin there and reach over code."""
    tag = re.compile(r"<[A-Za-z/!][^<>]*>|&[A-Za-z#][A-Za-z0-9]*;")
    covered, end = 0, 0
    for char, place in outside:
        if char in "<&" and place >= end and (match := tag.match(text, place)):
            longest = TAG_BYTES if char == "<" else ENTITY_BYTES
            end = match.end() if len(match[0].encode()) <= longest and len(match[0].encode()) > 2 else end
        covered += place < end
    return covered


def signs(outside: list[str]) -> int:
    kinds = (chars.SYMBOL, chars.PUNCTUATION, chars.SENTENCE_END)
    return sum(class_of(char) in kinds for char, _ in groupby(outside))


def spaced(outside: list[str]) -> int:
    kinds = [class_of(char) for char in outside]
    return sum(three == (chars.HAN, chars.SPACE, chars.HAN) for three in zip(kinds, kinds[1:], kinds[2:], strict=False))


def units(line: list[str]) -> list[str]:
    """Letters of scripts without spaces, and words, numbers and identifiers."""
    shown = {chars.LATIN: "a", chars.DIGIT: "0"}
    letters = (chars.HAN, chars.KANA, chars.HANGUL, chars.LETTER)
    kinds = "".join(
        shown.get(kind, "h" if kind in letters else char if char in "',-./:@\\_" else " ")
        for char, kind in ((char, class_of(char)) for char in line)
    )
    return ["".join(line[slice(*run.span())]) for run in re.finditer(r"[a0]+(?:[',\-./:@\\_][a0]+)*|h", kinds)]


def is_number(unit: str) -> bool:
    kinds = {class_of(char) for char in unit}
    return chars.DIGIT in kinds and chars.LATIN not in kinds


def repetition(outside: list[tuple[str, int]]) -> dict[str, int]:
    blank = (chars.SPACE, chars.INVISIBLE)
    whole = [char for char, _ in outside]
    parts = [[*run] for end, run in groupby(whole, lambda char: class_of(char) == chars.NEWLINE) if not end]
    lines = [line for line in parts if any(class_of(char) not in blank for char in line)]
    in_lines = [units(line) for line in lines]
    rest = [char for char in whole if class_of(char) not in blank]
    seen: set[tuple[str, ...]] = set()
    repeated, before = 0, 0
    for line in in_lines:
        cut = line[: max(0, LOOK - before)]
        before += len(line)
        if len(cut) >= LINE:
            repeated += len(cut) if tuple(cut) in seen else 0
            seen.add(tuple(cut))
    every = [unit for line in in_lines for unit in line]
    looked = every[:LOOK]
    grams: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for begin in range(len(looked) - NGRAM + 1):
        gram = tuple(looked[begin : begin + NGRAM])
        covered |= set(range(begin, begin + NGRAM)) if gram in grams else set()
        grams.add(gram)
    letters = (chars.HAN, chars.LATIN, chars.KANA)
    runs = [len([*run]) for char, run in groupby(rest) if class_of(char) in letters]
    pairs = pairs_of_han(rest)
    top = max(pairs.values(), default=0)
    first = next((pair for pair in pairs if pairs[pair] == top), "")
    solid = [char for char in rest if class_of(char) != chars.NEWLINE]
    return {
        "lines": len(lines),
        "units": len(every),
        "numbers": sum(map(is_number, every)),
        "dup_line_units": repeated,
        "dup_ngram_units": len(covered),
        "longest_run": max(runs, default=0),
        "bigram_chars": min(2 * top, len(solid)) if top > 1 else 0,
        "top_bigram": ord(first[0]) << 21 | ord(first[1]) if top > 1 else 0,
    }


def pairs_of_han(rest: list[str]) -> Counter[str]:
    """Pairs in the order in which each reached its number: the first of the most frequent is the top."""
    found: list[str] = []
    prose = 0
    for one, two in pairwise(["\n", *rest]):
        prose += class_of(two) != chars.NEWLINE
        wide = class_of(one) in (chars.HAN, chars.KANA, chars.LATIN) and ord(one) >= 0x3005
        if wide and class_of(two) == chars.HAN and prose <= LOOK and one + two != "囗囗":
            found.append(one + two)
    total = Counter(found)
    last = {pair: place for place, pair in enumerate(found)}
    return Counter({pair: total[pair] for pair in sorted(total, key=lambda pair: last[pair])})
