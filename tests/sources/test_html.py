"""Pages as they come: the cases were seen in Debian's Chinese documentation and on Chinese sites."""

import pytest

from cmtp.sources.html.article import read_html
from cmtp.sources.html.text import page_text, read_wet
from tests.sources.reading import broken, read


def article(body, title=""):
    found = read_html(f"<html><head><title>{title}</title></head><body>{body}</body></html>", "o", "s")
    return found.title, found.lead, [(section.level, section.heading, section.paragraphs) for section in found.sections]


def lead(body):
    return article(f"<h1>题</h1>{body}")[1]


LONG = "这是一段足够长的正文，里面有完整的句子，说的是一件具体的事情。"


def test_title_headings_paragraphs():
    body = f"<h1>西湖</h1><p>{LONG}</p><h2>历史：</h2><p>唐代<b>已有</b>此名。<br>宋代更盛。</p>"
    body += "<h3>2.1. 诗词</h3><p>很多。</p>"
    assert article(body, "西湖 - 某网站") == (
        "西湖",
        [LONG],
        [(2, "历史", ["唐代已有此名。", "宋代更盛。"]), (3, "诗词", ["很多。"])],
    )


@pytest.mark.parametrize(
    ("page_title", "body", "title"),
    [
        ("台风登陆浙江_新闻频道_某某网", f"<h1>某某网</h1><h2>台风登陆浙江</h2><p>{LONG}</p>", "台风登陆浙江"),
        ("红眼消除", f"<h3>4.6. 红眼消除</h3><h4>概述</h4><p>{LONG}</p>", "红眼消除"),
        ("打开文档 | 帮助中心", f"<p>{LONG}{LONG}{LONG}</p>", "打开文档"),
        ("", f"<h2>只有小标题</h2><p>{LONG}</p>", "只有小标题"),
        ("网站名", f"<h1>真正的标题在这里</h1><p>{LONG}</p>", "真正的标题在这里"),
    ],
)
def test_which_heading_is_the_title(page_title, body, title):
    assert article(body, page_title)[0] == title


@pytest.mark.parametrize(
    "noise",
    [
        "<nav><a href='/'>首页</a> 关于</nav>",
        "<div class='navheader'><table><tr><td>上一页</td></tr></table></div>",
        "<div id='sidebar-left'><p>热门文章排行榜，今天也有很多。</p></div>",
        "<footer><p>某某公司出品，保留权利。</p></footer>",
        "<script>var a = '<p>不是正文</p>';</script><style>p{}</style><!-- <p>注释</p> -->",
        "<form><input value='x'><select><option>选项</option></select></form>",
        "<figure><img src='a.png'><figcaption>图 1：一座山</figcaption></figure>",
        "<ul><li><a href='1'>链接一</a></li><li><a href='2'>链接二</a></li></ul>",
        "<p><a href='x'>查询向导 - 总览</a></p>",
        "<p>版权所有 © 2020 某某公司</p><p>责任编辑：张三</p><p>上一篇：无</p>",
        "<p style='display:none'></p><div style='display: none'><p>看不见的文字，不应出现。</p></div>",
        "<pre>line 1\nline 2\nline 3</pre>",
        "<div class='icontable'><div><img src='a'></div><div><p>流程图</p></div></div>",
        "<dl class='toc'><dt>3.1. 启动过程概述</dt></dl>",
    ],
)
def test_what_is_no_text_is_left_out(noise):
    assert lead(f"<p>{LONG}</p>{noise}<p>结尾一段。</p>") == [LONG, "结尾一段。"]


def test_lists_tables_and_code():
    assert lead("<p>步骤如何：</p><ul><li>甲</li><li>乙<ul><li>丙</li></ul></li></ul>") == [
        "步骤如何：",
        "甲",
        "乙",
        "丙",
    ]
    table = "<table><tr><th>名</th><th>值</th></tr><tr><td><p>甲</p></td><td>1</td></tr></table>"
    assert lead(table) == ["名 值", "甲 1"]
    assert lead(f"<table><tr><td><p>{LONG}</p><p>{LONG}</p></td><td>侧</td></tr></table>") == [LONG, LONG, "侧"]
    icon = "<table><tr><td><img src='a.png'></td><td><p>圆柱体</p></td></tr></table>"
    assert lead(f"<p>{LONG}</p>{icon}") == [LONG]
    assert lead("<p>运行：</p><pre>$ ls\n$ cd</pre>") == ["运行：", "$ ls", "$ cd"]
    assert lead(f"<p>{LONG}运行下面的命令：</p><pre>a\nb\nc</pre><p>完。</p>") == [LONG, "完。"]
    assert lead("<dl><dt>一级</dt><dd>校内通过即可。</dd></dl>") == ["一级", "校内通过即可。"]


