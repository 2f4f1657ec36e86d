"""What a person would type to find the text below a heading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.extract.headings import heading_name, heading_queries, stands_alone
from cmtp.sources.document import Article, Section


def queries(title, *sections):
    """Query and reason of each section that has text."""
    sections = [Section(level, heading, [text] if text else []) for level, heading, text in sections]
    found = heading_queries(Article("o", "s", title, [], sections))
    return [(one.query, one.reason) for one in found if one is not None]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("3) 从 Github 安装", "从 Github 安装"),
        ("5、Vue.js", "Vue.js"),
        ("一、 性别", "性别"),
        ("（二）权利", "权利"),
        ("第六步 - 安装 Bugzilla", "安装 Bugzilla"),
        ("步骤 2： 过滤前缀", "过滤前缀"),
        ("Step 3: Deploy", "Deploy"),
        ("2.1 安装", "安装"),
        ("示例 3：阻塞调用", "阻塞调用"),
        ("5. FSArchiver：", "FSArchiver"),
        ("2018 前端回顾", "2018 前端回顾"),
        ("3D 打印", "3D 打印"),
        ("第三章 总结", ""),
        ("总结", ""),
        ("Conclusion", ""),
        ("方法三", ""),
        ("示例 2", ""),
        ("1.", ""),
        ("注意事项", "注意事项"),
        ("安装", "安装"),
    ],
)
def test_names(heading, name):
    assert heading_name(heading) == name


@pytest.mark.parametrize(
    ("name", "title", "alone"),
    [
        ("西湖十景", "西湖", True),
        ("在Ubuntu 15.04上安装Linux内核4.0", "如何在Ubuntu/CentOS上安装Linux内核4.0", True),
        ("Raspberry Pi 上的分布式网络", "在 Raspberry Pi 上部署 Kubernetes", True),
        ("tmux", "使用 tmux 打造更强大的终端", False),
        ("历史", "西湖", False),
        ("北京市海淀区的公园和湖泊", "北京市海淀区概况", True),
        ("多摄像头", "Android 的多摄像头支持", False),
    ],
)
def test_a_heading_that_carries_the_subject_stands_alone(name, title, alone):
    assert stands_alone(name, title) is alone


def test_title_and_heading_are_joined_and_headings_between_where_they_tell_texts_apart():
    assert queries("Kgif 简介", (2, "1. 安装依赖", "甲"), (3, "CentOS", "乙"), (2, "使用", "丙")) == [
        ("Kgif 简介 安装依赖", ""),
        ("Kgif 简介 CentOS", ""),
        ("Kgif 简介 使用", ""),
    ]
    assert queries("部署状态页", (2, "下载", ""), (3, "Debian", "甲"), (2, "配置", ""), (3, "Debian", "乙")) == [
        ("部署状态页 下载 Debian", ""),
        ("部署状态页 配置 Debian", ""),
    ]


def test_a_heading_without_a_name_takes_the_one_above_unless_that_has_a_text():
    assert queries(
        "浇水", (2, "春天", ""), (3, "总结", "甲"), (3, "示例", "乙"), (2, "冬天", "丙"), (3, "小结", "丁")
    ) == [
        ("浇水 春天", ""),
        ("浇水 › 春天 › 示例", "generic_heading"),
        ("浇水 冬天", ""),
        ("浇水 › 冬天 › 小结", "generic_heading"),
    ]
    assert queries("浇水", (2, "总结", "甲")) == [("浇水 › 总结", "generic_heading")]


def test_of_two_texts_below_one_path_the_first_stays():
    assert queries("跑步", (2, "拉伸", "甲"), (2, "拉伸", "乙")) == [
        ("跑步 拉伸", ""),
        ("跑步 › 拉伸", "ambiguous_heading"),
    ]
    assert [query for query, _ in queries("语言比较", (2, "C", "甲"), (2, "C++", "乙"), (2, "C#", "丙"))] == [
        "语言比较 C",
        "语言比较 C++",
        "语言比较 C#",
    ]


def test_an_article_of_a_statute_has_an_address_and_no_query():
    assert queries("国旗法", (13, "第一章 总则", ""), (15, "第一条", "甲")) == [
        ("国旗法 › 第一章 总则 › 第一条", "address_query")
    ]


HEADINGS = st.sampled_from(["春", "夏天浇水", "秋", "总结", "示例 2", "1. 秋", "C", "C++", "第一条", "养绿萝"])


@given(
    st.sampled_from(["", "养绿萝", "养绿萝 FAQ"]),
    st.lists(st.tuples(st.integers(2, 4), HEADINGS, st.booleans()), max_size=9),
)
def test_no_two_texts_of_an_article_have_one_query(title, sections):
    found = queries(title, *((level, heading, "文" if has_text else "") for level, heading, has_text in sections))
    kept = [query.lower().replace(" ", "") for query, reason in found if not reason]
    assert len(found) == sum(has_text for *_, has_text in sections)
    assert len(set(kept)) == len(kept)
    assert "" not in kept
    assert all("›" not in query for query in kept)
