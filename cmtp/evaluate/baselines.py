"""Rows beside a model: BM25, static-zh, and any encoder on the same task."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from cmtp.evaluate.heldout import Retrieval
from cmtp.evaluate.measures import Floats, ndcg, recall, top_k

Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Score:
    """One row of the table."""

    name: str
    ndcg: Floats
    """[q] nDCG@10 per query."""
    recall: Floats
    """[q] recall@10 per query."""

    def line(self) -> str:
        """Mean of both."""
        return f"{self.name:<28}{self.ndcg.mean():>9.4f}{self.recall.mean():>11.4f}"


def score_embeddings(name: str, task: Retrieval, queries: np.ndarray, passages: np.ndarray) -> Score:
    """Score [q, d] and [p, d] L2-normalised vectors by exact search."""
    ranked = top_k(lambda start, stop: queries[start:stop] @ passages.T, len(queries), 10)
    return Score(name, ndcg(ranked, task.relevant), recall(ranked, task.relevant, 10))


def score_static_zh(task: Retrieval) -> Score:
    """The bundled encoder, which was never trained on the build."""
    from cmtp.encoders.registry import load_encoder

    encoder = load_encoder("static-zh")
    queries = encoder.encode(pa.array(task.queries), "query")
    return score_embeddings("static-zh", task, queries, encoder.encode(pa.array(task.passages), "passage"))


def terms(text: str) -> list[str]:
    """Character bigrams, and the single characters of a text of one: no segmenter, no dictionary."""
    text = "".join(text.lower().split())
    return [text[i : i + 2] for i in range(len(text) - 1)] or list(text)


def bm25_scores(
    queries: Sequence[str], passages: Sequence[str], k1: float = 1.2, b: float = 0.75
) -> Callable[[int, int], Floats]:
    """BM25 (Robertson & Zaragoza 2009) over character bigrams, with Lucene's idf, ln(1 + (N - n + .5) / (n + .5)).

    Returns:
        Scores of the queries from one row number to another: [rows, p].
    """
    vocabulary: dict[str, int] = {}
    columns: list[int] = []
    values: list[float] = []
    starts = [0]
    counts = [Counter(terms(text)) for text in passages]
    lengths = np.array([sum(count.values()) for count in counts], dtype=float)
    mean = max(lengths.mean(), 1.0)
    frequency: Counter[str] = Counter(term for count in counts for term in count)
    for count, length in zip(counts, lengths, strict=True):
        for term, n in count.items():
            idf = math.log(1 + (len(counts) - frequency[term] + 0.5) / (frequency[term] + 0.5))
            columns.append(vocabulary.setdefault(term, len(vocabulary)))
            values.append(idf * n * (k1 + 1) / (n + k1 * (1 - b + b * length / mean)))
        starts.append(len(columns))
    weights = csr_matrix((values, columns, starts), shape=(len(counts), len(vocabulary)), dtype=np.float32)
    asked = [[vocabulary[term] for term in set(terms(query)) if term in vocabulary] for query in queries]
    ends = np.cumsum([0, *map(len, asked)])
    flat = np.fromiter((term for row in asked for term in row), dtype=np.int64, count=int(ends[-1]))
    ones = csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(asked), len(vocabulary)))
    return lambda start, stop: (ones[start:stop] @ weights.T).toarray()  # type: ignore[no-any-return]


def score_bm25(task: Retrieval) -> Score:
    """BM25 on a task."""
    ranked = top_k(bm25_scores(task.queries, task.passages), len(task.queries), 10)
    return Score("BM25 (character bigrams)", ndcg(ranked, task.relevant), recall(ranked, task.relevant, 10))
