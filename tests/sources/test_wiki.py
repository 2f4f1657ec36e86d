import bz2

import pytest

from cmtp.sources.wiki.article import read_wiki
from tests.sources.reading import broken, documents, read

ENTRY = """{{Infobox city
| name = 杭州
| map = {{location map|中国|label={{lang|zh|杭州}}}}
}}
[[File:Hangzhou.jpg|thumb|250px|[[西湖]]的荷花]]
'''杭州'''（{{lang|en|Hangzhou}}，{{Audio|x.ogg}}），简称“[[杭州市|杭]]”，是[[浙江省]]的省会<ref name="a">{{cite web|url=http://a}}</ref>。\
<!-- 注释 -->人口{{convert|1|km}}很多<ref name=a />。

== 历史 ==
-{zh-hans:软件;zh-hant:軟體}-业发达，-{杭}-州湾在东。
* [[钱塘江]]流经
# 第一项
{| class="wikitable"
! 年 !! 人口
|-
| 2000 || {| nested
|}
|}
=== 古代 ===
秦代设县&mdash;见[http://a.b 县志]和[http://c.d]。

== 参考文献 ==
{{reflist}}
* 《杭州志》
== 外部链接 ==
* [http://a 官网]
[[Category:浙江城市]]
[[en:Hangzhou]]
__NOTOC__
"""


def dump(pages):
    body = "".join(
        f"<page><title>{title}</title><ns>{ns}</ns><id>{n}</id>{extra}<revision><id>1</id><text xml:space='preserve'>"
        f"{text.replace('&', '&amp;').replace('<', '&lt;')}</text></revision></page>"
        for n, (title, ns, text, extra) in enumerate(pages)
    )
    return f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" xml:lang="zh">{body}</mediawiki>'.encode()


def test_an_entry():
    found = read_wiki("杭州", ENTRY, "o", "s")
    assert found.title == "杭州"
    assert found.lead == ["杭州（Hangzhou），简称“杭”，是浙江省的省会。人口很多。"]
    assert [(section.level, section.heading, section.paragraphs) for section in found.sections] == [
        (2, "历史", ["软件业发达，杭州湾在东。", "钱塘江流经", "第一项"]),
        (3, "古代", ["秦代设县—见县志和。"]),
    ]


PAGES = [
    ("杭州", 0, ENTRY, ""),
    ("杭州市", 0, "#REDIRECT [[杭州]]", "<redirect title='杭州' />"),
    ("临安", 0, "#重定向 [[杭州]]", ""),
    ("Talk:杭州", 1, "讨论", ""),
    ("西湖 (消歧义)", 0, "西湖可以指：\n* [[西湖]]\n{{disambig}}", ""),
    ("空", 0, "{{stub}}", ""),
    ("西湖", 0, "'''西湖'''在杭州。", ""),
]


@pytest.mark.parametrize(("name", "pack"), [("zhwiki.xml", bytes), ("zhwiki-pages.xml.bz2", bz2.compress)])
def test_a_dump(tmp_path, name, pack):
    items, _ = read(tmp_path, name, pack(dump(PAGES)))
    assert [(item.origin, item.title) for item in documents(items)] == [(f"{name}#1", "杭州"), (f"{name}#7", "西湖")]
    assert broken(items) == [
        (f"{name}#2", "redirect"),
        (f"{name}#3", "redirect"),
        (f"{name}#4", "not_an_article"),
        (f"{name}#5", "disambiguation"),
        (f"{name}#6", "no_text"),
    ]


def test_broken_dumps(tmp_path):
    data = dump(PAGES)
    items, _ = read(tmp_path, "a.xml", data[:-40])
    assert len(documents(items)) >= 1
    assert broken(items)[-1][1] == "bad_xml"
    items, _ = read(tmp_path, "b.xml.bz2", bz2.compress(data)[:-10])
    assert broken(items)[-1] == ("b.xml.bz2#0", "truncated_file")
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><mediawiki><page><title>&a;</title></page></mediawiki>'
    assert broken(read(tmp_path, "c.xml", bomb)[0]) == [("c.xml#1", "bad_xml")]
    assert broken(read(tmp_path, "d.xml", b"<rss><item/></rss>")[0]) == [("d.xml#0", "unsupported_format")]


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 200_000 + "文",
        "}}" * 200_000,
        "{|" * 100_000 + "\n| a",
        "[[" * 100_000,
        "[[File:a|" * 50_000,
        "<ref" * 50_000,
        "<ref>" * 50_000,
        "<!--" * 50_000,
        "-{" * 50_000,
        "== 节 ==\n" * 50_000,
        "'''" * 100_000,
    ],
)
def test_hostile_wikitext_ends(text, bounded):
    read_wiki("题", text, "o", "s")
