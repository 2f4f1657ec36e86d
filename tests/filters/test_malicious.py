"""The adversarial set: offers with evasions, and benign texts that speak of the same things."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from opencc import OpenCC

from cmtp.filters.contact import broken, contacts, framed
from cmtp.filters.fold import breaks_in, matching_form
from cmtp.filters.lexicon import MALICIOUS_CATEGORIES, compile_lexicon, disguises
from cmtp.filters.malicious import LIMIT, SAID, Matcher
from cmtp.filters.offer import BARGAIN_WEIGHT, PRICE_WEIGHT, beside_trade, shapes
from tests.filters.helpers import MATCHER, fired, judged, reason


def texts(category: str) -> tuple[list[str], list[str]]:
    """Offers and benign texts of a category's file."""
    lines = (Path(__file__).parent / "malicious" / f"{category}.txt").read_text("utf-8").splitlines()
    return [line[2:] for line in lines if line[0] == "+"], [line[2:] for line in lines if line[0] == "-"]


def met(text: str) -> list[str]:
    return [f.category for f in MATCHER.findings(MATCHER.read(text)) if f.score >= LIMIT]


@pytest.mark.parametrize("category", MALICIOUS_CATEGORIES)
def test_recall_and_precision_by_category(category):
    offers, benign = texts(category)
    assert len(offers) >= 80
    assert len(benign) >= 80
    caught = sum(category in met(text) for text in offers)
    wrong = [text for text in benign if met(text)]
    assert caught / len(offers) >= 0.95
    assert caught / (caught + len(wrong)) >= 0.98, wrong


def test_offers_in_words_that_the_lexicons_were_never_shown():
    """Texts written after the lexicons and not used for them: what benchmarks/filters.md says of new vocabulary."""
    lines = (Path(__file__).parent / "malicious" / "unseen.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    caught = [category in met(text) for category, kind, text in rows if kind == "+"]
    assert len(caught) == 35
    assert sum(caught) >= 10
    assert [text for _, kind, text in rows if kind == "-" and met(text)] == []


@pytest.mark.parametrize("category", MALICIOUS_CATEGORIES)
def test_sets_hold_both_scripts_and_no_text_twice(category):
    everything = [text for kind in texts(category) for text in kind]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(
    "spelling",
    [
        "赌博平台",
        "赌-博 平台",
        "賭博平臺",
        "赌\u200b博平台",
        "赌🎲博*平_台",
        "ｄｕ博平台",
        "𝐝𝐮博平台",
        "贝者博平台",
        "赌（博）平台",
        "赌.博.平.台",
    ],
)
def test_spellings_of_one_term(spelling):
    assert reason("娱乐", f"{spelling}招代理，返水高，注册就送彩金") == "malicious_gambling"


@pytest.mark.parametrize(
    "text", ["三人打赌，博士输了。", "按 Ctrl+V 粘贴，Ctrl + V 也行。", "edu博客平台", "在向量 v_x 与 vxyz 之间"]
)
def test_words_across_sentences_and_inside_latin_words_do_not_count(text):
    assert MATCHER.findings(MATCHER.read(text)) == []


def test_one_topic_word_decides_nothing():
    for word in ("赌博", "冰毒", "手枪", "卖淫", "诈骗", "外链", "微信"):
        assert reason(word, f"{word}是什么意思？词典里有解释，请看下文。") is None


def test_evidence_gives_category_spans_and_context():
    text = "网赌平台，賭-博送彩金，加V❤ abc12345"
    item = json.loads(judged(("通知", text)).evidence[0])["rules"][0]
    assert (item["rule"], item["category"]) == ("malicious_gambling", "gambling")
    assert item["value"] >= item["limit"] == LIMIT
    whole = "通知\n" + text
    spans = {match["term"]: match for match in item["matches"]}
    assert spans["赌博"]["text"] == "賭-博"
    assert all(whole[slice(*match["at"])] == match["text"] for match in item["matches"])
    assert "abc12345" in item["offer"]


def test_content_names_the_reason_before_contact():
    assert reason("兼职", "同城约炮，学生妹上门，加薇信 abc_12345，加V❤ abc12345") == "malicious_pornography"


@pytest.mark.parametrize(
    ("text", "handle", "hidden"),
    [
        ("加薇信：abc_1234", "abc_1234", True),
        ("➕ＶＸ ａｂｃ１２３", "abc123", True),
        ("扌口扌口 5566778899", "5566778899", True),
        ("q 三三五六七八九零", "三三五六七八九0", True),
        ("微信号：abc_1234", "abc_1234", False),
        ("电话 13800138000", "13800138000", False),
        ("群号 ❶❷❸❹❺❻", "123456", False),
        ("加 🇻🇽：abc_1234", "abc_1234", True),
        ("加❤信 abc_1234", "abc_1234", True),
        ("崴.新 号：abc_1234", "abc_1234", True),
        ("電 ☎ 壹叁捌零零壹叁捌零零零", "壹叁捌00壹叁捌000", True),
        ("电话 1三8零零一3八零零零", "1三800一3八000", True),
    ],
)
def test_contacts(text, handle, hidden):
    assert [(found.id, found.hidden) for found in contacts(matching_form(text)[0])] == [(handle, hidden)]


@pytest.mark.parametrize(
    "text",
    [
        "/boot/grub2/grub.cfg",
        "向量 v 与 w 正交",
        "VX 系列车床",
        "std::vector<int> v = values;",
        "line 12 of wx.request",
    ],
)
def test_what_is_no_contact(text):
    assert contacts(matching_form(text)[0]) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("赌-博", True), ("赌❤博", True), ("赌\u200b博", True), ("赌博", False), ("“赌”博", False), ("赌 博", False)],
)
def test_words_that_are_broken_up(text, found):
    folded, places = matching_form(text)
    assert folded == "赌博"
    assert broken(text, places, 0, len(folded)) is found


