"""Private data: right and wrong checksums, look-alikes of law and technology, and what masking must not touch."""

from __future__ import annotations

import datetime
import random
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn, numdb
from stdnum.cn import ric

from cmtp.filters.measure import count_texts
from cmtp.filters.private import (
    PLACEHOLDERS_BY_KIND,
    find_private,
    mask_private,
    may_hold_private,
)
from cmtp.filters.private_checks import valid_hong_kong, valid_id_card, valid_luhn, valid_taiwan
from tests.filters.helpers import judged, reason

PLACES = [f"{n}0000" for n in range(10, 100) if numdb.get("cn/loc").info(f"{n}0000")[0][1]]
"""Codes of all provinces."""
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
FRAMES = ["我的号码是{}，请记好。", "（{}）", "号码:{}", "{}", "联系人张三 {} 备用", "见：\n{}\n以上"]


def id_card(rng: random.Random) -> str:
    body = rng.choice(["110105", "440524", "310101", "510107"])
    body += f"{rng.randint(1940, 2015)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.randint(0, 999):03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def bank_card(rng: random.Random) -> str:
    body = rng.choice(["621700", "622848", "620058"]) + "".join(str(rng.randint(0, 9)) for _ in range(12))
    digits = [int(d) * (2 if at % 2 == 0 else 1) for at, d in enumerate(reversed(body))]
    return body + str(-sum(d - 9 if d > 9 else d for d in digits) % 10)


def mobile(rng: random.Random) -> str:
    return rng.choice(["138", "159", "177", "186", "199"]) + "".join(str(rng.randint(0, 9)) for _ in range(8))


GROUPS = {
    "mobile": [(3, 7), (3, 6), (4, 7)],
    "id_card": [(6, 14), (6, 10, 14), (6, 10, 12, 14)],
    "bank_card": [(4, 8, 12, 16), (6,)],
}
SEPARATORS = (" ", "-", ".", "·", "—", "－", "\u3000", " - ")


def spellings(kind: str, number: str) -> list[str]:
    """A number as people write it: plain, full width, in groups with separators."""
    grouped = []
    for cuts in GROUPS[kind]:
        parts = [number[a:b] for a, b in zip((0, *cuts), (*cuts, None), strict=True)]
        grouped += [gap.join(parts) for gap in SEPARATORS]
    return [number, number.translate(WIDE), *grouped, grouped[0].translate(WIDE)]


@pytest.mark.parametrize(("kind", "make"), [("id_card", id_card), ("bank_card", bank_card), ("mobile", mobile)])
def test_generated_numbers_are_found_in_every_spelling(kind, make):
    rng = random.Random(7)
    texts, whole = [], []
    for _ in range(20):
        for spelling in spellings(kind, make(rng)):
            for frame in FRAMES:
                texts.append(frame.format(spelling))
                whole.append(frame.format(PLACEHOLDERS_BY_KIND[kind]))
    column = pl.Series(texts)
    assert may_hold_private(column, count_texts(column, ""), "").to_list() == [*range(len(texts))]
    missed = [
        text for text, masked in zip(texts, whole, strict=True) if mask_private(text, find_private(text)) != masked
    ]
    assert len(missed) <= 0.01 * len(texts), missed[:5]


@pytest.mark.parametrize(("kind", "make"), [("id_card", id_card), ("bank_card", bank_card)])
def test_wrong_checksums_are_no_private_numbers(kind, make):
    rng = random.Random(8)
    for _ in range(200):
        number = make(rng)
        wrong = number[:-1] + str((int(number[-1].replace("X", "0")) + rng.randint(1, 9)) % 10)
        if wrong != number and not (kind == "id_card" and valid_id_card(wrong)):
            assert [item.kind for item in find_private(f"编号{wrong}。")] == []


def test_checksums():
    assert valid_id_card("11010519491231002X")
    assert valid_id_card("11010519491231002x")
    assert not valid_id_card("110105194912310021")
    assert not valid_id_card("11010519491331002X")
    assert not valid_id_card("99010519491231002X")
    assert valid_luhn("4111111111111111")
    assert not valid_luhn("4111111111111112")


@given(st.text(alphabet="0123456789", min_size=1, max_size=25))
def test_luhn_is_that_of_python_stdnum(digits):
    assert valid_luhn(digits) == luhn.is_valid(digits)


@given(st.dates(datetime.date(1850, 1, 1), datetime.date(2050, 1, 1)), st.integers(0, 999), st.randoms())
def test_identity_numbers_check_as_with_python_stdnum(born, order, rng):
    body = f"{rng.choice(PLACES)}{born:%Y%m%d}{order:03}"
    right = ric.calc_check_digit(f"{body}0")
    for digit in "0123456789X":
        assert valid_id_card(body + digit) == (digit == right)
        assert valid_id_card(body + digit) or not ric.is_valid(body + digit)


