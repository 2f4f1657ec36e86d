"""Pairs and broken records to Parquet, in bounded memory."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
from xxhash import xxh3_128_hexdigest

from cmtp.engine.ledger import Ledger
from cmtp.engine.store import ROW_GROUP_ROWS, Store, parquet_writer
from cmtp.extract.relations import Pair
from cmtp.extract.settings import ExtractSettings
from cmtp.extract.texts import DocumentText, pieces_of
from cmtp.relations import RELATIONS, Relation
from cmtp.schema import PAIR, REJECTS, SCORES, TEXTS
from cmtp.sources.document import Broken

BUFFER_CHARS: Final = 16 << 20
"""Characters of text held before they are written as a row group, where ROW_GROUP_ROWS does not come first."""


class _Buffer:
    """Rows of one table on their way to a Parquet file."""

    def __init__(self, schema: pa.Schema, stack: ExitStack, store: Store, path: str) -> None:
        self._schema = schema
        self._writer = stack.enter_context(parquet_writer(stack.enter_context(store.write(path)), schema))
        self._rows: list[tuple[Any, ...]] = []
        self._chars = 0

    def add(self, row: tuple[Any, ...], chars: int) -> pa.Table | None:
        """Take a row; the table just written where that filled the buffer."""
        self._rows.append(row)
        self._chars += chars
        if len(self._rows) >= ROW_GROUP_ROWS or self._chars >= BUFFER_CHARS:
            return self.flush()
        return None

    def flush(self) -> pa.Table | None:
        """Write what is held."""
        if not self._rows:
            return None
        # zip(*rows) would be the slowest step of the stage: it jumps from row to row
        arrays = [_array([row[index] for row in self._rows], field) for index, field in enumerate(self._schema)]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table)
        self._rows, self._chars = [], 0
        return table


def _array(values: list[Any], field: pa.Field) -> pa.Array:
    if pa.types.is_dictionary(field.type):
        return pa.array(values, field.type.value_type).dictionary_encode()
    return pa.array(values, field.type)


class PairWriter:
    """Writes one task's pairs, rejects and texts, gives them their ids and keeps the ledger.

    Used as a context manager; the files appear when the block ends without an error.
    """

    def __init__(self, store: Store, kept: str, rejects: str, texts: str, settings: ExtractSettings) -> None:
        self.ledger = Ledger()
        self.rows = 0
        self._limits = {name: limit_of(relation, settings) for name, relation in RELATIONS.items()}
        self._piece_chars = settings.max_passage_chars
        self._stack = ExitStack()
        self._open = (store, kept, rejects, texts)
        self._broken: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> PairWriter:
        store, kept, rejects, texts = self._open
        with ExitStack() as stack:
            self._kept = _Buffer(PAIR, stack, store, kept)
            self._rejected = _Buffer(REJECTS, stack, store, rejects)
            self._texts = _Buffer(TEXTS, stack, store, texts)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._count_kept(self._kept.flush())
                self._count_rejected(self._rejected.flush())
                self._texts.flush()
            except BaseException as failed:
                self._stack.__exit__(type(failed), failed, failed.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def _count_kept(self, table: pa.Table | None) -> None:
        if table is not None:
            self.ledger.keep(table)

    def _count_rejected(self, table: pa.Table | None) -> None:
        if table is not None:
            self.ledger.reject(table)

    def document(self, origin: str, source: str, pairs: list[Pair]) -> None:
        """Take all pairs of one document."""
        ordinals: dict[str, int] = {}
        positions: dict[int | None, int] = {}
        documents: dict[int | None, str] = {}
        for relation, query, passage, number, part, reason, evidence in pairs:
            ordinal = ordinals.get(relation, 0)
            ordinals[relation] = ordinal + 1
            position = positions.get(part, 0)
            positions[part] = position + 1
            doc_id = documents.get(part)
            if doc_id is None:
                doc_id = documents[part] = document_id(origin, part)
            pair_id = xxh3_128_hexdigest(f"{origin}\0{relation}\0{ordinal}".encode())
            chars = len(query) + len(passage)
            setting, most = self._limits[relation]
            if number < most and not reason:
                scores = (None,) * len(SCORES)
                kept = (pair_id, query, passage, relation, source, doc_id, origin, position, *scores)
                self._count_kept(self._kept.add(kept, chars))
                continue
            if reason:
                shown, score = _json(evidence or {}), None
            else:
                reason, score = "over_max_passages", float(number + 1)
                shown = _over(number + 1, setting, most)
            identity = (pair_id, query, passage, relation, source, doc_id, origin)
            self._count_rejected(self._rejected.add((*identity, "extract", reason, shown, score, None), chars))
        self.rows += len(pairs)
        for relation, count in ordinals.items():
            self.ledger.taken[source, relation] += count

    def text(self, origin: str, source: str, text: DocumentText) -> None:
        """Take the text of a document, in pieces that the filter judges one by one."""
        doc_id = document_id(origin, text.part)
        for piece in pieces_of(text.lines, self._piece_chars):
            self._texts.add((doc_id, piece, text.relation, source), len(piece))

    def broken(self, record: Broken) -> None:
        """Take a record that gave no pair."""
        key = (record.origin, record.reason)
        number = self._broken[key]
        self._broken[key] += 1
        self.rows += 1
        self.ledger.taken[record.source, record.relation or ""] += 1
        pair_id = xxh3_128_hexdigest(f"{record.origin}\0{record.reason}\0{number}".encode())
        evidence = _json(record.evidence)
        identity = (pair_id, record.query, record.passage, record.relation, record.source)
        row = (*identity, document_id(record.origin), record.origin, "extract", record.reason, evidence, None, None)
        self._count_rejected(self._rejected.add(row, len(evidence)))


def limit_of(relation: Relation, settings: ExtractSettings) -> tuple[str, int]:
    """The setting that limits the passages per query of a relation, and its value."""
    if relation.query == "title":
        return "max_title_passages", settings.max_title_passages
    return "max_passages", settings.max_passages


def document_id(origin: str, part: int | None = None) -> str:
    """The id pairs of one document share: a hash of its origin, and of the part where a record holds several."""
    return xxh3_128_hexdigest((origin if part is None else f"{origin}\0{part}").encode())


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@lru_cache(maxsize=4096)
def _over(number: int, setting: str, most: int) -> str:
    return _json({"passage": number, setting: most})
