"""Plain texts for pretraining, joined from the passages of a document that the filter kept.

They are made from filtered pairs and not from the raw documents. So pretraining sees no duplicate, no junk and no
private data either.
"""

from __future__ import annotations

import pyarrow as pa

from cmtp.relations import relations_where
from cmtp.schema import PRETRAIN

SOURCE_COLUMNS = ("doc_id", "position", "query", "passage", "relation", "source")
"""Columns of PAIR that the texts are made from."""

_QUERY_IS_TEXT = frozenset(relations_where(lambda relation: relation.own_text))
"""Relations with running text as query, and not a heading over the passage or a question made for it."""


def join_passages(rows: pa.Table, min_chars: int) -> tuple[pa.Table, int]:
    """Join the passages of each document.

    Args:
        rows: SOURCE_COLUMNS, with all rows of each document.
        min_chars: shorter texts are left out.

    Returns:
        Schema PRETRAIN, one row per document, ordered by doc_id; and the number of texts left out as too short. A line
        that occurred before in the document is not repeated, because the body under a title may hold its sections.
    """
    rows = rows.sort_by([("doc_id", "ascending"), ("position", "ascending")])
    columns = [rows[name].to_pylist() for name in SOURCE_COLUMNS]
    texts: dict[str, tuple[str, dict[str, None]]] = {}
    for doc_id, _, query, passage, relation, source in zip(*columns, strict=True):
        _, lines = texts.setdefault(doc_id, (source, {}))
        if relation in _QUERY_IS_TEXT:
            lines.setdefault(query)
        for line in passage.split("\n"):
            if line.strip():
                lines.setdefault(line)
    joined = [(doc_id, "\n".join(lines), source) for doc_id, (source, lines) in texts.items()]
    long = [row for row in joined if len(row[1]) >= min_chars]
    arrays = [pa.array([row[i] for row in long], pa.string()) for i in range(3)]
    table = pa.table(arrays, names=["doc_id", "text", "source"]).cast(PRETRAIN)
    return table, len(joined) - len(long)
