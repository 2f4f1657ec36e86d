"""Ways to get in touch that a text gives, and whether it hides them; terms that are broken up to pass a filter.

Everything here reads folded text (see `fold`); `broken` also reads the text as it was.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cmtp.filters import chars
from cmtp.filters.fold import fold_text

HAN_DIGITS: Final = "一二三四五六七八九壹贰叁肆伍陆柒捌玖幺两零"
_DIGIT: Final = rf"[0-9{HAN_DIGITS}]"
_NUMBER: Final = rf"{_DIGIT}(?:[ .,]?{_DIGIT}){{4,14}}"
_OPEN: Final = (
    r"微信(?:同?号|id)?|公众号|q[ ._]?q(?:群|同?号|群号)?|wechat|telegram|whatsapp|电报|line(?: ?id)?|电话|电联|手机"
    r"|热线|联系(?:方式)?|咨询|客服|群号?"
)
"""Words that anybody uses before a handle."""
_WEI: Final = "薇徽徾溦魏喂伟维威崴嵬葳唯惟为微卫围味位嶶"
_XIN: Final = "信芯欣心新星辛鑫馨幸兴亻言"
_DISGUISED: Final = (
    rf"加?(?:(?!微信|卫星|维新|围心)[{_WEI}](?:[{_XIN}]|亻言)|v信|v芯|[微薇]x|wei信|微xin|vxin|v[ ._]?x|w[ ._]?x"
    r"|w[._]e[._]?c[._]?h[._]?a[._]?t|扌微|扌薇)(?:同?号|id)?"
    r"|加(?:我|下|老师|导师|小号|客服|新|这个)?(?:薇|威信?|徽|溦|伟|卫星?|喂|微[信芯星新心]?|维[信新]|信|v|q|扣扣?|叩叩?|抠抠?|企鹅|秋秋|球球"
    r"|飞机|裙|群|赖|line|卫|绿泡泡)(?:同?号|id)?"
    r"|卫星号?|维新号?|绿色?泡泡(?:软件)?|绿色软件|[扣叩抠]{2}[号群裙]?|扌口(?:扌口)?|企鹅[号群]?|秋秋号?|球球号?|君羊号?|进?裙号?"
    r"|纸?飞机号?|小飞机|tg|wickr|群主?v|蝙蝠号?"
)
"""Words that stand for a messenger and are used by those who hide its name."""
_LETTER: Final = r"(?<![a-z0-9])[vq]|[薇微徽威溦扣叩]"
_FIRST: Final = f"{_WEI}加vw扌绿扣叩抠企秋球君进裙纸飞小t群蝙公q电l手热联咨客"
"""What the words above begin with: other places are passed over fast."""
_CONTACT: Final = re.compile(
    rf"(?=[{_FIRST}])(?:(?<![a-z0-9](?=[a-z]))(?P<disguised>{_DISGUISED})|(?P<open>{_OPEN})|(?P<letter>{_LETTER}))"
    rf"(?P<gap>(?:[0-9]{{1,2}}位)?[^a-z0-9{HAN_DIGITS}]{{0,6}})(?P<id>[a-z][a-z0-9_.]{{4,19}}|{_NUMBER})(?![a-z])"
)
_FORMAL: Final = re.compile(r"[壹贰叁肆伍陆柒捌玖][壹贰叁肆伍陆柒捌玖0]{6,14}")
"""A number in the numerals of cheques, without the 拾 and 佰 that a sum has."""
_ADDRESS: Final = re.compile(
    r"(?<![a-z0-9.])(?:[a-z0-9-]{2,}\.)+"
    r"(?:com|net|cn|cc|vip|xyz|top|app|me|info|club|tv|co|org|site|live|bet|icu|hk|ws|la|fun|shop|link|pw)(?![a-z])"
)
_SEPARATORS: Final = frozenset("-–—·•・.．~～｜|^＾")
"""Punctuation that breaks up a word; quotation marks, brackets and slashes have their uses inside a phrase."""
_HARMLESS: Final = frozenset("/+&%#@")
_HAN: Final = "\u2e80"
"""First of the Chinese characters and their radicals."""


@dataclass(frozen=True)
class Contact:
    """A handle, number or address given: the word before it, and where the whole is in the folded text.

    Attributes:
        hidden: the word is a disguise, or the number is spelt out in Chinese numerals (all, or some).
        curt: the word is a single character that stands for it (扣 68274193, 老师V：…).
    """

    id: str
    begin: int
    end: int
    hidden: bool
    curt: bool = False


def contacts(folded: str) -> list[Contact]:
    """Handles and numbers after a word that announces one."""
    found = []
    for match in _CONTACT.finditer(folded):
        handle = match["id"]
        digits = any(char.isdigit() or char in HAN_DIGITS or char == "_" for char in handle)
        if match["open"] is None and not digits:
            continue  # 飞机 needs, v is: a word that happens to follow
        if match["letter"] is not None and len(match["gap"]) > 2:
            continue
        numerals = sum(char in HAN_DIGITS for char in handle)
        spelt = numerals >= 6 or (numerals >= 3 and any("1" <= char <= "9" for char in handle))
        before = folded[match.start() - 1] if match.start() else ","
        curt = match["letter"] is not None and (
            match["letter"] >= _HAN or (before >= _HAN and (match["gap"] == "," or handle.isdigit()))
        )
        found.append(Contact(handle, *match.span(), spelt or match["disguised"] is not None, curt))
    if not found:
        found = [Contact(match[0], *match.span(), True) for match in _FORMAL.finditer(folded)]
    return found


def framed(text: str) -> bool:
    """Whether letters or digits wear a frame or a fancy cut: ①, ❶, 𝟏, 🅥, 1️⃣."""
    return any(
        char == "\u20e3"
        or 0x1D400 <= ord(char) < 0x1D800
        or (unicodedata.category(char) in ("No", "So") and fold_text(char)[0].isalnum())
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
        if between and _breaks(between, text[before] >= _HAN, text[after] >= _HAN):
            return True
    return False


def _breaks(between: str, after_han: bool, before_han: bool) -> bool:
    """Symbols and invisible characters beside a Chinese character do; a hyphen or a dot between two of them."""
    if not (after_han or before_han):
        return False
    for char in between:
        kind = int(chars.table()[ord(char)]) & chars.CLASS if ord(char) < 0x10000 else chars.SYMBOL
        if char in _SEPARATORS:
            if after_han and before_han:
                return True
        elif kind in (chars.SYMBOL, chars.INVISIBLE, chars.OTHER) and char not in _HARMLESS:
            return True
    return False