def test_ornaments_between_characters_are_counted():
    assert breaks_in("快❤排，收㊙️录，权🎲重") == 3
    assert breaks_in("这是**重点**，A→B，阿·Q，脱□字，卓越®卡，春 夏") == 0
    assert reason("通知", "收❤录排❤名找我❤们，价❤格美丽").startswith("malicious_")


def test_context_decides():
    offer = "出售冰毒、麻古，货到付款"
    assert reason("通知", offer + "，加微信 bd668899") == "malicious_drugs"
    assert reason("通知", f"警方查获一起案件，犯罪嫌疑人以“{offer}”为名诈骗，已被判处有期徒刑。") is None


def test_one_phrase_of_another_category_does_not_name_an_advertisement():
    text = "免费领取资料，加V❤：wx8866521，扣扣群 13579246，加薇信 aa123456，进群领红包，做任务，一比十"
    verdicts = judged(("通知", text))
    rules = [item["rule"] for item in json.loads(verdicts.evidence[0])["rules"]]
    assert set(rules) == {"malicious_fraud", "malicious_contact_spam"}
    assert verdicts.reason[0] == rules[0] == "malicious_contact_spam"


def test_switches():
    text = "真人荷官在线发牌，百家乐，注册送彩金"
    assert reason("娱乐", text) == "malicious_gambling"
    assert reason("娱乐", text, malicious=False) is None
    assert reason("娱乐", text, disable=["malicious_gambling"]) is None
    assert reason("娱乐", text, thresholds={"malicious_gambling": 1000}) is None
    assert reason("娱乐", text, thresholds={"malicious_gambling@forum": 1000}) is None


def test_users_words():
    text = "来买神奇水晶转运"
    assert MATCHER.findings(MATCHER.read(text)) == []
    own = Matcher({"fraud": {"神奇水晶": 4.5, "转运": 2.0}})
    finding = own.findings(own.read(text))[0]
    assert (finding.category, finding.score) == ("fraud", 6.5)


