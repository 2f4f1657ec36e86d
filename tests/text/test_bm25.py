"""BM25 against its formula, written out."""

import math

import numpy as np
import pytest

from cmtp.text.bm25 import Bm25Index

TEXTS = ["甲 乙 乙 丙", "乙 丁", "丙 丙 丙 戊 己", "庚"]


def score(query, text):
    """k1 = 1.2, b = 0.75, Lucene's idf; bm25s leaves out the factor k1 + 1, which changes no order."""
    every = [one.split() for one in TEXTS]
    mean = sum(map(len, every)) / len(every)
    total = 0.0
    for term in query.split():
        holding = sum(term in one for one in every)
        count = text.split().count(term)
        idf = math.log(1 + (len(every) - holding + 0.5) / (holding + 0.5))
        total += idf * count / (count + 1.2 * (0.25 + 0.75 * len(text.split()) / mean))
    return total


def test_scores_are_those_of_the_formula_and_texts_without_a_term_are_not_found():
    rows, scores = Bm25Index(TEXTS, str.split).nearest(["乙 丙", "丁 辛", "辛", ""], 4)
    for query, found, given in zip(["乙 丙", "丁 辛"], rows, scores, strict=False):
        true = [score(query, text) for text in TEXTS]
        expected = sorted((i for i in range(4) if true[i] > 0), key=lambda i: -true[i])
        assert found[: len(expected)].tolist() == expected
        assert (found[len(expected) :] == -1).all()
        assert given[: len(expected)] == pytest.approx([true[i] for i in expected], rel=1e-5)
        assert (given[len(expected) :] == 0).all()
    assert (rows[2:] == -1).all()


def test_equal_scores_come_in_the_order_of_rows():
    rows, _ = Bm25Index(["甲 乙", "丙", "甲 丁", "甲 戊"], str.split).nearest(["甲"], 4)
    assert rows.tolist() == [[0, 2, 3, -1]]


def test_texts_without_any_term_find_nothing():
    rows, scores = Bm25Index(["", " "], str.split).nearest(["甲"], 2)
    assert rows.tolist() == [[-1, -1]]
    assert not scores.any()


def test_the_same_index_in_any_process():
    """Terms are numbered in order of first occurrence, not in the order of a set."""
    a, b = (Bm25Index(TEXTS, str.split) for _ in range(2))
    assert a._numbers == b._numbers == {"甲": 0, "乙": 1, "丙": 2, "丁": 3, "戊": 4, "己": 5, "庚": 6}
    np.testing.assert_array_equal(a.nearest(TEXTS, 4)[1], b.nearest(TEXTS, 4)[1])
