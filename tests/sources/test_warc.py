import gzip
import zlib

import brotli
import pytest

from cmtp.extract.relations import pairs_of
from cmtp.extract.settings import ExtractSettings
from tests.sources.reading import broken, documents, read

SETTINGS = ExtractSettings()


def page(title, text):
    return f"<html><head><title>{title} - 站</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"


PAGE = page("西湖", "西湖在杭州城的西面，三面环山，一面临城。")
OTHER = page("长城", "长城东起山海关，西至嘉峪关，绵延万里。")


def record(body, kind="response", content_type="application/http; msgtype=response", uri="http://a.b/c"):
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {uri}\r\nContent-Type: {content_type}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body + b"\r\n\r\n"


def http(body, status=200, content_type="text/html; charset=utf-8", **headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


INFO = record(b"software: x\r\n", "warcinfo", "application/warc-fields")
REQUEST = record(b"GET / HTTP/1.1\r\n\r\n", "request", "application/http; msgtype=request")
CHUNKED = (
    b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (PAGE.encode()[:50], PAGE.encode()[50:])) + b"0\r\n\r\n"
)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_pages_of_a_warc(tmp_path, suffix):
    parts = [INFO, REQUEST, record(http(PAGE.encode())), record(OTHER.encode(), "resource", "text/html")]
    data = b"".join(gzip.compress(part) for part in parts) if suffix else b"".join(parts)
    items, _ = read(tmp_path, "crawl.warc" + suffix, data)
    assert [(item.origin, item.title) for item in items] == [
        (f"crawl.warc{suffix}#3", "西湖"),
        (f"crawl.warc{suffix}#4", "长城"),
    ]


def test_a_page_gives_the_same_pairs_in_a_warc_and_as_a_file(tmp_path):
    alone, _ = read(tmp_path, "a.html", PAGE.encode())
    crawled, _ = read(tmp_path, "a.warc", record(http(PAGE.encode("gb18030"), content_type="text/html; charset=gbk")))
    assert [pair[:4] for pair in pairs_of(alone[0], SETTINGS)] == [pair[:4] for pair in pairs_of(crawled[0], SETTINGS)]


@pytest.mark.parametrize(
    "body",
    [
        http(CHUNKED, Transfer_Encoding="chunked"),
        http(PAGE.encode(), Transfer_Encoding="chunked"),  # stored decoded
        http(gzip.compress(PAGE.encode()), Content_Encoding="gzip"),
        http(zlib.compress(PAGE.encode()), Content_Encoding="deflate"),
        http(brotli.compress(PAGE.encode()), Content_Encoding="br"),
    ],
)
def test_encoded_bodies(tmp_path, body):
    items, _ = read(tmp_path, "a.warc", record(body) + record(http(OTHER.encode())))
    assert [item.title for item in items] == ["西湖", "长城"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (http(b"gone", 404), "http_status"),
        (http(b"\x89PNG", content_type="image/png"), "unsupported_format"),
        (http(b"\x1f\x8b\x08\x00broken", Content_Encoding="gzip"), "undecodable"),
        (http(b"ff\r\nshort", Transfer_Encoding="chunked"), "undecodable"),
        (http(gzip.compress(b"0" * (17 << 20)), Content_Encoding="gzip"), "too_long"),
        (http(b"<html><body></body></html>"), "no_text"),
        (b"no http at all", "http_status"),
    ],
)
def test_unusable_responses_are_rejected_alone(tmp_path, body, reason):
    items, _ = read(tmp_path, "a.warc", record(body) + record(http(OTHER.encode())))
    assert broken(items) == [("a.warc#1", reason)]
    assert [item.title for item in documents(items)] == ["长城"]


def test_garbage_between_records_is_passed_over(tmp_path):
    good = record(http(PAGE.encode()))
    items, _ = read(tmp_path, "a.warc", good + b"garbage garbage\r\n\r\nmore\r\n" + record(http(OTHER.encode())))
    assert [item.title for item in documents(items)] == ["西湖", "长城"]
    assert broken(items) == [("a.warc#1", "bad_record")]
    items, _ = read(tmp_path, "b.warc", good + good.replace(b"Content-Length: ", b"X-Length: ") + good)
    assert len(documents(items)) == 2
    assert {reason for _, reason in broken(items)} == {"bad_record"}


def test_a_warc_cut_short(tmp_path):
    good = record(http(PAGE.encode()))
    items, _ = read(tmp_path, "a.warc", good + good[:-30])
    assert len(documents(items)) == 1
    assert broken(items) == [("a.warc#2", "truncated_file")]
    items, _ = read(tmp_path, "a.warc.gz", gzip.compress(good) + gzip.compress(good)[:-20])
    assert len(documents(items)) == 1
    assert broken(items) == [("a.warc.gz#0", "truncated_file")]


def test_wet(tmp_path):
    text = "西湖的历史\n首页\n西湖在杭州城的西面，三面环山，一面临城，唐代已有此名。\n"
    items, _ = read(tmp_path, "a.warc.wet.gz", gzip.compress(record(text.encode(), "conversion", "text/plain")))
    assert [(item.title, item.lead) for item in items] == [("西湖的历史", [text.split("\n")[2]])]
