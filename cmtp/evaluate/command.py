"""What `cmtp eval` prints: a model on local files, on held-out documents, on a benchmark of the hub, and beside it."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from cmtp.encoders.registry import load_encoder
from cmtp.errors import UsageError
from cmtp.evaluate.baselines import score_bm25, score_embeddings, score_static_zh
from cmtp.evaluate.heldout import retrieval_task
from cmtp.evaluate.hub import run_benchmark
from cmtp.evaluate.local import read_local

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from cmtp.evaluate.tasks import Embed

NEEDS_MTEB = "mteb is not installed: pip install 'cmtp[eval]' -c constraints.txt"


def evaluate(
    model_name: str,
    files: Sequence[Path],
    shards: str | None,
    share: float,
    benchmark: str | None,
    encoders: Sequence[str] = (),
) -> str:
    """Score a model, itself with random weights, static-zh, BM25 where it can, and further encoders.

    Args:
        model_name: folder or name on the hub.
        files: as of `read_local`.
        shards: a build whose held-out documents are searched.
        share: of its documents, where the build itself has not held any out.
        benchmark: of the hub.
        encoders: names of encoders of cmtp.encoders to put beside it.

    Returns:
        A table.

    Raises:
        UsageError: nothing to score on, no model there, unreadable data, or mteb is needed and not installed.
        CmtpError: the hub's data cannot be fetched.
    """
    if not (files or shards or benchmark):
        raise UsageError("nothing to score on: give --file, --shards or --benchmark")
    data = [read_local(path) for path in files]
    if "/" in model_name and model_name.startswith((".", "/")) and not Path(model_name).is_dir():
        raise UsageError(f"{model_name}: no such folder")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    try:
        model = SentenceTransformer(model_name)
    except (OSError, ValueError) as error:
        raise UsageError(f"{model_name}: cannot be opened as a model: {error}") from error
    embeds = {"model": _embed(model), "untrained": _embed(untrained(model)), "static-zh": _encoder("static-zh")}
    embeds |= {name: _encoder(name) for name in encoders}
    lines = []
    if shards:
        task = retrieval_task(shards, share, seed=1, max_queries=1000, max_pool=20_000)
        lines.append(
            f"held-out documents: {len(task.queries):,} queries over {len(task.passages):,} passages (not C-MTEB)"
        )
        lines.append(f"{'':<28}{'nDCG@10':>9}{'recall@10':>11}")
        rows = [score_bm25(task), score_static_zh(task)]
        for name, embed in embeds.items():
            if name != "static-zh":
                found = score_embeddings(name, task, embed(task.queries, True), embed(task.passages, False))
                rows.append(found)
        lines += [row.line() for row in rows]
    if data or benchmark:
        try:
            from cmtp.evaluate.tasks import BM25, TextEncoder, score_local
        except ModuleNotFoundError as error:
            raise UsageError(NEEDS_MTEB) from error
        models: list[TextEncoder | BM25] = [*(TextEncoder(name, embed) for name, embed in embeds.items()), BM25()]
        head = "".join(f"{one.name:>11}" for one in models)
        if data:
            lines.append(f"{'local file (not C-MTEB)':<34}{'type':<20}{'measure':<18}{head}")
        for one in data:
            for kind, measure, values in score_local(one, models):
                lines.append(f"{one.name:<34}{kind:<20}{measure:<18}{_numbers(values)}")
        if benchmark:
            lines.append(f"{benchmark:<54}{'measure':<18}{head}")
            table = []
            for name, measure, values in run_benchmark(models, benchmark):
                lines.append(f"{name:<54}{measure:<18}{_numbers(values)}")
                table.append([np.nan if value is None else value for value in values])
            means = np.array(table).mean(axis=0)
            lines.append(f"{'mean over the tasks':<72}{_numbers([None if np.isnan(m) else m for m in means])}")
    return "\n".join(lines)


def untrained(model: SentenceTransformer) -> SentenceTransformer:
    """The same model with random weights: what its shape and its tokens alone are worth."""
    import torch
    from transformers import AutoModel

    fresh = copy.deepcopy(model)
    torch.manual_seed(0)
    for module in cast(Iterable[Any], fresh):
        config = getattr(getattr(module, "auto_model", None), "config", None)
        if config is not None:
            module.auto_model.load_state_dict(AutoModel.from_config(config).state_dict())
            continue
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
    return fresh


def _embed(model: SentenceTransformer) -> Embed:
    prompt = (model.prompts or {}).get("query")

    def embed(texts: Sequence[str], asked: bool) -> np.ndarray:
        found: Any = model.encode(
            list(texts), prompt=prompt if asked else None, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(found)

    return embed


def _encoder(name: str) -> Embed:
    encoder = load_encoder(name)
    return lambda texts, asked: encoder.encode(pa.array(texts), "query" if asked else "passage")


def _numbers(values: Sequence[float | None]) -> str:
    return "".join(f"{'':>11}" if value is None else f"{value:>11.4f}" for value in values)
