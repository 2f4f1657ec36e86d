"""Measures how well the similarity stage separates true from wrong pairs: `python -m benchmarks.similarity PAIRS`.

PAIRS is a folder of pairs that no similarity stage has cut yet: `.work/filter-*/kept` of a build.

1. The AUC of each source and relation, of the cosine and of the centred cosine that the stage cuts by.
2. Planted errors: a tenth of the documents of one source and relation exchange their titles. The calibrated default
   cuts. Counted are the exchanged pairs that it removes and the other pairs that it loses, over several draws, because
   a tenth of a source is few pairs.

With --cascade CHEAP both are also measured for the two encoders together, with the share of PAIRS that the expensive
one would have to encode. Its vectors are kept in the folder --keep, because it may be slow.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.encoders_static import area_under_curve, read_pairs
from cmtp.encoders.base import Encoder
from cmtp.encoders.registry import load_encoder
from cmtp.engine.store import Store
from cmtp.schema import SIDES
from cmtp.similarity.bands import ScoredSample, bands_for_agreement
from cmtp.similarity.cuts import Scores, calibrate_cut, centre_of, combined, pair_scores, shuffle, weigh
from cmtp.similarity.settings import SimilaritySettings
from cmtp.similarity.vectors import PairVectors, SparseVectors

CASCADE = SimilaritySettings(encoder="e5-small", cascade="static-zh")
"""Defaults of a cascade; the encoders are those of the command line."""

DRAWN = 2000
"""Pairs drawn of every source and relation. --per-group takes the first of them, so that kept vectors can be used."""

SHUFFLES = 3
"""Wrong passages per query of the AUC."""

COLUMNS = ["query", "passage", "doc_id", "relation", "source"]


def exchange_titles(titles: np.ndarray, documents: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The row of the pair that each pair gets its title from. A share of the documents pass theirs on in a circle."""
    chosen = rng.permutation(np.unique(documents))[: max(int(share * len(np.unique(documents))), 2)]
    given_by = dict(zip(chosen, np.roll(chosen, 1), strict=True))
    first = {document: row for row, document in reversed(list(enumerate(documents)))}
    rows = np.arange(len(titles))
    for row, document in enumerate(documents):
        if document in given_by:
            rows[row] = first[given_by[document]]
    return rows


