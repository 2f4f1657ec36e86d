"""Markdown as it comes: every case was seen in a real collection."""

import pytest

from cmtp.sources.markdown.article import read_markdown


def article(text):
    found = read_markdown(text, "o", "s")
    return found.title, found.lead, [(section.level, section.heading, section.paragraphs) for section in found.sections]


def lead(text):
    return article("# 题\n\n" + text)[1]


def test_headings():
    text = "题目\n====\n\n引子\n\n### 小节 ###\n\n甲\n\n子节\n---\n乙\n\n##无空格\n丙\n"
    assert article(text) == ("题目", ["引子"], [(3, "小节", ["甲"]), (2, "子节", ["乙"]), (2, "无空格", ["丙"])])
    assert article("<h1>网页题</h1>\n\n<h2>一</h2>\n<p>文</p>") == ("网页题", [], [(2, "一", ["文"])])
    assert article("#GNOME 3.10 来了\n\n文")[0] == "GNOME 3.10 来了"
    assert article("# [带链接的题](http://a.b) ##\n\n文")[0] == "带链接的题"
    assert article("# 总 则\n\n文")[0] == "总则"
    assert article("# 附  则（试行） 一 则\n\n文")[0] == "附 则（试行） 一则"
    assert lead("#!/bin/sh 是解释器\n") == ["#!/bin/sh 是解释器"]


def test_no_title_where_text_comes_first():
    assert article("先有一段文字。\n\n## 小节\n\n文") == ("", ["先有一段文字。"], [(2, "小节", ["文"])])


def test_a_rule_under_a_sentence_is_no_heading():
    assert lead("这是一句完整的话。\n---\n下一段\n") == ["这是一句完整的话。", "下一段"]


def test_only_the_line_above_the_rule_is_the_heading():
    assert article("translating by someone 20140701\n110款游戏\n=====\n\n文")[:2] == ("110款游戏", ["文"])


def test_two_top_headings_are_one_title():
    assert article(
        "# 民法典\n\n# 物权编\n\n2020年5月28日 通过\n\n<!-- INFO END -->\n\n## 第一章 通则\n\n第一条 文"
    ) == (
        "民法典 物权编",
        [],
        [(2, "第一章 通则", ["第一条 文"])],
    )


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: 别的题\ndate: 2020-01-01\n---\n",
        "[#]: collector: (lujun9972)\n[#]: subject: (中文 subject)\n[#]: via: (https://x.y)\n\n",
        "<!-- 注释\n两行 -->\n\n",
        "> * 原文地址：[A](http://a)\n> * 原文作者：[B](http://b)\n> * 译文出自：[掘金翻译计划](http://c)\n> * 译者：[D](http://d)\n\n",
        ">* 原文链接 : [A](http://a)\n* 原文作者 : [B](http://b)\n* 译者 : [D](http://d)\n* 状态 :  完成\n\n",
        "  > * 原文地址：[A](http://a)\n  > * 校对者：[E](http://e)  [F](http://f) \n\n  ",
        "原文地址：[A](http://a)  \n译者：[B](http://b)  \n\n",
        "translating by x\n\n",
        "\ufeff",
        "![封面](a.png)\n\n",
    ],
)
def test_front_matter_and_credits_before_the_title(front):
    assert article(front + "# 题\n\n正文。") == ("题", ["正文。"], [])


def test_credits_below_the_title():
    text = "> * 原文地址：[A](http://a)\n* 译者：[B](http://b), [C](http://c)\n\n正文。\n"
    assert lead(text) == ["正文。"]


def test_title_of_the_front_matter():
    assert article('---\ntitle: "封面题"\ntags: [a]\n---\n\n正文。')[:2] == ("封面题", ["正文。"])


BODY = "第一段。\n\n第二段。\n\n第三段。\n\n"


@pytest.mark.parametrize(
    "tail",
    [
        "---\n\nvia: http://a.b\n\n作者：[A][a]\n译者：[B](http://b)\n校对：[C](http://c)\n\n"
        "本文由 [LCTT](http://l) 原创编译，[Linux中国](http://c) 荣誉推出\n\n[a]:http://a\n",
        "作者简介：\n\nA 是一位作家。\n\n---\n\nvia: http://a.b\n",
        "译者：[B](http://b) 校对：[C](http://c)\n\n本文由 [LCTT](http://l) 原创翻译\n",
        "> 如果发现译文存在错误，欢迎到 [x](http://x) 修改。\n\n---\n\n> [掘金翻译计划](http://x) 是一个社区。\n",
        "感谢 [A](http://a) 和 [B](http://b)。\n",
        "如果您遵循本指南的制作流程而发现有问题，请提出 Issue 或 Pull request 。\n",
    ],
)
def test_credits_at_the_end(tail):
    assert lead(BODY + tail) == ["第一段。", "第二段。", "第三段。"]


