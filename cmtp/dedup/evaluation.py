"""The texts of evaluation files: every field of every record that holds text, and the record as a whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cmtp.errors import CmtpError
from cmtp.sources.encoding import detect
from cmtp.text.compare import fold

CATEGORIES: Final = 20
"""A field of at most so many different values is a label, where each occurs `REPEATS` times on average."""

REPEATS: Final = 5

_ID: Final = r"^[\x21-\x7e]*[0-9][\x21-\x7e]*$"
"""Letters and digits in one word: lit_635, Q-12."""

_HEADER_MAX: Final = 40
"""Characters of a column's name."""

Record = list[tuple[str, str]]
"""Field names and values, in order; a list in a record gives several values of one name."""


class EvaluationTexts(NamedTuple):
    """The texts of one file.

    Attributes:
        texts: each once, in order of first occurrence.
        fields: which fields they come from.
    """

    texts: pa.Array
    fields: list[str]


def read_texts(name: str, url: str) -> EvaluationTexts:
    """Read one evaluation file.

    A field counts as text unless most of its values are ids or have no letters (scores), or there are few different
    ones over and over (labels). The text fields of one record joined are a text too: a file that was read as prose
    holds them so.

    Args:
        name: of the file, for errors; its ending says the format.
        url: where it is.

    Raises:
        CmtpError: a file that cannot be read, or one that holds no text: nothing would be protected.
    """
    records = list(_records(name, url))
    values: dict[str, list[str]] = {}
    for record in records:
        for field, value in record:
            values.setdefault(field, []).append(value)
    fields = [field for field, given in values.items() if _is_text(given)]
    if not fields:
        raise CmtpError(f"dedup.decontaminate: {name} holds no field of text (fields: {', '.join(values) or 'none'})")
    texts: dict[str, None] = {}
    for record in records:
        some = [value for field, value in record if field in fields]
        texts.update(dict.fromkeys(some))
        texts["\n".join(some)] = None
    return EvaluationTexts(pa.array([text for text in texts if text], pa.large_string()), fields)


def _is_text(values: list[str]) -> bool:
    column = pa.array(values, pa.large_string())
    letters = pc.and_not(pc.match_substring_regex(column, r"\p{L}"), pc.match_substring_regex(column, _ID))
    different = pc.count_distinct(column).as_py()
    if pc.sum(letters).as_py() * 2 < len(values) or fold(column).lengths.max() == 0:
        return False
    return different > CATEGORIES or len(values) < REPEATS * different


def _records(name: str, url: str) -> Iterator[Record]:
    kind = name.lower().rsplit(".", 1)[-1]
    try:
        with fsspec.open(url, "rb") as file:
            if kind == "parquet":
                for batch in pq.ParquetFile(file).iter_batches(1024, use_threads=False):
                    yield from (list(_flat("", row)) for row in batch.to_pylist())
                return
            data = file.read()
        text = data.decode(detect(data[: 1 << 16]) or "utf-8")
        if kind == "jsonl" or (kind == "json" and not _is_one_value(text)):
            yield from (list(_flat("", msgspec.json.decode(line))) for line in text.splitlines() if line.strip())
        elif kind == "json":
            yield from _elements(msgspec.json.decode(text))
        else:
            yield from _rows(text, kind)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, csv.Error, pa.ArrowException) as error:
        raise CmtpError(f"dedup.decontaminate: cannot read {name}: {type(error).__name__}: {error}") from error


def _is_one_value(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _elements(value: Any) -> Iterator[Record]:
    """The elements of an array, or of all lists of objects in an object; else the object itself."""
    if isinstance(value, list):
        yield from (list(_flat("", element)) for element in value)
    elif isinstance(value, dict) and any(isinstance(one, list | dict) for one in value.values()):
        for part in value.values():
            yield from _elements(part)
    else:
        yield list(_flat("", value))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """All values in a JSON value, named by the path to them without places in lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(name, inner)
    elif value is not None and value != "":
        yield name or "value", str(value)


def _rows(text: str, kind: str) -> Iterator[Record]:
    """Tables of any width: a line with a field too many is a text all the same."""
    text = text.removeprefix("\ufeff")
    if kind == "csv":
        rows = csv.reader(io.StringIO(text, newline=""))
    else:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    header: list[str] | None = None
    for row in rows:
        if header is None:
            named = len(row) > 1 and all(cell.isascii() and 0 < len(cell) <= _HEADER_MAX for cell in row)
            header = row if named and not any(cell.strip().isdigit() for cell in row) else []
            if header:
                continue
        names = header if len(header) == len(row) else [str(place) for place in range(1, len(row) + 1)]
        yield [(field, cell) for field, cell in zip(names, row, strict=True) if cell]
