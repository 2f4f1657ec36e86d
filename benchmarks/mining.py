"""Speed of the search for hard negatives and of its peers, and how many planted false negatives mining leaves out.

`python -m benchmarks.mining speed` searches random clustered vectors, each search in a process of its own. Making the
vectors is not timed. sentence-transformers stands for its mine_hard_negatives, with a model that returns the given
vectors, once with its default search (a product of torch) and once with faiss. FlagEmbedding stands for the search of
its hn_mine.py: faiss.IndexFlatIP, 64 queries at a time, results in lists. Their time is proportional to the queries, so
--peers gives them fewer. Peak memory is that of the whole process, with vectors and libraries.

`python -m benchmarks.mining planted PAIRS` takes pairs of a build and adds a near-duplicate and a paraphrase of each
query's positive to the pool, as other documents. It counts how many of them become negatives, here and by naive top-k.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numba
import numpy as np
import polars as pl
import pyarrow as pa

from cmtp.columns import distinct
from cmtp.encoders.registry import load_encoder
from cmtp.mining.dense import Matrix, exact_nearest
from cmtp.mining.negatives import find_negatives
from cmtp.mining.pool import Pool, Queries, mean_of
from cmtp.mining.settings import MineSettings

SYNONYMS = (
    ("可以", "能够"), ("因为", "由于"), ("但是", "不过"), ("使用", "采用"), ("如果", "假如"), ("需要", "要"),
    ("方法", "办法"), ("问题", "难题"), ("非常", "十分"), ("例如", "比如"), ("重要", "关键"), ("进行", "做"),
    ("以及", "和"), ("目前", "眼下"), ("许多", "很多"), ("开始", "着手"), ("帮助", "协助"), ("通过", "借助"),
)  # fmt: skip


def clustered(rng: np.random.Generator, n: int, centres: np.ndarray) -> np.ndarray:
    """Unit vectors around centres, so that vectors have near neighbours, as those of texts do."""
    rows = centres[rng.integers(0, len(centres), n)] * 0.7 + rng.normal(size=(n, centres.shape[1]))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class GivenVectors:
    """A model for mine_hard_negatives that returns given vectors. A text is a letter (the side) and a row number."""

    device = "cpu"

    def __init__(self, queries: np.ndarray, pool: np.ndarray) -> None:
        self._queries, self._pool = queries, pool

    def encode_query(self, texts: list[str], **_: object) -> np.ndarray:
        return self._queries[[int(text[1:]) for text in texts]]

    def encode_document(self, texts: list[str], **_: object) -> np.ndarray:
        return self._pool[[int(text[1:]) for text in texts]]

    def get_embedding_dimension(self) -> int:
        return self._pool.shape[1]

    def similarity(self, a: np.ndarray, b: Any) -> Any:
        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a: np.ndarray, b: Any) -> Any:
        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(dim=1)


def sentence_transformers(queries: np.ndarray, pool: np.ndarray, k: int, use_faiss: bool) -> np.ndarray:
    """mine_hard_negatives itself. The positive of query i is passage i; no result has it."""
    from datasets import Dataset

    rows = [i % len(pool) for i in range(len(queries))]
    pairs = Dataset.from_dict({"query": [f"q{i}" for i in range(len(rows))], "positive": [f"p{i}" for i in rows]})
    mined = mine_hard_negatives(
        pairs,
        GivenVectors(queries, pool),  # type: ignore[arg-type]
        corpus=[f"p{i}" for i in range(len(pool))],
        range_max=k,
        num_negatives=k,
        output_format="n-tuple",
        use_faiss=use_faiss,
        verbose=False,
    )
    names = [name for name in mined.column_names if name.startswith("negative")]
    found = np.array([[int(text[1:]) for text in mined[name]] for name in names], np.int64).T
    out = np.full((len(queries), k), -1, np.int64)
    out[[int(text[1:]) for text in mined["query"]]] = found
    return out


def flag_embedding(queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The search in find_knn_neg of hn_mine.py: 64 queries at a time, into lists; k + 1, with the positive."""
    index = faiss.IndexFlatIP(pool.shape[1])
    index.add(pool)
    every: list[list[int]] = []
    all_scores: list[list[float]] = []
    for start in range(0, len(queries), 64):
        scores, rows = index.search(queries[start : start + 64], k=k + 1)
        all_scores.extend(scores.tolist())
        every.extend(rows.tolist())
    return without_positive(np.array(every), len(pool))


def without_positive(rows: np.ndarray, m: int) -> np.ndarray:
    """The first k of k + 1 ranks that are not the query's positive."""
    positive = (np.arange(len(rows)) % m)[:, None]
    order = np.argsort(rows == positive, axis=1, kind="stable")
    return np.take_along_axis(rows, order, 1)[:, :-1]


SEARCHES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "cmtp": lambda queries, pool, k: without_positive(exact_nearest(queries, pool, k + 1).rows, len(pool)),
    "sentence-transformers": lambda queries, pool, k: sentence_transformers(queries, pool, k, False),
    "sentence-transformers, use_faiss": lambda queries, pool, k: sentence_transformers(queries, pool, k, True),
    "FlagEmbedding": flag_embedding,
}


