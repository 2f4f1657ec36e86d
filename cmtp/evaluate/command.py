"""What `cmtp eval` prints: a model on local files, on held-out documents, on a benchmark of the hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from cmtp.embed.base import load_encoder
from cmtp.errors import UsageError
from cmtp.evaluate.baselines import score_bm25, score_embeddings, score_static_zh
from cmtp.evaluate.heldout import retrieval_task
from cmtp.evaluate.hub import run_benchmark
from cmtp.evaluate.local import read_pairs_file, score_pairs


def evaluate(model_name: str, files: Sequence[Path], shards: str | None, share: float, benchmark: str | None) -> str:
    """Score a model.

    Returns:
        A table with static-zh, and BM25 where it is retrieval, beside the model.

    Raises:
        UsageError: nothing to score on, or no model there.
    """
    if not (files or shards or benchmark):
        raise UsageError("nothing to score on: give --file, --shards or --benchmark")
    if "/" in model_name and model_name.startswith((".", "/")) and not Path(model_name).is_dir():
        raise UsageError(f"{model_name}: no such folder")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = SentenceTransformer(model_name)

    def embed(texts: list[str], prompt: str | None = None) -> np.ndarray:
        found = model.encode(texts, prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found)

    def static(texts: list[str]) -> np.ndarray:
        return load_encoder("static-zh").encode(pa.array(texts), "passage")

    lines = []
    if files:
        lines.append(f"{'local file (not C-MTEB)':<36}{'rows':>8}  {'measure':<18}{'model':>8}{'static-zh':>11}")
    for path in files:
        pairs = read_pairs_file(path)
        measure, value = score_pairs(pairs, embed)
        _, beside = score_pairs(pairs, static)
        lines.append(f"{pairs.name:<36}{len(pairs.left):>8,}  {measure:<18}{value:>8.4f}{beside:>11.4f}")
    prompt = (model.prompts or {}).get("query")
    if shards:
        task = retrieval_task(shards, share, seed=1, max_queries=1000, max_pool=20_000)
        lines.append(
            f"held-out documents: {len(task.queries):,} queries over {len(task.passages):,} passages (not C-MTEB)"
        )
        lines.append(f"{'':<28}{'nDCG@10':>9}{'recall@10':>11}")
        found = score_embeddings(model_name, task, embed(task.queries, prompt), embed(task.passages))
        lines += [row.line() for row in (score_bm25(task), score_static_zh(task), found)]
    if benchmark:
        lines.append(benchmark)
        scores = run_benchmark(model, benchmark, prompt or "")
        lines += [f"{name:<36}{value:>8.4f}" for name, value in scores.items()]
        lines.append(f"{'mean over the tasks':<36}{np.mean(list(scores.values())):>8.4f}")
    return "\n".join(lines)
