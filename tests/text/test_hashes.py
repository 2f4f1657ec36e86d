"""128-bit hashes of texts."""

import numpy as np
import pyarrow as pa

from cmtp.text.compare import comparison_form, fold
from cmtp.text.hashes import hash_texts
from tests.dedup import pairs


def hashes(*texts):
    column = pa.array(texts)
    return [tuple(one) for one in hash_texts(column, fold(column)).tolist()]


def test_equal_forms_have_equal_hashes_and_others_do_not():
    texts = ["第３條，臺灣", "第3条：台湾", "第4条：台湾", "台湾第3条", ""]
    first, second, *others = hashes(*texts)
    assert first == second
    assert len({first, *others}) == 4


def test_text_of_punctuation_is_hashed_by_its_bytes():
    found = hashes("……", "……", "——", "。", "", "!")
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_halves_of_the_hash_are_independent():
    texts = pairs.family(3, 3000, 1)
    found = np.array(hashes(*texts), np.uint64)
    for half in (0, 1):
        assert len(np.unique(found[:, half])) == len(texts)
        bits = (found[:, half, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        assert (abs(bits.mean(axis=0) - 0.5) < 0.06).all()


def test_hashes_do_not_change_between_versions():
    """Older releases are compared by these hashes, so a change must be deliberate."""
    assert comparison_form("第１２條") == "第12条"
    assert hashes("第１２條")[0] == (2848919056434392496, 1613165478738224931)