def test_credits_of_a_short_file_are_no_tail():
    credits = "* 原文[Quickstarts](http://a)\n* 译文出自 : [B](http://b)\n* 译者 : [D](http://d)\n\n"
    assert article(credits + "## 小节\n\n正文。\n\n第二段。\n") == ("小节", ["正文。", "第二段。"], [])


def test_a_title_given_twice_counts_once():
    assert article("# 题\n\n# 题\n\n文")[0] == "题"


def test_author_in_the_middle_is_text():
    text = BODY * 20 + "作者：鲁迅\n\n" + BODY * 20
    assert "作者：鲁迅" in lead(text)


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("**粗**和*斜*和***都***", "粗和斜和都"),
        ("** 我是爱好者 **", "我是爱好者"),
        ("__粗__与_斜_，但 snake_case_name 不变", "粗与斜，但 snake_case_name 不变"),
        ("2 * 3 * 4 等于 24", "2 * 3 * 4 等于 24"),
        ("~~删~~", "删"),
        ("`ls -a *.txt` 和 ``a`b``", "ls -a *.txt 和 a`b"),
        ("`<div>` 是标签", "<div> 是标签"),
        ('[文](http://a.b/c_(d)) 和 [文](<a b> "题")', "文 和 文"),
        ("[代码 `x`](http://a)", "代码 x"),
        ("`[console.info()](http://a)` 方法", "console.info() 方法"),
        (
            "[甲][1]、[乙] [2]、[丙][]、[未知][9]\n\n[1]: http://a\n[2]: http://b 'x'\n[丙]: <http://c>",
            "甲、乙、丙、未知",
        ),
        ('cells[2][3].draw() 和 d["列"][4]', 'cells[2][3].draw() 和 d["列"][4]'),
        ('有图![图](a.png "题")的行', "有图的行"),
        ("[![徽章](a.svg)](http://b) 文字", "文字"),
        ("注意[^1]脚注<sup>[2](http://a)</sup>\n\n[^1]: http://x", "注意脚注"),
        ('方法<sup><a href="#note1">[1]</a></sup>一', "方法一"),
        ("登录[主页][1](需要注册)，\n\n[1]: http://a", "登录主页(需要注册)，"),
        ("<https://a.b/c>", "https://a.b/c"),
        ("<ruby>快速仿真程序<rt>Quick EMUlator</rt></ruby>的", "快速仿真程序（Quick EMUlator）的"),
        ("List<String> 是泛型", "List<String> 是泛型"),
        ("<font color='red'>红</font>&nbsp;A&amp;B &lt;x&gt;", "红 A&B <x>"),
        (r"M\$ 和 \*星\* 和 C:\\x", r"M$ 和 *星* 和 C:\x"),
        ("第一行，\n第二行 and\nthird", "第一行，第二行 and third"),
        ("- [ ] 待办", "待办"),
        ("* 甲\n+ 乙\n- 丙", "甲|乙|丙"),
        ("1. 甲\n2. 乙\n   接着", "1. 甲|2. 乙接着"),
        ("> 引文\n> 接着", "引文接着"),
        ("| 名 | 值 |\n|:--|--:|\n| 甲 | **1** |\n| 乙 | `2` |", "名 值|甲 1|乙 2"),
        ("行一<br>行二", "行一|行二"),
        ("甲\n\n* * *\n\n乙", "甲|乙"),
        ("<script>\nvar a = 1;\n</script>\n文", "文"),
    ],
)
def test_inline_and_blocks(line, plain):
    assert lead(line + "\n") == plain.split("|")


def test_code_of_up_to_two_lines_stays():
    assert lead("运行：\n\n```bash\n$ ls\n```\n\n完。") == ["运行：", "$ ls", "完。"]
    assert lead("运行：\n\n    $ ls\n\n完。") == ["运行：", "$ ls", "完。"]
    assert lead("代码：\n\n```\na\nb\n# 注释\n```\n\n完。") == ["完。"]
    assert lead("~~~\n```\n一\n二\n三\n~~~\n完。") == ["完。"]


