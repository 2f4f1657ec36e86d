"""What a person would ask to find an article of a statute.

An address (``邮政法 › 第八章 法律责任 › 第六十九条``) tells an article by its number, so it is not a query. An article
gets a question made of its own words where it begins in one of these forms, tried in this order:

1. Definition: 本条例所称酒类商品，包括白酒、黄酒… → 酒类商品包括哪些
2. Penalty: 违反本条例规定，用人单位提供虚假招聘信息的，由…责令改正… → 用人单位提供虚假招聘信息会受到什么处罚
3. List: 门楼牌号的编排应当符合下列规定：（一）… → 门楼牌号的编排应当符合哪些规定
4. Authority: 《居住证》由县级人民政府公安机关签发… → 《居住证》由谁签发
5. Period: 原告自接到通知之日起七日内补交案件受理费… → 原告自接到通知之日起多少日内补交案件受理费
6. Prohibition: 用户承租车辆后，不得擅自转租… → 用户承租车辆后，可以擅自转租吗

The statute's title stands before the question, because many statutes answer the same one. Other articles give no query
that names them: general duties, references to other articles, dates of entry into force. Measured on 68,917 articles of
1,668 laws: 14 % have a question.
"""

from __future__ import annotations

import re
from typing import Final

MIN_QUESTION: Final = 8
"""Characters of the shortest question; shorter ones name anything."""
MAX_QUESTION: Final = 80
"""Characters of the longest question; a longer one is the article again."""
MAX_ECHO: Final = 0.7
"""Largest share of the article that its question may take up; above, question and article are one sentence."""

MAX_LIST_LEAD: Final = 140
"""Characters before the colon of a list."""

_STATUTE: Final = r"(?:法|条例|办法|规定|细则|规则|规章|规程|解释|决定|章程|规范|准则|纲要|通则|意见)"
_REFERENCE: Final = re.compile(
    rf"前[款条项述]|[上下]述|本[条款项章节]|第[一二三四五六七八九十百零〇\d]+[条款项章节]|本{_STATUTE}|[该其此](?![他次中间事力])|依照前|同本"
)
"""Words that point to another place: a question that holds them cannot be understood by itself."""

_SENTENCE_END: Final = re.compile(r"[。；;\n]")
_NOUNS: Final = "[^，。；：、,;:（）()]"
_DEFINITION: Final = re.compile(
    rf"本{_STATUTE}(?:中)?所(?:称|指)的?({_NOUNS}{{2,24}}?)[，,]?\s*(?:主要)?(是指|是|包括|指)(?!否)"
)
_BREACH: Final = re.compile(rf"违反[^，。；]{{0,40}}?(?:本{_STATUTE}|第[^，。；]{{1,12}}条)[^，。；]{{0,24}}[，,]")
_PENALTY: Final = re.compile(
    r"([^。；;：:]{6,70}?)的[，,](?=由|处|责令|依法|给予|对|可以?处|没收|予以|吊销|按照|依照|应当)([^。]+)"
)
_CONSEQUENCE: Final = re.compile(
    r"罚款|没收|处分|警告|吊销|拘留|追究刑事责任|行政处罚|责令(?:限期)?改正|暂扣|通报批评|治安管理处罚"
)
_NO_DEED: Final = re.compile(r"[下以]列|以下|构成(?:[^，]{0,6}犯罪|违反)")
_LIST: Final = re.compile(
    r"([^。；;：:]{0,70}?)(?:下列|以下(?!列))(?!简?称)([^。；;：:]{2,60}?)[：:](?=\s*$|\s*\n|\s*[（(]|\s*[一二1][、.])",
    re.MULTILINE,
)
_ONE_OF: Final = re.compile(r"(.{1,16}?)之一(的|者)?([，,]?)(.*)")
_BARE_HAVING: Final = re.compile(r"(?:凡|对)?(?:有|具有|属于|存在|具备|符合|出现|发生)?")
_AUTHORITY: Final = re.compile(
    rf"({_NOUNS}{{4,40}}?)[，,]?(?:应当)?由([^，。；：,;:]{{4,50}}?)(负责|签发|核发|制定|组织实施|组织|承担|确定|规定|审批|批准|管理|颁发|发布|公布|行使|领导|主管|受理|管辖|聘任|任命|选举产生|支付|编制)"
    r"(?=[，。；,;]|实施|并)"
)
_PERIOD: Final = re.compile(
    r"(?:[一二三四五六七八九十百两\d]+(?:至|到|-|—)?[一二三四五六七八九十百两\d]*)个?(日|天|工作日|月|年|小时)(以内|之内|内|以前|前)"
)
_FORBIDDEN: Final = re.compile(r"([^。；;：:]{4,60}?)不得([^。；;：:]{4,40})[。；;]")
_OTHER_DUTY: Final = re.compile("不得|应当|必须|禁止|规定$")
_VAGUE: Final = re.compile(r"^(?:构成|情节|造成|触犯|尚不|拒不|逾期|有|属于|对|因|给|经|未经|具有|存在)?[^，]{0,6}$")
_WEAK_START: Final = re.compile(
    r"^(?:由|但|并|且|或|以及|其中|同时|此外|因此|否则|必要时|根据|按照|依照|国家(?:鼓励|支持|保护)|[（(]|对于?(?!.{3,}[，,]))"
)


