"""What the readers of records share: the longest record, and the failures of JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from cmtp.sources.stream import Failure
from cmtp.text.clean import UNDECODABLE

Record = tuple[int, Any]
"""Number and value: a dict, another JSON value, or a Failure."""

MAX_RECORD: Final = 32 << 20
"""Bytes of the longest line or table cell that is read; a longer one is rejected, so that memory stays bounded."""

MARK_BYTES: Final = UNDECODABLE.encode()
"""Stands in UTF-8 for a byte of another encoding that could not be decoded."""


def undecodable(encoding: str, data: bytes, error: UnicodeError) -> Failure:
    """A record with bytes that are not text in the file's encoding; the evidence shows what stands around them."""
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    shown = data[max(0, start - 20) : start + 20].decode("utf-8", "backslashreplace")
    return Failure("undecodable", {"encoding": encoding, "byte": start, "near": shown})


def bad_json(error: Exception, data: bytes) -> Failure:
    """A record that is not JSON; the evidence shows what stands around the fault."""
    near = re.search(r"\(byte (\d+)\)", str(error))
    at = int(near[1]) if near else len(data)
    shown = data[max(0, at - 40) : at + 40].decode("utf-8", "replace")
    return Failure("bad_json", {"error": str(error)[:200], "near": shown})
