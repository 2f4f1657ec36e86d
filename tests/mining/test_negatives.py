"""Negatives on a hand-made pool whose vectors are angles, so that every score is known."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cmtp.columns import distinct
from cmtp.errors import UsageError
from cmtp.mining.dense import Hits, Matrix
from cmtp.mining.miners import MINERS, MinerCard, miner_cards, open_miners
from cmtp.mining.negatives import Negative, find_negatives
from cmtp.mining.pool import Membership, Pool, Queries, large_strings, mean_of
from cmtp.mining.settings import MineSettings

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


def short_texts(**settings):
    """Settings under which the sentences here, of a dozen characters, may be negatives."""
    return MineSettings(**{"min_chars": 1} | settings)


def vectors(scores):
    """Unit vectors with the given cosines with (1, 0)."""
    return np.array([[s, np.sqrt(1 - s * s)] for s in scores], np.float32)


def large(texts):
    return pa.array(texts, pa.large_string())


def make_pool(texts, scores, documents, questions, said=None):
    """`questions` are codes; `said`: what the questions are, in words."""
    passages, row, first = distinct(large(texts))
    said = said or [f"问题{name}，与别的毫无关系" for name in "甲乙丙丁戊己庚辛壬癸"]
    return Pool(
        passages=passages,
        vectors=Matrix(vectors(scores)[first]),
        queries=large(said),
        documents=large([f"文档{code}" for code in range(10)]),
        documents_of=Membership.of(np.array(documents), row, len(passages)),
        queries_of=Membership.of(np.array(questions), row, len(passages)),
    )


def make_queries(n=1, **changed):
    given = {
        "ids": ["a" * 32] * n,
        "texts": large(["什么是向量检索？"] * n),
        "vectors": np.repeat(np.array([[1, 0]], np.float32), n, 0),
        "passages": large([POSITIVE] * n),
        "positives": np.repeat(vectors([0.90]), n, 0),
        "scores": np.full(n, 0.90, np.float32),
        "doc": np.zeros(n, np.int64),
        "query": np.zeros(n, np.int64),
        "positive": np.full(n, -1),
        "row": np.zeros(n, np.int64),
        "symmetric": np.zeros(n, bool),
        "centre": None,  # a single query has no mean of its kind
    }
    return Queries(**given | changed)


@pytest.fixture
def pool():
    return make_pool(TEXTS, SCORES, DOCUMENTS, QUESTIONS)


@pytest.fixture
def query():
    return make_queries()


def texts(negatives):
    return [one.text for one in negatives]


def test_false_negatives_are_removed_one_rule_each(query, pool):
    settings = short_texts(negatives=3, first_rank=1, last_rank=9)
    (found,), _, counts = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == TEXTS[5:8]
    assert [one.rank for one in found] == [6, 7, 8]
    assert [round(one.score, 2) for one in found] == [0.70, 0.60, 0.50]
    assert {name: n for name, n in counts.items() if n} == {
        "same_document": 2,
        "same_query": 1,
        "margin": 1,
        "near_positive": 1,
        "mined": 3,
    }


def test_without_the_margin_the_passage_next_to_the_positive_would_be_taken(query, pool):
    settings = short_texts(negatives=3, first_rank=1, relative_margin=0)
    (found,), _, _ = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == [TEXTS[4], TEXTS[5], TEXTS[6]]


def test_the_rank_window_counts_from_the_best_hit(query, pool):
    settings = short_texts(negatives=8, first_rank=7, last_rank=8)
    (found,), _, counts = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == [TEXTS[6], TEXTS[7]]
    assert counts["short"] == 6


def test_a_shortfall_is_filled_by_marked_random_rows_of_the_pool(query, pool):
    settings = short_texts(negatives=3, first_rank=7, last_rank=7, fill="random")
    (found,), _, counts = find_negatives(query, pool, settings, seed=42)
    assert found[0].rank == 7
    assert counts["random"] == len(found) - 1 > 0
    drawn = [one for one in found if one.rank == -1]
    assert len({one.text for one in found}) == len(found)
    assert {TEXTS.index(one.text) for one in drawn} <= {
        5,
        7,
        8,
    }  # the others are false negatives by some rule, or taken
    again, _, _ = find_negatives(query, pool, settings, seed=42)
    assert again[0] == found


def test_random_rows_depend_on_the_id_not_on_the_place(query, pool):
    settings = short_texts(negatives=3, first_rank=7, last_rank=7, fill="random")
    (alone,), _, _ = find_negatives(query, pool, settings, seed=42)
    two = make_queries(2, ids=["b" * 32, "a" * 32])
    (_, second), _, _ = find_negatives(two, pool, settings, seed=42)
    assert second == alone


def test_a_pool_smaller_than_the_window(query, pool):
    small = make_pool(TEXTS[:1], SCORES[:1], [0], [0])
    (found,), _, counts = find_negatives(query, small, short_texts(), seed=42)
    assert found == []
    assert counts["short"] == 8


def test_a_passage_of_several_questions_is_one_negative_and_never_one_of_its_own_questions(query):
    """Questions 0 and 5 share a passage: no negative of question 0, though question 5's row is found first."""
    passages = [TEXTS[5], TEXTS[5], TEXTS[6], TEXTS[6], TEXTS[7]]
    shared = make_pool(passages, [0.7, 0.7, 0.6, 0.6, 0.5], [5, 6, 7, 7, 8], [5, 0, 7, 8, 9])
    settings = short_texts(negatives=3, first_rank=1)
    (found,), _, counts = find_negatives(query, shared, settings, seed=42)
    assert texts(found) == [TEXTS[6], TEXTS[7]]
    assert counts["same_query"] == 1