def statute_question(title: str, paragraphs: list[str]) -> str | None:
    """The question of an article with the statute's title before it; None where its words give none.

    >>> statute_question("出租汽车条例", ["用户承租车辆后，不得擅自转租。违者由主管部门处理，并承担由此产生的费用。"])
    '出租汽车条例 用户承租车辆后，可以擅自转租吗'

    Args:
        title: of the statute; may be empty.
        paragraphs: of the article, without its number.
    """
    text = "\n".join(paragraphs)
    for form in (_definition, _penalty, _list, _authority, _period, _prohibition):
        question = form(text)
        if question is None:
            continue
        if (
            MIN_QUESTION <= len(question) <= MAX_QUESTION
            and len(question) <= MAX_ECHO * len(text)
            and not _REFERENCE.search(question)
            and not _WEAK_START.match(question)
        ):
            return f"{title} {question}".strip()
    return None


def _first_sentence(text: str) -> str:
    return _SENTENCE_END.split(text, maxsplit=1)[0]


def _definition(text: str) -> str | None:
    match = _DEFINITION.match(text)
    if match is None:
        return None
    return f"{match[1]}包括哪些" if match[2] == "包括" else f"{match[1]}是指什么"


def _penalty(text: str) -> str | None:
    if "的，" not in text and "的," not in text:
        return None
    breach = _BREACH.match(text)
    rest = text[breach.end() :] if breach else text
    match = _PENALTY.match(rest)
    if match is None or not _CONSEQUENCE.search(match[2]) or _NO_DEED.search(match[1]):
        return None
    deed = match[1].strip("，, ")
    if _VAGUE.match(deed) or deed.startswith(("应当", "依法", "需要")):
        return None
    return f"{deed}会受到什么处罚"


def _list(text: str) -> str | None:
    start = text[:MAX_LIST_LEAD]
    if "下列" not in start and "以下" not in start:
        return None
    match = _LIST.match(text)
    if match is None:
        return None
    before, what = match.groups()
    breach = _BREACH.match(before)
    before = before[breach.end() :] if breach else before
    one_of = _ONE_OF.match(what)
    if _CONSEQUENCE.search(match[0]):
        deeds = f"{before}哪些{one_of[1]}会受到处罚" if one_of else None
        return deeds if len(before) >= MIN_QUESTION else None
    if one_of is None:
        return f"{before}哪些{what}"
    kind, then = one_of[1], one_of[4].strip("，, ")
    if one_of[2] == "的" and not one_of[3]:
        return f"{before}哪些{kind}的{then}"  # 有下列情形之一的犯罪嫌疑人，…
    if _BARE_HAVING.fullmatch(before):
        return f"哪些{kind}下{then}" if then else None
    return f"{before}哪些{kind}，{then}" if then else f"{before}哪些{kind}"


def _authority(text: str) -> str | None:
    sentence = _first_sentence(text)
    if "由" not in sentence:
        return None
    match = _AUTHORITY.match(sentence + "。")
    if match is None or match[1].endswith(("下", "时", "中", "的")):
        return None
    return f"{match[1]}由谁{match[3]}"


def _period(text: str) -> str | None:
    sentence = _first_sentence(text)
    match = _PERIOD.search(sentence)
    if match is None or match.start() < 6 or len(_PERIOD.findall(sentence)) > 1 or re.search("[下以]列", sentence):
        return None
    unit = "少个工作日" if match[1] == "工作日" else "少个月" if match[1] == "月" else f"少{match[1]}"
    question = f"{sentence[: match.start()]}多{unit}{match[2]}{sentence[match.end() :]}"
    if len(question) > MAX_QUESTION:
        stop = re.search("[，,]", question[match.end() + 6 :])
        question = question[: match.end() + 6 + stop.start()] if stop else question
    return question


def _prohibition(text: str) -> str | None:
    if "不得" not in text[:MAX_QUESTION]:
        return None
    match = _FORBIDDEN.match(text)
    if match is None or _OTHER_DUTY.search(match[1]) or _OTHER_DUTY.search(match[2]) or match[2].endswith("除外"):
        return None
    return f"{match[1]}可以{match[2]}吗"
