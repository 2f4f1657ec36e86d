"""The probe: measures how much a small encoder learns from a build. A build and seed take a minute on one core.

The encoder is sentence-transformers' StaticEmbedding, a table of token vectors. It starts from random numbers and is
trained on pairs/ with in-batch negatives.

1. Make a retrieval task of the held-out documents of the first build, and a tokenizer of its other documents.
2. For each build, leave out training pairs that copy a text of the task, so that no build gains by its duplicates.
3. Train one encoder per build and seed, with the same tokenizer, steps and batch size, and score it on the task.
4. Compare each build with the first by a paired bootstrap over queries and seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmtp.errors import UsageError
from cmtp.evaluate.overlap import Copies
from cmtp.scoring.baselines import RetrievalScore, score_bm25, score_embeddings, score_static_zh
from cmtp.scoring.measures import bootstrap, interval_text
from cmtp.shards.held_out import RetrievalTask, Split, build_split, read_pairs, retrieval_task
from cmtp.threads import usable_cores
from cmtp.train.batches import RowBlock, TrainBatches, TrainRow

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

BLOCK_PAIRS = 65_536
"""Pairs shuffled together."""


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of a probe."""

    seeds: int = 3
    steps: int = 300
    batch: int = 512
    """Rows per step, of all sources together."""
    dimension: int = 256
    learning_rate: float = 0.05
    scale: float = 20.0
    """Inverse temperature."""
    vocabulary: int = 16_000
    characters: int = 256
    """Characters of a passage that are read, from its start."""
    share: float = 0.1
    """Held-out share of the documents."""
    held_seed: int = 1
    max_queries: int = 1000
    max_pool: int = 20_000

    @property
    def held_out(self) -> Split:
        """The held-out documents, if the builds have held out none themselves."""
        return Split(self.share, self.held_seed)


@dataclass(frozen=True)
class ProbeResult:
    """A build's scores."""

    name: str
    pairs: int
    """Training pairs outside the held-out documents, without copies."""
    copies: int
    """Pairs left out because they copy a text of the task."""
    scores: list[RetrievalScore]
    """[s] one per seed."""

    @property
    def ndcg(self) -> np.ndarray:
        """[s, q] nDCG@10."""
        return np.stack([score.ndcg for score in self.scores])


def compare_builds(shards: Sequence[str], settings: ProbeSettings) -> str:
    """Probe builds and compare each with the first.

    Args:
        shards: output folders of builds.
        settings: of the probe.

    Returns:
        A table: nDCG@10 and recall@10 of each build, and its difference from the first with a 95 % interval.

    Raises:
        UsageError: the builds hold out different documents.
    """
    if len({build_split(build) for build in shards}) > 1:
        raise UsageError("the builds have held out different documents themselves (eval in their recipes)")
    use_all_cores()
    task = retrieval_task(shards[0], settings.held_out, settings.max_queries, settings.max_pool)
    tokenizer = train_tokenizer(shards[0], settings)
    outcomes = [probe_build(build, task, tokenizer, settings) for build in shards]
    lines = [
        f"held-out documents of {Path(shards[0]).name}: {len(task.queries):,} queries over "
        f"{len(task.passages):,} passages; {settings.steps:,} steps of {settings.batch}, {settings.seeds} seeds",
        f"{'':<28}{'pairs':>10}{'copies':>8}{'nDCG@10':>9}{'recall@10':>11}  nDCG@10 minus the first",
    ]
    for row in (score_bm25(task), score_static_zh(task)):
        lines.append(f"{row.name:<28}{'':>10}{'':>8}{row.ndcg.mean():>9.4f}{row.recall.mean():>11.4f}")
    for outcome in outcomes:
        recall = np.mean([score.recall.mean() for score in outcome.scores])
        text = f"{outcome.name:<28}{outcome.pairs:>10,}{outcome.copies:>8,}{outcome.ndcg.mean():>9.4f}{recall:>11.4f}"
        if outcome is not outcomes[0]:
            text += "  " + interval_text(bootstrap(outcome.ndcg, outcomes[0].ndcg))
        lines.append(text)
    return "\n".join(lines)


def train_tokenizer(shards: str, settings: ProbeSettings) -> Tokenizer:
    """Byte-pair encoding of a sample of the build: for Chinese, characters and frequent words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    frame = read_pairs(shards, ["query", "passage"], settings.held_out, held_out=False).head(20_000)
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary, special_tokens=["[UNK]"], show_progress=False, max_token_length=4
    )
    tokenizer.train_from_iterator(
        [*frame["query"], *(text[: settings.characters] for text in frame["passage"])], trainer
    )
    return tokenizer


def use_all_cores() -> None:
    """Undo the limit of one thread that the command line sets for worker processes. There are none here."""
    import torch

    torch.set_num_threads(usable_cores())


def probe_build(shards: str, task: RetrievalTask, tokenizer: Tokenizer, settings: ProbeSettings) -> ProbeResult:
    """Train and score one encoder per seed."""
    rows, copies = train_pairs(shards, task, settings)
    scores = []
    for seed in range(settings.seeds):
        model = train_static(rows, tokenizer, settings, seed)
        scores.append(score_model(str(seed), model, task, settings))
    return ProbeResult(Path(shards).name, len(rows), copies, scores)


def train_pairs(shards: str, task: RetrievalTask, settings: ProbeSettings) -> tuple[list[TrainRow], int]:
    """The pairs of a build without held-out documents and copies of the task's texts, and the number of copies."""
    frame = read_pairs(shards, ["query", "passage"], settings.held_out, held_out=False)
    passages = [text[: settings.characters] for text in frame["passage"]]
    copies = Copies(task.passages[: task.held_out]).copied(passages)
    task_queries = set(task.queries)
    rows = [
        TrainRow(query, (passage,))
        for query, passage, copied in zip(frame["query"], passages, copies, strict=True)
        if not copied and query not in task_queries
    ]
    return rows, len(frame) - len(rows)


def score_model(name: str, model: SentenceTransformer, task: RetrievalTask, settings: ProbeSettings) -> RetrievalScore:
    """Score a static model on a task. Passages are cut as in training."""
    queries = model.encode(task.queries, normalize_embeddings=True, show_progress_bar=False)
    passages = model.encode(
        [text[: settings.characters] for text in task.passages], normalize_embeddings=True, show_progress_bar=False
    )
    return score_embeddings(name, task, np.asarray(queries), np.asarray(passages))


def train_static(rows: list[TrainRow], tokenizer: Tokenizer, settings: ProbeSettings, seed: int) -> SentenceTransformer:
    """Train a StaticEmbedding with Adam and a learning rate that falls linearly."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    def read(epoch: int) -> Iterator[RowBlock]:
        return (rows[start : start + BLOCK_PAIRS] for start in range(0, len(rows), BLOCK_PAIRS))

    torch.manual_seed(seed)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=settings.dimension)], device="cpu")
    loss = MultipleNegativesRankingLoss(model, scale=settings.scale)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, settings.steps)
    for batch in islice(iter(TrainBatches(read, settings.batch, seed)), settings.steps):
        texts = [row.query for row in batch], [row.pos[0] for row in batch]
        features = [model.preprocess(side) for side in texts]
        optimizer.zero_grad()
        loss(features, None).backward()
        optimizer.step()
        schedule.step()
    return model