def test_disguises_of_a_term():
    assert {"du博", "赌bo", "dubo", "堵博", "贝者博"} <= disguises("赌博")
    assert "堵bo网" in disguises("赌博网")  # two at once from three characters on
    assert "赌博" not in disguises("赌博")


def test_every_lexicon_entry_has_a_weight_and_survives_folding():
    for form, entries in compile_lexicon().items():
        assert matching_form(form)[0] == form
        assert all(0 < entry.weight <= 6 for entry in entries)


@pytest.mark.parametrize(
    ("text", "found"), [("𝐠𝐮𝐧", True), ("①号", True), ("🅥信", True), ("gun 一号", False), ("É", False)]
)
def test_framed_and_fancy_letters(text, found):
    assert framed(text) is found


def test_a_framed_number_is_a_hidden_one():
    verdict = judged(("游戏", "代练，装备回收，扣⑥⑧②⑦④①⑨③，先打后付"))
    item = json.loads(verdict.evidence[0])["rules"][0]
    assert item["category"] == "contact_spam"
    assert "扣⑥⑧②⑦④①⑨③" in [match["text"] for match in item["matches"] if match["term"] == "hidden contact"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("一克三百，十粒起发", {PRICE_WEIGHT}),
        ("充一百送五十", {BARGAIN_WEIGHT}),
        ("只要十块，註冊即送", {PRICE_WEIGHT, BARGAIN_WEIGHT}),
        ("第一条规定，处一年以上三年以下有期徒刑", set()),
        ("每克含糖三毫克，一次服用两粒", set()),
    ],
)
def test_prices_and_bargains(text, kinds):
    assert {weight for _, weight in shapes(matching_form(text)[0])} == kinds


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("海洛因批发", "海洛因", True),
        ("現貨供應海洛因", "海洛因", True),
        ("贩卖海洛因", "海洛因", False),
        ("海洛因，由他发货", "海洛因", False),
        ("走私、运输海洛因的", "海洛因", False),
    ],
)
def test_words_of_trade_beside_the_goods(text, word, found):
    folded = matching_form(text)[0]
    at = folded.find(word)
    assert beside_trade(folded, at, at + len(word)) is found


def test_a_lone_term_counts_less_and_words_of_the_subject_have_a_top():
    terms = {"weapons": {f"名物{n}": 0.9 for n in "甲乙丙丁戊"}, "fraud": {"神奇水晶": 3.0, "转运": 1.0}}
    own = Matcher(terms)
    assert own.findings(own.read("神奇水晶"))[0].score == pytest.approx(2.0)
    assert own.findings(own.read("神奇水晶转运"))[0].score == pytest.approx(4.0)
    assert own.findings(own.read("名物甲，名物乙，名物丙，名物丁，名物戊"))[0].score == pytest.approx(SAID * 1.5)


def test_opinions_without_an_offer():
    assert reason("评论", "恶心极了，嫖娼约炮的，无论男女，都太脏了，谁知道有没有传染病") is None
    assert reason("評論", "嫖娼約炮，上門服務，加微信 abc_12345") == "malicious_pornography"


def test_reports_quote():
    plain, quoted = "真人荷官，注册送彩金", "“真人荷官”，“注册送彩金”"
    scores = [MATCHER.findings(MATCHER.read(text))[0].score for text in (plain, quoted)]
    assert scores[1] == pytest.approx(scores[0] / 2)


@pytest.mark.parametrize("category", MALICIOUS_CATEGORIES)
@pytest.mark.parametrize("script", ["s2t", "t2s"])
def test_every_category_turns_at_its_threshold_in_both_scripts(category, script):
    text = OpenCC(script).convert(next(t for t in texts(category)[0] if met(t) == [category]))
    value = next(
        item["value"]
        for item in json.loads(judged(("通知", text)).evidence[0])["rules"]
        if item.get("category") == category
    )
    rule = f"malicious_{category}"
    assert rule in fired("通知", text, thresholds={rule: value - 0.001})
    assert rule not in fired("通知", text, thresholds={rule: value + 0.001})
