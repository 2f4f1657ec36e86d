"""Local data as tasks of mteb, and the models that mteb scores: encoders and BM25.

mteb does the scoring, so a local set and one of the hub are measured in the same way. Its six types of C-MTEB are
Retrieval, Reranking, STS, PairClassification, Classification and Clustering.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import mteb
import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import (
    AbsTaskClassification,
    AbsTaskClustering,
    AbsTaskPairClassification,
    AbsTaskRetrieval,
    AbsTaskSTS,
)
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from cmtp.evaluate.local import Labelled, LocalData, Pairs, Ranked, Searched
from cmtp.scoring.baselines import bigrams
from cmtp.text.bm25 import Bm25Index
from cmtp.train.batches import text_hash

Embed = Callable[[Sequence[str], bool], np.ndarray]
"""``embed(texts, searching)`` gives L2-normalised vectors [n, d]. `searching`: the texts are queries to search with."""

SEARCHING = ("Retrieval", "Reranking")
"""Types of tasks that BM25 can do. Their queries get the instruction, as in C-Pack's evaluation."""

MEASURES = {
    "Retrieval": "ndcg_at_10",
    "Reranking": "map_at_1000",
    "STS": "cosine_spearman",
    "PairClassification": "cosine_ap",
    "Classification": "accuracy",
    "Clustering": "v_measure",
}
"""The measure of each type, from C-Pack's appendix. For pair classification mteb's default is another: the accuracy at
the best cut."""


class TextEncoder(AbsEncoder):
    """Any function that embeds texts, in the form of an encoder of mteb."""

    def __init__(self, name: str, embed: Embed) -> None:
        self.name = name
        self.embed = embed
        self.mteb_model_meta = _meta(name)

    def encode(self, inputs: Any, *, task_metadata: Any, prompt_type: Any = None, **_: Any) -> np.ndarray:
        """[n, d] vectors of the texts of a data loader."""
        texts = [text for batch in inputs for text in batch["text"]]
        return self.embed(texts, prompt_type == "query" and task_metadata.type in SEARCHING)


class BM25:
    """BM25 over character bigrams, in the form of a search engine of mteb."""

    name = "BM25"

    def __init__(self) -> None:
        self.mteb_model_meta = _meta(self.name)
        self.ids: list[str] = []
        self.texts: list[str] = []

    def index(self, corpus: Dataset, **_: Any) -> None:
        """Take the passages."""
        self.ids, self.texts = list(corpus["id"]), list(corpus["text"])

    def search(
        self, queries: Dataset, *, top_k: int, top_ranked: dict[str, list[str]] | None = None, **_: Any
    ) -> dict[str, dict[str, float]]:
        """Scores of the best passages of each query, or of the passages that `top_ranked` gives for it."""
        index = Bm25Index(self.texts, bigrams)
        k = len(self.texts) if top_ranked is not None else min(top_k, len(self.texts))
        results: dict[str, dict[str, float]] = {}
        for query_id, query in zip(queries["id"], queries["text"], strict=True):
            rows, scores = index.nearest([query], k)
            best = {self.ids[row]: float(score) for row, score in zip(rows[0], scores[0], strict=True) if row >= 0}
            if top_ranked is not None:
                best = {passage_id: best.get(passage_id, 0.0) for passage_id in top_ranked[query_id]}
            results[query_id] = best
        return results


def score_local(data: LocalData, models: Sequence[TextEncoder | BM25]) -> list[tuple[str, str, list[float | None]]]:
    """Score models on a file.

    Returns:
        Type, measure and a value per model (None: the model cannot do it), for each task that the file gives.
    """
    rows = []
    for kind in kinds(data):
        values: list[float | None] = []
        for model in models:
            if isinstance(model, BM25) and kind not in SEARCHING:
                values.append(None)
                continue
            task = make_task(data, kind)  # for each model, because a task keeps the state of its random numbers
            measured = task.evaluate(model, "test", encode_kwargs={"batch_size": 64})["default"]
            values.append(float(measured[MEASURES[kind]]))
        rows.append((kind, MEASURES[kind], values))
    return rows