def test_a_passage_that_says_a_part_of_the_positive_is_no_negative(query):
    """Of its ten 5-grams six are the positive's, which has 17: Jaccard 6/21, contained 6/10."""
    said = [*TEXTS[:5], "把文本变成向量，再找离很远的城", *TEXTS[6:]]
    held = make_pool(said, SCORES, DOCUMENTS, QUESTIONS)
    for limit, rows in ((0.6, [6, 7, 8]), (0.61, [5, 6, 7])):
        settings = short_texts(negatives=3, first_rank=1, max_contained=limit)
        (found,), _, _ = find_negatives(query, held, settings, seed=42)
        assert [said.index(one.text) for one in found] == rows


@pytest.mark.parametrize(
    ("changed", "taken", "name"),
    [
        ({"absolute_margin": 0.25}, TEXTS[6:8], "absolute_margin"),
        ({"max_score": 0.65}, TEXTS[6:8], "max_score"),
        ({"relative_margin": 0.3}, TEXTS[6:8], "margin"),
    ],
)
def test_each_limit_of_scores_counts_what_it_takes(query, pool, changed, taken, name):
    settings = short_texts(negatives=2, first_rank=1, **changed)
    (found,), _, counts = find_negatives(query, pool, settings, seed=42)
    assert texts(found) == taken
    assert counts[name] >= 1


def test_the_answer_to_nearly_the_same_question_is_no_negative(query):
    said = ["什么是向量检索？", "-", "-", "-", "-", "请问什么是向量检索？", "怎样备份数据库？", "-", "-"]
    held = make_pool(TEXTS, SCORES, DOCUMENTS, [0, 1, 2, 0, 4, 5, 6, 7, 8], said)
    settings = short_texts(negatives=1, first_rank=1)
    (found,), _, counts = find_negatives(query, held, settings, seed=42)
    assert texts(found) == [TEXTS[6]]
    assert counts["near_query"] == 1
    (found,), _, _ = find_negatives(query, held, settings.model_copy(update={"max_query_jaccard": 1.0}), seed=42)
    assert texts(found) == [TEXTS[5]]


