"""N-grams and shingle sets against plain Python."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.text.compare import fold
from cmtp.text.ngrams import ngram_hashes, shingle_sets
from tests.dedup import pairs


def sets(texts, width=5):
    shingles, starts = shingle_sets(fold(pa.array(texts)), width)
    return [set(shingles[a:b].tolist()) for a, b in itertools.pairwise(starts)]


@given(st.lists(st.text(alphabet="一二三四甲乙丙 ，12", max_size=30), min_size=1, max_size=8))
def test_shingle_sets_are_those_of_plain_python(texts):
    # as sets of hashes: sizes of every intersection must agree
    ours, plain = sets(texts), [pairs.shingles(text) for text in texts]
    for a, x in zip(ours, plain, strict=True):
        for b, y in zip(ours, plain, strict=True):
            assert len(a & b) == len(x & y)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("。", 0),
        ("甲", 1),
        ("甲乙", 1),
        ("甲乙丙", 1),
        ("一二三四五六七八九十甲乙", 10),
        ("一二三四五六七八九十甲乙丙", 9),
    ],
)
def test_width_follows_length(text, count):
    assert len(sets([text])[0]) == count


def test_widths_never_meet():
    short, longer = "甲乙丙", "甲乙丙丁戊甲乙丙丁戊甲乙丙丁戊"
    assert not sets([short])[0] & sets([longer])[0]


@given(st.text(alphabet="甲乙丙1", max_size=40), st.integers(1, 6))
def test_equal_ngrams_have_equal_hashes_and_no_others(text, width):
    grams = [text[i : i + width] for i in range(len(text) - width + 1)]
    out = np.empty(len(text) + 1, np.uint64)
    assert ngram_hashes(np.array([*map(ord, text)], np.int32), width, out) == len(grams)
    hashes = out[: len(grams)].tolist()
    assert len(dict(zip(grams, hashes, strict=True))) == len(set(hashes)) == len(set(zip(grams, hashes, strict=True)))
