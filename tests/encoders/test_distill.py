"""The pure functions behind the tables of static-zh."""

import json
from dataclasses import asdict

import numpy as np

from cmtp.encoders import distill
from cmtp.encoders.static_zh import DATA

SIMPLIFIED = {"學": "学", "習": "习", "乾": "干"}


def test_character_table():
    table = distill.character_table(SIMPLIFIED)
    for char, folded in [("學", "学"), ("学", "学"), ("Ａ", "a"), ("A", "a"), ("５", "5"), ("é", "é"), ("ｶ", "カ")]:
        assert chr(table[ord(char)]) == folded
    for char in "，。 　\n!-_①…—":
        assert table[ord(char)] == (ord("1") if char == "①" else 0)
    assert table[0] == table[0xD800] == table[0xFFFF] == 0


def test_shipped_character_table_is_idempotent():
    table = np.load(DATA / "characters.npy")
    kept = table[table > 0]
    assert np.array_equal(table[kept], kept)


def test_word_frequencies_fold_and_filter():
    lines = ["学习 10 v", "學習 5 v", "AT&T 3 nz", "很长很长很长的词 9 n", "的 100 uj"]
    assert distill.word_frequencies(lines, SIMPLIFIED, longest=6) == {"学习": 15, "的": 100}


def test_vocabulary_has_all_characters_and_the_most_frequent_words():
    counts = {"的": 5, "一": 9, "学习": 3, "工作": 3, "生活": 7}
    assert distill.choose_vocabulary(counts, 2) == ["一", "的", "生活", "学习"]


def test_missing_idf_follows_the_line():
    words = ["a", "b", "c"]
    p = np.exp([-2.0, -4.0, -3.0])
    idf = distill.inverse_document_frequencies(words, p, ["a 2.0", "b 4.0", "broken"])
    np.testing.assert_allclose(idf, [2, 4, 3])


def test_distinct_rows():
    rows = np.array([[1, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    assert distill.distinct_rows(rows).tolist() == [False, True, False, True]


def test_whitening_removes_the_mean_and_evens_the_axes():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, 6)) * [9, 5, 3, 2, 1, 0.001] + 4
    white = distill.whiten(rows.astype(np.float32), np.ones(5000), dropped=1)
    assert white.shape == (5000, 4)
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), 1)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(white.T), np.eye(4) / 4, atol=0.02)


def test_nearest_leaves_out_the_row_itself():
    rows = np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    found, dots = distill.nearest_rows(rows, 1)
    assert found.tolist() == [[1], [0], [3], [2]]
    np.testing.assert_allclose(dots[:, 0], [0.9, 0.9, 0.9, 0.9])


def test_closeness_levels():
    levels = distill.closeness_levels(np.array([[0.6, 0.8], [0.0, 0.0], [-0.5, 0.1]]))
    assert levels.dtype == np.uint8
    assert levels.tolist() == [[153, 204], [0, 0], [0, 255]]


def test_shipped_settings_are_the_script_s():
    assert json.loads((DATA / "settings.json").read_text(encoding="utf-8")) == asdict(distill.DistillSettings())