@pytest.mark.parametrize("symmetric", [True, False])
def test_texts_of_one_kind_stand_for_each_other(symmetric):
    """0 has the passage 5, whose own passage is 6: all three ask the same. Passage 7 is the query in other letters."""
    sentences = ["花呗怎么还款", *"一二三四", "如何还花呗的钱", "花呗的钱怎么还", "花呗，怎么还款？", "余额宝转入限额"]
    held = make_pool(sentences, SCORES, range(9), [0, 1, 2, 3, 4, 0, 5, 7, 8], sentences)
    one = make_queries(
        texts=large(["花呗怎么还款"]),
        passages=large([sentences[5]]),
        positive=np.array([5]),
        row=np.array([5]),
        symmetric=np.array([symmetric]),
    )
    settings = short_texts(negatives=8, first_rank=1, relative_margin=0, max_query_jaccard=0.8)
    (found,), _, _ = find_negatives(one, held, settings, seed=42)
    assert (sentences[6] in texts(found)) is not symmetric
    assert (sentences[8] in texts(found)) is True
    if symmetric:
        assert sentences[7] not in texts(found)


def test_pairs_in_memory_as_the_docstring_has_it():
    """Six pairs of two documents: no negative is of the same document."""
    pairs = pa.table(
        {
            "pair_id": [f"{i:032x}" for i in range(6)],
            "query": [f"问题{name}" for name in "甲乙丙丁戊己"],
            "passage": [*TEXTS[4:9], TEXTS[4]],
            "relation": ["question_answer"] * 6,
            "doc_id": ["一", "一", "一", "二", "二", "二"],
            "score": pa.array([1.0] * 6, pa.float32()),
        }
    )
    q = p = vectors([0.9, 0.8, 0.7, 0.6, 0.5, 0.9])
    passages, row, first = distinct(large_strings(pairs["passage"]))
    owners = pairs.select(["query", "doc_id"]).append_column("row", pa.array(row))
    pool = Pool.of(passages, Matrix(p[first]), owners, mean_of(p[first]))
    queries = Queries.of(pairs, pool, q, p, mean_of(q))
    mined = find_negatives(queries, pool, short_texts(first_rank=1, relative_margin=0, max_query_jaccard=1), seed=42)
    assert pool.queries_of.has(np.array([0, 5]), np.array([[0, 1], [0, 1]])).tolist() == [[True, False]] * 2
    assert {one.text for one in mined.negatives[1]} <= set(TEXTS[7:9])
    assert {one.text for one in mined.negatives[3]} <= set(TEXTS[5:7])
    assert mined.negatives[1]


def test_curated_negatives_come_first_whatever_the_rules_say(query, pool):
    given = [[Negative(TEXTS[4], 0.88, -1, "curated")]]
    settings = short_texts(negatives=3, first_rank=1)
    (found,), _, counts = find_negatives(query, pool, settings, seed=42, curated=given)
    assert texts(found) == [TEXTS[4], TEXTS[5], TEXTS[6]]
    assert [one.kind for one in found] == ["curated", "mined", "mined"]
    assert (counts["curated"], counts["mined"]) == (1, 2)


def test_bm25_finds_by_words_and_a_mix_takes_turns(pool):
    one = make_queries(texts=large(["晚饭炒鸡蛋的检索效果"]))
    settings = short_texts(negatives=3, first_rank=1, miner="bm25")
    (found,), _, _ = find_negatives(one, pool, settings, seed=42)
    assert texts(found)[0] == TEXTS[8]
    assert {found[0].kind, found[0].rank} == {"bm25", 1}
    assert found[0].score == pytest.approx(0.1)
    settings = short_texts(negatives=3, first_rank=1, miner="mix")
    (found,), _, counts = find_negatives(one, pool, settings, seed=42)
    assert texts(found) == [TEXTS[5], TEXTS[8], TEXTS[6]]
    assert (counts["mined"], counts["bm25"]) == (2, 1)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package that is installed and adds a miner: one file."""
    (tmp_path / "elsewhere.py").write_text(
        """
