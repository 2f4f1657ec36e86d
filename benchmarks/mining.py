"""Speed of the search for hard negatives beside its peers, and how many planted false negatives it keeps out.

`python -m benchmarks.mining speed` searches random clustered vectors, whose making is not timed. The peers' search is
done as they do it, by the same library: FlagEmbedding's hn_mine.py asks faiss.IndexFlatIP 64 queries at a time and
turns what comes into lists; sentence-transformers' mine_hard_negatives with use_faiss asks it 16,384 at a time, for as
many ranks more as a query has positives. Their time is proportional to the queries, so fewer of them (--queries) give
the same ratio. Wall and processor time are both printed: on a machine that does other work, go by the second.

`python -m benchmarks.mining planted PAIRS` takes pairs of a build, puts a near-duplicate and a paraphrase of each
query's positive into the pool, as other documents, and counts how many become negatives, here and by naive top-k.
"""

import argparse
import os
import random
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numba
import numpy as np
import polars as pl
import pyarrow as pa

from cmtp.embed.base import load_encoder
from cmtp.mining.negatives import Pool, Queries, find_negatives
from cmtp.mining.scan import search
from cmtp.recipe import MineSettings

SYNONYMS = (
    ("可以", "能够"), ("因为", "由于"), ("但是", "不过"), ("使用", "采用"), ("如果", "假如"), ("需要", "要"),
    ("方法", "办法"), ("问题", "难题"), ("非常", "十分"), ("例如", "比如"), ("重要", "关键"), ("进行", "做"),
    ("以及", "和"), ("目前", "眼下"), ("许多", "很多"), ("开始", "着手"), ("帮助", "协助"), ("通过", "借助"),
)  # fmt: skip


