"""Speed and quality of an encoder on the pairs of a build: `python benchmarks/encoders_static.py SHARDS`.

Quality is the area under the ROC curve (AUC) of the cosine between a query and its own passage against the cosine with
the passage of another pair of the same source and relation. It is the chance that a true pair scores above a wrong one.
Speed is megabytes of UTF-8 in queries and passages per second, from strings to vectors, in one process, best of three.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from scipy.stats import rankdata, spearmanr

from cmtp.encoders.base import Encoder
from cmtp.encoders.registry import load_encoder

SHUFFLES = 4  # wrong passages per query: enough that the noise of the AUC comes from the pairs, not from the draw


def area_under_curve(true: np.ndarray, wrong: np.ndarray) -> float:
    """AUC by rank sums (Mann-Whitney), ties counting half."""
    ranks = rankdata(np.concatenate([true, wrong]))
    n = len(true)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(wrong)))


def read_pairs(folder: Path, per_group: int, seed: int) -> pl.DataFrame:
    """Up to `per_group` pairs of every source and relation, drawn by `seed`, from all Parquet files below `folder`."""
    parts = sorted(folder.rglob("*.parquet"))
    wanted = ["query", "passage", "relation", "source"]
    frames = [
        frame.select(pl.col(wanted).cast(pl.String)).collect()
        for frame in map(pl.scan_parquet, parts)
        if set(wanted) <= set(frame.collect_schema().names())
    ]
    if not frames:
        raise SystemExit(f"no Parquet file with the columns {', '.join(wanted)} below {folder}")
    pairs = pl.concat(frames).unique(subset=wanted, maintain_order=True).sort(wanted)
    pairs = pairs.sample(fraction=1.0, shuffle=True, seed=seed)
    return pairs.group_by("source", "relation", maintain_order=True).head(per_group).sort("source", "relation")


def measure_quality(encoder: Encoder, pairs: pl.DataFrame, seed: int) -> list[tuple[str, str, int, float]]:
    """Rows (source, relation, pairs, AUC), the last one over all pairs pooled."""
    q = encoder.encode(pairs["query"].to_arrow().cast(pa.large_string()), "query")
    p = encoder.encode(pairs["passage"].to_arrow().cast(pa.large_string()), "passage")
    rows, all_true, all_wrong = [], [], []
    groups = pairs.with_row_index("at").group_by("source", "relation", maintain_order=True).agg("at")
    for source, relation, at in groups.iter_rows():
        at = np.array(at)
        if len(at) < 50:
            continue
        shifts = np.random.default_rng(seed).integers(1, len(at), SHUFFLES)
        true = (q[at] * p[at]).sum(axis=1)
        wrong = np.concatenate([(q[at] * p[np.roll(at, shift)]).sum(axis=1) for shift in shifts])
        rows.append((source, relation, len(at), area_under_curve(true, wrong)))
        all_true.append(true)
        all_wrong.append(wrong)
    if not rows:
        raise SystemExit("no source and relation with 50 pairs or more")
    count = sum(row[2] for row in rows)
    rows.append(("mean of the above", "", count, float(np.mean([row[3] for row in rows]))))
    rows.append(("all pooled", "", count, area_under_curve(np.concatenate(all_true), np.concatenate(all_wrong))))
    return rows


def measure_speed(encoder: Encoder, pairs: pl.DataFrame) -> tuple[float, float]:
    """(MB/s, texts/s), best of three passes over queries and passages."""
    texts = pa.concat_arrays([pairs[c].to_arrow().cast(pa.large_string()) for c in ("query", "passage")])
    size = pairs.select(pl.sum_horizontal(pl.col("query", "passage").str.len_bytes().sum())).item()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        encoder.encode(texts, "passage")
        seconds.append(time.perf_counter() - start)
    return size / 1e6 / min(seconds), len(texts) / min(seconds)


def sts_correlation(encoder: Encoder, file: Path) -> float:
    """Spearman's correlation with the labels of a file of lines `sentence TAB sentence TAB score`."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(row) == 3]
    left, right = (encoder.encode(pa.array([row[k] for row in rows]), "query") for k in (0, 1))
    return float(spearmanr((left * right).sum(axis=1), [float(row[2]) for row in rows])[0])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=Path, help="a build, or any folder of Parquet with query, passage, relation, source"
    )
    parser.add_argument("--encoder", default="static-zh")
    parser.add_argument("--per-group", type=int, default=2000, help="pairs of each source and relation (default 2000)")
    parser.add_argument("--sts", type=Path, help="a file of sentence pairs with scores, tab-separated")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.folder, arguments.per_group, arguments.seed)
    start = time.perf_counter()
    encoder = load_encoder(arguments.encoder)
    encoder.encode(pa.array(["预热"]), "query")
    loaded = time.perf_counter() - start
    print(f"{encoder.name}, {encoder.dim} dimensions, weights {encoder.weights_hash[:12]}, {os.cpu_count()} cores here")
    print(f"\n| {'source':<20} | {'relation':<18} | pairs |  AUC  |\n|{'-' * 22}|{'-' * 20}|-------|-------|")
    for source, relation, count, auc in measure_quality(encoder, pairs, arguments.seed):
        print(f"| {source:<20} | {relation:<18} | {count:>5} | {auc:.3f} |")
    if arguments.sts:
        print(f"\nSTS, Spearman: {sts_correlation(encoder, arguments.sts):.3f}")
    megabytes, texts = measure_speed(encoder, pairs)
    print(f"\nspeed: {megabytes:.1f} MB/s, {texts:,.0f} texts/s; first text after {loaded:.2f} s")


if __name__ == "__main__":
    main()
