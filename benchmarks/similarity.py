"""How well the similarity stage tells true pairs from wrong ones: `python -m benchmarks.similarity PAIRS`.

PAIRS is a folder of pairs that no similarity stage has cut yet: `.work/filter-*/kept` of a build. First the AUC of each
source and relation, of the cosine and of the centred one that the stage cuts by. Then the planted errors: among the
documents of one source and relation a tenth exchange their titles, the calibrated default cuts, and what it removes of
the exchanged pairs and loses of the others is counted. Over several draws, because one tenth of a source is few.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.embed_static import SHUFFLES, area_under_curve, read_pairs
from cmtp.embed.base import Encoder, load_encoder
from cmtp.recipe import Recipe
from cmtp.similarity.calibrate import calibrate, centred, shuffle

COLUMNS = ["query", "passage", "doc_id", "relation", "source"]


def exchange_titles(titles: np.ndarray, documents: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Row of the pair whose title each pair gets: a share of the documents pass theirs on, in a circle."""
    chosen = rng.permutation(np.unique(documents))[: max(int(share * len(np.unique(documents))), 2)]
    given_by = dict(zip(chosen, np.roll(chosen, 1), strict=True))
    first = {document: row for row, document in reversed(list(enumerate(documents)))}
    rows = np.arange(len(titles))
    for row, document in enumerate(documents):
        if document in given_by:
            rows[row] = first[given_by[document]]
    return rows


def encode(encoder: Encoder, pairs: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of queries and passages."""
    return (
        encoder.encode(pairs["query"].to_arrow().cast(pa.large_string()), "query"),
        encoder.encode(pairs["passage"].to_arrow().cast(pa.large_string()), "passage"),
    )


def score(query: np.ndarray, passage: np.ndarray, query_mean: np.ndarray, passage_mean: np.ndarray) -> np.ndarray:
    """Centred similarity of pairs."""
    return centred(np.einsum("ij,ij->i", query, passage), query, passage, query_mean, passage_mean)


def measure_groups(encoder: Encoder, pairs: pl.DataFrame, seed: int) -> list[tuple[str, str, int, float, float]]:
    """Rows (source, relation, pairs, AUC of the cosine, of the centred one); the last one is the mean."""
    found = []
    for (source, relation), group in pairs.group_by("source", "relation", maintain_order=True):
        if len(group) < 50:
            continue
        query, passage = encode(encoder, group)
        shifts = np.random.default_rng(seed).integers(1, len(group), SHUFFLES)
        wrong = np.concatenate([np.roll(np.arange(len(group)), shift) for shift in shifts])
        left = np.tile(np.arange(len(group)), SHUFFLES)
        areas = []
        for means in ((np.zeros(encoder.dim),) * 2, (query.mean(axis=0), passage.mean(axis=0))):
            areas.append(area_under_curve(score(query, passage, *means), score(query[left], passage[wrong], *means)))
        found.append((str(source), str(relation), len(group), areas[0], areas[1]))
    mean = np.array([row[3:] for row in found]).mean(axis=0)
    return [*found, ("mean", "", sum(row[2] for row in found), float(mean[0]), float(mean[1]))]


def cut_planted(
    encoder: Encoder, pairs: pl.DataFrame, share: float, draws: int, seed: int
) -> list[tuple[float, float, float, float]]:
    """Per draw: AUC of the calibration, threshold, share of the exchanged removed, share of the others lost."""
    query, passage = encode(encoder, pairs)
    documents = pairs["doc_id"].to_numpy()
    codes = np.unique(documents, return_inverse=True)[1]
    settings = Recipe().similarity
    found = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        rows = exchange_titles(pairs["query"].to_numpy(), documents, share, rng)
        planted = rows != np.arange(len(rows))
        planted &= pairs["query"].to_numpy()[rows] != pairs["query"].to_numpy()
        keys = rng.permutation(len(rows)).astype(np.uint64)
        sample = np.argsort(keys)[: settings.sample]
        means = query[rows][sample].mean(axis=0), passage[sample].mean(axis=0)
        scores = score(query[rows], passage, *means)
        left, right = shuffle(np.zeros(len(sample), np.int64), keys[sample], codes[sample])
        shuffled = score(query[rows][sample[left]], passage[sample[right]], *means)
        cut = calibrate(scores[sample], shuffled, settings.shuffled_share, settings.max_loss)
        gone = scores < cut.threshold
        found.append((cut.auc, cut.threshold, float(gone[planted].mean()), float(gone[~planted].mean())))
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--encoder", default="static-zh")
    parser.add_argument("--per-group", type=int, default=2000, help="pairs of each source and relation for the AUC")
    parser.add_argument("--source", default="lctt", help="of the planted errors: a part of its name")
    parser.add_argument("--relation", default="title_body", help="of the planted errors")
    parser.add_argument("--planted-pairs", type=int, default=10_000, help="most pairs of the planted errors' source")
    parser.add_argument("--share", type=float, default=0.1, help="of the documents, that exchange their titles")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.encoder)
    print(f"{encoder.name}, {encoder.dim} dimensions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    start = time.perf_counter()
    if arguments.per_group:
        print("\n| source | relation | pairs | AUC of the cosine | centred |\n|---|---|---:|---:|---:|")
        sample = read_pairs(arguments.pairs, arguments.per_group, arguments.seed)
        for source, relation, count, cosine, centre in measure_groups(encoder, sample, arguments.seed):
            print(f"| {source} | {relation} | {count} | {cosine:.4f} | {centre:.4f} |")
    files = sorted(str(path) for path in arguments.pairs.rglob("*.parquet"))
    plain = [pl.col(name).cast(pl.String) for name in COLUMNS]
    pairs = pl.concat([pl.scan_parquet(path).select(plain) for path in files]).collect()
    pairs = pairs.filter(
        pl.col("source").str.contains(arguments.source, literal=True) & (pl.col("relation") == arguments.relation)
    )
    documents = pairs["doc_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=arguments.seed)
    place = pl.DataFrame({"doc_id": documents, "place": np.arange(len(documents))})
    pairs = pairs.join(place, on="doc_id").sort("place", "passage").head(arguments.planted_pairs)
    rows = np.array(cut_planted(encoder, pairs, arguments.share, arguments.draws, arguments.seed))
    mean, low, high = rows.mean(axis=0), rows.min(axis=0), rows.max(axis=0)
    print(
        f"\n{arguments.source}/{arguments.relation}, {len(pairs):,} pairs of {pairs['doc_id'].n_unique():,} documents, "
        f"{arguments.share:.0%} of the titles exchanged, {len(rows)} draws, mean (lowest to highest):"
    )
    for name, column, form in (("AUC", 0, ".4f"), ("cut", 1, ".3f"), ("removed", 2, ".1%"), ("lost", 3, ".1%")):
        print(f"{name}: {mean[column]:{form}} ({low[column]:{form}} to {high[column]:{form}})")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
