import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.text.passages import cut_passages

MIXED = st.text(alphabet="汉字，。！？；、：”」）…\n abcZ1.,!", max_size=400)


@given(MIXED, st.integers(2, 80), st.integers(1, 20))
def test_pieces_are_the_text_and_short_enough(text, longest, shortest):
    pieces = cut_passages(text, longest, shortest)
    assert all(0 < len(piece) <= longest for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece == piece.strip() for piece in pieces)


@given(
    st.lists(st.sampled_from(["Kubernetes", "and", "汉字", "，", " ", "。", "iOS9", "）"]), max_size=60),
    st.integers(24, 60),
)
def test_no_latin_word_is_cut(words, longest):
    text = "".join(words)
    at = 0
    for piece in cut_passages(text, longest):
        at = text.index(piece, at) + len(piece)
        inside = (
            0 < at < len(text)
            and text[at - 1].isascii()
            and text[at - 1].isalnum()
            and text[at].isascii()
            and text[at].isalnum()
        )
        # words that stand together without a space are one word for the reader, too; none here is as long as the limit
        assert not inside or len(max(text.replace("汉字", " ").split(), key=len)) > longest


@pytest.mark.parametrize(
    ("text", "longest", "pieces"),
    [
        ("短文。", 10, ["短文。"]),
        ("  \n ", 10, []),
        ("第一句话。第二句话。第三句。", 10, ["第一句话。第二句话。", "第三句。"]),
        ("他说：“走吧。”然后就走了。", 8, ["他说：“走吧。”", "然后就走了。"]),
        ("段落一很长\n段落二也很长", 9, ["段落一很长", "段落二也很长"]),
        ("没有句号只有逗号，后面还有很多字", 12, ["没有句号只有逗号，", "后面还有很多字"]),
        ("什么标点都没有的一长串汉字", 6, ["什么标点都没", "有的一长串汉", "字"]),
        ("使用Kubernetes部署", 6, ["使用", "Kubern", "etes部署"]),  # a word longer than the limit
        ("等等……还有呢？！好", 6, ["等等……", "还有呢？！好"]),
        ("One sentence. Two sentences here.", 20, ["One sentence.", "Two sentences here."]),
        ("版本 3.14.15 发布了新的功能", 8, ["版本", "3.14.15", "发布了新的功能"]),
    ],
)
def test_cut(text, longest, pieces):
    assert cut_passages(text, longest) == pieces


def test_a_last_piece_is_not_too_short():
    assert cut_passages("甲乙丙丁戊己庚辛壬癸子", 10, 4) == ["甲乙丙丁戊己庚", "辛壬癸子"]
