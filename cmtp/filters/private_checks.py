"""Checks of what an expression for private data matched: check digits, and what stands around the match.

A text around a match is looked at in half width, a few dozen characters on either side.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import Final


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written in one string."""
    return frozenset(text.split())


_REGIONS: Final = word_set(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
)
"""First two digits of an identity number: the province (GB/T 2260); 81 to 83: Hong Kong, Macao and Taiwan residents."""
SEPARATORS: Final = re.compile(r"[ \-.·]")
"""What may stand between the groups of a number."""
_LABEL: Final = 16
"""Characters before a number in which its label is looked for."""
_PHONE: Final = re.compile(
    r"(?:手机|手機|移动电话|电话|電話|致电|致電|拨打|撥打|热线|熱線|短信|簡訊|联系|聯繫|联络|聯絡|号码|號碼|咨询|諮詢|微信"
    r"|(?<![A-Za-z])(?i:tel|phone|mobile|mob|cell|call|sms|whatsapp|wechat|wx|vx|tg))[^\d\n]{0,6}$"
)
"""A label of a phone number: no unit behind the number says otherwise."""
_IDENTITY: Final = re.compile(
    r"(?:身份证|身份證|身分证|身分證|证件|證件|HKID|(?<![A-Za-z])(?i:id)|統一編號|统一编号)[^\d\n]{0,6}$"
)
_PASSPORT: Final = re.compile(r"(?:护照|護照|通行证|通行證|回乡证|回鄉證|(?i:passport))[^\d\n]{0,6}$")
_AMOUNT: Final = re.compile(
    r"\s{0,2}(?:元|万元|亿|万|美元|吨|公里|千米|平方|立方|株|人(?![工员員事力])|次|个|個|倍|千瓦|米|克|字节|毫秒|微秒|秒(?![回杀])"
    r"|bytes?|ticks|idle|[KkMG]?B\b|[mun]?s\b)"
)
"""A unit behind a number, and not a word that begins like one: 人工, 秒回."""
_CODE_AFTER: Final = re.compile(r"[A-Za-z]{1,8}\d|_[A-Za-z0-9]")
IN_SERVICE: Final = r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
"""First three digits of a mobile number (MIIT numbering plan)."""
_DIGITS_BEFORE: Final = re.compile(r"\d[.\-]$")
_MOBILE_BEFORE: Final = re.compile(rf"(?<!\d){IN_SERVICE}\d{{8}}[.\-]$")
_DIGITS_AFTER: Final = re.compile(r"[.\-]\d")
_OTHER_AFTER: Final = re.compile(rf"[.\-]{IN_SERVICE}\d{{8}}(?!\d)|-\d{{1,6}}(?![\d\-])|\.(?:19|20)\d\d年")
"""A second mobile number, an extension, or a year after a full stop."""
_LETTER_JOINED: Final = re.compile(r"[A-Za-z]_$")
_LETTERS_BEFORE: Final = re.compile(r"[A-Za-z]+$")
_LABEL_LETTERS: Final = word_set("tel phone mobile mob cell call sms wx vx wechat whatsapp id no num qq v w hp m t tg")
"""Letters that may stand right before a number and name it: Tel138…, wx138…"""


def before(match: re.Match[str], characters: int = _LABEL) -> str:
    """What stands before a match."""
    return match.string[max(0, match.start() - characters) : match.start()]


def valid_id_card(number: str) -> bool:
    """Whether 18 characters are an identity number: a region, a date of birth, and the checksum of GB 11643-1999."""
    if number[:2] not in _REGIONS or not _is_birth(number[6:14]):
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def _is_birth(date: str) -> bool:
    try:
        born = datetime.date(int(date[:4]), int(date[4:6]), int(date[6:]))
    except ValueError:
        return False
    return 1800 <= born.year <= 2100


def valid_luhn(number: str) -> bool:
    """Whether the digits end in the check digit of ISO/IEC 7812-1."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def valid_hong_kong(number: str) -> bool:
    """Whether letters, six digits and a check digit are an identity number of Hong Kong: A123456(3)."""
    plain = re.sub(r"[()]", "", number).upper()
    body, check = plain[:-1].rjust(8), plain[-1]
    values = [36 if char == " " else int(char, 36) for char in body]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return "0A987654321"[total % 11] == check


def valid_taiwan(number: str) -> bool:
    """Whether a letter and nine digits are an identity number of Taiwan: A123456789."""
    letter = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0].upper()) + 10
    digits = [letter // 10, letter % 10, *map(int, number[1:])]
    return sum(d * w for d, w in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0


def is_id_card(match: re.Match[str]) -> bool:
    """18 characters with the right checksum."""
    return valid_id_card(SEPARATORS.sub("", match[0]))


def is_old_id_card(match: re.Match[str]) -> bool:
    """15 digits without a checksum: their label stands before them."""
    number = match[0]
    return number[:2] in _REGIONS and _is_birth("19" + number[6:12]) and _IDENTITY.search(before(match)) is not None


def is_hong_kong_card(match: re.Match[str]) -> bool:
    """Hong Kong's format with its check digit, in brackets or after its label."""
    return valid_hong_kong(match[0]) and ("(" in match[0] or _IDENTITY.search(before(match)) is not None)