def test_every_province_that_python_stdnum_knows_is_a_region():
    assert len({place[:2] for place in PLACES}) >= 31
    for place in PLACES:
        assert valid_id_card(f"{place}19491231002{ric.calc_check_digit(f'{place}194912310020')}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("邮箱：zhang.san@qq.com。", "邮箱：[邮箱]。"),
        ("发到ｚｈａｎｇ＠１６３．ｃｏｍ吧", "发到[邮箱]吧"),
        ("QQ：2873651920，常在线", "QQ：[QQ号]，常在线"),
        ("加扣扣号 10001 问他", "加扣扣号 [QQ号] 问他"),
        ("微信号：zhang_san88", "微信号：[微信号]"),
        ("VX: wxid_a1b2c3d4", "VX: [微信号]"),
        ("车牌京A·F0236被拖走", "车牌[车牌号]被拖走"),
        ("粤B12345D 是新能源车", "[车牌号] 是新能源车"),
        ("来自 61.135.169.121 的访问", "来自 [IP地址] 的访问"),
        ("来自 2409:8a00:1234:5678::1 的访问", "来自 [IP地址] 的访问"),
        ("来自 2409:8a00:1234:5678:9abc:def0:1234:5678 的访问", "来自 [IP地址] 的访问"),
        ("电话 +86 138-0013-8000", "电话 [手机号]"),
        ("电话（+86）13800138000", "电话（+86）[手机号]"),
        ("138 0013 8000、139.0013.9000", "[手机号]、[手机号]"),
    ],
)
def test_kinds(text, masked):
    assert mask_private(text, find_private(text)) == masked


@pytest.mark.parametrize(
    "text",
    [
        "1994年7月15日公安部、外交部、交通部发布，自2013年9月1日起施行。",
        "国发〔2013〕8号，法释〔2022〕11号，（2021）最高法民终1234号",
        "第一百三十八条第二款，第13.6.3.1节，GB/T 18354-2021，ISBN 978-7-04-050694-5",
        "总投资13800000000元，占地18612345678平方米，读取19327352832 bytes",
        "统一社会信用代码 91110108551385082Q，订单号 202401011380013800012",
        "127.0.0.1、192.168.1.10、10.0.0.8、172.16.0.1、255.255.255.0、0.0.0.0、8.8.8.8、114.114.114.114",
        "Chrome 39.0.2171.95，version 61.135.169.121，内核 4.15.0.20",
        "git@github.com:foo/bar.git，root@localhost，user@example.com，image@2x.png，ubuntu@ip-10-0-0-1.internal",
        "微信 JavaScript SDK，微信支付，QQ 邮箱，QQ2013 正式版，WeChat Work",
        "std::vector，Ada::Face，12:30:45，00:1a:2b:3c:4d:5e",
        "热线 12348、96110、010-62781234、400-810-8888，快递 SF1380013800012",
        "川A级景区，鲁迅，京 B 型",
    ],
)
def test_no_false_positive(text):
    assert find_private(text) == []


@given(st.text(alphabet="杭州的西湖，。 .-:@/abcXQ微信号京A0123456789０１３８［］[]", max_size=80))
def test_masking_twice_changes_nothing(text):
    once = mask_private(text, find_private(text))
    assert mask_private(once, find_private(once)) == once


@given(st.text(alphabet=st.characters(exclude_categories=["Nd", "Cs"]), max_size=80).filter(lambda t: "@" not in t))
def test_text_without_digits_and_at_signs_is_untouched(text):
    if "信" not in text and "x" not in text.lower() and ":" not in text:
        assert mask_private(text, find_private(text)) == text


def test_mask_drop_and_keep():
    pair = ("失物", "捡到钱包的人请打13800138000，或者发邮件到 li.si@126.com，万分感谢。")
    verdicts = judged(pair)
    assert verdicts.reason == {}
    assert verdicts.masked["passage"] == {0: "捡到钱包的人请打[手机号]，或者发邮件到 [邮箱]，万分感谢。"}
    assert verdicts.private == {"mobile": 1, "email": 1}
    assert reason(*pair, private="drop") == "private_data"
    kept = judged(pair, private="keep")
    assert (kept.reason, kept.masked, kept.private) == ({}, {"query": {}, "passage": {}}, {})
    assert reason(*pair, private="drop", disable=["private_data"]) is None


