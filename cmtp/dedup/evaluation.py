"""The texts of evaluation files: every field of every record that holds text, and the record as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cmtp.errors import CmtpError
from cmtp.sources.recognise import split_name
from cmtp.sources.tables import rows_or_error
from cmtp.text.compare import fold

CATEGORIES: Final = 20
"""A field of at most this many different values is a label, if each occurs `REPEATS` times on average."""

REPEATS: Final = 5

_ID: Final = r"^[\x21-\x7e]*[0-9][\x21-\x7e]*$"
"""Letters and digits in one word: lit_635, Q-12."""

_FORMATS: Final = ("csv", "json", "jsonl", "parquet", "text")


class EvaluationTexts(NamedTuple):
    """The texts of one file.

    Attributes:
        texts: each once, in order of first occurrence.
        fields: which fields they come from.
    """

    texts: pa.Array
    fields: list[str]


def is_evaluation_file(name: str) -> bool:
    """Whether a file's name says that it is a table of rows, or a text file, compressed or not."""
    return split_name(name)[1] in _FORMATS


def read_texts(name: str, url: str) -> EvaluationTexts:
    """Read one evaluation file.

    A field counts as text unless most of its values are ids or have no letters (scores), or few different values occur
    over and over (labels). The text fields of one record joined are a text too: a file that was read as prose holds
    them in this way.

    Args:
        name: of the file, for errors.
        url: where it is; its ending says the format.

    Raises:
        CmtpError: the file cannot be read, or holds no text: nothing would be protected.
    """
    records = [list(_flat("", row)) for _, row in rows_or_error(url, every_row=True, error=_unreadable(name, url))]
    values: dict[str, list[str]] = {}
    for record in records:
        for field, value in record:
            values.setdefault(field, []).append(value)
    fields = [field for field, given in values.items() if _is_text(given)]
    if not fields:
        raise CmtpError(f"dedup.decontaminate: {name} holds no field of text (fields: {', '.join(values) or 'none'})")
    texts: dict[str, None] = {}
    for record in records:
        parts = [value for field, value in record if field in fields]
        texts.update(dict.fromkeys(parts))
        texts["\n".join(parts)] = None
    return EvaluationTexts(pa.array([text for text in texts if text], pa.large_string()), fields)


def _unreadable(name: str, url: str) -> Any:
    return lambda message: CmtpError(f"dedup.decontaminate: {message.replace(url, name, 1)}")


def _is_text(values: list[str]) -> bool:
    column = pa.array(values, pa.large_string())
    letters = pc.and_not(pc.match_substring_regex(column, r"\p{L}"), pc.match_substring_regex(column, _ID))
    different = pc.count_distinct(column).as_py()
    if pc.sum(letters).as_py() * 2 < len(values) or fold(column).lengths.max() == 0:
        return False
    return bool(different > CATEGORIES or len(values) < REPEATS * different)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """All values in a JSON value, named by the path to them without positions in lists.

    ``{"q": {"text": "甲"}, "docs": ["乙", "丙"]}`` gives q.text 甲, docs 乙, docs 丙. Empty values are left out.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(name, inner)
    elif value is not None and value != "":
        yield name or "value", str(value)