def is_taiwan_card(match: re.Match[str]) -> bool:
    """Taiwan's format with its check digit, after its label."""
    return valid_taiwan(match[0]) and _IDENTITY.search(before(match)) is not None


def is_passport(match: re.Match[str]) -> bool:
    """A passport or a travel permit, after its label."""
    return _PASSPORT.search(before(match)) is not None


def is_bank_card(match: re.Match[str]) -> bool:
    """A prefix with its length and the check digit, and no unit behind it."""
    digits = SEPARATORS.sub("", match[0])
    lengths = {"62": range(16, 20), "95": range(19, 20)}.get(digits[:2], range(16, 17))
    looks_like_id = len(digits) == 18 and digits[6:8] in ("19", "20") and digits[:2] in _REGIONS
    right = len(digits) in lengths and not looks_like_id and len(set(digits)) > 3 and valid_luhn(digits)
    return right and _AMOUNT.match(match.string, match.end()) is None


def is_mobile(match: re.Match[str]) -> bool:
    """A number that is complete, after a label; else one that is neither part of an identifier nor an amount."""
    if not _is_complete(match):
        return False
    if _PHONE.search(before(match)):
        return True
    letters = _LETTERS_BEFORE.search(before(match))
    if letters and letters[0].lower() not in _LABEL_LETTERS:
        return False
    identifier = _LETTER_JOINED.search(before(match)) or _CODE_AFTER.match(match.string, match.end())
    return not identifier and _AMOUNT.match(match.string, match.end()) is None


def _is_complete(match: re.Match[str]) -> bool:
    """Whether a dot or hyphen and a digit beside a number belong to another: a second number, an extension, a year."""
    ahead, behind = _DIGITS_BEFORE.search(before(match)), _DIGITS_AFTER.match(match.string, match.end())
    if ahead and not _MOBILE_BEFORE.search(before(match)):
        return False
    return behind is None or _OTHER_AFTER.match(match.string, match.end()) is not None


_NOT_MAIL_TOPS: Final = word_set(
    "png jpg jpeg gif svg webp js ts css html htm json xml yml yaml md py java rb go sh txt log zip gz conf service "
    "target socket mount timer local localhost localdomain internal example test invalid lan"
)
_NOT_MAIL_USERS: Final = word_set(
    "git root user username users someone somebody anyone me you yourname your_name your.name yourmail youremail "
    "your_email name email mail admin administrator webmaster postmaster noreply no-reply donotreply test tester foo "
    "bar baz hg svn alice bob john jane john.doe jane.doe johndoe xxx xxxx abc example myname myemail hello info "
    "support sales contact security abuse password passwd"
)
_NOT_MAIL_HOSTS: Final = re.compile(
    r"(?:^|\.)(?:test|domain|mydomain|yourdomain|your-domain|company|foo|bar|xxx|abc|email|host|server|acme|corp"
    r"|users\.noreply\.github|noreply\.github|googlegroups|groups\.io|lists?|python|w3|gnu|kernel)\.(?:com|org|net|cn|io|edu)$"
    r"|(?:^|\.)example\.(?!(?:com|net|org)$)[a-z]+$"
)
"""Example domains, and those of mailing lists."""
_EXAMPLE_HOST: Final = re.compile(r"(?:^|\.)example\.(?:com|net|org)$")
_STANDS_FOR_SOMEBODY: Final = re.compile(r"(?:邮箱|郵箱|邮件到|郵件到|用户|用戶)[ :]{0,2}$")
"""Behind one of these a mailbox at example.com (RFC 2606) stands for somebody's, as an address of RFC 5737 does."""
_FREE_HOSTS: Final = word_set(
    "qq.com vip.qq.com foxmail.com 163.com 126.com yeah.net 139.com 189.cn sina.com sina.cn sohu.com aliyun.com "
    "gmail.com hotmail.com outlook.com live.com live.cn msn.com yahoo.com yahoo.com.cn yahoo.com.tw icloud.com me.com "
    "tom.com 21cn.com"
)
"""Where people have mailboxes: an address there is somebody's wherever it stands."""
_MAIL_LABEL: Final = re.compile(
    r"(?:邮箱|郵箱|邮件|郵件|信箱|电邮|電郵|联系|聯繫|投稿|投递|发到|發到|发给|寄到|收件"
    r"|(?i:e-?mails?|mail ?to|contact|reach|cc|to|from|me|at))[^A-Za-z\n]{0,8}$"
)
_COMMAND: Final = re.compile(r"(?:^|[^\x21-\x7e])[$#>]?[ ]?[a-z][\w.\-]*(?: [\x21-\x7e]+)* [\x21-\x7e]*$")
"""Latin words from the beginning of a line or behind Chinese text up to the match: a line for a terminal."""
_ASSIGNED: Final = re.compile(r"(?:=|://[^\s/]{0,40}[:@]|[\w.\-]:)[\"'“]?$")
"""A value of a setting (email=…), or a part of an address of a server (user:…@)."""
_EXTENSION: Final = re.compile(r"扩展|擴充|插件|extension|plugin|applet", re.IGNORECASE)