def peak_memory() -> float:
    """Peak memory of this program in GiB. getrusage would count that of the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20  # type: ignore[index]


def measure_one(name: str, folder: Path, n: int, k: int) -> None:
    """Run in a process of its own: search with the first n queries, write the results, print time and memory."""
    if name.startswith("sentence"):  # loaded before the clock starts, and for these alone, because torch takes memory
        global torch, mine_hard_negatives
        import torch
        from sentence_transformers.util import mine_hard_negatives
    queries, pool = np.load(folder / "queries.npy")[:n], np.load(folder / "pool.npy")
    faiss.omp_set_num_threads(numba.config.NUMBA_NUM_THREADS)
    if name == "cmtp":
        exact_nearest(np.tile(queries[:1024], (21, 1)), pool[:1024], 5)  # compile
    before = peak_memory()
    wall, spent = time.perf_counter(), time.process_time()
    found = SEARCHES[name](queries, pool, k)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    peak = peak_memory()
    np.save(folder / "found.npy", found)
    print(json.dumps({"wall": wall, "cpu": spent, "peak": peak, "before": before}))


def measure_speed(n: int, m: int, dim: int, k: int, seed: int, peers: int, folder: Path) -> None:
    """Each search in a process of its own, on the same vectors; peers with the first `peers` queries."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(m // 50, 1), dim))
    step = 100_000
    for name, size in (("pool", m), ("queries", n)):
        rows = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (size, dim))
        for start in range(0, size, step):
            rows[start : start + step] = clustered(rng, min(step, size - start), centres)
        rows.flush()
    print(f"{m:,} passages × {dim}, ranks to {k}, {numba.config.NUMBA_NUM_THREADS} threads, ", end="")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| search | queries | wall s | CPU s | per 1,000 queries: wall s | peak memory GiB | same candidates |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    ours = np.empty((0, 0))
    for name in SEARCHES:
        many = n if name == "cmtp" else peers
        if not many:
            continue
        command = [sys.executable, "-m", "benchmarks.mining", "one", name, str(folder), str(many), str(k)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        found = np.load(folder / "found.npy")
        ours = found if name == "cmtp" else ours
        same = [len(np.intersect1d(a, b)) / k for a, b in zip(ours[:many], found, strict=True) if b[0] >= 0]
        shown = f"{np.mean(same):.5f}" if name != "cmtp" else ""
        per = figures["wall"] / many * 1000
        print(f"| {name} | {many:,} | {figures['wall']:.1f} | {figures['cpu']:.1f} | {per:.2f} | ", end="")
        print(f"{figures['peak']:.2f} ({figures['before']:.2f} before it began) | {shown} |", flush=True)


def near_duplicate(text: str, rng: random.Random) -> str:
    """A near-duplicate: the text with other punctuation and without a few characters."""
    return "".join(c for c in text.replace("，", ",").replace("。", ".") if rng.random() > 0.03)


def paraphrase(text: str, rng: random.Random) -> str:
    """A paraphrase: the sentences in another order, one in five left out, and some words replaced."""
    sentences = [one for one in re.findall(r"[^。！？\n]+[。！？\n]?", text) if one.strip()]
    if len(sentences) > 2:
        sentences = [one for one in sentences if rng.random() > 0.2] or sentences
        rng.shuffle(sentences)
    said = "".join(sentences)
    for one, other in SYNONYMS:
        said = said.replace(one, other)
    return said


def measure_planted(folder: Path, encoder_name: str, n: int, pool_size: int, seed: int) -> None:
    """Plant false negatives, mine with the defaults, and count them."""
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
        asked_texts = group["query"].to_arrow().cast(pa.large_string())
        queries = encoder.encode(asked_texts.slice(0, count), "query")
        others = [f"planted {i}" for i in range(len(planted))]  # queries and documents that occur nowhere else
        passages, row, first = distinct(every)
        owners = pa.table(
            {"query": group["query"].to_list() + others, "doc_id": group["doc_id"].to_list() + others, "row": row}
        )
        pool = Pool.of(passages, Matrix(vectors[first]), owners, mean_of(vectors[first]))
        rows = group.head(count).to_arrow().append_column("pair_id", pa.array([f"{i:032x}" for i in range(count)]))
        rows = rows.append_column("score", pa.array(np.einsum("ij,ij->i", queries, vectors[:count])))
        mined = Queries.of(rows, pool, queries, vectors[:count], mean_of(queries))
        mined = replace(mined, symmetric=np.zeros(count, bool))  # as retrieval, whatever the relation
        found, _, _ = find_negatives(mined, pool, settings, seed=seed)
        strings = pool.passages.to_pylist()
        nearest = pool.vectors.nearest(queries, settings.negatives + 1).rows
        rates = np.zeros(5)
        for i in range(count):
            ours = {one.text for one in found[i]}
            assert texts[i] not in ours, "a negative is the positive"
            naive = [strings[row] for row in nearest[i] if strings[row] != texts[i]][: settings.negatives]
            for kind in (0, 1):
                rates[kind] += planted[kind * count + i] not in ours
                rates[2 + kind] += planted[kind * count + i] in naive
            rates[4] += sum(one.kind == "mined" for one in found[i])
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
    speed.add_argument("--peers", type=int, default=20_000, help="queries for the peers; 0: without them")
    one = parts.add_parser("one")
    one.add_argument("name", choices=list(SEARCHES))
    one.add_argument("folder", type=Path)
    one.add_argument("queries", type=int)
    one.add_argument("last_rank", type=int)
    planted = parts.add_parser("planted")
    planted.add_argument("pairs", type=Path)
    planted.add_argument("--encoder", default="static-zh")
    planted.add_argument("--queries", type=int, default=300, help="of each source and relation")
    planted.add_argument("--pool", type=int, default=5000, help="passages of each source and relation, at most")
    given = parser.parse_args()
    if given.what == "speed":
        with tempfile.TemporaryDirectory() as folder:
            sizes = given.queries, given.passages, given.dim, given.last_rank
            measure_speed(*sizes, given.seed, min(given.peers, given.queries), Path(folder))
    elif given.what == "one":
        measure_one(given.name, given.folder, given.queries, given.last_rank)
    else:
        measure_planted(given.pairs, given.encoder, given.queries, given.pool, given.seed)


if __name__ == "__main__":
    main()
