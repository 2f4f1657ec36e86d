import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.text.compare import comparison_form, fold


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("ＡＢＣ１２３", "abc123"),  # full width
        ("乾淨的臺灣，「測試」！", "干净的台湾测试"),  # traditional, punctuation
        ("著名的頭髮", "着名的头发"),  # one character to one, OpenCC's first choice
        ("看著妳，一羣牠們彷彿賸下", "看着你一群它们仿佛剩下"),  # variants
        ("第十二条　 \n\t当事人", "第十二条当事人"),  # white space of all kinds
        ("零\u200b宽\ufeff字\u2060符\u00ad", "零宽字符"),
        ("葛\U000e0100飾\ufe00", "葛饰"),  # variation selectors
        ("①㎡½㈱ﬁ", "1m21⁄2株fi"),  # compatibility characters that become several
        ("⼀⼆𠀀㐀", "一二𠀀㐀"),  # Kangxi radicals; rare ideographs stay
        ("C++ 50% a<b $5 −3℃", "c++50%a<b$5−3c"),
        ("**粗体** `代码` | 表格 |~~~", "粗体代码表格"),
        ("😀★→", "→"),  # pictographs go, arrows are mathematical signs
        ("Straße ΣΑΣ", "strasseσασ"),
        ("。，！？……——", ""),
        ("", ""),
    ],
)
def test_form(text, form):
    assert comparison_form(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.5毫克", "1.5毫克"),
        ("15毫克", "15毫克"),
        ("3–4人", "3.4人"),
        ("34人", "34人"),
        ("１，２ ３", "1.2.3"),
        ("1\u200b2", "12"),  # what is invisible separates nothing
        ("第1、第2", "第1第2"),  # only between digits
        ("1.", "1"),
        (".1", "1"),
        ("①②", "12"),
        ("10²米", "10²米"),
        ("10⁻³", "10−3"),
        ("a⁰¹m²m³n⁴⁹ⁱ²", "a0¹m2m3n4⁹i2"),  # raised behind a digit alone
        ("5 ²", "5²"),
        ("1 ½", "1.1⁄2"),  # the expansion of a character may begin with a digit
    ],
)
def test_digits_keep_their_boundaries(text, form):
    assert comparison_form(text) == form


def test_full_and_half_width_traditional_and_simplified_meet():
    assert comparison_form("第３條：臺灣地區（含離島）") == comparison_form("第3条:台湾地区(含离岛)")


def test_article_numbers_stay_apart():
    assert comparison_form("第12条") != comparison_form("第13条")
    assert comparison_form("第十二条") != comparison_form("第十三条")


@given(st.text(max_size=60))
def test_form_is_its_own_form(text):
    form = comparison_form(text)
    assert comparison_form(form) == form


@given(st.text(alphabet=st.characters(exclude_categories=["M", "Cs"], max_codepoint=0x1FFFF), max_size=40))
def test_canonically_equal_texts_have_one_form(text):
    hangul = any("ᄀ" <= one <= "ᇿ" or "\ua960" <= one <= "\ud7fb" for one in unicodedata.normalize("NFD", text))
    if not hangul:  # syllables and their letters are kept as they come
        assert comparison_form(unicodedata.normalize("NFD", text)) == comparison_form(text)


def test_columns_agree_with_single_texts():
    texts = ["第一条。", "", "ﷺ" * 50, "ＡＢＣ", "１．５", "臺灣"]
    whole = fold(pa.array(texts))
    forms = ["".join(map(chr, whole.codes[a:b])) for a, b in itertools.pairwise(whole.ends)]
    assert forms == [comparison_form(text) for text in texts]
    assert whole.lengths.tolist() == [len(form) for form in forms]


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.chunked_array([], pa.string()), pa.array([""])])
def test_no_text(column):
    assert fold(column).codes.size == 0
    assert fold(column).ends.tolist() == [0] * (len(column) + 1)
    assert fold(column).ends.dtype == np.int64


def test_rows_can_be_taken_in_any_order():
    texts = ["第一条，", "", "ABC def", "臺灣"]
    folded = fold(pa.array(texts))
    for rows in ([2, 0, 0, 3, 1], []):
        taken = folded.take(np.array(rows, np.int64))
        found = ["".join(map(chr, taken.codes[a:b])) for a, b in itertools.pairwise(taken.ends)]
        assert found == [comparison_form(texts[row]) for row in rows]
