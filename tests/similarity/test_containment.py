"""Containment: by hand, and against its definition by sets."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmtp.similarity.containment import GRAM_KINDS, centred_containment, gram_statistics, text_grams
from cmtp.text.compare import comparison_form


def column(texts):
    return text_grams(pa.array(texts, pa.large_string()))


def all_combinations(queries, passages):
    """Centred containment of every query in every passage: [queries, passages, 3]."""
    left, right = np.divmod(np.arange(len(queries) * len(passages)), len(passages))
    sample = gram_statistics(column(queries), column(passages))
    found = centred_containment(sample, column(queries), column(passages), left, right)
    return found.reshape(len(queries), len(passages), len(GRAM_KINDS))


def identifiers(text):
    runs, last = [], None
    for char in text:
        kind = "d" if char in "0123456789" else "l" if char.isascii() and char.isalpha() else None
        if kind and kind == last:
            runs[-1] += char.lower()
        elif kind:
            runs.append(char.lower())
        last = kind
    return set(runs)


def grams(text):
    form = comparison_form(text)
    return {form[i : i + 2] for i in range(len(form) - 1)}, set(form), identifiers(text)


def by_definition(queries, passages):
    """Weights, shares and centring as the module says them, over sets."""
    n = len(passages)
    out = np.zeros((len(queries), n, len(GRAM_KINDS)))
    for kind in range(len(GRAM_KINDS)):
        held = [grams(text)[kind] for text in passages]
        asked = [grams(text)[kind] for text in queries]

        def weight(gram, held=held):
            return np.log((n + 1) / (sum(gram in one for one in held) + 1))

        total = np.array([sum(map(weight, one)) for one in asked])
        defined = total > 1e-9
        raw = np.array([[sum(map(weight, q & p)) for p in held] for q in asked]) / np.maximum(total, 1e-9)[:, None]
        if defined.any():
            centred = raw - raw.mean(axis=1, keepdims=True) - raw[defined].mean(axis=0) + raw[defined].mean()
            out[..., kind] = np.where(defined[:, None], centred, 0)
    return out


def test_an_identifier_that_only_its_passage_holds():
    """Two passages, one of which holds ``max`` and ``size``: weight ln(3/2) each. Half of the queries ask for them."""
    found = all_combinations(["max-size", "大小"], ["最大值 MAX_SIZE=9", "颜色"])
    # The query's containment is 1 and 0, its mean ½; only this query has identifiers, so it is also the mean query.
    assert found[0, :, 2].tolist() == [0, 0]
    found = all_combinations(["max-size", "port"], ["MAX_SIZE", "port"])
    np.testing.assert_allclose(found[:, :, 2], [[0.5, -0.5], [-0.5, 0.5]])


def test_letters_and_digits_are_identifiers_of_their_own():
    found = all_combinations(["TiDB2.1", "索引"], ["tidb 1", "9"])
    assert grams("TiDB2.1")[2] == {"tidb", "2", "1"}
    np.testing.assert_allclose(found, by_definition(["TiDB2.1", "索引"], ["tidb 1", "9"]), atol=2e-5)


def test_a_gram_in_every_passage_says_nothing():
    assert not all_combinations(["的", "的"], ["他的", "我的"])[..., 1].any()


def test_blank_texts_say_nothing():
    assert not all_combinations(["", "……"], ["", "？"]).any()


TEXTS = st.lists(st.text("中文数据库索引ab1 2-。", max_size=8), min_size=1, max_size=6)


@given(TEXTS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_it_is_what_its_definition_says(texts, random):
    passages = [random.choice(texts) + text for text in texts]
    found = all_combinations(texts, passages)
    np.testing.assert_allclose(found, by_definition(texts, passages), atol=2e-5)


@given(TEXTS)
@settings(max_examples=40, deadline=None)
def test_the_means_are_taken_off(texts):
    """Over the sample's passages, and over those of its queries that have a gram of the kind."""
    found = all_combinations(texts, texts[::-1])
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=2e-5)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=2e-5)


def test_pairs_outside_the_sample_are_scored_by_its_statistics():
    """A gram that no passage of the sample holds weighs most: ln(n + 1)."""
    sample = gram_statistics(column(["甲", "乙"]), column(["甲丙", "乙丁"]))
    found = centred_containment(sample, column(["戊己"]), column(["戊"]), np.array([0]), np.array([0]))
    assert found[0, 1] == pytest.approx(0.5 + float(sample.mean[1]), abs=1e-4)


def test_a_slice_of_a_column_is_read_from_its_own_place():
    texts = pa.array(["前面的文字", "删除索引 DROP", "如何删除索引 drop index"], pa.string())
    whole = centred_containment(
        gram_statistics(column(["删除索引 DROP"]), column(["如何删除索引 drop index"])),
        text_grams(texts.slice(1, 1)),
        text_grams(texts.slice(2, 1)),
        np.array([0]),
        np.array([0]),
    )
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(whole, by_definition(["删除索引 DROP"], ["如何删除索引 drop index"])[0], atol=2e-5)
