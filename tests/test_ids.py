"""Ids as numbers and as text."""

import pyarrow as pa
import pytest

from cmtp.ids import id_halves, id_texts

IDS = ["00000000000000010000000000000002", "ffffffffffffffff8000000000000000"]


@pytest.mark.parametrize("ids", [pa.array(IDS), pa.chunked_array([IDS[:1], IDS[1:]]), pa.array(["0" * 32, *IDS])[1:]])
def test_there_and_back(ids):
    high, low = id_halves(ids)
    assert high.tolist() == [1, 2**64 - 1]
    assert low.tolist() == [2, 2**63]
    assert id_texts(high, low) == IDS


def test_no_ids():
    high, low = id_halves(pa.array([], pa.string()))
    assert (len(high), id_texts(high, low)) == (0, [])


@pytest.mark.parametrize("ids", [["0" * 31], ["0" * 33], ["0" * 31, "0" * 33], [""], [None], ["g" * 32], ["é" * 16]])
def test_another_form_is_refused(ids):
    with pytest.raises(ValueError, match="32 hex digits"):
        id_halves(pa.array(ids, pa.string()))
