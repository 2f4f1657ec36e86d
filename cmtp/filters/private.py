"""Private data: found in the text as it is (full width and separators included), masked by a placeholder per kind.

A kind is a row of `DETECTORS`: an expression, and a check of what it matches.

- An identity number has a region, a date and the checksum of GB 11643-1999.
- A bank card has a prefix, a length and the check digit of ISO/IEC 7812 (Luhn).
- A mobile number has a prefix in service (MIIT numbering plan) and no unit behind it.
- An IP address is public: not local, private or reserved (RFC 6890), and not a public resolver.
- A mailbox belongs to a person, not to a role or a placeholder (git@, root@, user@, noreply@).
- A QQ or WeChat number stands after its word (QQ：, 微信号).
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from cmtp.filters.chars import PROVINCES

PLACEHOLDERS_BY_KIND: Final = {
    "id_card": "[身份证号]",
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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REGIONS: Final = _words(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
)
"""First two digits of an identity number: the province (GB/T 2260); 81 to 83: Hong Kong, Macao and Taiwan residents."""
_BEFORE: Final = r"(?<![0-9A-Za-z_])(?<![0-9][.\-])(?<!\[)"
_AFTER: Final = r"(?![0-9A-Za-z_])(?![.\-][0-9])"
_NOT_AMOUNT: Final = (
    r"(?!\s{0,2}(?:元|万元|亿|万|美元|吨|公里|千米|平方|立方|株|人|次|个|倍|千瓦|米|克"
    r"|字节|毫秒|微秒|秒|bytes?|ticks|idle|[KkMG]?B\b|[mun]?s\b))"
)
_GAP: Final = r"(?: ?[\-.·] ?| )"
"""What people put between the groups of a number."""
_LONG_NUMBER: Final = re.compile(rf"\d(?:{_GAP}?\d){{10}}")
"""Eleven digits: every identity, card and mobile number has them."""
_ID_CARD: Final = re.compile(
    rf"{_BEFORE}\d{{6}}{_GAP}?\d{{4}}{_GAP}?\d\d{_GAP}?\d\d{_GAP}?\d{{3}}{_GAP}?[\dXx]{_AFTER}"
)
_BANK_CARD: Final = re.compile(
    rf"(?<!\d ){_BEFORE}(?:62|[45]\d|3[4-7]|95)(?:\d{{14,17}}|\d{{4}}{_GAP}\d{{10,13}}"
    rf"|\d\d(?P<gap>{_GAP})\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?:(?P=gap)?\d{{1,3}})?){_AFTER}(?! \d){_NOT_AMOUNT}"
)
_SEPARATORS: Final = re.compile(r"[ \-.·]")
_IN_SERVICE: Final = r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
_MOBILE: Final = re.compile(
    rf"{_BEFORE}(?:\(?(?:\+|00)?86\)?[ \-]{{0,2}})?{_IN_SERVICE}"
    rf"(?:(?:{_GAP}?\d{{4}}){{2}}|\d{_GAP}\d{{3}}{_GAP}\d{{4}}|{_GAP}\d{{3}}{_GAP}\d{{5}}){_AFTER}{_NOT_AMOUNT}"
)
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+\-/@])(?P<user>[A-Za-z0-9](?:[A-Za-z0-9._%+\-]{0,62}[A-Za-z0-9_])?) ?@ ?"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,12}))(?![A-Za-z0-9\-@:]|\.[A-Za-z])"
)
_NOT_MAIL_TOPS: Final = _words(
    "png jpg jpeg gif svg webp js ts css html htm json xml yml yaml md py java rb go sh txt log zip gz conf service "
    "target socket mount timer local localhost localdomain internal example test invalid lan example"
)
_NOT_MAIL_USERS: Final = _words(
    "git root user username users someone somebody anyone me you yourname your_name your.name yourmail youremail "
    "your_email name email mail admin administrator webmaster postmaster noreply no-reply donotreply test tester foo "
    "bar baz hg svn alice bob john jane john.doe jane.doe johndoe xxx abc example myname hello info support sales "
    "contact security abuse"
)
_QQ: Final = re.compile(
    r"(?:(?<![A-Za-z])[Qq]{2}|[扣抠]{2}|企鹅)(?:群|裙)?(?:号码|账号|号|帳號|號)?(?:是|为|為|加)?[\s:;,，=]{0,3}(?P<number>[1-9]\d{4,10})(?![0-9A-Za-z.])"
)
_WECHAT: Final = re.compile(
    r"(?:微信|薇信|威信|徽信|[Vv]信|(?<![A-Za-z])(?:[Ww]e[Cc]hat|[Ww]eixin|WEIXIN|[VvWw][Xx]))(?P<word>(?:公众)?(?:号码|账号|号|帳號|號|ID|id)?(?:是|为|為)?)"
    r"(?P<gap>[ ]?[:=]?[ ]?)(?P<number>[A-Za-z][A-Za-z0-9_\-]{5,19})(?![A-Za-z0-9_\-(.])"
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
_VERSION: Final = re.compile(
    r"(?:[Vv]ersion|版本|内核|固件|驱动|[Vv]er\.?|[Rr]elease|发布|更新到|升级到|升级至|[A-Za-z]) ?[Vv]?$"
)
_RESOLVERS: Final = _words(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 114.114.114.114 114.114.115.115 223.5.5.5 223.6.6.6 119.29.29.29 "
    "180.76.76.76 208.67.222.222 208.67.220.220 4.2.2.1 4.2.2.2 1.2.3.4 2001:4860:4860::8888 2001:4860:4860::8844"
)


_DOCUMENTATION: Final = tuple(map(ipaddress.IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Stand in texts for somebody's public address (RFC 5737), so they are masked like one."""


