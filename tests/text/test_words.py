"""Words: jieba's cut, a user's own words, one case and width."""

import re

import pytest

from cmtp.errors import UsageError
from cmtp.text.words import Segmenter, segmenter, words

TEXTS = (
    "南京市长江大桥位于江苏省南京市，是长江上第一座由中国自行设计和建造的双层式铁路、公路两用桥梁。",
    "结婚的和尚未结婚的，都要在2024年3月15日之前登记。",
    "他来到了网易杭研大厦，工信处女干事每月经过下属科室都要亲口交代24口交换机等技术性器件的安装工作。",
    "服务器内存占用持续上升，重启之后3.5小时又满了100%。",
    "衆所周知，臺灣的圖書館裏有許多書。",
    "吉林的朋友说：把冰箱的冷藏室调到4度，剩菜能多放两天。",
)
HAN = re.compile("[\u3400-\u9fff]+")
USER = "云计算 5\n李小福 2 nr\n台中\n凱特琳 nz\nGPT-4o\n\n  江大桥 20000000 n  \n"


@pytest.fixture
def dictionary(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(USER, encoding="utf-8")
    return path


def test_case_width_punctuation_and_space():
    assert words(["ＡＰＩ 接口，怎么调用？"]) == [["api", "接口", "怎么", "调用"]]
    assert words(["ＧＰＵ的　价格，是Python的2倍！", "", "……"]) == [
        ["gpu", "的", "价格", "是", "python", "的", "2", "倍"],
        [],
        [],
    ]


def test_known_cuts():
    assert words(TEXTS[:1])[0][:4] == ["南京市", "长江大桥", "位于", "江苏省"]
    assert words(TEXTS[1:2])[0][:5] == ["结婚", "的", "和", "尚未", "结婚"]


def test_own_words_are_kept_in_one_piece(dictionary):
    text = "李小福是云计算方面的专家，台中的凱特琳用gpt-4O。"
    assert {"李小福", "云计算", "台中", "凱特琳", "gpt-4o"} <= set(words([text], dictionary)[0])
    assert "云计算" not in words([text])[0]  # another segmenter's words stay its own


def test_a_count_outweighs_jiebas_own_words(dictionary):
    assert words(TEXTS[:1], dictionary)[0][:3] == ["南京市", "长", "江大桥"]


def test_a_segmenter_is_made_once(dictionary):
    assert segmenter(dictionary) is segmenter(dictionary)
    assert segmenter(dictionary) is not segmenter()


def test_dictionary_with_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes("\ufeff云计算 5\r\n李小福 nr\r\n".encode())
    assert Segmenter(path).words("李小福的云计算") == ["李小福", "的", "云计算"]


@pytest.mark.parametrize(("data", "reason"), [(None, "No such file"), ("云计算".encode("gb18030"), "not UTF-8")])
def test_a_dictionary_that_cannot_be_read(tmp_path, data, reason):
    path = tmp_path / "own.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=reason) as caught:
        Segmenter(path)
    assert str(path) in str(caught.value)


def test_jieba_itself_cuts_so(dictionary):
    jieba = pytest.importorskip("jieba", reason="jieba is in the extra distill")
    own = jieba.Tokenizer()
    own.load_userdict(str(dictionary))
    for tokenizer, file in ((jieba.Tokenizer(), None), (own, dictionary)):
        for text in TEXTS:
            expected = [word for word in tokenizer.cut(text) if HAN.fullmatch(word)]
            assert [word for word in Segmenter(file).words(text) if HAN.fullmatch(word)] == expected
