"""Compares hard negatives: builds of the same pairs that were mined in different ways.

1. Train a table of token vectors on the pairs, as in the probe.
2. For each build, train a copy of it on the rows of finetune/ with the build's negatives. Rows, batches, steps and
   seeds are the same, so only the negatives differ.
3. Score the copies on held-out documents, and compare each with the first.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

import numpy as np

from cmtp.errors import UsageError
from cmtp.evaluate.probe import ProbeSettings, score_model, train_pairs, train_static, train_tokenizer, use_all_cores
from cmtp.scoring.measures import bootstrap, interval_text
from cmtp.shards.held_out import RetrievalTask, retrieval_task
from cmtp.train.batches import RowBlock, TrainBatches, TrainRow
from cmtp.train.settings import FinetuneSettings
from cmtp.train.shards import Corpus

RANDOM = "random"
"""Stands for a folder: the rows of the first build, with random passages of each row's source as negatives."""


@dataclass(frozen=True)
class Finetuning:
    """Settings of step 2."""

    steps: int = 200
    batch: int = 128
    negatives: int = 4
    """Negatives per query, drawn from those of its row."""
    learning_rate: float = 0.005
    in_batch: bool = True
    """Whether the passages of the other rows of a batch are negatives too."""


def compare_negatives(arms: Mapping[str, str], pairs: ProbeSettings, settings: Finetuning) -> str:
    """Finetune on the negatives of each arm and compare the arms.

    Args:
        arms: folder of a build, or RANDOM, by name. The others are compared with the first, and its held-out documents
            are searched. All must have been mined from the same pairs.
        pairs: settings of step 1, the probe's.
        settings: settings of step 2.

    Returns:
        A table: nDCG@10 before finetuning and with each arm's negatives, differences with 95 % intervals.

    Raises:
        UsageError: the arms have no rows in common.
    """
    use_all_cores()
    first = next(iter(arms.values()))
    task = retrieval_task(first, pairs.held_out, pairs.max_queries, pairs.max_pool)
    tokenizer = train_tokenizer(first, pairs)
    rows, _ = train_pairs(first, task, pairs)
    tables = {
        name: arm_rows(first if folder == RANDOM else folder, task, pairs, settings) for name, folder in arms.items()
    }
    for name, folder in arms.items():
        if folder == RANDOM:
            tables[name] = with_random(tables[name], settings.negatives, pairs.held_seed)
    common = set.intersection(*(set(table) for table in tables.values()))
    if len(common) < settings.batch:
        raise UsageError(f"the arms have {len(common)} finetune rows in common: were they mined from the same pairs?")
    before: list[np.ndarray] = []
    after: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    for seed in range(pairs.seeds):
        start = train_static(rows, tokenizer, pairs, seed)
        before.append(score_model(str(seed), start, task, pairs).ndcg)
        for name, table in tables.items():
            model = copy.deepcopy(start)
            finetune(model, [table[key] for key in sorted(common)], pairs, settings, seed)
            after[name].append(score_model(str(seed), model, task, pairs).ndcg)
    scores = {"before finetuning": np.stack(before)} | {name: np.stack(values) for name, values in after.items()}
    base = scores[next(iter(arms))]
    lines = [
        f"{len(task.queries):,} queries over {len(task.passages):,} passages; {len(common):,} rows with "
        f"{settings.negatives} negatives, {settings.steps:,} steps of {settings.batch}, {pairs.seeds} seeds",
        f"{'negatives':<28}{'nDCG@10':>9}  nDCG@10 minus the first",
    ]
    for name, values in scores.items():
        text = f"{name:<28}{values.mean():>9.4f}"
        lines.append(text if values is base else f"{text}  {interval_text(bootstrap(values, base))}")
    return "\n".join(lines)


def arm_rows(
    shards: str, task: RetrievalTask, pairs: ProbeSettings, settings: Finetuning
) -> dict[tuple[str, str], TrainRow]:
    """The finetune rows of a build with enough negatives, without the held-out documents, by query and positive."""
    corpus = Corpus(shards, pairs.held_out)
    wanted = FinetuneSettings(negatives=settings.negatives, instruction=False, within="source")
    task_queries = set(task.queries)
    return {
        (row.query, row.pos[0]): row
        for block in corpus.finetune(wanted, 0, pairs.held_seed)
        for row in block
        if len(row.neg) == settings.negatives and row.query not in task_queries
    }


def with_random(rows: dict[tuple[str, str], TrainRow], negatives: int, seed: int) -> dict[tuple[str, str], TrainRow]:
    """The rows with other negatives: seeded random positives of other rows of the same source."""
    pools: dict[object, list[str]] = {}
    for row in rows.values():
        pools.setdefault(row.group, []).append(row.pos[0])
    pools = {group: sorted(set(pool)) for group, pool in pools.items()}
    replaced = {}
    for key, row in rows.items():
        pool = pools[row.group]
        if len(pool) > negatives:
            drawn = Random(f"{seed}/{key[0]}/{key[1]}").sample(pool, negatives + 1)  # one may be the row's own
            replaced[key] = replace(row, neg=tuple([text for text in drawn if text not in row.pos][:negatives]))
    return replaced


def finetune(model: object, rows: Sequence[TrainRow], pairs: ProbeSettings, settings: Finetuning, seed: int) -> None:
    """Train `model` in place on rows that have hard negatives: Adam, with a learning rate that falls linearly."""
    import torch
    from sentence_transformers import SentenceTransformer

    from cmtp.train.contrastive import InfoNCE
    from cmtp.train.trainers import pair_labels

    assert isinstance(model, SentenceTransformer)
    cut = [
        replace(
            row,
            pos=tuple(text[: pairs.characters] for text in row.pos),
            neg=tuple(text[: pairs.characters] for text in row.neg),
            in_batch=settings.in_batch,
            group="",
        )
        for row in rows
    ]

    def read(epoch: int) -> Iterator[RowBlock]:
        return iter([list(cut)])

    loss = InfoNCE(model, 1 / pairs.scale, chunk=sys.maxsize)  # a batch of token tables fits into memory
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, settings.steps)
    for batch in islice(iter(TrainBatches(read, settings.batch, seed)), settings.steps):
        queries, passages, labels = pair_labels(batch, 0)
        optimizer.zero_grad()
        loss([model.preprocess(queries), model.preprocess(passages)], labels).backward()
        optimizer.step()
        schedule.step()
