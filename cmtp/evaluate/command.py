"""`cmtp eval`: scores a model and baselines on local files, on held-out documents, on a benchmark of the hub."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from cmtp.encoders.hub import is_model_name
from cmtp.encoders.registry import load_encoder
from cmtp.errors import UsageError
from cmtp.evaluate.local import LocalData, read_local
from cmtp.scoring.baselines import score_bm25, score_embeddings, score_static_zh
from cmtp.shards.held_out import RetrievalTask, Split, build_split, manifest_sha256, retrieval_task
from cmtp.threads import usable_cores
from cmtp.train.report import TrainedOn, read_trained_on

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from cmtp.evaluate.tasks import BM25, Embed, TextEncoder

NEEDS_MTEB = "mteb is not installed: pip install 'cmtp[eval]' -c constraints.txt"

DEFAULT_SPLIT = Split(share=0.2, seed=1)
"""The documents searched if the build, the model's report and the user all name none: those of the preset nano."""


def evaluate_model(
    model_name: str,
    *,
    files: Sequence[Path] = (),
    shards: str | None = None,
    share: float | None = None,
    seed: int | None = None,
    benchmark: str | None = None,
    encoders: Sequence[str] = (),
) -> str:
    """Score a model, the same model with random weights, static-zh, BM25 where it applies, and further encoders.

    Args:
        model_name: folder or name on the hub.
        files: local data, see `read_local`.
        shards: a build; the model searches its held-out documents.
        share: see `held_out_task`.
        seed: see `held_out_task`.
        benchmark: name of a benchmark of the hub, for example ``MTEB(cmn, v1)``.
        encoders: names of encoders to compare with, see `cmtp.encoders.registry`.

    Returns:
        A table.

    Raises:
        UsageError: nothing to score on, no model there, unreadable data, or mteb is needed and not installed.
        CmtpError: the hub's data cannot be fetched.
    """
    if not (files or shards or benchmark):
        raise UsageError("nothing to score on: give --file, --shards or --benchmark")
    data = [read_local(path) for path in files]
    model = open_model(model_name)
    embeds = {"model": _embed(model), "untrained": _embed(untrained(model)), "static-zh": _encoder("static-zh")}
    embeds |= {name: _encoder(name) for name in encoders}
    lines = []
    if shards:
        task, notes = held_out_task(shards, read_trained_on(model_name, shards), share, seed)
        lines += [*notes, *_held_out_table(task, embeds)]
    if data or benchmark:
        try:
            from cmtp.evaluate.tasks import BM25, TextEncoder
        except ModuleNotFoundError as error:
            raise UsageError(NEEDS_MTEB) from error
        models: list[TextEncoder | BM25] = [*(TextEncoder(name, embed) for name, embed in embeds.items()), BM25()]
        if data:
            lines += _file_table(data, models)
        if benchmark:
            lines += _benchmark_table(benchmark, models)
    return "\n".join(lines)


def open_model(name: str) -> SentenceTransformer:
    """Open a folder or a name on the hub as a SentenceTransformer, on all usable cores.

    Raises:
        UsageError: the model does not exist or cannot be opened.
    """
    if not is_model_name(name):
        raise UsageError(f"{name}: neither a folder nor a name on the hub, which is owner/model")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(usable_cores())
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot be opened as a model: {error}") from error


