"""Arrow columns and numpy arrays: there and back."""

import numpy as np
import pyarrow as pa
import pytest

from cmtp.columns import byte_column, bytes_of, codes_in, distinct, rank_in_group, vector_column, vectors_of


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_there_and_back(dtype):
    vectors = np.arange(12, dtype=dtype).reshape(4, 3)
    column = vector_column(vectors)
    assert column.type.list_size == 3
    for form in (column, pa.chunked_array([column.slice(0, 1), column.slice(1)])):
        back = vectors_of(form)
        assert (back == vectors).all()
        assert back.dtype == dtype
    assert vectors_of(column, np.float32).dtype == np.float32
    assert vectors_of(column.slice(2)).tolist() == vectors[2:].tolist()
    assert vectors_of(pa.chunked_array([], column.type)).shape == (0, 3)


def test_bytes_there_and_back():
    rows = np.arange(12, dtype=np.uint8).reshape(4, 3)
    column = byte_column(rows)
    assert column.to_pylist()[1] == bytes([3, 4, 5])
    for form in (column, pa.chunked_array([column.slice(0, 1), column.slice(1)])):
        assert (bytes_of(form) == rows).all()
    assert bytes_of(column.slice(2)).tolist() == rows[2:].tolist()
    assert bytes_of(pa.chunked_array([], column.type)).shape == (0, 3)


def test_codes_in_a_dictionary():
    dictionary = pa.array(["甲", "乙"])
    values = pa.chunked_array([["乙", "丙"], ["甲"]])
    for form in (values, values.combine_chunks(), values.dictionary_encode(), values.cast(pa.large_string())):
        codes = codes_in(form, dictionary)
        assert codes.tolist() == [1, -1, 0]
        assert codes.dtype == np.int64


def test_distinct_values_in_order_of_first_occurrence():
    for form in (pa.array(["乙", "甲", "乙", "丙"]), pa.chunked_array([["乙", "甲"], ["乙", "丙"]])):
        values, codes, first = distinct(form)
        assert values.to_pylist() == ["乙", "甲", "丙"]
        assert codes.tolist() == [0, 1, 0, 2]
        assert first.tolist() == [0, 1, 3]


@pytest.mark.parametrize(("group", "ranks"), [([7, 7, 3, 3, 3, 7], [0, 1, 0, 1, 2, 0]), ([5], [0]), ([], [])])
def test_rank_in_group(group, ranks):
    assert rank_in_group(np.array(group, np.int64)).tolist() == ranks
