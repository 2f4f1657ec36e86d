"""Near-duplicates, part 1: which rows may resemble each other. Nothing is decided here.

1. `send_bands`: every row that may have near-duplicates sends the keys of its LSH bands to the tasks that match them.
   It does so while its partition's texts are in comparison form for the exact exchanges, which costs less than to read
   the texts again.
2. `mark_rejected`: the exact exchanges have rejected some of these rows since; one bit per row says which.
3. `match_bands`: rows that share a band key become edges, for each range of keys.

All works on one side of the pairs, the query or the passage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from cmtp.columns import byte_column
from cmtp.dedup.components import window_edges
from cmtp.dedup.exchange import U32, U64, Array, key_range
from cmtp.dedup.layout import Layout, decisions, near_decision
from cmtp.dedup.minhash import band_keys, signatures
from cmtp.dedup.records import BandRows, Edges, RejectedBits, SketchRows
from cmtp.dedup.settings import DedupSettings, DedupWork
from cmtp.engine.figures import total
from cmtp.engine.task import Job, Result
from cmtp.kernels.tables import grouped
from cmtp.schema import Side
from cmtp.text.compare import Folded

WINDOW: Final = 12
"""A row of a band is compared with the best row of the band and the `WINDOW` before it in policy order: all pairs of a
small band, and linear cost in a band of millions. Rows that are alike share further bands, most of them small."""

LARGE: Final = 256
"""Rows from which a band is large: what its rows share is a paragraph that hundreds have, and tells little."""

LARGE_WINDOW: Final = 3
"""`WINDOW` of a large band."""

AUTO_WEIGHTS: Final = (0.001, 0.999)
"""What `dedup.bands: auto` weighs false candidates and missed ones by. A false candidate costs a look at two sketches;
a missed one is a copy in the training data. With these weights the search gives, for threshold .8 and 128 permutations,
the 21 × 6 that are the default."""


class BandCut(NamedTuple):
    """The cut of a MinHash signature into LSH bands.

    Attributes:
        bands: number of bands.
        rows: slots of each; slots left over are not used.
    """

    bands: int
    rows: int


@lru_cache(maxsize=8)
def choose_bands(threshold: float, permutations: int) -> BandCut:
    """The best cut for a threshold, by datasketch's search over all numbers of bands and slots (MinHashLSH).

    The search minimises the probability of a missed pair above the threshold and that of a false candidate below it,
    weighed by `AUTO_WEIGHTS`, each integrated over the Jaccard similarity. It takes .1 s for 128 permutations.

    Args:
        threshold: Jaccard similarity from which two texts are near-duplicates.
        permutations: slots of a signature.
    """
    if threshold == 1:  # equal sets have equal signatures, so one band of all slots misses none
        return BandCut(1, permutations)
    from datasketch import MinHashLSH  # takes a second to import

    search = MinHashLSH(threshold=threshold, num_perm=permutations, weights=AUTO_WEIGHTS)
    return BandCut(search.b, search.r)


def cut_of(settings: DedupSettings) -> BandCut:
    """The cut that the settings ask for: `bands` of equal width, or with "auto" the best one for the threshold."""
    if settings.bands == "auto":
        return choose_bands(settings.threshold, settings.permutations)
    return BandCut(settings.bands, settings.permutations // settings.bands)


@dataclass(frozen=True)
class Sketchable:
    """A partition's rows on one side.

    Attributes:
        folded: that side of all its rows.
        wanted: bool[rows], rows whose near-duplicates are looked for.
        order: uint64[rows], see `policy.compact`.
    """

    folded: Folded
    wanted: Array
    order: U64


def send_bands(layout: Layout, index: int, side: Side, rows: Sketchable, settings: DedupWork) -> None:
    """Send out a partition's band keys by key range, and leave a sketch of every row for those who will compare it.

    Args:
        layout: of the job.
        index: of the partition.
        side: query or passage.
        rows: the partition's rows.
        settings: of the stage.
    """
    wanted = rows.wanted & (rows.folded.lengths > 0)  # a text of nothing but punctuation has no shingles to share
    positions = np.flatnonzero(wanted)
    folded = rows.folded.take(positions) if len(positions) < len(wanted) else rows.folded
    signature = signatures(folded, settings.permutations, settings.shingle, settings.seed)
    keys = band_keys(signature, settings.bands, settings.band_rows).ravel()
    numbers = (positions + layout.starts[index]).astype(np.uint32)
    band_rows = BandRows(keys, np.repeat(rows.order[positions], settings.bands), np.repeat(numbers, settings.bands))
    layout.bands(side).write(index, band_rows, key_range(keys, layout.band_ranges))
    layout.sketches(side).write(index, SketchRows(numbers, byte_column(signature.astype(np.uint8))))


def mark_rejected(job: Job[DedupWork], side: Side) -> Result:
    """Note in a bit each which rows were rejected before near-duplicates are looked for on a side.

    Memory: about two bytes per row of the build, and eight per verdict.
    """
    layout = Layout.load(job.store, job.folder)
    before = decisions(job.settings.near, before=near_decision(side))
    rows = np.concatenate([layout.verdict_rows(decision) for decision in before])
    layout.rejected(side).write(0, RejectedBits.of_rows(rows, layout.total_rows))
    return Result(rows=len(rows))


def match_bands(job: Job[DedupWork], index: int, side: Side) -> Result:
    """Find the rows of one key range that share a band."""
    layout = Layout.load(job.store, job.folder)
    rejected = layout.rejected(side).read_writer(0)
    parts = []
    for part in layout.bands(side).parts(index):
        gone = rejected.has(part.row)
        parts.append(part.take(~gone) if gone.any() else part)
    rows = BandRows.concat(parts)
    positions, starts = grouped(rows.key, rows.order)  # rows come in ascending order, which decides between equal ones
    edges = sorted_distinct(_edges(rows.row[positions], starts))
    better, worse = (edges >> np.uint64(32)).astype(np.uint32), edges.astype(np.uint32)
    layout.edges(side).write(index, Edges(better, worse))
    return Result(rows=len(rows), bytes=20 * len(rows), figures={"edges": total(len(edges))})


def sorted_distinct(values: U64) -> U64:
    """The distinct values in ascending order; sorts in place, which is several times faster than numpy's unique."""
    values.sort()
    new = np.ones(len(values), bool)
    new[1:] = values[1:] != values[:-1]
    return values[new]


def _edges(row: U32, starts: Array) -> U64:
    """uint64[edges] of rows in policy order within each band; `starts`: where the bands start."""
    count = window_edges(row, starts, WINDOW, LARGE, LARGE_WINDOW, np.empty(0, np.uint64))
    out = np.empty(count, np.uint64)
    if count:
        window_edges(row, starts, WINDOW, LARGE, LARGE_WINDOW, out)
    return out
