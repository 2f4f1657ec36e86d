"""Rows for the dedup benchmarks: real passages, passages of shuffled sentences, and perturbations with known truth."""

from __future__ import annotations

import random
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from cmtp import schema
from cmtp.engine.store import Store
from cmtp.kernels.sets import jaccard_reaches
from cmtp.text.compare import fold
from cmtp.text.ngrams import shingle_sets

PARTITION_ROWS = 50_000
PERTURBED = 0.3
"""Share of rows that are perturbations of others."""


def perturb(generator: random.Random, text: str, pool: str) -> str:
    """A changed copy of a text, with a Jaccard similarity between about .5 and 1."""
    out = list(text)
    for _ in range(max(1, round(len(text) * generator.random() * 0.07))):
        place = generator.randrange(len(out))
        kind = generator.random()
        if kind < 0.5:
            out[place] = pool[generator.randrange(len(pool))]
        elif kind < 0.75 or len(out) < 3:
            out.insert(place, pool[generator.randrange(len(pool))])
        else:
            del out[place]
    return "".join(out)


def table(rows: list[int], passages: list[str]) -> pa.Table:
    """Pairs with different queries and documents, so that the passages alone decide."""
    names = [xxhash.xxh3_128_hexdigest(str(row).encode()) for row in rows]
    many = len(rows)
    columns = {
        "pair_id": names,
        "query": [f"query {name}" for name in names],
        "passage": passages,
        "relation": pa.array(["title_body"] * many).dictionary_encode(),
        "source": pa.array(["benchmark"] * many).dictionary_encode(),
        "doc_id": names,
        "origin": [f"benchmark#{row + 1}" for row in rows],
        "position": np.zeros(many, np.int32),
        "similarity": pa.nulls(many, pa.float32()),
    }
    return pa.table(columns).cast(schema.PAIR)


class Corpus:
    """Passages by number: the real ones first, then passages put together from sentences of real ones.

    A passage is made from its number alone, so that any process can make any part of a corpus.
    """

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.pool = "".join(texts[:: max(1, len(texts) // 200)])
        self.sentences = [one for text in texts for one in re.findall(r"[^。！？；\n]+[。！？；\n]*", text)]

    def base(self, number: int) -> str:
        """The passage of this number."""
        if number < len(self.texts):
            return self.texts[number]
        generator = random.Random(number)
        length = len(self.texts[generator.randrange(len(self.texts))])
        parts, have = [], 0
        while have < max(length, 12):
            parts.append(self.sentences[generator.randrange(len(self.sentences))])
            have += len(parts[-1])
        return "".join(parts)

    def partition(self, rows: range, bases: int) -> tuple[list[str], list[tuple[int, int]]]:
        """Passages of some rows, and (row, row of its original) of those that are at least .8 similar to it."""
        passages, made = [], []
        for row in rows:
            if row < bases:
                passages.append(self.base(row))
                continue
            generator = random.Random(-row)
            original = generator.randrange(bases)
            text = self.base(original)
            passages.append(perturb(generator, text, self.pool))
            made.append((row, original, len(passages) - 1, text))
        if not made:
            return passages, []
        column = pa.array([one[3] for one in made] + [passages[one[2]] for one in made])
        shingles, starts = shingle_sets(fold(column), 5)
        left = np.arange(len(made))
        alike = jaccard_reaches(shingles, starts, left, left + len(made), 0.8)
        return passages, [(row, original) for (row, original, _, _), yes in zip(made, alike, strict=True) if yes]


_corpus: Corpus | None = None


def _load(path: str) -> None:
    global _corpus
    _corpus = Corpus(pq.read_table(path)["passage"].to_pylist())


def _make(folder: str, index: int, count: int, partitions: int) -> list[tuple[int, int]]:
    assert _corpus is not None, "the pool's initializer ran"
    rows = range(index, count, partitions)  # strided, so that a perturbation is hardly ever next to its original
    passages, truth = _corpus.partition(rows, round(count * (1 - PERTURBED)))
    Store(folder).write_table(f"in-{index:05d}.parquet", table(list(rows), passages))
    return truth


def make(texts: list[str], count: int, folder: str, workers: int) -> tuple[list[str], np.ndarray]:
    """Write `count` rows. Returns the files, and the pairs of rows known to be near-duplicates, int64 [:, 2]."""
    source = f"{folder}/texts.parquet"
    pq.write_table(pa.table({"passage": texts}), source)
    partitions = -(-count // PARTITION_ROWS)
    with ProcessPoolExecutor(workers, initializer=_load, initargs=(source,)) as pool:
        jobs = [pool.submit(_make, folder, index, count, partitions) for index in range(partitions)]
        truth = [pair for job in jobs for pair in job.result()]
    Path(source).unlink()
    return [f"in-{index:05d}.parquet" for index in range(partitions)], np.array(truth, np.int64).reshape(-1, 2)


def boilerplate(count: int, folder: str, kind: str) -> list[str]:
    """Write rows that share a paragraph: identical, almost identical, or about .5 or .7 similar to one another."""
    generator = random.Random(7)
    characters = "".join(chr(point) for point in range(0x4E00, 0x4E00 + 3000))
    paragraph = "".join(generator.choices(characters, k=300))
    own = {"identical": 0, "one word": 2, "boilerplate .7": 64, "boilerplate .5": 150}[kind]
    files = []
    for index, start in enumerate(range(0, count, PARTITION_ROWS)):
        rows = list(range(start, min(start + PARTITION_ROWS, count)))
        passages = [paragraph + "".join(generator.choices(characters, k=own)) for _ in rows]
        files.append(f"in-{index:05d}.parquet")
        Store(folder).write_table(files[-1], table(rows, passages))
    return files
