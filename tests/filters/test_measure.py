"""The counting kernel and folding against plain Python."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmtp.filters import chars
from cmtp.filters.counts import COUNT_COLUMNS
from cmtp.filters.fold import matching_form, matching_forms
from cmtp.filters.measure import ENTITY_BYTES, TAG_BYTES, count_texts, function_words
from cmtp.filters.repetition import LOOK, NGRAM
from tests.filters.plain_counts import plain_counts


def counts(text: str) -> dict[str, int]:
    return count_texts(pl.Series([text]), "").row(0, named=True)


def test_a_mixed_text_by_hand():
    seen = counts("你好，the 3只猫！\n`code <b>` <br/>はい 한국 Москва")
    expected = {"han": 4, "kana": 2, "hangul": 2, "letters": 6, "digits": 1, "words": 2, "function_words": 1, "ends": 1}
    assert {name: seen[name] for name in expected} == expected
    assert (seen["lines"], seen["tag_chars"], seen["code_chars"]) == (2, 5, 10)


def test_repetition_by_hand():
    line = "春眠不觉晓处处闻啼鸟"
    seen = counts(f"{line}\n{line}")
    assert (seen["dup_line_units"], seen["units"]) == (len(line), 2 * len(line))
    assert counts("一二三四五六七八九十甲乙" * 3)["dup_ngram_units"] == 2 * NGRAM
    assert counts("囗囗囗囗，囗囗囗囗")["bigram_chars"] == 0
    assert counts("哈哈哈哈哈")["longest_run"] == 5
    assert counts("北京南京东京北京")["bigram_chars"] == 4


@pytest.mark.parametrize(
    ("text", "units", "numbers"),
    [
        ("西湖", 2, 0),
        ("Stale Read 是一种机制", 7, 0),
        ("mysql_0.tb_emp1 被路由到 mysql_0.tb_emp2", 6, 0),
        ("1,024 元，2022-10-13 起", 4, 2),
        ("7.1.6: 2024-11-21", 2, 2),
        ("don't, e.g. a@b.cn", 3, 0),
        ("★→……", 0, 0),
        ("8GiB 的 -5", 3, 1),
    ],
)
def test_units_of_han_and_latin(text, units, numbers):
    assert (counts(text)["units"], counts(text)["numbers"]) == (units, numbers)


def test_signs_and_spaces_by_hand():
    assert counts("+-----+-----+，好。")["signs"] == 7
    assert counts("石 桥 的 维 护")["spaced"] == 4
    assert counts("石  桥，的\n维 a 护")["spaced"] == 0


def test_code_fences_toggle_and_cut_blocks_start_inside():
    assert counts("说明\n```\nx = 1\n```\n完毕")["prose"] == 4
    assert counts("x = 1\ny = 2\n```\n上面是代码")["prose"] == 5


PIECES = (
    *(
        "的",
        "西湖",
        "湖",
        "が",
        "ー",
        "한",
        "Ж",
        "é",
        "Ａ",
        "𠀀",
        "😀",
        "\ufffd",
        "\ue000",
        "春眠不觉晓处处闻啼鸟",
        "一二三四",
    ),
    *(
        "the",
        "The ",
        "and",
        "der",
        "x",
        " ",
        "\u3000",
        "\u200b",
        "\n",
        "\n\n",
        "`",
        "```",
        "。",
        "，",
        "；",
        "京",
        "A",
        "F",
    ),
    *("1", "１", "138", "0013", "-", "—", ".", "·", "@", "＠", "a", ":", "è¥¿", "ä½", "“", "鐨勬", "A", "F"),
    *("don't", "1,024", "tb_1.", "------", "石 桥 ", "囗囗", "\\", "'"),
    *("<", ">", "<br/>", "</b>", "&amp;", "&#", ";", "&"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join)
FUNCTION_WORDS = {int(word).to_bytes(8, "big").lstrip(b"\0").decode() for word in function_words()}


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_every_count_is_what_plain_python_counts(texts):
    frame = count_texts(pl.Series(texts), "")
    for text, row in zip(texts, frame.iter_rows(named=True), strict=True):
        assert row == plain_counts(text, FUNCTION_WORDS)


def test_limits_of_length_are_those_of_plain_python():
    line = "春眠不觉晓处处闻啼鸟"
    texts = [
        f"<{'a' * (TAG_BYTES - 2)}>",
        f"<{'a' * (TAG_BYTES - 1)}>",
        f"&{'a' * (ENTITY_BYTES - 2)};",
        f"&{'a' * (ENTITY_BYTES - 1)};",
        "".join(map(chr, range(0x4E00, 0x4E00 + LOOK - 5))) + f"\n{line}\n{line}西湖西湖西湖",
        f"{line}\n" * (LOOK // 10 + 5),
    ]
    for text, row in zip(texts, count_texts(pl.Series(texts), "").iter_rows(named=True), strict=True):
        assert row == plain_counts(text, FUNCTION_WORDS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_classes_add_up_for_any_text(texts):
    frame = count_texts(pl.Series(texts), "")
    assert frame.columns == list(COUNT_COLUMNS)
    for text, row in zip(texts, frame.iter_rows(named=True), strict=True):
        assert row["chars"] == len(text)
        if "`" not in text:
            basic = [c for c in text if ord(c) < 0x10000]
            kinds = [int(chars.class_table()[ord(c)]) & chars.CLASS for c in basic]
            if len(basic) == len(text):
                assert row["han"] == kinds.count(chars.HAN)
                assert row["digits"] == kinds.count(chars.DIGIT)
                blank = kinds.count(chars.SPACE) + kinds.count(chars.NEWLINE) + kinds.count(chars.INVISIBLE)
                assert row["prose"] == len(text) - blank


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(
            alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("赌博加+ .v_，")), max_size=40
        )
    )
)
def test_the_kernel_folds_as_plain_python_does(texts):
    folded = matching_forms(pl.Series("t", texts, pl.String))[0].to_list()
    assert folded == [matching_form(text)[0] for text in texts]
    for text in texts:
        out, places = matching_form(text)
        assert len(out) == len(places)
        assert places == sorted(places)
        assert matching_form(out)[0] == out


def test_slices_and_chunks_are_read_where_they_begin():
    column = pl.concat([pl.Series(["一", "二二"]), pl.Series(["三三三", ""])], rechunk=False)
    assert count_texts(column[1:], "")["han"].to_list() == [2, 3, 0]
    assert matching_forms(column[1:])[0].to_list() == ["二二", "三三三", ""]
