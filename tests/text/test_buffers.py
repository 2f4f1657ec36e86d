"""String columns of every kind as bytes and offsets."""

import itertools

import polars as pl
import pyarrow as pa
import pytest

from cmtp.text.buffers import string_buffers


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["甲", None, "乙丙"]),
        pa.array(["甲", "", "乙丙"], pa.large_string()),
        pa.array(["丁", "甲", "", "乙丙"]).slice(1),
        pa.array(["甲", "", "乙丙"]).dictionary_encode(),
        pa.chunked_array([["甲", ""], ["乙丙"]]),
        pa.chunked_array([["甲"], [], [None, "乙丙"]]),
        pa.array(["甲", "", "乙丙"], pa.string_view()),
        pl.Series(["甲", "", "乙丙"]).to_arrow(),
    ],
)
def test_every_kind_of_string_column(column):
    data, offsets = string_buffers(column)
    pieces = [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)]
    assert pieces == ["甲", "", "乙丙"]


@pytest.mark.parametrize(
    "column", [pa.array([], pa.string()), pa.array([], pa.large_string()), pa.chunked_array([], pa.string())]
)
def test_no_rows(column):
    data, offsets = string_buffers(column)
    assert (len(data), offsets.tolist()) == (0, [0])


@pytest.mark.parametrize(
    "column", [pa.array(["甲"]), pa.array(["甲", None]), pa.array([""]), pa.array([], pa.string())]
)
def test_kernels_see_one_type(column):
    data, offsets = string_buffers(column)
    assert (data.dtype, data.flags.writeable, offsets.dtype) == ("uint8", False, "int64")
