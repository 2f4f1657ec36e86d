"""Measures what dedup loses: where the rows that its rejects lost to ended, and what a build with more input lost.

    python -m benchmarks.more_input SHARDS
    python -m benchmarks.more_input SHARDS --less LESS

SHARDS is a finished build with its .work folder. Of its dedup rejects the first form counts, by reason,

- those whose kept_id leads to a row of pairs, at once or over other rejects of dedup;
- those that a later stage would take too, as it takes the row that they lost to, and whose evidence says so;
- those that pass all later stages, though the row that they lost to is in no pair: LOST, none is right.

The second form looks for every query and passage that the build LESS of a part of the input keeps in the pairs of
SHARDS, in comparison form, and counts those that are not there by the reason of their rejection.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cmtp.text.compare import comparison_form

ENDS = ("pairs", "capped", "alone", "goes too", "LOST")
CAPS = ("max_per_query", "max_per_passage", "max_per_answer")
GOES = "kept_row_goes_as"


def table(pattern: Path, columns: list[str]) -> pl.DataFrame:
    """Some columns of all files that a pattern finds, none where there is no file."""
    paths = sorted(pattern.parent.glob(pattern.name))
    return pl.read_parquet(paths, columns=columns) if paths else pl.DataFrame({name: [] for name in columns})


def judged(shards: Path, stage: str) -> dict[str, str]:
    """The reason that a stage recorded for each row that does not pass, by pair_id."""
    folders = sorted((shards / ".work").glob(f"{stage}-*/judged"))
    if len(folders) != 1:
        sys.exit(f"{shards}/.work has {len(folders)} folders of {stage}'s verdicts; one is needed")
    rows = table(folders[0] / "part-*.parquet", ["pair_id", "reason"]).drop_nulls("reason")
    return dict(rows.iter_rows())


def ends_of_rejects(shards: Path) -> Iterator[tuple[str, str]]:
    """The reason and the end of every row that dedup rejected; the ends are named in ENDS."""
    kept = set(table(shards / "pairs/*.parquet", ["pair_id"])["pair_id"])
    rejects = table(shards / "rejects/dedup/*.parquet", ["pair_id", "reason", "evidence", "kept_id"])
    lost_to = dict(rejects.select("pair_id", "kept_id").iter_rows())
    goes = judged(shards, "screen") | judged(shards, "score")
    for pair_id, reason, evidence, kept_id in rejects.iter_rows():
        while kept_id in lost_to and lost_to[kept_id] is not None:
            kept_id = lost_to[kept_id]
        if kept_id is None:
            yield reason, "alone"
        elif kept_id in kept:
            yield reason, "capped" if any(cap in evidence for cap in CAPS) else "pairs"
        else:
            yield reason, "goes too" if pair_id in goes and GOES in evidence else "LOST"


def texts(shards: Path) -> dict[tuple[str, str], str]:
    """The pair_id of every row of pairs by its texts in comparison form."""
    rows = table(shards / "pairs/*.parquet", ["query", "passage", "pair_id"])
    return {(comparison_form(query), comparison_form(passage)): name for query, passage, name in rows.iter_rows()}


def reasons_of_lost(less: Path, more: Path) -> Iterator[tuple[str, str, str, str]]:
    """Stage, reason, query and passage of what `less` has among its pairs and `more` has not."""
    there = texts(more)
    lost = {key for key in texts(less) if key not in there}
    found: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for folder in sorted((more / "rejects").iterdir()):
        rows = table(folder / "*.parquet", ["query", "passage", "stage", "reason"])
        for query, passage, stage, reason in rows.iter_rows():
            key = (comparison_form(query), comparison_form(passage))
            if key in lost:
                found[key] = (stage, reason, query, passage)  # of the last stage that met it
    yield from (found.get(key, ("nowhere", "", *key)) for key in sorted(lost))


def main() -> None:
    """Measure one build, or compare two."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("shards", type=Path)
    arguments.add_argument("--less", type=Path, help="a build of a part of the input")
    given = arguments.parse_args()
    if given.less is None:
        counts = Counter(ends_of_rejects(given.shards))
        print(f"{'dedup rejects':24}" + "".join(f"{end:>10}" for end in ENDS))
        for reason in sorted({reason for reason, _ in counts}):
            print(f"{reason:24}" + "".join(f"{counts[reason, end]:10,}" for end in ENDS))
        print(f"{'all':24}" + "".join(f"{sum(n for (_, at), n in counts.items() if at == end):10,}" for end in ENDS))
    else:
        lost = list(reasons_of_lost(given.less, given.shards))
        print(f"{len(texts(given.less)):,} pairs, of which {len(lost):,} are not there with more input")
        for (stage, reason), count in Counter((stage, reason) for stage, reason, _, _ in lost).most_common():
            print(f"{count:8,}  {stage} {reason}")
        for stage, reason, query, passage in lost[:20]:
            print(f"{stage} {reason}\n   Q {query[:80]}\n   P {passage[:160]}")


if __name__ == "__main__":
    main()
