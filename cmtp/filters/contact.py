"""Ways to get in touch that a text gives, and whether it hides them; terms that are broken up to pass a filter.

A contact is a word that announces it, a short gap, and a handle or number:

    加薇信 ❤ abc_1234         disguised word: the contact is hidden
    联系电话：5566778899      open word
    扣 68274193               single character: the contact is curt
    微信：壹三八零零          number spelt out: the contact is hidden

Everything here reads folded text (see `fold`); `broken` also reads the text as it was.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cmtp.filters import chars
from cmtp.filters.fold import matching_form
from cmtp.filters.pattern import Alternative, either

HAN_DIGITS: Final = "一二三四五六七八九壹贰叁肆伍陆柒捌玖幺两零"
_WEI: Final = "薇徽徾溦魏喂伟维威崴嵬葳唯惟为微卫围味位嶶"
"""What is written for the 微 of 微信."""
_XIN: Final = "信芯欣心新星辛鑫馨幸兴亻言"
"""What is written for its 信."""
_NUMBER_WORD: Final = r"(?:同?号|id)?"
"""May follow a disguised word: 薇信号, 薇信同号, 薇信id."""

OPEN_WORDS: Final = (
    Alternative(r"微信(?:同?号|id)?", "微信同号"),
    Alternative(r"公众号", "公众号"),
    Alternative(r"q[ ._]?q(?:群|同?号|群号)?", "q_q群"),
    Alternative(r"wechat", "wechat"),
    Alternative(r"telegram", "telegram"),
    Alternative(r"whatsapp", "whatsapp"),
    Alternative(r"电报", "电报"),
    Alternative(r"line(?: ?id)?", "line id"),
    Alternative(r"电话", "电话"),
    Alternative(r"电联", "电联"),
    Alternative(r"手机", "手机"),
    Alternative(r"热线", "热线"),
    Alternative(r"联系(?:方式)?", "联系方式"),
    Alternative(r"咨询", "咨询"),
    Alternative(r"客服", "客服"),
    Alternative(r"群号?", "群号"),
)
"""Words that anybody uses before a handle."""

_WECHAT_DISGUISES: Final = (
    Alternative(rf"(?!微信|卫星|维新|围心)[{_WEI}](?:[{_XIN}]|亻言)", "威亻言"),
    Alternative(r"v信", "v信"),
    Alternative(r"v芯", "v芯"),
    Alternative(r"[微薇]x", "薇x"),
    Alternative(r"wei信", "wei信"),
    Alternative(r"微xin", "微xin"),
    Alternative(r"vxin", "vxin"),
    Alternative(r"v[ ._]?x", "v_x"),
    Alternative(r"w[ ._]?x", "w x"),
    Alternative(r"w[._]e[._]?c[._]?h[._]?a[._]?t", "w.e.c.h.a.t"),
    Alternative(r"扌微", "扌微"),
    Alternative(r"扌薇", "扌薇"),
)
"""微信 in disguise, with or without 加 before it."""

_AFTER_ADD: Final = (
    Alternative(r"薇", "薇"),
    Alternative(r"威信?", "威信"),
    Alternative(r"徽", "徽"),
    Alternative(r"溦", "溦"),
    Alternative(r"伟", "伟"),
    Alternative(r"卫星?", "卫星"),
    Alternative(r"喂", "喂"),
    Alternative(r"微[信芯星新心]?", "微芯"),
    Alternative(r"维[信新]", "维新"),
    Alternative(r"信", "信"),
    Alternative(r"v", "v"),
    Alternative(r"q", "q"),
    Alternative(r"扣扣?", "扣扣"),
    Alternative(r"叩叩?", "叩叩"),
    Alternative(r"抠抠?", "抠"),
    Alternative(r"企鹅", "企鹅"),
    Alternative(r"秋秋", "秋秋"),
    Alternative(r"球球", "球球"),
    Alternative(r"飞机", "飞机"),
    Alternative(r"裙", "裙"),
    Alternative(r"群", "群"),
    Alternative(r"赖", "赖"),
    Alternative(r"line", "line"),
    Alternative(r"卫", "卫"),
    Alternative(r"绿泡泡", "绿泡泡"),
)
"""Messengers that are recognised after 加 (add): 加v, 加老师薇, 加我绿泡泡."""

DISGUISED_WORDS: Final = (
    Alternative(rf"加?(?:{either(_WECHAT_DISGUISES)}){_NUMBER_WORD}", "加薇芯同号"),
    Alternative(rf"加(?:我|下|老师|导师|小号|客服|新|这个)?(?:{either(_AFTER_ADD)}){_NUMBER_WORD}", "加老师v号"),
    Alternative(r"卫星号?", "卫星号"),
    Alternative(r"维新号?", "维新"),
    Alternative(r"绿色?泡泡(?:软件)?", "绿色泡泡软件"),
    Alternative(r"绿色软件", "绿色软件"),
    Alternative(r"[扣叩抠]{2}[号群裙]?", "叩抠裙"),
    Alternative(r"扌口(?:扌口)?", "扌口扌口"),
    Alternative(r"企鹅[号群]?", "企鹅群"),
    Alternative(r"秋秋号?", "秋秋号"),
    Alternative(r"球球号?", "球球"),
    Alternative(r"君羊号?", "君羊号"),
    Alternative(r"进?裙号?", "进裙"),
    Alternative(r"纸?飞机号?", "纸飞机号"),
    Alternative(r"小飞机", "小飞机"),
    Alternative(r"tg", "tg"),
    Alternative(r"wickr", "wickr"),
    Alternative(r"群主?v", "群主v"),
    Alternative(r"蝙蝠号?", "蝙蝠号"),
)
"""Words that stand for a messenger and are used by those who hide its name."""

LETTERS: Final = (
    Alternative(r"(?<![a-z0-9])[vq]", "v"),
    Alternative(r"[薇微徽威溦扣叩]", "扣"),
)
"""Single characters that stand for a messenger."""

_FIRST: Final = f"{_WEI}加vw扌绿扣叩抠企秋球君进裙纸飞小t群蝙公q电l手热联咨客"
"""First characters of all these words: no other place in a text is tried."""
_DIGIT: Final = rf"[0-9{HAN_DIGITS}]"
_NUMBER: Final = rf"{_DIGIT}(?:[ .,]?{_DIGIT}){{4,14}}"
"""Five to fifteen digits or numerals: 13800138000, 一三八零零, 138 0013."""
_HANDLE: Final = r"[a-z][a-z0-9_.]{4,19}"
"""abc_1234."""
_GAP: Final = rf"(?:[0-9]{{1,2}}位)?[^a-z0-9{HAN_DIGITS}]{{0,6}}"
"""Between word and handle: ：, ❤, 是, 11位."""
_CONTACT: Final = re.compile(
    rf"(?=[{_FIRST}])"
    rf"(?:(?<![a-z0-9](?=[a-z]))(?P<disguised>{either(DISGUISED_WORDS)})|(?P<open>{either(OPEN_WORDS)})"
    rf"|(?P<letter>{either(LETTERS)}))(?P<gap>{_GAP})(?P<id>{_HANDLE}|{_NUMBER})(?![a-z])"
)
_FORMAL: Final = re.compile(r"[壹贰叁肆伍陆柒捌玖][壹贰叁肆伍陆柒捌玖0]{6,14}")
"""A number in the numerals of cheques, without the 拾 and 佰 that a sum has: 壹叁捌零零壹叁捌."""
_TOP_DOMAINS: Final = "com|net|cn|cc|vip|xyz|top|app|me|info|club|tv|co|org|site|live|bet|icu|hk|ws|la|fun|shop|link|pw"
_ADDRESS: Final = re.compile(rf"(?<![a-z0-9.])(?:[a-z0-9]{{2,63}}\.)+(?:{_TOP_DOMAINS})(?![a-z])")
"""A web address without its protocol: www.abc123.vip. Folding has removed the hyphens."""
_SEPARATORS: Final = frozenset("-–—·•・.．~～｜|^＾")
"""Punctuation that breaks up a word; quotation marks and brackets have their uses inside a phrase."""
_HARMLESS: Final = frozenset("/+&%#@")
"""Symbols that have their uses inside a phrase, too."""
_HAN: Final = "\u2e80"
"""The first of the Chinese radicals and characters; nearly all that is above is Chinese."""


@dataclass(frozen=True)
class Contact:
    """A handle or number that a text gives after a word that announces it.

    Attributes:
        id: the handle or number, folded.
        begin: where the word begins in the folded text.
        end: where the handle ends.
        hidden: the word is a disguise, or the number is spelt out in Chinese numerals (all, or some).
        curt: the word is a single character that stands for it (扣 68274193, 老师V：…).
    """

    id: str
    begin: int
    end: int
    hidden: bool
    curt: bool = False


def contacts(folded: str) -> list[Contact]:
    """The contacts of a folded text, in order; where there is none, numbers in the numerals of cheques."""
    given = [_contact(match, folded) for match in _CONTACT.finditer(folded) if _announces(match)]
    return given or [Contact(match[0], *match.span(), hidden=True) for match in _FORMAL.finditer(folded)]


def _announces(match: re.Match[str]) -> bool:
    """Whether the word speaks of the handle; 飞机 needs and v is do not.

    1. After a word that may mean something else, the handle has a digit, a numeral or a low line.
    2. A single character stands close to it: a gap of two at most.
    """
    telling = any(char.isdigit() or char in HAN_DIGITS or char == "_" for char in match["id"])
    close = match["letter"] is None or len(match["gap"]) <= 2
    return close and (telling or match["open"] is not None)


def _contact(match: re.Match[str], folded: str) -> Contact:
    handle, letter = match["id"], match["letter"]
    numerals = sum(char in HAN_DIGITS for char in handle)
    spelt_out = numerals >= 6 or (numerals >= 3 and any("1" <= char <= "9" for char in handle))
    before = folded[match.start() - 1] if match.start() else ","
    curt = letter is not None and (letter >= _HAN or (before >= _HAN and (match["gap"] == "," or handle.isdigit())))
    return Contact(handle, *match.span(), hidden=spelt_out or match["disguised"] is not None, curt=curt)


def framed(text: str) -> bool:
    """Whether letters or digits wear a frame or a fancy cut: ①, ❶, 𝟏, 🅥, 1️⃣."""
    return any(
        char == "\u20e3"
        or 0x1D400 <= ord(char) < 0x1D800
        or (unicodedata.category(char) in ("No", "So") and matching_form(char)[0].isalnum())
        for char in text
        if char > "\u00ff"
    )


def addresses(folded: str) -> list[str]:
    """Different web addresses, sorted."""
    return sorted(set(_ADDRESS.findall(folded))) if "." in folded else []


def broken(text: str, places: Sequence[int], begin: int, end: int) -> bool:
    """Whether something was put between the characters of a match to hide it: 赌-博, 快❤排, a zero-width space.

    Args:
        text: the text as it was.
        places: for each folded character its position in `text`.
        begin: where the match begins in the folded text.
        end: where it ends.
    """
    for before, after in zip(places[begin : end - 1], places[begin + 1 : end], strict=True):
        between = text[before + 1 : after]
        if between and _hides(between, text[before] >= _HAN, text[after] >= _HAN):
            return True
    return False


def _hides(between: str, after_han: bool, before_han: bool) -> bool:
    """Whether it hides a word: symbols and invisible characters beside a Chinese character do, and a hyphen or a dot
    between two of them.
    """
    if not (after_han or before_han):
        return False
    for char in between:
        kind = int(chars.class_table()[ord(char)]) & chars.CLASS if ord(char) < 0x10000 else chars.SYMBOL
        if char in _SEPARATORS:
            if after_han and before_han:
                return True
        elif kind in (chars.SYMBOL, chars.INVISIBLE, chars.OTHER) and char not in _HARMLESS:
            return True
    return False
