"""Which documents are held out together, and which passages training holds."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cmtp.shards.clusters import HALF, clusters_by_query, holders, index_passages, settle_held
from cmtp.text.compare import fold


def test_documents_with_a_query_in_common_are_one_cluster():
    document, query = np.array([0, 1, 1, 2, 3, 4]), np.array([10, 10, 11, 11, 12, 13])
    assert clusters_by_query(document, query, 5).tolist() == [0, 0, 0, 3, 4]


def test_a_query_of_very_many_documents_joins_none():
    document, query = np.arange(30), np.full(30, 7)
    assert clusters_by_query(document, query, 30).tolist() == list(range(30))
    assert clusters_by_query(document[:20], query[:20], 20).tolist() == [0] * 20


def test_what_training_holds_takes_documents_with_it_until_none_follows():
    """0 is known in training; 1 has its passage in 0; 2 is in a cluster with 1; 3 has one passage of five in 0."""
    owner = np.array([0, 1, 2, 3, 3, 3, 3, 3])
    in_training = np.array([True, *[False] * 7])
    edges = np.array([[1, 0], [3, 0]])
    held = settle_held(owner, in_training, np.zeros(4), edges, np.array([0, 1, 1, 3]))
    assert held.documents.tolist() == [False, False, False, True]
    assert held.known.tolist() == [True, True, False, True, False, False, False, False]


def test_a_document_whose_queries_training_knows_goes_to_training():
    held = settle_held(
        np.array([0, 1]), np.zeros(2, bool), np.array([0.5, 0.1]), np.zeros((0, 2), int), np.array([0, 1])
    )
    assert held.documents.tolist() == [False, True]


TEXTS = st.lists(st.text("甲乙丙丁戊己庚辛", min_size=0, max_size=40), max_size=6)


def grams(text):
    return {text[i : i + 8] for i in range(len(text) - 7)}


@given(TEXTS, TEXTS, st.integers(0, 10))
def test_a_text_holds_a_passage_when_it_has_nearly_half_of_its_grams(texts, passages, cut):
    texts = [*texts, *(passage[cut:] + "甲" for passage in passages)]
    found = holders(fold(pa.array(texts, pa.large_string())), index_passages(pa.array(passages, pa.large_string())))
    expected = {
        (row, number)
        for row, text in enumerate(texts)
        for number, passage in enumerate(passages)
        if grams(passage) and len(grams(text) & grams(passage)) >= HALF * len(grams(passage))
    }
    assert {tuple(pair) for pair in found.tolist()} == expected
    assert len(found) == len(expected)
