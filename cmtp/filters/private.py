"""Private data: found in the text as it is (full width and separators included), masked by a placeholder per kind.

Numbers are taken for private only when they check: an identity number by region, date and checksum (GB 11643-1999), a
bank card by prefix, length and Luhn (ISO/IEC 7812), a mobile number by a prefix in service (MIIT numbering plan), an
address by not being private, local or otherwise reserved (RFC 6890) nor a public resolver. A mailbox of a role or a
placeholder (git@, root@, user@, noreply@) is nobody's. Handles need their word before them (QQ, 微信).
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import polars as pl

KINDS: Final = {
    "id_card": "[身份证号]",
    "bank_card": "[银行卡号]",
    "mobile": "[手机号]",
    "email": "[邮箱]",
    "wechat": "[微信号]",
    "qq": "[QQ号]",
    "plate": "[车牌号]",
    "ip": "[IP地址]",
}
"""Placeholders by kind; earlier kinds win where two overlap."""

_HALF: Final = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    0x3000: 0x20,
    0x2014: 0x2D,
    0x2013: 0x2D,
    0x2212: 0x2D,
    0x2022: 0xB7,
}
"""Full width to half width and dashes to hyphens, one character to one: positions stay."""

_WIDE: Final = re.compile(r"[０-９Ａ-Ｚａ-ｚ＠．]|\d[—–−－　•] ?\d")
"""Without any of these, the full-width colon alone is in the way."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REGIONS: Final = _words(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
)
_BEFORE: Final = r"(?<![0-9A-Za-z_])(?<![0-9][.\-])(?<!\[)"
_AFTER: Final = r"(?![0-9A-Za-z_])(?![.\-][0-9])"
_AMOUNT: Final = (
    r"(?!\s{0,2}(?:元|万元|亿|万|美元|吨|公里|千米|平方|立方|株|人|次|个|倍|千瓦|米|克"
    r"|字节|毫秒|微秒|秒|bytes?|ticks|idle|[KkMG]?B\b|[mun]?s\b))"
)
_GAP: Final = r"(?: ?[\-.·] ?| )"
"""What people put between the groups of a number."""
_LONG_NUMBER: Final = re.compile(rf"\d(?:{_GAP}?\d){{10}}")
"""What no identity, card or mobile number can do without."""
_ID_CARD: Final = re.compile(
    rf"{_BEFORE}\d{{6}}{_GAP}?\d{{4}}{_GAP}?\d\d{_GAP}?\d\d{_GAP}?\d{{3}}{_GAP}?[\dXx]{_AFTER}"
)
_BANK_CARD: Final = re.compile(
    rf"(?<!\d ){_BEFORE}(?:62|[45]\d|3[4-7]|95)(?:\d{{14,17}}|\d{{4}}{_GAP}\d{{10,13}}"
    rf"|\d\d(?P<gap>{_GAP})\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?:(?P=gap)?\d{{1,3}})?){_AFTER}(?! \d){_AMOUNT}"
)
_SEPARATORS: Final = re.compile(r"[ \-.·]")
_IN_SERVICE: Final = r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
_MOBILE: Final = re.compile(
    rf"{_BEFORE}(?:\(?(?:\+|00)?86\)?[ \-]{{0,2}})?{_IN_SERVICE}"
    rf"(?:(?:{_GAP}?\d{{4}}){{2}}|\d{_GAP}\d{{3}}{_GAP}\d{{4}}|{_GAP}\d{{3}}{_GAP}\d{{5}}){_AFTER}{_AMOUNT}"
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
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·•\-]?"
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
    weight = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(number[:17]))
    return "10X98765432"[weight % 11] == number[17].upper()


def valid_luhn(number: str) -> bool:
    """Whether the digits end in the check digit of ISO/IEC 7812-1."""
    total = 0
    for at, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _bank_card(digits: str) -> bool:
    lengths = {"62": range(16, 20), "95": range(19, 20)}.get(digits[:2], range(16, 17))
    looks_like_id = len(digits) == 18 and digits[6:8] in ("19", "20") and digits[:2] in _REGIONS
    return len(digits) in lengths and not looks_like_id and len(set(digits)) > 3 and valid_luhn(digits)