def test_white_space_and_entities():
    assert lead("<p>第一行\n   第二行 and\n  third &lt;b&gt;&nbsp;A&amp;B</p>") == ["第一行第二行 and third <b> A&B"]
    assert lead("<p>引用<sup>[1]</sup>和平方<sup>2</sup><ruby>汉<rp>(</rp><rt>han</rt></ruby></p>")[0].startswith(
        "引用和平方2汉"
    )


def test_of_a_menu_named_for_each_system_one_stays():
    switch = "<span class='switchinline'><span hidden='true' class='MAC'><span class='emph'>偏好设置</span></span>"
    switch += "<span hidden='true'><span class='emph'>工具 - 选项</span></span></span>"
    assert lead(f"<p>选择「{switch}」，再选语言。</p>") == ["选择「工具 - 选项」，再选语言。"]


def test_an_index_of_terms_is_no_text(tmp_path):
    entries = "".join(f"<dl><dt>术语{n}，另一个术语</dt></dl>" for n in range(50))
    page = f"<html><body><h1>索引</h1><div class='indexdiv'><h3>U</h3>{entries}</div></body></html>"
    assert broken(read(tmp_path, "a.html", page.encode())[0]) == [("a.html#1", "no_text")]


def test_xhtml_with_empty_elements():
    text = '<?xml version="1.0"?><html><head><title>题</title><script src="a.js"/></head><body>'
    text += f'<h1><a id="x"/>题</h1><div class="a"/><p>{LONG}</p></body></html>'
    found = read_html(text, "o", "s")
    assert (found.title, found.lead) == ("题", [LONG])


def test_a_class_that_swallows_the_page_is_not_believed():
    body = f"<div class='sidebar'><h1>题</h1>{f'<p>{LONG}</p>' * 9}</div>"
    assert article(body)[1] == [LONG] * 9


@pytest.mark.parametrize(
    ("data", "charset", "encoding"),
    [
        ("<meta charset=gb2312><p>中文网页的正文</p>".encode("gb18030"), "", "gb18030"),
        ("<p>中文网页的正文，没有说明编码</p>".encode(), "iso-8859-1", "utf-8"),
        ("<p>日本語のページです。漢字とかな</p>".encode("shift_jis"), "Shift_JIS", "shift_jis"),
        (b"<p>" + b" " * 70_000 + "正文在很后面".encode("gbk"), "gbk", "gb18030"),
    ],
)
def test_encodings_of_pages(data, charset, encoding):
    text, found = page_text(data, charset)
    assert found == encoding
    assert text == data.decode(encoding)


def test_stray_bytes_leave_a_space_and_many_reject_the_page(tmp_path):
    page = f"<title>题</title><h1>题</h1><p>{LONG * 60}</p>".encode()
    items, _ = read(tmp_path, "a.html", page.replace("具体".encode(), b"\xff", 1))
    assert items[0].lead[0].startswith("这是一段足够长的正文，里面有完整的句子，说的是一件 的事情。")
    items, _ = read(tmp_path, "a.html", page.replace("具体".encode(), b"\xff"))
    assert broken(items) == [("a.html#1", "undecodable")]


def test_a_page_without_text(tmp_path):
    assert broken(read(tmp_path, "a.html", b"<html><body><h1>x</h1></body></html>")[0]) == [("a.html#1", "no_text")]


def test_wet_lines():
    text = f"西湖的历史 - 某网站\n首页\n关于我们\n{LONG}\n更多>>\n版权所有 © 某某，保留所有权利。\n"
    found = read_wet(text, "o", "s")
    assert (found.title, found.lead) == ("西湖的历史", [LONG])


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 200_000 + "<p>文",
        "<table><tr><td>" * 20_000 + "文",
        "<table>" + "<tr><td>甲</td><td>乙</td></tr>" * 50_000,
        "<h1>题</h1>" + "<h2>节</h2>" * 100_000,
        "<b><i><p>" * 5_000 + "文",
        "<p " * 100_000,
        '<a href="' * 50_000,
        "<!--" * 100_000,
        "<script>" * 50_000,
        "<ul><li>" * 50_000,
        "&amp;" * 100_000 + "\0" * 1000,
    ],
)
def test_hostile_pages_end(page):
    read_html(page, "o", "s")
