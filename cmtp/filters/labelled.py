"""Labelled texts for the learned score, from any table that `cmtp.sources.tables` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from cmtp.errors import UsageError
from cmtp.filters.scores import Labels
from cmtp.registry import did_you_mean
from cmtp.sources.tables import TableRow, rows_or_error

TEXT_NAMES: Final = ("text", "content", "sentence", "passage", "comment", "文本", "内容", "正文")
"""Columns that are taken for the texts, the first of them that there is."""
LABEL_NAMES: Final = ("label", "labels", "target", "class", "toxic", "标签", "类别")
"""Columns that are taken for the labels."""
_VALUES: Final = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def read_labelled(path: Path, text: str | None, label: str | None) -> tuple[pl.Series, Labels]:
    """Texts and labels of a file; rows without a text are left out.

    Args:
        path: a table.
        text: its column of texts; None: the first of `TEXT_NAMES`.
        label: its column of labels; None: the first of `LABEL_NAMES`.

    Raises:
        UsageError: a row that cannot be read, no such column, or a label that is neither 0 nor 1.
    """
    rows = _read(path, text, label)
    text_column = _column(path, rows, text, TEXT_NAMES, "text")
    label_column = _column(path, rows, label, LABEL_NAMES, "label")
    texts, labels = [], []
    for number, row in rows:
        value = row.get(label_column)
        known = _VALUES.get(str(value).strip().lower())
        if known is None:
            raise UsageError(f"{path}: row {number}: {label_column} = {value!r}: a label is 0 or 1")
        content = _text(path, number, row, text_column)
        if content:
            texts.append(content)
            labels.append(known)
    return pl.Series("text", texts, pl.String), np.array(labels, np.int64)


def read_unlabelled(path: Path, text: str | None) -> pl.Series:
    """The texts of a file without labels; rows without a text are left out.

    Args:
        path: a table.
        text: its column of texts, if it has this one; else the first of `TEXT_NAMES`.

    Raises:
        UsageError: a row that cannot be read, or no such column.
    """
    rows = _read(path, text)
    given = text if any(text in row for _, row in rows) else None
    column = _column(path, rows, given, TEXT_NAMES, "text")
    texts = (_text(path, number, row, column) for number, row in rows)
    return pl.Series("text", [content for content in texts if content], pl.String)


def _read(path: Path, *given: str | None) -> list[tuple[int, TableRow]]:
    names = [*TEXT_NAMES, *LABEL_NAMES, *(name for name in given if name)]
    return list(rows_or_error(str(path), names))


def _column(path: Path, rows: list[tuple[int, TableRow]], given: str | None, names: tuple[str, ...], what: str) -> str:
    """The column with the given name, or the first whose name says what it is."""
    columns = list(dict.fromkeys(column for _, row in rows for column in row))
    if given is not None:
        if given not in columns:
            hint = did_you_mean(given, columns)
            raise UsageError(f"{path}: there is no column {given!r}{hint}; there are {', '.join(columns)}")
        return given
    for name in names:
        for column in columns:
            if column.lower() == name:
                return column
    raise UsageError(f"{path}: no column of {what}s among {', '.join(columns)}; name it with --{what}")


def _text(path: Path, number: int, row: dict[str, Any], column: str) -> str | None:
    content = row.get(column)
    if content is not None and not isinstance(content, str):
        raise UsageError(f"{path}: row {number}: {column} = {content!r} is not a text")
    return content