@dataclass(frozen=True)
class Private:
    """One piece of private data: its kind and where it is, in characters."""

    kind: str
    begin: int
    end: int


def valid_id_card(number: str) -> bool:
    """Whether 18 characters are an identity number: a region, a date of birth, and the checksum of GB 11643-1999."""
    if number[:2] not in _REGIONS:
        return False
    try:
        born = datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    if not 1800 <= born.year <= 2100:
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def valid_luhn(number: str) -> bool:
    """Whether the digits end in the check digit of ISO/IEC 7812-1."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _is_id_card(match: re.Match[str]) -> bool:
    return valid_id_card(_SEPARATORS.sub("", match[0]))


def _is_bank_card(match: re.Match[str]) -> bool:
    digits = _SEPARATORS.sub("", match[0])
    lengths = {"62": range(16, 20), "95": range(19, 20)}.get(digits[:2], range(16, 17))
    looks_like_id = len(digits) == 18 and digits[6:8] in ("19", "20") and digits[:2] in _REGIONS
    return len(digits) in lengths and not looks_like_id and len(set(digits)) > 3 and valid_luhn(digits)


def _is_personal_mail(match: re.Match[str]) -> bool:
    user, host = match["user"].lower(), match["host"].lower()
    nobody = user in _NOT_MAIL_USERS or host.endswith("users.noreply.github.com")
    return not nobody and match["top"].lower() not in _NOT_MAIL_TOPS


def _is_wechat_id(match: re.Match[str]) -> bool:
    """微信 alone announces nothing (微信 JavaScript SDK): 号, a colon or = follows, and the id has a digit, _ or -."""
    named = bool(match["word"]) or ":" in match["gap"] or "=" in match["gap"]
    return named and any(char.isdigit() or char in "_-" for char in match["number"])


def _has_digit(match: re.Match[str]) -> bool:
    return any(char.isdigit() for char in match["number"])


def _is_public_ipv4(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 12) : match.start()]
    return _is_public_address(match) and not _VERSION.search(before)


def _is_public_address(match: re.Match[str]) -> bool:
    text = match["number"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # 第 13.6.3.1 节, version 5.10.0.1
    is_section = text.count(".") == 3 and all(int(part) < 20 for part in text.split("."))
    is_public = address.is_global or any(address in net for net in _DOCUMENTATION)
    return is_public and not address.is_multicast and not is_section and text.lower() not in _RESOLVERS


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
    Detector("id_card", _ID_CARD, _is_id_card, may_hold=_has_long_number),
    Detector("bank_card", _BANK_CARD, _is_bank_card, may_hold=_has_long_number),
    Detector("mobile", _MOBILE, may_hold=_has_long_number),
    Detector("email", _EMAIL, _is_personal_mail, may_hold=lambda text: "@" in text),
    Detector("wechat", _WECHAT, _is_wechat_id, group="number"),
    Detector("qq", _QQ, group="number"),
    Detector("plate", _PLATE, _has_digit),
    Detector("ip", _IPV4, _is_public_ipv4, may_hold=lambda text: text.count(".") >= 3),
    Detector("ip", _IPV6, _is_public_address, may_hold=lambda text: text.count(":") >= 3),
)
"""All kinds; where two overlap, the earlier one wins."""


def find_private(text: str) -> list[Private]:
    """Private data of a text, in order, without overlaps."""
    half = text.translate(_HALF) if _WIDE.search(text) else text.replace("：", ":")
    pieces: list[Private] = []
    for detector in DETECTORS:
        for match in detector.pattern.finditer(half) if detector.may_hold(half) else ():
            begin, end = match.span(detector.group)
            apart = all(end <= other.begin or other.end <= begin for other in pieces)
            if apart and detector.accepts(match):
                pieces.append(Private(detector.kind, begin, end))
    return sorted(pieces, key=lambda piece: piece.begin)


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
    _words(
        "QQ qq Qq 扣扣 抠抠 扣抠 企鹅 微信 薇信 威信 徽信 V信 v信 echat eChat eixin EIXIN VX vx Vx WX wx Wx ＱＱ ｑｑ"
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
