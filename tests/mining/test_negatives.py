"""Negatives on a hand-made pool whose vectors are angles, so that every score is known."""

import numpy as np
import pyarrow as pa
import pytest

from cmtp.mining.negatives import Pool, Queries, find_negatives
from cmtp.recipe import MineSettings

POSITIVE = "向量检索把文本变成向量，再找离问题最近的几个。"
TEXTS = [
    POSITIVE,  # 0 the positive itself
    "向量检索把文本变成向量，再找离问题最近的几个！",  # 1 the same in other punctuation
    "倒排索引记下每个词出现在哪些文档里。",  # 2 same document as the positive
    "同一个问题在别处的另一个回答。",  # 3 belongs to the same query
    "把商品图片变成特征，再做相似度比较。",  # 4 too close to the positive's score
    "分词的好坏会影响检索的结果。",  # 5
    "数据库的事务有四个性质。",  # 6
    "缓存可以减少重复的计算。",  # 7
    "今天的晚饭是西红柿炒鸡蛋。",  # 8
]
SCORES = [0.90, 0.84, 0.80, 0.79, 0.88, 0.70, 0.60, 0.50, 0.10]
DOCUMENTS = [0, 1, 0, 3, 4, 5, 6, 7, 8]
QUESTIONS = [0, 1, 2, 0, 4, 5, 6, 7, 8]


def vectors(scores):
    """Unit vectors with the given cosines with (1, 0)."""
    return np.array([[s, np.sqrt(1 - s * s)] for s in scores], np.float32)


@pytest.fixture
def pool():
    return Pool.of(pa.array(TEXTS), vectors(SCORES), np.array(DOCUMENTS), np.array(QUESTIONS))


@pytest.fixture
def query():
    return Queries(
        ids=["a" * 32],
        vectors=np.array([[1, 0]], np.float32),
        passages=pa.array([POSITIVE]),
        scores=np.array([0.90], np.float32),
        doc=np.array([0]),
        query=np.array([0]),
    )


def texts(negatives):
    return [TEXTS[one.row] for one in negatives]


def test_false_negatives_are_removed_one_rule_each(query, pool):
    settings = MineSettings(negatives=3, first_rank=1, last_rank=9, fill="short")
    (found,), counts = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == TEXTS[5:8]
    assert [one.rank for one in found] == [6, 7, 8]
    assert [round(one.score, 2) for one in found] == [0.70, 0.60, 0.50]
    assert counts == {
        "same_document": 2,
        "same_query": 1,
        "margin": 1,
        "near_positive": 1,
        "mined": 3,
        "random": 0,
        "short": 0,
    }


def test_without_the_margin_the_passage_next_to_the_positive_would_be_taken(query, pool):
    settings = MineSettings(negatives=3, first_rank=1, relative_margin=0, fill="short")
    (found,), _ = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == [TEXTS[4], TEXTS[5], TEXTS[6]]


def test_the_rank_window_counts_from_the_best_hit(query, pool):
    settings = MineSettings(negatives=8, first_rank=7, last_rank=8, fill="short")
    (found,), counts = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == [TEXTS[6], TEXTS[7]]
    assert counts["short"] == 6


def test_a_shortfall_is_filled_by_marked_random_rows_of_the_pool(query, pool):
    settings = MineSettings(negatives=3, first_rank=7, last_rank=7)
    (found,), counts = find_negatives(query, pool, settings, seed=42)
    assert found[0].rank == 7
    assert counts["random"] == len(found) - 1 > 0
    drawn = [one for one in found if one.rank == -1]
    assert len({one.row for one in found}) == len(found)
    assert {one.row for one in drawn} <= {5, 7, 8}  # the others are false negatives by some rule, or taken
    again, _ = find_negatives(query, pool, settings, seed=42)
    assert again[0] == found


def test_random_rows_depend_on_the_id_not_on_the_place(query, pool):
    settings = MineSettings(negatives=3, first_rank=7, last_rank=7)
    (alone,), _ = find_negatives(query, pool, settings, seed=42)
    two = Queries(
        ids=["b" * 32, "a" * 32],
        vectors=np.repeat(query.vectors, 2, 0),
        passages=pa.array([POSITIVE] * 2),
        scores=np.repeat(query.scores, 2),
        doc=np.repeat(query.doc, 2),
        query=np.repeat(query.query, 2),
    )
    (_, second), _ = find_negatives(two, pool, settings, seed=42)
    assert second == alone


def test_a_pool_smaller_than_the_window(query, pool):
    small = Pool.of(pool.passages.slice(0, 1), pool.vectors[:1], np.array([0]), np.array([0]))
    (found,), counts = find_negatives(query, small, MineSettings(), seed=42)
    assert found == []
    assert counts["short"] == 8


def test_a_passage_of_several_questions_is_one_negative_and_never_one_of_its_own_questions(query):
    """Questions 0 and 5 share a passage: no negative of question 0, though question 5's row is found first."""
    passages = pa.array([TEXTS[5], TEXTS[5], TEXTS[6], TEXTS[6], TEXTS[7]])
    scores = vectors([0.7, 0.7, 0.6, 0.6, 0.5])
    shared = Pool.of(passages, scores, np.array([5, 6, 7, 7, 8]), np.array([5, 0, 7, 8, 9]))
    settings = MineSettings(negatives=3, first_rank=1, fill="short")
    (found,), counts = find_negatives(query, shared, settings, seed=42)
    assert [shared.passages[one.row].as_py() for one in found] == [TEXTS[6], TEXTS[7]]
    assert counts["same_query"] == 1


def test_a_passage_that_says_a_part_of_the_positive_is_no_negative(query):
    """Of its ten 5-grams six are the positive's, which has 17: Jaccard 6/21, contained 6/10."""
    texts = pa.array([*TEXTS[:5], "把文本变成向量，再找离很远的城", *TEXTS[6:]])
    held = Pool.of(texts, vectors(SCORES), np.array(DOCUMENTS), np.array(QUESTIONS))
    for limit, rows in ((0.6, [6, 7, 8]), (0.61, [5, 6, 7])):
        settings = MineSettings(negatives=3, first_rank=1, fill="short", max_contained=limit)
        (found,), _ = find_negatives(query, held, settings, seed=42)
        assert [one.row for one in found] == rows
