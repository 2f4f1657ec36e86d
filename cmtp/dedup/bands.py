"""Near-duplicates, the rows' way out: band keys of MinHash signatures, sent to the tasks that match them.

They are made while a partition's texts are in comparison form for the exact exchanges, which costs less than to read
the texts again, though rows that the exact exchanges reject get keys too; the matching tasks leave those out.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.dedup.exchange import key_range, write_ranges
from cmtp.dedup.kernel import band_keys, signatures
from cmtp.dedup.layout import Layout
from cmtp.engine.store import Store
from cmtp.text.compare import Folded

ASKED: Final = ("question_answer", "question_passage", "similar_question")
"""Relations whose queries are questions: the ones that `near: query+passage` looks at. Titles of different texts may be
alike."""


def near_sides(settings: dict[str, Any]) -> list[str]:
    """The sides near-duplicates are looked for on, in order."""
    return {"off": [], "passage": ["passage"], "query+passage": ["query", "passage"]}[settings["near"]]


def asked(relation: pa.ChunkedArray) -> np.ndarray:
    """bool[rows]: whether the query is a question."""
    return pc.is_in(relation.cast(pa.string()), pa.array(ASKED)).to_numpy()


def send_bands(
    store: Store,
    layout: Layout,
    side: str,
    index: int,
    folded: Folded,
    some: np.ndarray,
    order: np.ndarray,
    settings: dict[str, Any],
) -> None:
    """Send out a partition's band keys by key range, and leave a sketch of every row for those who will compare it.

    Args:
        store: of the build.
        layout: of the job.
        side: query or passage.
        index: of the partition.
        folded: that side of all its rows.
        some: bool[rows], rows that may be near-duplicates.
        order: uint64[rows], as `policy.compact` gives it.
        settings: of the stage.
    """
    some = some & (folded.lengths > 0)  # a text of nothing but punctuation has no shingles to share
    rows = np.flatnonzero(some)
    if len(rows) < len(some):
        folded = folded.take(rows)
    bands, ranges = settings["bands"], layout.band_ranges(settings["bands"])
    signature = signatures(folded, settings["permutations"], settings["shingle"], settings["seed"])
    keys = band_keys(signature, bands).ravel()
    columns = {
        "key": keys,
        "order": np.repeat(order[rows], bands),
        "row": np.repeat((rows + layout.starts[index]).astype(np.uint32), bands),
    }
    write_ranges(store, layout.file(f"bands-{side}", index), columns, key_range(keys, ranges), ranges)
    sketch = {"row": (rows + layout.starts[index]).astype(np.uint32), "sketch": _fixed(signature.astype(np.uint8))}
    write_ranges(store, layout.file(f"sketch-{side}", index), sketch, np.zeros(len(rows)), 1)


def _fixed(rows: np.ndarray) -> pa.FixedSizeBinaryArray:
    """The rows of a matrix of bytes as Arrow values."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, pa.py_buffer(rows)])
