"""Measures, intervals and baselines, checked by hand."""

import math

import numpy as np
import pytest

from cmtp.scoring.baselines import bigrams, score_bm25, score_embeddings, score_static_zh
from cmtp.scoring.measures import bootstrap, interval_text, ndcg, recall, top_k
from cmtp.shards.held_out import RetrievalTask
from cmtp.text.bm25 import Bm25Index


def test_ndcg_by_hand():
    ranked = np.array([[3, 1, 2], [3, 1, 2], [0, 1, 2]])
    values = ndcg(ranked, [{1}, {3, 2}, {9}], k=3)
    assert values == pytest.approx([1 / math.log2(3), (1 + 0.5) / (1 + 1 / math.log2(3)), 0])
    assert recall(ranked, [{1}, {3, 2}, {9}], 2).tolist() == [1, 0.5, 0]


def test_equal_scores_keep_the_order_of_the_rows():
    assert top_k(lambda a, b: np.zeros((b - a, 4)), 3, 2).tolist() == [[0, 1]] * 3


def test_bootstrap_resolves_a_difference_and_does_not_invent_one():
    random = np.random.default_rng(0)
    base = random.random((3, 200))
    better = bootstrap(base + 0.1 + random.normal(0, 0.1, base.shape), base)
    assert better.resolved
    assert better.low < 0.1 < better.high
    noise = bootstrap(base + random.normal(0, 0.1, base.shape), base)
    assert not noise.resolved
    assert "not resolved" in interval_text(noise)
    with pytest.raises(ValueError, match="shapes"):
        bootstrap(base, base[:2])


TASK = RetrievalTask(
    ["番茄炒蛋怎么做", "租房合同违约怎么办"],
    ["鸡蛋打散，番茄切块，炒蛋先下锅。", "天气晴朗。", "租房合同写明违约金，违约的一方要付。"],
    [{0}, {2}],
    3,
)


def test_baselines_find_the_obvious():
    assert bigrams("番茄 炒") == ["番茄", "茄炒"]
    assert bigrams("茄") == ["茄"]
    assert score_bm25(TASK).ndcg.tolist() == [1, 1]
    assert score_static_zh(TASK).ndcg.tolist() == [1, 1]
    assert score_embeddings("x", TASK, np.eye(3)[[1, 2]], np.eye(3)).ndcg.tolist() == pytest.approx(
        [1 / math.log2(3), 1]
    )


def test_bm25_by_hand():
    """One bigram of the query is in two of three passages: once among 2 bigrams, three times among 5."""
    passages = ["甲乙丙", "甲乙甲乙甲乙", "丁戊"]
    lengths, mean = [2, 5, 1], 8 / 3
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [idf * n / (n + 1.2 * (0.25 + 0.75 * length / mean)) for n, length in zip([1, 3], lengths, strict=False)]
    rows, scores = Bm25Index(passages, bigrams).nearest(["甲乙"], 3)
    assert rows.tolist() == [[1, 0, -1]]
    assert scores[0] == pytest.approx([*expected[::-1], 0], rel=1e-6)
    best = int(np.argmax(expected))
    assert score_bm25(RetrievalTask(["甲乙"], passages, [{best}], 3)).ndcg.tolist() == [1]


def test_bm25_of_passages_without_text():
    assert score_bm25(RetrievalTask(["甲乙", ""], ["", "　"], [{0}, {1}], 2)).ndcg.tolist() == [0, 0]
    assert score_bm25(RetrievalTask(["甲乙"], ["", "甲乙"], [{1}], 2)).ndcg.tolist() == [1]
