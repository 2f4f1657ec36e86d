"""CSV and TSV: a record per row."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from cmtp.sources.encoding import near_undecodable, text_stream
from cmtp.sources.formats.format import Content, Format, FormatItem
from cmtp.sources.formats.records import MAX_RECORD, Record
from cmtp.sources.labels import LABEL_VALUE
from cmtp.sources.layouts_data import FIELD_NAMES
from cmtp.sources.stream import Failure, Stream
from cmtp.text.clean import UNDECODABLE


def read_csv(
    stream: Stream, encoding: str, tabs: bool, names: frozenset[str], every_row: bool = False
) -> Iterator[Record]:
    """The rows of a table; delimiter and header are found. The record number is the data row's.

    Without a header the fields are called 1, 2, 3 …, unless their values show what they are: see `_unnamed`.

    Args:
        stream: bytes of the table.
        encoding: of the bytes.
        tabs: whether the file's name says that tabs separate the fields.
        names: field names that make the first row a header, besides those of the known layouts.
        every_row: a row of another width than the first is a row whose fields are called 1, 2, 3 …, and one word alone
            is not taken for a header. Otherwise such a row is a Failure.
    """
    csv.field_size_limit(MAX_RECORD)
    text = text_stream(stream, encoding)
    head = text.read(1 << 16)
    dialect = _dialect(head, tabs)
    rows = csv.reader(_physical_lines(head, text, stream), **dialect)
    header: list[str] | None = None
    number = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield number, Failure("bad_row", {"error": str(error)})
            continue
        if not row or row == [""]:
            continue
        if header is None:
            header = [cell.strip() for cell in row]
            if _is_header(header, names) and not (every_row and len(row) == 1 and row[0] not in names):
                continue
            header = _unnamed(row, head, dialect)
        number += 1
        if UNDECODABLE in "".join(row):
            yield number, Failure("undecodable", {"encoding": encoding, "near": near_undecodable("\t".join(row))})
        elif len(row) != len(header) and every_row:
            yield number, dict(zip(_numbers(len(row)), row, strict=True))
        elif len(row) != len(header):
            yield number, Failure("bad_row", {"fields": len(row), "expected": len(header), "row": "\t".join(row)[:200]})
        else:
            yield number, dict(zip(header, row, strict=True))


def _physical_lines(head: str, text: io.TextIOWrapper, stream: Stream) -> Iterator[str]:
    """Lines with their ends; a line longer than MAX_RECORD comes in pieces, which the row length then shows.

    A last line without its end is left out where the stream ended by a failure.
    """
    lines = io.StringIO(head, newline="").readlines()
    last = lines.pop() if lines and not lines[-1].endswith("\n") else ""
    yield from lines
    while line := text.readline(MAX_RECORD):
        line, last = last + line, ""
        if not line.endswith("\n") and stream.failure is not None:
            return
        yield line
    if last and stream.failure is None:
        yield last


def _dialect(head: str, tabs: bool) -> dict[str, Any]:
    """Delimiter and quoting under which the first rows have most fields, all the same number."""
    sample = head[: head.rfind("\n") + 1] or head
    best: tuple[float, int, str, int] = (-1.0, 0, "\t" if tabs else ",", csv.QUOTE_MINIMAL)
    for delimiter in "\t" if tabs else ",\t;|":
        for quoting in (csv.QUOTE_NONE, csv.QUOTE_MINIMAL) if delimiter == "\t" else (csv.QUOTE_MINIMAL,):
            try:
                rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quoting))[:200]
            except csv.Error:
                continue
            widths = Counter(len(row) for row in rows if row)
            if widths:
                width, count = widths.most_common(1)[0]
                found = (count / widths.total() if width > 1 else 0.0, width, delimiter, quoting)
                if found[:2] > best[:2]:
                    best = found
    return {"delimiter": best[2], "quoting": best[3]}


def _is_header(cells: list[str], names: frozenset[str]) -> bool:
    if len(set(cells)) < len(cells) or cells[0].lower() == "to title":
        return False
    if any(cell in names or cell.lower() in FIELD_NAMES for cell in cells):
        return True
    return all(re.fullmatch(r"[A-Za-z_][\w .-]{0,30}", cell) for cell in cells)


MOST: Final = 0.95
"""Share of the first rows whose values must be of a kind for the column to be of it."""
_SHORT: Final = re.compile(r"\S{1,16}")
_LONG: Final = re.compile(r".{30}", re.DOTALL)
_NUMBER: Final = re.compile("\ufeff?\\d+")


def _unnamed(row: list[str], head: str, dialect: dict[str, Any]) -> list[str]:
    """Names for the columns of a table without a header, where their values show what they are.

    Two texts and a label (AFQMC, LCQMC), an id before them (ATEC), a query with title, paragraph and label
    (DuReader-retrieval), a paper's title, abstract, keywords, category and discipline (CSL), CSL's title generation.
    """
    width = len(row)
    if width == 3 and row[0].strip().lower() == "to title":
        return ["to title", "2", "3"]
    sample = head[: head.rfind("\n") + 1] or head
    rows = [cells for cells in csv.reader(io.StringIO(sample, newline=""), **dialect) if len(cells) == width][:200]
    if width in (3, 4) and _share(rows, -1, LABEL_VALUE) >= MOST:
        graded = any(_grade(cells[-1]) not in (0.0, 1.0, None) for cells in rows)
        texts = ["sentence1", "sentence2", "score" if graded else "label"]
        if width == 3:
            return texts
        return ["id", *texts] if _share(rows, 0, _NUMBER) >= MOST else ["query", "page", "para", "label"]
    if (
        width == 5
        and min(_share(rows, 3, _SHORT), _share(rows, 4, _SHORT), _share(rows, 1, _LONG, whole=False)) >= MOST
    ):
        return ["title", "abstract", "keywords", "category", "discipline"]
    return _numbers(width)


def _numbers(width: int) -> list[str]:
    return [str(number) for number in range(1, width + 1)]


def _share(rows: list[list[str]], column: int, pattern: re.Pattern[str], whole: bool = True) -> float:
    matches = pattern.fullmatch if whole else pattern.match
    return sum(bool(matches(row[column].strip())) for row in rows) / max(1, len(rows))


def _grade(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def _read(content: Content) -> Iterator[FormatItem]:
    assert content.encoding is not None
    options = content.table
    tabs = options.only_tabs or ".tsv" in content.path.rsplit("/", 1)[-1].lower()
    return read_csv(content.stream, content.encoding, tabs, options.names, options.every_row)


FORMAT = Format(
    "csv",
    (".csv", ".tsv"),
    gives="records",
    about="a record per row; delimiter, quoting and header are found",
    read=_read,
    text=True,
)
