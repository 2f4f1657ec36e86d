"""Kernels decode and encode UTF-8 as Python does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.text.utf8 import decode_point, encode_point

EDGES = "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff的é𠀀😀"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def decoded(text):
    data = np.frombuffer(text.encode(), np.uint8)
    at, points = np.uint64(0), []
    while at < len(data):
        point, at = decode_point(data, np.uint64(at))
        points.append(point)
    assert at == len(data)
    return "".join(map(chr, points))


def encoded(text):
    out, at = np.zeros(4 * len(text), np.uint8), 0
    for char in text:
        at = encode_point(ord(char), out, at)
    return out[:at].tobytes()


@pytest.mark.parametrize("char", EDGES)
def test_edges_of_every_length(char):
    assert decoded(f"a{char}b") == f"a{char}b"
    assert encoded(char) == char.encode()


@given(TEXT)
def test_any_text(text):
    assert decoded(text) == text
    assert encoded(text) == text.encode()