import numpy as np
import pyarrow.compute as pc
from cmtp.mining.dense import Hits
from cmtp.mining.miners import MinerCard


class Longest:
    def __init__(self, pool):
        self.order = np.argsort(-pc.utf8_length(pool.passages).to_numpy(), kind="stable")

    def nearest(self, queries, k):
        return Hits(np.tile(self.order[:k], (len(queries.ids), 1)))


LONGEST = MinerCard(Longest)
"""
    )
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cmtp.miners]\nlongest = elsewhere:LONGEST\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(MINERS, "_outside", None)
    yield
    sys.modules.pop("elsewhere", None)


def test_a_miner_from_outside_is_one_file(outside, query, pool):
    settings = short_texts(negatives=3, first_rank=1).model_copy(update={"miner": "longest"})
    (found,), _, counts = find_negatives(query, pool, settings, seed=42)
    longest = sorted(range(5, 9), key=lambda i: -len(TEXTS[i]))  # the others are false negatives by some rule
    assert texts(found) == [TEXTS[i] for i in longest[:3]]
    assert {one.kind for one in found} == {"longest"}
    assert found[0].score == pytest.approx(SCORES[longest[0]])
    assert counts["longest"] == 3
    settings = settings.model_copy(update={"miner": "dense+longest"})
    (found,), _, _ = find_negatives(query, pool, settings, seed=42)
    assert [one.kind for one in found] == ["mined", "mined", "longest"]  # both find the same passage first


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("dens", r"mine\.miner = 'dens': there is no miner 'dens'; did you mean dense\?; known: dense, bm25; several"),
        ("dense+", "there is no miner ''"),
        ("bm25+bm25", "names a miner twice"),
    ],
)
def test_an_unknown_miner_is_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        miner_cards(setting)
    assert list(miner_cards("mix")) == ["dense", "bm25"]


def test_a_miner_whose_package_is_missing_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(MINERS, "_outside", {"far": MinerCard(print, packages=["faraway"], install="pip install far")})
    with pytest.raises(UsageError, match="needs faraway: pip install far"):
        miner_cards("far")


def test_a_miner_that_may_be_kept_is_kept_for_the_same_pool_alone(monkeypatch, pool):
    opened = []

    class Nothing:
        def __init__(self, pool):
            opened.append(pool.name)

        def nearest(self, queries, k):
            return Hits(np.full((len(queries.ids), k), -1))

    keeping = {"kept": MinerCard(Nothing, keep=True), "new": MinerCard(Nothing)}
    monkeypatch.setattr(MINERS, "_outside", keeping)
    for name in ("a", "a", "b", "a", "", ""):
        open_miners("kept", replace(pool, name=name))
    assert opened == ["a", "b", "a", "", ""]
    opened.clear()
    for name in ("a", "a"):
        open_miners("new", replace(pool, name=name))
    assert opened == ["a", "a"]


def test_a_cross_encoder_judges_and_its_scores_are_written(query, pool):
    said = {POSITIVE: 0.8, TEXTS[5]: 0.79, TEXTS[6]: 0.3, TEXTS[7]: 0.5}

    def rescore(queries, passages):
        return np.array([said[text] for text in passages], np.float32)

    settings = short_texts(negatives=2, first_rank=1)
    (found,), positive, counts = find_negatives(query, pool, settings, seed=42, rescore=rescore)
    assert texts(found) == [TEXTS[6], TEXTS[7]]
    assert [round(one.score, 2) for one in found] == [0.3, 0.5]
    assert positive.tolist() == pytest.approx([0.8])
    assert counts["cross_encoder"] == 1


def test_a_passage_of_punctuation_is_not_its_own_negative():
    held = make_pool(["？！", TEXTS[5]], [0.9, 0.8], [0, 1], [3, 1])  # the sample holds the passage by another pair
    one = make_queries(passages=large(["？！"]), doc=np.array([9]), query=np.array([9]), row=np.array([0]))
    settings = short_texts(negatives=2, first_rank=1, relative_margin=0)
    (found,), _, counts = find_negatives(one, held, settings, seed=42)
    assert texts(found) == [TEXTS[5]]
    assert counts["near_positive"] == 1


@pytest.mark.parametrize(("ratio", "kept"), [(None, ["像", "远"]), (0.9, ["远"]), (1.2, ["像", "远"])])
def test_a_passage_nearer_to_the_positive_than_the_query_is_says_the_same(ratio, kept):
    """In three dimensions: the third is what all texts have in common, and is taken off."""
    others = [f"第{name}段话，与别的毫无关系" for name in range(200)]
    noise = np.random.default_rng(0).normal(size=(200, 2)) * 0.01
    flat = np.array([[1.0, 0.0], [0.62, 0.35], [0.1, -0.5], *noise])  # the positive, one like it, one that is not
    every = np.c_[flat, np.full(len(flat), 2.0)].astype(np.float32) / 4
    place = np.arange(len(every))
    said = large([f"问题{i}" for i in range(len(every))])
    passages = large([POSITIVE, "像", "远", *others])
    owners = pa.table({"query": said, "doc_id": said, "row": place})
    pool = Pool.of(passages, Matrix(every), owners, centre=every.mean(axis=0))
    query = np.array([[0.6, 0.0, 3.0]], np.float32) / 4
    centre = np.array([0, 0, 3], np.float32) / 4
    queries = make_queries(
        vectors=query, positives=every[:1], scores=(query @ every[0]).astype(np.float32), centre=centre
    )
    settings = short_texts(negatives=2, last_rank=5, relative_margin=0, max_answer_ratio=ratio)
    (found,), _, counts = find_negatives(queries, pool, settings, seed=1)
    assert [one for one in texts(found) if one in ("像", "远")] == kept
    assert counts["near_answer"] == ("像" not in kept)


def test_a_negative_has_a_topic_in_common_with_the_positive():
    """The positive at 0°, passages at 20° and 90°: of pairs drawn by chance all are closer than 60°."""
    flat = np.array([[1, 0], [np.cos(np.pi / 9), np.sin(np.pi / 9)], [0, 1]], np.float32)
    place = np.arange(3)
    said = large([f"问题{i}" for i in range(3)])
    owners = pa.table({"query": said, "doc_id": said, "row": place})
    chance = np.full(10, 0.5, np.float32)
    passages = large([POSITIVE, "近", "远"])
    pool = Pool.of(passages, Matrix(flat), owners, centre=np.zeros(2, np.float32), chance=chance)
    queries = make_queries(vectors=flat[:1], positives=flat[:1], scores=np.ones(1, np.float32))
    (found,), _, counts = find_negatives(queries, pool, short_texts(first_rank=1, relative_margin=0), seed=1)
    assert texts(found) == ["近"]
    assert counts["unrelated"] == 1
    drawn = short_texts(first_rank=1, relative_margin=0, fill="random")
    (found,), _, _ = find_negatives(queries, pool, drawn, seed=1)
    assert [(one.text, one.kind) for one in found] == [("近", "mined"), ("远", "random")]
    (found,), _, _ = find_negatives(queries, pool, short_texts(first_rank=1, min_related=None), seed=1)
    assert texts(found) == ["近", "远"]


def test_a_short_text_is_a_negative_only_of_a_short_positive(query, pool):
    (found,), _, counts = find_negatives(
        query, pool, MineSettings(first_rank=1, relative_margin=0, min_chars=15), seed=1
    )
    assert all(len(one.text) >= 15 for one in found)
    assert counts["too_short"] > 0
    short = make_queries(passages=large(["短答案而已。"]))
    (found,), _, _ = find_negatives(short, pool, MineSettings(first_rank=1, relative_margin=0, min_chars=15), seed=1)
    assert {TEXTS[6], TEXTS[7]} <= set(texts(found))