def scores_of(
    vectors: PairVectors, left: np.ndarray, right: np.ndarray, sample: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Scores of queries `left` with passages `right`, centred by the pairs of a sample."""
    pairs = PairVectors(vectors.query[left], vectors.passage[right])
    return pair_scores(pairs, centre_of(vectors.take(sample)))


def encode(encoder: Encoder, pairs: pl.DataFrame, keep: Path) -> PairVectors:
    """Vectors of queries and passages; those that an earlier run kept are not computed again."""
    cache = SparseVectors(Store(str(keep / encoder.weights_hash[:16])), "kept", 0)
    texts = pa.table({side: pairs[side].to_arrow().cast(pa.large_string()) for side in SIDES})
    tag = hashlib.sha256(repr(pairs.select("query", "passage").rows()).encode()).hexdigest()[:16]
    cache.add(tag, texts, encoder)
    return cache.open().pairs(texts)


@dataclass(frozen=True)
class Group:
    """True and shuffled scores of a source and relation, by the encoder and by the cheap one of a cascade."""

    name: str
    cosines: Scores
    expensive: Scores
    cheap: Scores | None

    def together(self) -> Scores:
        """The sum of both encoders' scores."""
        assert self.cheap is not None
        weight = weigh(self.expensive, self.cheap, CASCADE)
        return Scores(*(combined(a, b, weight) for a, b in zip(self.expensive, self.cheap, strict=True)))


def measure_groups(encoders: list[Encoder], pairs: pl.DataFrame, seed: int, keep: Path) -> list[Group]:
    """Scores of every source and relation with 50 pairs or more."""
    groups = []
    for (source, relation), group in pairs.group_by("source", "relation", maintain_order=True):
        if len(group) < 50:
            continue
        n = len(group)
        shifts = np.random.default_rng(seed).choice(np.arange(1, n), SHUFFLES, replace=False)
        right = np.concatenate([np.roll(np.arange(n), shift) for shift in shifts])
        rows, left = np.arange(n), np.tile(np.arange(n), SHUFFLES)
        vectors = [encode(encoder, group, keep) for encoder in encoders]
        centred = [Scores(scores_of(one, rows, rows), scores_of(one, left, right)) for one in vectors]
        query, passage = vectors[0]
        shuffled = PairVectors(query[left], passage[right])
        plain = Scores(pair_scores(vectors[0], None), pair_scores(shuffled, None))
        cheap = centred[1] if len(centred) > 1 else None
        groups.append(Group(f"{source} | {relation}", plain, centred[0], cheap))
    return groups


def print_groups(groups: list[Group]) -> None:
    """The table of AUCs and its mean."""
    more = groups[0].cheap is not None
    print("\n| source | relation | pairs | AUC of the cosine | centred |" + (" cheap | together |" if more else ""))
    print("|---|---|---:|---:|---:|" + ("---:|---:|" if more else ""))
    rows = []
    for group in groups:
        kinds = [group.cosines, group.expensive, *([group.cheap, group.together()] if group.cheap else [])]
        rows.append([area_under_curve(*kind) for kind in kinds])
        print(f"| {group.name} | {len(group.expensive[0])} | " + " | ".join(f"{area:.4f}" for area in rows[-1]) + " |")
    print("| mean | | | " + " | ".join(f"{area:.4f}" for area in np.mean(rows, axis=0)) + " |")


def print_share(groups: list[Group], rows: dict[str, int]) -> None:
    """Print the share of a build that the expensive encoder of a cascade would encode. `rows`: pairs of every group."""
    settings = CASCADE
    samples = {}
    for group in groups:
        true, wrong = group.together()
        limit = np.float32(calibrate_cut(Scores(true, wrong), settings.shuffled_share, settings.max_loss).threshold)
        first = slice(0, len(true))  # one wrong pair per pair, as in the stage
        assert group.cheap is not None
        cheap, false = group.cheap[0], group.cheap[1][first]
        samples[group.name] = ScoredSample(cheap, true >= limit, rows[group.name], false, wrong[first] >= limit)
    found = bands_for_agreement(samples, settings.agreement)
    total = sum(rows.values())
    sampled = sum(len(one.cheap) for one in samples.values()) / total
    print(f"\nof {total:,} pairs: {found.share:.1%} in a band, {sampled:.1%} sampled, ", end="")
    print(
        f"{sampled + (1 - sampled) * found.share:.1%} encoded by the expensive encoder; agreement on unseen pairs ",
        end="",
    )
    print(f"{found.agreement:.2%}, on shuffled pairs {found.shuffled_agreement:.2%}")
    for name, band in found.bands.items():
        print(f"  {name}: {band.share:.1%} in the band, agreement {band.agreement:.2%}, {band.shuffled_agreement:.2%}")


def cut_planted(
    vectors: list[PairVectors], pairs: pl.DataFrame, share: float, draws: int, seed: int
) -> dict[str, list[list[float]]]:
    """Per kind of decision and draw: shares of exchanged pairs removed, others lost, pairs the last encoder sees."""
    documents, titles = pairs["doc_id"].to_numpy(), pairs["query"].to_numpy()
    codes = np.unique(documents, return_inverse=True)[1]
    settings = CASCADE if len(vectors) > 1 else SimilaritySettings()
    all_rows = np.arange(len(titles))
    found: dict[str, list[list[float]]] = {}
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        rows = exchange_titles(titles, documents, share, rng)
        planted = (rows != all_rows) & (titles[rows] != titles)
        keys = rng.permutation(len(rows)).astype(np.uint64)
        sample = np.argsort(keys)[: settings.sample]
        left, right = (sample[one] for one in shuffle(np.zeros(len(sample), np.int64), keys[sample], codes[sample]))
        exchanged = [PairVectors(query[rows], passage) for query, passage in vectors]
        scores = [
            (scores_of(one, all_rows, all_rows, sample), scores_of(one, left, right, sample)) for one in exchanged
        ]

        def cut(true: np.ndarray, wrong: np.ndarray, sample: np.ndarray = sample) -> np.float32:
            found = calibrate_cut(Scores(true[sample], wrong), settings.shuffled_share, settings.max_loss)
            return np.float32(found.threshold)

        def count(kind: str, gone: np.ndarray, seen: float, planted: np.ndarray = planted) -> None:
            found.setdefault(kind, []).append([float(gone[planted].mean()), float(gone[~planted].mean()), seen])

        count("encoder", scores[0][0] < cut(*scores[0]), 1.0)
        if len(scores) > 1:
            (expensive, expensive_wrong), (cheap, cheap_wrong) = scores
            sampled = Scores(expensive[sample], expensive_wrong), Scores(cheap[sample], cheap_wrong)
            weight = weigh(*sampled, settings)
            true, wrong = combined(expensive, cheap, weight), combined(expensive_wrong, cheap_wrong, weight)
            limit = cut(true, wrong)
            count("both together", true < limit, 1.0)
            known = ScoredSample(cheap[sample], true[sample] >= limit, len(rows), cheap_wrong, wrong >= limit)
            band = bands_for_agreement({"": known}, settings.agreement).bands[""]
            seen = (cheap >= band.low) & (cheap < band.high)
            seen[sample] = True
            count("cascade", np.where(seen, true < limit, cheap < band.low), float(seen.mean()))
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--encoder", default="static-zh")
    parser.add_argument("--cascade", help="a cheap encoder, which decides first")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "cmtp-benchmark-vectors")
    parser.add_argument(
        "--per-group",
        type=int,
        default=2000,
        help="pairs of a group for the AUC; 0: none",
    )
    parser.add_argument("--source", default="lctt", help="source of the planted errors, or a part of its name")
    parser.add_argument("--relation", default="title_body", help="relation of the planted errors")
    parser.add_argument("--planted-pairs", type=int, default=10_000, help="most pairs of the planted errors' source")
    parser.add_argument("--share", type=float, default=0.1, help="share of the documents that exchange their titles")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    encoders = [load_encoder(name) for name in (arguments.encoder, arguments.cascade) if name]
    print(" and ".join(f"{one.name}, {one.dim} dimensions" for one in encoders), f"; {os.cpu_count()} cores")
    start = time.perf_counter()
    plain = [pl.col(name).cast(pl.String) for name in COLUMNS]
    files = sorted(str(path) for path in arguments.pairs.rglob("*.parquet"))
    pairs = pl.concat([pl.scan_parquet(path).select(plain) for path in files]).collect()
    if arguments.per_group:
        sample = read_pairs(arguments.pairs, DRAWN, arguments.seed)
        sample = sample.group_by("source", "relation", maintain_order=True).head(arguments.per_group)
        groups = measure_groups(encoders, sample, arguments.seed, arguments.keep)
        print_groups(groups)
        if arguments.cascade:
            counts = pairs.group_by("source", "relation").len().rows()
            names = {group.name for group in groups}
            print_share(groups, {f"{a} | {b}": n for a, b, n in counts if f"{a} | {b}" in names})
    pairs = pairs.filter(
        pl.col("source").str.contains(arguments.source, literal=True) & (pl.col("relation") == arguments.relation)
    )
    documents = pairs["doc_id"].unique().sort().sample(fraction=1.0, shuffle=True, seed=arguments.seed)
    place = pl.DataFrame({"doc_id": documents, "place": np.arange(len(documents))})
    pairs = pairs.join(place, on="doc_id").sort("place", "passage").head(arguments.planted_pairs)
    vectors = [encode(encoder, pairs, arguments.keep) for encoder in encoders]
    print(
        f"\n{arguments.source}/{arguments.relation}, {len(pairs):,} pairs of {pairs['doc_id'].n_unique():,} documents, "
        f"{arguments.share:.0%} of the titles exchanged, {arguments.draws} draws, mean (lowest to highest):"
        "\n\n| decided by | exchanged removed | others lost | seen by the encoder |\n|---|---:|---:|---:|"
    )
    for kind, draws in cut_planted(vectors, pairs, arguments.share, arguments.draws, arguments.seed).items():
        rows = np.array(draws)
        spans = zip(rows.mean(axis=0), rows.min(axis=0), rows.max(axis=0), strict=True)
        print(f"| {kind} | " + " | ".join(f"{mean:.1%} ({low:.1%} to {high:.1%})" for mean, low, high in spans) + " |")
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
