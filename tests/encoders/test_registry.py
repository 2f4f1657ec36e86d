"""Cards of encoders, and encoders from outside the package."""

import subprocess
import sys
from dataclasses import replace

import pytest

from cmtp.encoders import static_zh
from cmtp.encoders.registry import ENCODERS, check_encoder, encoder_card, load_encoder
from cmtp.errors import UsageError

ENCODER = """
import numpy as np
from cmtp.encoders.base import EncoderCard, check_texts

class Lengths:
    name, dim, max_chars, weights_hash = "lengths", 2, None, "lengths 1"

    def encode(self, texts, side):
        check_texts(texts, side)
        sizes = np.array([[1.0, len(text)] for text in texts.to_pylist()], np.float32).reshape(-1, 2)
        return sizes / np.linalg.norm(sizes, axis=1, keepdims=True)

CARD = EncoderCard(
    name="lengths", package="elsewhere", install="pip install elsewhere", load=Lengths, identity=lambda: "lengths 1"
)
"""


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a package that is installed and adds the encoder `lengths`."""
    folder = tmp_path / "site"
    info = folder / "elsewhere-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cmtp.encoders]\nlengths = elsewhere:CARD\n")
    (folder / "elsewhere.py").write_text(ENCODER)
    return folder


def test_an_encoder_is_added_by_an_entry_point(elsewhere):
    """In a process of its own, as a worker finds it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pyarrow as pa\n"
        "from cmtp.encoders.registry import check_encoder, encoder_identity, load_encoder\n"
        "check_encoder('similarity.encoder', 'lengths')\n"
        "assert encoder_identity('lengths').startswith('lengths 1, elsewhere 1.0 '), encoder_identity('lengths')\n"
        "print(load_encoder('lengths').encode(pa.array(['', '一二']), 'query').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(elsewhere)], capture_output=True, text=True)
    assert done.stdout == "(2, 2)\n", done.stderr


def test_an_encoder_is_added_by_a_call():
    card = replace(static_zh.CARD, name="like-static")
    try:
        ENCODERS.add("like-static", card)
        assert encoder_card("like-static") is card
        assert load_encoder("like-static").dim == 512
        with pytest.raises(UsageError, match="already"):
            ENCODERS.add("like-static", card)
    finally:
        ENCODERS._items.pop("like-static", None)


def test_a_built_in_card_is_registered_under_its_own_name():
    assert ENCODERS.names()[:4] == ["static-zh", "e5-small", "text2vec-large", "text2vec-base"]
    assert all(card.name == name for name, card in ENCODERS.items())


def test_a_slip_of_the_pen_is_answered_with_the_likeliest_name():
    with pytest.raises(UsageError, match=r"similarity\.encoder = 'static_zh': .*did you mean static-zh\?"):
        check_encoder("similarity.encoder", "static_zh")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"bge-small.*static-zh, e5-small.*hub name"):
        load_encoder("bge-small")
