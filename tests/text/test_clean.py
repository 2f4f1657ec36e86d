import pytest

from cmtp.text.clean import clean, one_line, paragraphs, without_lead_in


@pytest.mark.parametrize(
    ("raw", "clean_text"),
    [
        ("不变，的。文字 a b", "不变，的。文字 a b"),
        ("\u3000\u3000段首  空格\t制表\xa0x", " 段首 空格 制表 x"),
        ("甲\r\n乙\r丙\u2028丁", "甲\n乙\n丙\n丁"),
        ("零\u200b宽\ufeff和\x00控制\x08符\xad", "零宽和控制符"),
        ("👨\u200d👩\u200d👧 一家", "👨\u200d👩\u200d👧 一家"),
    ],
)
def test_clean(raw, clean_text):
    assert clean(raw) == clean_text
    assert clean(clean_text) == clean_text


def test_paragraphs_and_lines():
    assert paragraphs("\u3000甲 \n\n \r\n乙") == ["甲", "乙"]
    assert one_line(" 上\n下 ") == "上 下"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("先装好依赖。运行下面的命令：", "先装好依赖。"),
        ("运行下面的命令:", ""),
        ("没有引出什么。", "没有引出什么。"),
        ("见 [文档](http://a.b/?c=1)：", "见 [文档](http://a.b/?c=1)："),  # not the half of a link
        ("他说（真的！如下：", "他说（真的！如下："),
        ("**注意！**如下：", "**注意！**如下："),
    ],
)
def test_a_lead_in_goes_whole_or_not_at_all(text, rest):
    assert without_lead_in(text) == rest