def masked(text: str) -> str:
    return mask_private(text, find_private(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("请拨打15900002468人工客服", "请拨打[手机号]人工客服"),
        ("发短信到手机15900002469秒回", "发短信到手机[手机号]秒回"),
        ("電話：15900002469 元宵節前", "電話：[手机号] 元宵節前"),
        ("预约Tel15900002470，或者tel:15900002470", "预约Tel[手机号]，或者tel:[手机号]"),
        ("有意者wx15900002471", "有意者wx[手机号]"),
        ("联系_15900002472_领取", "联系_[手机号]_领取"),
        ("[15900002473](tel:15900002473)", "[[手机号]](tel:[手机号])"),
        ("外地拨015900002474", "外地拨[手机号]"),
        ("15900002475-13600001357", "[手机号]-[手机号]"),
        ("15900002475/13600001357", "[手机号]/[手机号]"),
        ("15900002476-801", "[手机号]-801"),
        ("电话15900002477.2031年起", "电话[手机号].2031年起"),
        ("15900002477wx同号", "[手机号]wx同号"),
        ("我的ID420106198503172815，原证", "我的ID[身份证号]，原证"),
        ("身份证[510104199211083558]", "身份证[[身份证号]]"),
        ("旧身份证号：110105491231002。", "旧身份证号：[身份证号]。"),
        ("香港身份證 A123456(3)", "香港身份證 [身份证号]"),
        ("身分證字號：A123456789", "身分證字號：[身份证号]"),
        ("护照号：E12345678", "护照号：[护照号]"),
        ("passport no. G28233515", "passport no. [护照号]"),
        ("储蓄卡No6222021405003718467，备注", "储蓄卡No[银行卡号]，备注"),
        ("发到ceshi00x1@163.com:请写明", "发到[邮箱]:请写明"),
        ("写信给ceshi00x2@163.com-林老师", "写信给[邮箱]-林老师"),
        ("邮箱/ceshi00x3@163.com，", "邮箱/[邮箱]，"),
        ("收件人_ceshi00x4@163.com，", "收件人_[邮箱]，"),
        ("联系 zhang.san@qinghe.cn。", "联系 [邮箱]。"),
        ("发邮件到 zhang.san@example.com，用户 zhang.san@example.org 登录", "发邮件到 [邮箱]，用户 [邮箱] 登录"),
        ("git config user.email “li.si@gmail.com”", "git config user.email “[邮箱]”"),
        ("登录IP 203.0.113.77，若不是本人", "登录IP [IP地址]，若不是本人"),
        ("找社长QQ（30517426）登记", "找社长QQ（[QQ号]）登记"),
        ("找班长QQ30517427.照片", "找班长QQ[QQ号].照片"),
        ("店主微信（ceshi_w77），", "店主微信（[微信号]），"),
        ("WeChat ID：ceshi_w78，", "WeChat ID：[微信号]，"),
    ],
)
def test_what_limits_a_number_is_a_digit(text, wanted):
    assert masked(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "执行 gnome-extensions disable clock-pill@qingshan.dev 就能停用",
        "启用 clock-pill@qingshan.dev 扩展后重新登录",
        "$ ssh fooey@build.qingshan.dev -p 22000",
        "talk wangxz@tirc.cs.qinghe.edu",
        "连接串 mysql://root:pwd@db.qinghe.cn:3306/a",
        "设置 sasl.user=app@qinghe.cn 后重启",
        "在 `app@qinghe.cn` 中替换",
        "发到 jrosa@example.com、johnsmith@email.com、sentinel@example.tst",
        "写信给 bug-bash@gnu.org 或 flutter-dev@googlegroups.com",
        "注解 @Component and @Component.Builder 的区别",
        "01 赵浅 1**1@qq.com",
        "DNS 服务器：176.103.130.130 或 94.140.14.14",
        "199.85.126.10\n199.85.127.10",
        "tcpdump 截获主机 210.27.48.1 的包",
        "公网210.14.67.7让内网192.168.188.0/24上网",
        "域名对应 85.129.83.120 这个地址",
        "占地18612345678平方米，读取 13800138000bytes，版本 15900002468.12",
        "订单 13800138000-12345678，快递 SF13800138000，列 tb_13800138000",
        "工号 A123456789，型号 E12345678，编号 110105491231002",
        "香港身份證 A123456(4)",
        "三万人（15900002468人）参加",
    ],
)
def test_what_is_nobodys(text):
    assert masked(text) == text


def test_checksums_of_hong_kong_and_taiwan():
    assert valid_hong_kong("A123456(3)")
    assert valid_hong_kong("AB987654(3)")
    assert not valid_hong_kong("A123456(4)")
    assert valid_taiwan("A123456789")
    assert not valid_taiwan("A123456788")


@given(st.lists(st.sampled_from(["a1@163.com ", "13800138000，", "QQ：2873651920，", "。", "京A·F0236 "]), max_size=12))
def test_pieces_are_in_order_and_apart(parts):
    pieces = find_private("".join(parts))
    assert all(one.end <= two.begin for one, two in pairwise(pieces))