def held_out_task(
    shards: str, trained: TrainedOn | None, share: float | None, seed: int | None
) -> tuple[RetrievalTask, list[str]]:
    """The retrieval task of a build's held-out documents, without those that the model was trained on.

    The held-out documents are, in this order of precedence:

    1. those that the build has held out itself (``eval:`` in its recipe);
    2. those of `share` and `seed`, if one is given; the other is then the model's, or the default;
    3. those that the model's training held out, as its training.json says;
    4. a fifth of all documents, by seed 1.

    If the model has a training.json, documents that its training did not hold out are not searched for.

    Args:
        shards: output folder of a build.
        trained: the data that the model was trained on; None: not known.
        share: of the documents, from 0 to 1; None: not given.
        seed: of the choice of documents; None: not given.

    Returns:
        The task, and lines that say which documents it has.

    Raises:
        UsageError: too few documents are left to search in.
    """
    by_build = build_split(shards)
    base = trained.held_out if trained else DEFAULT_SPLIT
    given = share is not None or seed is not None
    split = Split(base.share if share is None else share, base.seed if seed is None else seed)
    notes = []
    if by_build:
        if given:
            notes.append(f"--share and --seed are not used: {shards} has held out documents itself")
        split, reason = by_build, "the build's own"
    elif given:
        reason = "as given"
    else:
        reason = "as in the model's training" if trained else "the default: the model has no training.json"
    unseen = trained.held_out if trained and trained.held_out != split else None
    limits = (trained.max_queries, trained.max_pool) if trained else (1000, 20_000)
    task = retrieval_task(shards, split, *limits, unseen=unseen)
    notes.append(
        f"held-out documents: {len(task.queries):,} queries over {len(task.passages):,} passages (not C-MTEB); "
        f"share {split.share:g}, seed {split.seed}, {reason}"
    )
    if trained and task.left_out:
        same = trained.manifest_sha256 == manifest_sha256(shards)
        notes.append(
            f"left out: {task.left_out:,} of these documents, which the model {'was' if same else 'may have been'} "
            f"trained on (its training held out share {trained.held_out.share:g}, seed {trained.held_out.seed})"
        )
    return task, notes


def _held_out_table(task: RetrievalTask, embeds: Mapping[str, Embed]) -> list[str]:
    rows = [score_bm25(task), score_static_zh(task)]
    for name, embed in embeds.items():
        if name != "static-zh":
            rows.append(score_embeddings(name, task, embed(task.queries, True), embed(task.passages, False)))
    return [f"{'':<28}{'nDCG@10':>9}{'recall@10':>11}", *(row.line() for row in rows)]


def _file_table(data: Sequence[LocalData], models: Sequence[TextEncoder | BM25]) -> list[str]:
    from cmtp.evaluate.tasks import score_local

    lines = [f"{'local file (not C-MTEB)':<34}{'type':<20}{'measure':<18}{_head(models)}"]
    for file in data:
        for kind, measure, values in score_local(file, models):
            lines.append(f"{file.name:<34}{kind:<20}{measure:<18}{_numbers(values)}")
    return lines


def _benchmark_table(benchmark: str, models: Sequence[TextEncoder | BM25]) -> list[str]:
    from cmtp.evaluate.hub import run_benchmark

    lines = [f"{benchmark:<54}{'measure':<18}{_head(models)}"]
    table = []
    for name, measure, values in run_benchmark(models, benchmark):
        lines.append(f"{name:<54}{measure:<18}{_numbers(values)}")
        table.append([np.nan if value is None else value for value in values])
    means = np.array(table).mean(axis=0)
    lines.append(f"{'mean over the tasks':<72}{_numbers([None if np.isnan(m) else m for m in means])}")
    return lines


def _head(models: Sequence[TextEncoder | BM25]) -> str:
    return "".join(f"{model.name:>11}" for model in models)


def _numbers(values: Sequence[float | None]) -> str:
    return "".join(f"{'':>11}" if value is None else f"{value:>11.4f}" for value in values)


def untrained(model: SentenceTransformer) -> SentenceTransformer:
    """The same model with random weights. Its score shows what the shape and the tokens alone are worth."""
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

    def embed(texts: Sequence[str], searching: bool) -> np.ndarray:
        vectors: Any = model.encode(
            list(texts), prompt=prompt if searching else None, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors)

    return embed


def _encoder(name: str) -> Embed:
    encoder = load_encoder(name)
    return lambda texts, searching: encoder.encode(pa.array(texts), "query" if searching else "passage")