def _address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    section = text.count(".") == 3 and all(
        int(part) < 20 for part in text.split(".")
    )  # 第 13.6.3.1 节, version 5.10.0.1
    shown = address.is_global or any(address in net for net in _DOCUMENTATION)
    return shown and not address.is_multicast and not section and text.lower() not in _RESOLVERS


def _mail(match: re.Match[str]) -> bool:
    user, host = match["user"].lower(), match["host"].lower()
    nobody = user in _NOT_MAIL_USERS or host.endswith("users.noreply.github.com")
    return not nobody and match["top"].lower() not in _NOT_MAIL_TOPS


def _plain_word(match: re.Match[str]) -> bool:
    """A WeChat id without 号 before it must look like one: a digit or low line in it, a colon or space before it."""
    named = bool(match["word"]) or ":" in match["gap"] or "=" in match["gap"]
    return not named or not any(char.isdigit() or char in "_-" for char in match["number"])


def find(text: str) -> list[Private]:
    """Private data of a text, in order, without overlaps."""
    half = text.translate(_HALF) if _WIDE.search(text) else text.replace("：", ":")
    found: list[Private] = []

    def add(kind: str, begin: int, end: int) -> None:
        if all(end <= other.begin or other.end <= begin for other in found):
            found.append(Private(kind, begin, end))

    numbers = _LONG_NUMBER.search(half) is not None
    for match in _ID_CARD.finditer(half) if numbers else ():
        if valid_id_card(_SEPARATORS.sub("", match[0])):
            add("id_card", *match.span())
    for match in _BANK_CARD.finditer(half) if numbers else ():
        if _bank_card(_SEPARATORS.sub("", match[0])):
            add("bank_card", *match.span())
    for match in _MOBILE.finditer(half) if numbers else ():
        add("mobile", *match.span())
    for match in _EMAIL.finditer(half) if "@" in half else ():
        if _mail(match):
            add("email", *match.span())
    for match in _WECHAT.finditer(half):
        if not _plain_word(match):
            add("wechat", *match.span("number"))
    for match in _QQ.finditer(half):
        add("qq", *match.span("number"))
    for match in _PLATE.finditer(half):
        if any(char.isdigit() for char in match["number"]):
            add("plate", *match.span())
    for match in _IPV4.finditer(half) if half.count(".") >= 3 else ():
        if _address(match["number"]) and not _VERSION.search(half[max(0, match.start() - 12) : match.start()]):
            add("ip", *match.span())
    for match in _IPV6.finditer(half) if half.count(":") >= 3 else ():
        if _address(match["number"]):
            add("ip", *match.span())
    return sorted(found, key=lambda item: item.begin)


def mask(text: str, found: list[Private]) -> str:
    """The text with each piece of private data replaced by the placeholder of its kind."""
    parts, at = [], 0
    for item in found:
        parts += [text[at : item.begin], KINDS[item.kind]]
        at = item.end
    return "".join([*parts, text[at:]])


def count(found: list[Private]) -> Counter[str]:
    """Pieces by kind."""
    return Counter(item.kind for item in found)


_HANDLES: Final = sorted(
    _words(
        "QQ qq Qq 扣扣 抠抠 扣抠 企鹅 微信 薇信 威信 徽信 V信 v信 echat eChat eixin EIXIN VX vx Vx WX wx Wx ＱＱ ｑｑ"
    )
)


def candidates(text: pl.Series, counts: pl.DataFrame, prefix: str) -> pl.Series:
    """Rows of a column that may hold private data, by the counts of `measure` and the words before a handle."""
    c = {name: counts[prefix + name] for name in ("digit_run", "at_signs", "dotted_digits", "hex_colons", "plates")}
    likely = (c["digit_run"] >= 11) | (c["at_signs"] > 0) | (c["dotted_digits"] >= 3) | (c["hex_colons"] >= 3)
    return (likely | (c["plates"] > 0) | text.str.contains_any(_HANDLES)).arg_true()