def kinds(data: LocalData) -> list[str]:
    """The types of tasks that a file can be scored as: ``["STS"]`` for graded sentence pairs."""
    if isinstance(data, Pairs):
        return ["PairClassification"] if data.binary else ["STS"]
    if isinstance(data, Ranked):
        return ["Reranking"]
    return ["Retrieval"] if isinstance(data, Searched) else ["Classification", "Clustering"]


def make_task(data: LocalData, kind: str) -> Any:
    """A file as an mteb task of one of its `kinds`, with its data in memory."""
    if isinstance(data, Pairs):
        texts = {"sentence1": data.left, "sentence2": data.right}
        if kind == "STS":
            low, high = float(data.labels.min()), float(data.labels.max())
            test = Dataset.from_dict(texts | {"score": data.labels.tolist()})
            return _task(AbsTaskSTS, data.name, kind, {"test": test}, min_score=low, max_score=high)
        test = Dataset.from_dict(texts | {"labels": data.labels.astype(int).tolist()})
        return _task(AbsTaskPairClassification, data.name, kind, {"test": test})
    if isinstance(data, Labelled):
        names = sorted(set(data.labels))
        codes = [names.index(label) for label in data.labels]
        if kind == "Clustering":
            test = Dataset.from_dict({"sentences": data.texts, "labels": codes})
            return _task(AbsTaskClustering, data.name, kind, {"test": test}, max_fraction_of_documents_to_embed=None)
        return _task(AbsTaskClassification, data.name, kind, DatasetDict(_halves(data.texts, codes)))
    return _task(AbsTaskRetrieval, data.name, kind, {"default": {"test": _search(data)}})


def _halves(texts: list[str], codes: list[int]) -> dict[str, Dataset]:
    """Train and test halves, by the hash of the text, so that equal texts are in one half."""
    sides: dict[str, dict[str, list[Any]]] = {name: {"text": [], "label": []} for name in ("train", "test")}
    for text, code in zip(texts, codes, strict=True):
        side = sides["train" if text_hash(text) % 2 else "test"]
        side["text"].append(text)
        side["label"].append(code)
    return {name: Dataset.from_dict(side) for name, side in sides.items()}


def _search(data: Ranked | Searched) -> dict[str, Any]:
    if isinstance(data, Searched):
        corpus, queries, relevant, ranked = data.corpus, data.queries, data.relevant, None
    else:
        ids: dict[str, str] = {}
        queries, relevant, ranked = {}, {}, {}
        for number, (query, pos, neg) in enumerate(zip(data.queries, data.pos, data.neg, strict=True)):
            for text in (*pos, *neg):
                ids.setdefault(text, f"d{len(ids)}")
            queries[f"q{number}"] = query
            relevant[f"q{number}"] = {ids[text]: 1 for text in pos}
            # negatives first: if all scores are equal, a positive must not rank high by its place in the file
            ranked[f"q{number}"] = list(dict.fromkeys(ids[text] for text in (*neg, *pos)))
        corpus = {key: text for text, key in ids.items()}
    return {
        "corpus": Dataset.from_dict({"id": list(corpus), "text": list(corpus.values())}),
        "queries": Dataset.from_dict({"id": list(queries), "text": list(queries.values())}),
        "relevant_docs": relevant,
        "top_ranked": ranked,
    }


def _task(base: type, name: str, kind: str, dataset: Any, **attributes: Any) -> Any:
    metadata = mteb.TaskMetadata(
        name=name,
        description="a local file",
        dataset={"path": name, "revision": "local"},
        type=cast(Any, kind),
        eval_splits=["test"],
        eval_langs=["cmn-Hans"],
        main_score=MEASURES[kind],
    )
    task = type("LocalTask", (base,), {"metadata": metadata, **attributes})()
    task.dataset, task.data_loaded = dataset, True
    return task


def _meta(name: str) -> ModelMeta:
    return ModelMeta.create_empty({"name": f"local/{name}", "similarity_fn_name": ScoringFunction.COSINE})