def _in_code(match: re.Match[str]) -> bool:
    """Whether a match stands in a command, between backticks, or as the value of a setting."""
    line = before(match, 80).rpartition("\n")[2]
    return line.count("`") % 2 == 1 or _COMMAND.search(line) is not None or _ASSIGNED.search(line) is not None


def is_personal_mail(match: re.Match[str]) -> bool:
    """A mailbox of a person: not of a role, a list or an example, and not an identifier in a command or a setting."""
    user, host = match["user"].lower(), match["host"].lower()
    if user in _NOT_MAIL_USERS or match["top"].lower() in _NOT_MAIL_TOPS or _NOT_MAIL_HOSTS.search(host):
        return False
    if _EXAMPLE_HOST.search(host):
        return _STANDS_FOR_SOMEBODY.search(before(match)) is not None
    if host in _FREE_HOSTS or _MAIL_LABEL.search(before(match)):
        return True
    around = match.string[max(0, match.start() - 12) : match.end() + 12]
    return not _in_code(match) and _EXTENSION.search(around) is None


def is_wechat_id(match: re.Match[str]) -> bool:
    """微信 alone announces nothing (微信 JavaScript SDK): 号, a colon, = or a bracket follows, and the id has a digit,
    a low line or a hyphen.
    """
    named = bool(match["word"]) or any(char in match["gap"] for char in ":=(（[【「")
    return named and any(char.isdigit() or char in "_-" for char in match["number"])


def has_digit(match: re.Match[str]) -> bool:
    """A number plate has a digit."""
    return any(char.isdigit() for char in match["number"])


_VERSION: Final = re.compile(
    r"(?:版本|内核|固件|驱动|发布|更新到|升级到|升级至"
    r"|(?<![A-Za-z])(?!(?i:ip|ipv4|address|addr|host|server|client|from|to|src|dst|inet|remote|login|at) ?$)[A-Za-z]+)"
    r" ?[Vv]?$"
)
"""A version's number, or a Latin name before one: Chrome 39.0.2171.95, but not IP 203.0.113.77."""
_VISITOR: Final = re.compile(r"登录|登錄|登入|来自|來自|访问|訪問|用户|用戶|账号|帳號|注册|您的|我的|来源")
_NETWORK: Final = re.compile(
    r"(?i:dns|tcpdump|ping|nslookup|traceroute|route|iptables|ssh|curl|host|telnet|nmap|subnet|gateway)|域名|主机|主機|服务器"
    r"|伺服器|端口|路由|子网|掩码|网段|网关|网卡|抓包|截获|公网|外网|私网|配置|解析|镜像|例如|比如|示例|格式|有效的"
)
"""Words of an article about networks, where an address is an example or a service."""
_RESOLVERS: Final = word_set(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 114.114.114.114 114.114.115.115 223.5.5.5 223.6.6.6 119.29.29.29 "
    "180.76.76.76 208.67.222.222 208.67.220.220 4.2.2.1 4.2.2.2 1.2.3.4 2001:4860:4860::8888 2001:4860:4860::8844 "
    "1.12.12.12 120.53.53.53 101.226.4.6 218.30.118.6 117.50.10.10 52.80.52.52 149.112.112.112 176.103.130.130 "
    "176.103.130.131 94.140.14.14 94.140.15.15 2606:4700:4700::1111 2606:4700:4700::1001 2400:3200::1"
)
_DOCUMENTATION: Final = tuple(map(ipaddress.IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Stand in texts for somebody's public address (RFC 5737), so they are masked like one."""
_AROUND: Final = 40
"""Characters on either side of an address that tell whose it is."""


def is_public_ipv4(match: re.Match[str]) -> bool:
    """A visitor's address: not a version, and not an example or a service in an article about networks."""
    return is_visitor_address(match) and not _VERSION.search(before(match, 24))


def is_visitor_address(match: re.Match[str]) -> bool:
    """A public address that is not a resolver's, not in a command, and not in a text about networks."""
    text = match["number"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # 第 13.6.3.1 节, version 5.10.0.1
    is_section = text.count(".") == 3 and all(int(part) < 20 for part in text.split("."))
    is_public = address.is_global or any(address in net for net in _DOCUMENTATION)
    if not is_public or address.is_multicast or is_section or text.lower() in _RESOLVERS:
        return False
    around = match.string[max(0, match.start() - _AROUND) : match.end() + _AROUND]
    if _VISITOR.search(around):
        return not _in_code(match)
    told = re.search(r"[\u3400-\u9fff]", around) is not None
    return told and not _in_code(match) and _NETWORK.search(around) is None
