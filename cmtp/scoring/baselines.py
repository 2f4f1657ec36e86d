"""Scores of a retrieval task: of BM25, of static-zh, and of any vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cmtp.scoring.measures import FloatArray, ndcg, recall, top_k
from cmtp.shards.held_out import RetrievalTask
from cmtp.text.bm25 import Bm25Index

CUT = 10
"""Number of ranks that are scored: nDCG@10 and recall@10."""


@dataclass(frozen=True)
class RetrievalScore:
    """The scores of one ranker on a task."""

    name: str
    ndcg: FloatArray
    """[q] nDCG@10 per query."""
    recall: FloatArray
    """[q] recall@10 per query."""

    def line(self) -> str:
        """Name and the means of both, as a row of the table."""
        return f"{self.name:<28}{self.ndcg.mean():>9.4f}{self.recall.mean():>11.4f}"


def score_embeddings(name: str, task: RetrievalTask, queries: np.ndarray, passages: np.ndarray) -> RetrievalScore:
    """Score [q, d] and [p, d] L2-normalised vectors by exact search."""
    return _score(name, task, top_k(lambda start, stop: queries[start:stop] @ passages.T, len(queries), CUT))


def score_static_zh(task: RetrievalTask) -> RetrievalScore:
    """Score the bundled encoder, which was never trained on the build."""
    from cmtp.encoders.registry import load_encoder

    encoder = load_encoder("static-zh")
    queries = encoder.encode(pa.array(task.queries), "query")
    return score_embeddings("static-zh", task, queries, encoder.encode(pa.array(task.passages), "passage"))


def score_bm25(task: RetrievalTask) -> RetrievalScore:
    """Score BM25 over character bigrams."""
    index = Bm25Index(task.passages, bigrams)
    ranked, _ = index.nearest(task.queries, min(CUT, len(task.passages)))
    return _score("BM25 (character bigrams)", task, ranked)


def _score(name: str, task: RetrievalTask, ranked: NDArray[np.int64]) -> RetrievalScore:
    """Score the [q, k] rows of the passages that were found, best first; -1 after the last."""
    return RetrievalScore(name, ndcg(ranked, task.relevant, CUT), recall(ranked, task.relevant, CUT))


def bigrams(text: str) -> list[str]:
    """Character bigrams in lower case, without white space. A text of one character gives that character.

    ``bigrams("番茄 炒")`` is ``["番茄", "茄炒"]``. This needs neither a segmenter nor a dictionary.
    """
    text = "".join(text.lower().split())
    return [text[i : i + 2] for i in range(len(text) - 1)] or list(text)