def test_a_fence_without_end_does_not_swallow_the_text():
    assert lead("看：\n\n````\n一\n二\n三\n```\n\n后文还在。\n") == ["后文还在。"]
    assert lead("看：\n\n```\n一\n二\n三\n\n后文还在。\n") == ["后文还在。"]


def test_indented_chinese_is_text():
    assert lead("段落。\n\n    缩进的一句中文，不是代码。\n") == ["段落。", "缩进的一句中文，不是代码。"]
    assert lead("1. 一\n\n    ![图](a.jpg)\n\n2. 二\n\n    补充说明\n") == ["1. 一", "2. 二", "补充说明"]


def test_captions_and_image_credits():
    assert lead("文。\n\n![a](b)\n\n*题注*\n\n续。") == ["文。", "续。"]
    assert lead("文。\n\n[\n ![a](b)\n][10]\n\n图 2：进程\n\n续。\n\n[10]: http://x") == ["文。", "续。"]
    assert lead("文。\n\n![a](b)\n*题注*\n\n续。") == ["文。", "续。"]
    assert lead("文。\n\n![a](b)\n\n图上可以看到一座山，山下有一条河。\n") == [
        "文。",
        "图上可以看到一座山，山下有一条河。",
    ]
    assert lead("文。\n\n![a](b)\n\nCredit: Somebody\n\n续。") == ["文。", "续。"]


@pytest.mark.parametrize(
    "caption",
    [
        "截图：Medium iOS 版本（文章模块）",
        "“这个头戴装置是不是很酷？”",
        "回调 —— 题图来自 unsplash",
        "(图片： [Dierk Schaefer](http://a)) ([View large version](http://b))",
        "[某人](https://www.flickr.com/photos/x/) 家的全部九只小狗。",
    ],
)
def test_captions_that_are_sentences(caption):
    assert lead(f"文。\n\n![a](b)\n\n{caption}\n\n续。") == ["文。", "续。"]
    assert len(lead(f"文。\n\n{caption}\n\n续。")) == 3  # with no image above it is text


@pytest.mark.parametrize(
    "row",
    [
        "[dia057](https://unsplash.com/@dia057) | [Unsplash](http://unsplash.com/)",
        "> [第一篇](http://a) | [第三篇 >](http://b)",
        "[演示](http://a) [Github][1]\n\n[1]: http://b",
        "<small>纸雕作品：Jeff Nishinaka / 摄影：Scott Dunbar</small>",
    ],
)
def test_rows_of_links_and_credits_anywhere(row):
    assert lead(BODY * 10 + f"{row}\n\n" + BODY * 10) == ["第一段。", "第二段。", "第三段。"] * 20
    assert lead("[甲](http://a)、[乙](http://b)。\n") == ["甲、乙。"]


def test_an_index_of_a_series_is_navigation():
    assert article("# 题\n\n文\n\n## 系列文章索引\n\n1. [准备](http://a)\n2. 断点\n")[2] == []


def test_lists_of_nothing_but_links_are_navigation():
    text = "文。\n\n参考资料：\n\n* [甲](http://a)\n* [乙](http://b)\n\n续。\n\n- [译] [第一部分](http://a)\n- **[[译] 第二部分](http://b)**\n"
    assert lead(text) == ["文。", "续。"]
    assert lead("文。\n\n* [甲](http://a) 很好用\n* [乙](http://b)\n") == ["文。", "甲 很好用", "乙"]
    assert article("# 题\n\n文\n\n## 目录\n\n一、甲\n\n二、乙\n\n## 一、甲\n\n子")[2] == [(2, "一、甲", ["子"])]
    assert lead("文。\n\n**推荐阅读：** [甲](http://a)\n\n续。") == ["文。", "续。"]


def test_empty_and_odd_input():
    assert article("") == ("", [], [])
    assert article("\n# \n\n#\n") == ("", [], [])
    assert article("---\n---\n") == ("", [], [])
    assert article("<!-- 没有结束") == ("", [], [])
    assert article("a\0b\n\n" + "[" * 1000)[1][0] == "ab"


def test_many_headings_and_open_fences_take_linear_time():
    assert len(article("# 题\n" + "## 节\n" * 100_000)[2]) == 100_000
    article("```\nx\n\n````\ny\n" * 2000)
