import io

import pytest

from cmtp.sources.encoding import Utf8Stream, decode, detect
from cmtp.sources.stream import Stream
from cmtp.text.clean import UNDECODABLE

SIMPLE = "中国人民解放军的历史很长，我们在这里只说一个大概。他们来的时候，天还没有亮。" * 20
TRADITIONAL = "這個問題我們已經討論過了，大家的意見還是不一樣。他說他會來，可是沒有來。" * 20


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (SIMPLE, "utf-8", "utf-8"),
        (SIMPLE, "utf-8-sig", "utf-8-sig"),
        (SIMPLE, "utf-16", "utf-16"),
        (SIMPLE, "gb18030", "gb18030"),
        (SIMPLE, "gbk", "gb18030"),
        (TRADITIONAL, "big5", "big5hkscs"),
        (TRADITIONAL, "utf-8", "utf-8"),
        ("plain ascii", "ascii", "utf-8"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1])
def test_detect(text, encoding, expected, cut):
    data = text.encode(encoding)
    assert detect(data[: len(data) - cut]) == expected  # a head may end within a character


def test_binary_is_no_text():
    assert detect(bytes(range(128, 256)) * 50) is None


def test_a_few_broken_bytes_leave_utf8():
    data = SIMPLE.encode()
    assert detect(data[:99] + b"\xff\xfe" + data[99:]) == "utf-8"


def test_broken_bytes_are_marked():
    assert decode("中".encode() + b"\xff" + "文".encode(), "utf-8") == f"中{UNDECODABLE}文"
    assert UNDECODABLE in decode("中文".encode("gb18030") + b"\xff", "gb18030")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "big5"])
def test_transcoding_stream(encoding):
    text = TRADITIONAL if encoding == "big5" else SIMPLE
    stream = Stream(io.BytesIO(text.encode(encoding)))
    assert io.BufferedReader(Utf8Stream(stream, encoding), 7).read().decode() == text
