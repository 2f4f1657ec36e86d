"""Rows of the tables between stages, and a watcher without output, for the tests of all packages."""

import pyarrow as pa
import xxhash

from cmtp.schema import PAIR, REJECTS


class Silent:
    """A Watcher for stages that run in a test."""

    def step(self, stage, total): ...

    def task(self, stage, receipt, resumed): ...


def an_id(name):
    """An id of 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(name.encode())


def pair(query, passage, source="s", doc=None, relation="title_body", name=None, **columns):
    """A pair as a dictionary of all columns.

    Args:
        query: its text.
        passage: its text.
        source: the source's name.
        doc: what its doc_id is made of; default: source, query and passage, so that no two pairs share a document.
        relation: the relation's name.
        name: what its pair_id is made of; default: query, passage, source and document.
        columns: further columns, in place of the defaults.
    """
    doc = doc if doc is not None else f"{source}/{query}/{passage}"
    name = name if name is not None else f"{query}\0{passage}\0{source}\0{doc}"
    return {
        "pair_id": an_id(name),
        "query": query,
        "passage": passage,
        "relation": relation,
        "source": source,
        "doc_id": an_id(doc),
        "origin": f"{source}/file.jsonl#1",
        "position": 0,
        "similarity": None,
        "score": None,
        "posterior": None,
    } | columns


def pair_table(pairs):
    """Pairs as a table."""
    return pa.Table.from_pylist(list(pairs), schema=PAIR)


def rejects_table(pairs, stage="x", reason="x", **columns):
    """Pairs (dictionaries or a table) as rejects of a stage."""
    rows = pairs.to_pylist() if isinstance(pairs, pa.Table) else pairs
    verdict = {"stage": stage, "reason": reason, "evidence": "{}", "score": None, "kept_id": None} | columns
    return pa.Table.from_pylist([{name: (row | verdict)[name] for name in REJECTS.names} for row in rows], REJECTS)
