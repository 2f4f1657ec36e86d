"""Private data: found in the text as it is (full width and separators included), masked by a placeholder per kind.

A kind is a row of `DETECTORS`: an expression, and a check of what it matches.

- An identity number has a region, a date and the checksum of GB 11643-1999. One of 15 digits, of Hong Kong or Taiwan,
  or a passport stands after its word.
- A bank card has a prefix, a length and the check digit of ISO/IEC 7812 (Luhn).
- A mobile number has a prefix in service (MIIT numbering plan). Without its word it has no unit behind it.
- An IP address is a visitor's: not local, private or reserved (RFC 6890), not a public resolver's, and not one that
  an article about networks speaks of.
- A mailbox belongs to a person, not to a role, an example or a mailing list (git@, noreply@), and is not an identifier
  in a command or a setting.
- A QQ or WeChat number stands after its word (QQ：, 微信号).

What limits a number is a digit beside it, not a letter: Tel138…, wx138…. The checks are in `private_checks`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from cmtp.filters import private_checks as checks
from cmtp.filters.chars import PROVINCES
from cmtp.filters.private_checks import IN_SERVICE

PLACEHOLDERS_BY_KIND: Final = {
    "id_card": "[身份证号]",
    "passport": "[护照号]",
    "bank_card": "[银行卡号]",
    "mobile": "[手机号]",
    "email": "[邮箱]",
    "wechat": "[微信号]",
    "qq": "[QQ号]",
    "plate": "[车牌号]",
    "ip": "[IP地址]",
}
"""Placeholders by kind."""

_HALF: Final = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    0x3000: 0x20,
    0x2014: 0x2D,
    0x2013: 0x2D,
    0x2212: 0x2D,
    0x2022: 0xB7,
}
"""Full width to half width, dashes to hyphens. One character becomes one, so that positions stay."""

_WIDE: Final = re.compile(r"[０-９Ａ-Ｚａ-ｚ＠．]|\d[—–−－　•] ?\d")
"""Where a text has none of these, its full-width colons are all that `_HALF` would change for the expressions."""


_BEFORE: Final = r"(?<!\d)(?<!\d[.\-])"
"""No digit before a number, and no longer number that a dot or a hyphen joins to it."""
_AFTER: Final = r"(?!\d)(?![.\-]\d)"
_GAP: Final = r"(?: ?[\-.·] ?| )"
"""What people put between the groups of a number."""
_LONG_NUMBER: Final = re.compile(rf"\d(?:{_GAP}?\d){{10}}")
"""Eleven digits: every identity, card and mobile number has them."""
_ID_CARD: Final = re.compile(
    rf"{_BEFORE}\d{{6}}{_GAP}?\d{{4}}{_GAP}?\d\d{_GAP}?\d\d{_GAP}?\d{{3}}{_GAP}?[\dXx]{_AFTER}"
)
_OLD_ID_CARD: Final = re.compile(rf"{_BEFORE}\d{{15}}{_AFTER}")
_HONG_KONG: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,2}\d{6}(?:\([0-9A]\)|[0-9A](?![0-9A-Za-z]))")
_TAIWAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z][1289]\d{8}(?![0-9A-Za-z])")
_PASSPORT: Final = re.compile(r"(?<![A-Za-z0-9])(?:[DEGHKMPSC]\d{8}|E[A-Z]\d{7}|H\d{10})(?![0-9A-Za-z])")
_BANK_CARD: Final = re.compile(
    rf"(?<!\d ){_BEFORE}(?:62|[45]\d|3[4-7]|95)(?:\d{{14,17}}|\d{{4}}{_GAP}\d{{10,13}}"
    rf"|\d\d(?P<gap>{_GAP})\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?:(?P=gap)?\d{{1,3}})?){_AFTER}(?! \d)"
)
_MOBILE: Final = re.compile(
    rf"(?<!\d)(?:\(?(?:\+|00)?86\)?[ \-]{{0,2}}|0)?{IN_SERVICE}"
    rf"(?:(?:{_GAP}?\d{{4}}){{2}}|\d{_GAP}\d{{3}}{_GAP}\d{{4}}|{_GAP}\d{{3}}{_GAP}\d{{5}})(?!\d)"
)
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9.%+@*])(?<![A-Za-z0-9@][_/\-])"
    r"(?P<user>[A-Za-z0-9](?:[A-Za-z0-9._%+\-]{0,62}[A-Za-z0-9_])?)(?:@| @ )"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,12}))"
    r"(?![A-Za-z0-9@])(?!\.[A-Za-z])(?![:\-_][A-Za-z0-9/~.])"
)
_OPEN: Final = r"[\s:;,，=（(【\[「_]{0,3}"
"""What stands between a label and its number."""
_QQ: Final = re.compile(
    r"(?:(?<![A-Za-z])[Qq]{2}|[扣抠]{2}|企鹅)(?:群|裙)?(?:号码|账号|号|帳號|號)?(?:是|为|為|加)?"
    rf"{_OPEN}(?P<number>[1-9]\d{{4,10}})(?![0-9A-Za-z])(?!\.\d)"
)
_WECHAT: Final = re.compile(
    r"(?:微信|薇信|威信|徽信|[Vv]信|(?<![A-Za-z])(?:[Ww]e[Cc]hat|[Ww]eixin|WEIXIN|[VvWw][Xx]))"
    r"(?P<word>(?:公众)?(?: ?(?:号码|账号|号|帳號|號|ID|id))?(?:是|为|為)?)"
    r"(?P<gap> ?[:=（(【\[「]? ?)(?P<number>[A-Za-z][A-Za-z0-9_\-]{5,19})(?![A-Za-z0-9_\-(])(?!\.[A-Za-z0-9])"
)
_PLATE: Final = re.compile(
    rf"[{PROVINCES}][A-HJ-NP-Z][ ·•\-]?"
    r"(?P<number>[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[DF][A-HJ-NP-Z0-9]\d{4}|\d{5}[DF])(?![0-9A-Za-z])"
)
_IPV4: Final = re.compile(
    r"(?<![0-9A-Za-z.\-_/=])(?P<number>\d{1,3}(?:\.\d{1,3}){3})(?![0-9A-Za-z\-_]|\.\d|/\d|[”’]? ?版)"
)
_IPV6: Final = re.compile(
    r"(?<![0-9A-Za-z:.])(?P<number>[0-9A-Fa-f]{1,4}(?::{1,2}[0-9A-Fa-f]{1,4}){3,7})(?![0-9A-Za-z:])"
)


@dataclass(frozen=True)
class Private:
    """One piece of private data: its kind and where it is, in characters."""

    kind: str
    begin: int
    end: int


@lru_cache(maxsize=1)  # three kinds ask for the same text
def _has_long_number(text: str) -> bool:
    return _LONG_NUMBER.search(text) is not None


@dataclass(frozen=True)
class Detector:
    """How one kind of private data is found.

    Attributes:
        kind: one of `PLACEHOLDERS_BY_KIND`.
        pattern: what it looks like, in half width.
        accepts: whether a match is private.
        group: the part of the match that is masked; 0: all of it.
        may_hold: a fast test of the whole text, which skips most texts.
    """

    kind: str
    pattern: re.Pattern[str]
    accepts: Callable[[re.Match[str]], bool] = lambda match: True
    group: str | int = 0
    may_hold: Callable[[str], bool] = lambda text: True


DETECTORS: Final = (
    Detector("id_card", _ID_CARD, checks.is_id_card, may_hold=_has_long_number),
    Detector("id_card", _OLD_ID_CARD, checks.is_old_id_card, may_hold=_has_long_number),
    Detector("id_card", _HONG_KONG, checks.is_hong_kong_card),
    Detector("id_card", _TAIWAN, checks.is_taiwan_card),
    Detector("passport", _PASSPORT, checks.is_passport),
    Detector("bank_card", _BANK_CARD, checks.is_bank_card, may_hold=_has_long_number),
    Detector("mobile", _MOBILE, checks.is_mobile, may_hold=_has_long_number),
    Detector("email", _EMAIL, checks.is_personal_mail, may_hold=lambda text: "@" in text),
    Detector("wechat", _WECHAT, checks.is_wechat_id, group="number"),
    Detector("qq", _QQ, group="number"),
    Detector("plate", _PLATE, checks.has_digit),
    Detector("ip", _IPV4, checks.is_public_ipv4, may_hold=lambda text: text.count(".") >= 3),
    Detector("ip", _IPV6, checks.is_visitor_address, may_hold=lambda text: text.count(":") >= 3),
)
"""All kinds; where two overlap, the earlier one wins."""


def _place(piece: Private) -> int:
    return piece.begin


def _is_apart(pieces: list[Private], begin: int, end: int) -> bool:
    """Whether nothing of this place is in a piece; the pieces are in order and do not overlap."""
    at = bisect_left(pieces, end, key=_place)
    return at == 0 or pieces[at - 1].end <= begin


def find_private(text: str) -> list[Private]:
    """Private data of a text, in order, without overlaps."""
    half = text.translate(_HALF) if _WIDE.search(text) else text.replace("：", ":")
    pieces: list[Private] = []  # in order, so that the neighbours of a place are found by bisection
    for detector in DETECTORS:
        found = []
        for match in detector.pattern.finditer(half) if detector.may_hold(half) else ():
            begin, end = match.span(detector.group)
            if _is_apart(pieces, begin, end) and detector.accepts(match):
                found.append(Private(detector.kind, begin, end))
        pieces = sorted([*pieces, *found], key=_place) if found else pieces
    return pieces


def mask_private(text: str, pieces: list[Private]) -> str:
    """The text with each piece of private data replaced by the placeholder of its kind."""
    parts, end = [], 0
    for piece in pieces:
        parts += [text[end : piece.begin], PLACEHOLDERS_BY_KIND[piece.kind]]
        end = piece.end
    return "".join([*parts, text[end:]])


def count_kinds(pieces: list[Private]) -> Counter[str]:
    """How many pieces there are of each kind."""
    return Counter(piece.kind for piece in pieces)


_HANDLES: Final = sorted(
    checks.word_set(
        "QQ qq Qq 扣扣 抠抠 扣抠 企鹅 "
        "护照 護照 assport ASSPORT 通行证 通行證 身份证 身份證 身分证 身分證 HKID "
        "微信 薇信 威信 徽信 V信 v信 echat eChat eixin EIXIN VX vx Vx WX wx Wx ＱＱ ｑｑ"
    )
)


def may_hold_private(text: pl.Series, counts: pl.DataFrame, prefix: str) -> pl.Series:
    """Numbers of the rows that `find_private` must read: the others hold nothing private.

    Args:
        text: a column of texts.
        counts: what `measure` counted in them.
        prefix: of the counts' names.
    """
    c = {name: counts[prefix + name] for name in ("digit_run", "at_signs", "dotted_digits", "hex_colons", "plates")}
    likely = (c["digit_run"] >= 11) | (c["at_signs"] > 0) | (c["dotted_digits"] >= 3) | (c["hex_colons"] >= 3)
    return (likely | (c["plates"] > 0) | text.str.contains_any(_HANDLES)).arg_true()