def clustered(rng: np.random.Generator, n: int, centres: np.ndarray) -> np.ndarray:
    """Unit vectors around centres: neighbours that are near, as texts have."""
    rows = centres[rng.integers(0, len(centres), n)] * 0.7 + rng.normal(size=(n, centres.shape[1]))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def flag_embedding(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The search of hn_mine.py."""
    index = faiss.IndexFlatIP(pool.shape[1])
    index.add(pool)
    every: list[list[int]] = []
    all_scores: list[list[float]] = []
    for start in range(0, len(queries), 64):
        scores, rows = index.search(queries[start : start + 64], k=k)
        all_scores.extend(scores.tolist())
        every.extend(rows.tolist())
    return np.array(every)


def sentence_transformers(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The search of mine_hard_negatives(use_faiss=True), with one positive per query."""
    index = faiss.IndexFlatIP(pool.shape[1])
    index.add(pool)
    found = [index.search(queries[start : start + 16384], k=k + 1)[1] for start in range(0, len(queries), 16384)]
    return np.concatenate(found)[:, :k]


def measure_speed(n: int, m: int, dim: int, k: int, seed: int) -> None:
    """Time each search once after the other, and compare what they find."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(m // 50, 1), dim))
    pool, queries = clustered(rng, m, centres), clustered(rng, n, centres)
    faiss.omp_set_num_threads(numba.config.NUMBA_NUM_THREADS)
    search(queries[:8], pool[:100], 5)  # compile
    print(f"{n:,} queries × {m:,} passages × {dim}, ranks to {k}, {numba.config.NUMBA_NUM_THREADS} threads, ", end="")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n\n| search | wall s | CPU s | same candidates |")
    print("|---|---:|---:|---:|")
    ours = np.empty((0, 0))
    peers: list[tuple[str, Callable[..., np.ndarray]]] = [
        ("cmtp", lambda *given: search(*given)[0]),
        ("sentence-transformers", sentence_transformers),
        ("FlagEmbedding", flag_embedding),
    ]
    for name, function in peers:
        wall, spent = time.perf_counter(), time.process_time()
        found = function(queries, pool, k)
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
        ours = found if name == "cmtp" else ours
        same = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(ours, found, strict=True)])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"| {name} | {wall:.1f} | {spent:.1f} | {same:.5f} |  peak so far {peak:.2f} GiB")


def near_duplicate(text: str, rng: random.Random) -> str:
    """The text with other punctuation and a few characters gone: a copy from elsewhere."""
    return "".join(c for c in text.replace("，", ",").replace("。", ".") if rng.random() > 0.03)


def paraphrase(text: str, rng: random.Random) -> str:
    """The text with its sentences in another order, one in five gone, and other words for some."""
    sentences = [one for one in re.findall(r"[^。！？\n]+[。！？\n]?", text) if one.strip()]
    if len(sentences) > 2:
        sentences = [one for one in sentences if rng.random() > 0.2] or sentences
        rng.shuffle(sentences)
    said = "".join(sentences)
    for one, other in SYNONYMS:
        said = said.replace(one, other)
    return said


def measure_planted(folder: Path, encoder_name: str, n: int, pool_size: int, seed: int) -> None:
    """Plant, mine with the defaults, count."""
    files = sorted(str(path) for path in folder.rglob("*.parquet"))
    names = ["query", "passage", "doc_id", "source", "relation"]
    plain = [pl.col(name).cast(pl.String) for name in names]
    pairs = pl.concat([pl.scan_parquet(path).select(plain) for path in files]).collect().unique("passage").sort(names)
    pairs = pairs.filter(pl.col("passage").str.len_chars() >= 40)
    encoder = load_encoder(encoder_name)
    settings = MineSettings()
    print(f"{encoder.name}, load {os.getloadavg()[0]:.1f}\n\n| source | relation | queries | pool | ", end="")
    print("avoided, duplicates | paraphrases | naive top-k, duplicates | paraphrases | mined per query |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    total = np.zeros(5)
    for (source, relation), group in pairs.group_by("source", "relation", maintain_order=True):
        if len(group) < 500:
            continue
        group = group.sample(min(pool_size, len(group)), shuffle=True, seed=seed)
        texts = group["passage"].to_list()
        count = min(n, len(texts) // 2)
        rng = random.Random(seed)
        planted = [near_duplicate(text, rng) for text in texts[:count]]
        planted += [paraphrase(text, rng) for text in texts[:count]]
        every = pa.array(texts + planted, pa.large_string())
        vectors = encoder.encode(every, "passage")
        queries = encoder.encode(group["query"].head(count).to_arrow().cast(pa.large_string()), "query")
        doc = np.unique(group["doc_id"].to_numpy(), return_inverse=True)[1].astype(np.int64)
        asked = np.unique(group["query"].to_numpy(), return_inverse=True)[1].astype(np.int64)
        others = np.arange(len(planted)) + len(texts)
        pool = Pool.of(every, vectors, np.r_[doc, others], np.r_[asked, others])
        scores = np.einsum("ij,ij->i", queries, vectors[:count])
        mined = Queries([f"{i:032x}" for i in range(count)], queries, every[:count], scores, doc[:count], asked[:count])
        found, _ = find_negatives(mined, pool, settings, seed)
        strings = pool.passages.to_pylist()
        nearest, _ = search(queries, pool.vectors, settings.negatives + 1)
        rates = np.zeros(5)
        for i in range(count):
            ours = {strings[one.row] for one in found[i]}
            naive = [strings[row] for row in nearest[i] if strings[row] != texts[i]][: settings.negatives]
            for kind in (0, 1):
                rates[kind] += planted[kind * count + i] not in ours
                rates[2 + kind] += planted[kind * count + i] in naive
            rates[4] += sum(one.rank > 0 for one in found[i])
        total += np.r_[rates[:4], count]
        shown = " | ".join(f"{rate:.1%}" for rate in rates[:4] / count)
        print(f"| {source} | {relation} | {count} | {len(strings)} | {shown} | {rates[4] / count:.1f} |")
    print(f"\navoided {total[:2].sum() / total[4] / 2:.2%}; naive top-k takes {total[2:4].sum() / total[4] / 2:.1%}")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parts = parser.add_subparsers(dest="what", required=True)
    speed = parts.add_parser("speed")
    speed.add_argument("--queries", type=int, default=100_000)
    speed.add_argument("--passages", type=int, default=100_000)
    speed.add_argument("--dim", type=int, default=384)
    speed.add_argument("--last-rank", type=int, default=100)
    planted = parts.add_parser("planted")
    planted.add_argument("pairs", type=Path)
    planted.add_argument("--encoder", default="static-zh")
    planted.add_argument("--queries", type=int, default=300, help="of each source and relation")
    planted.add_argument("--pool", type=int, default=5000, help="passages of each source and relation, at most")
    given = parser.parse_args()
    if given.what == "speed":
        measure_speed(given.queries, given.passages, given.dim, given.last_rank, given.seed)
    else:
        measure_planted(given.pairs, given.encoder, given.queries, given.pool, given.seed)


if __name__ == "__main__":
    main()
