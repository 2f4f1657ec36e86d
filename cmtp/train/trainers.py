"""The trainers of transformers and sentence-transformers, with this package's batches, repeatable bit by bit.

Both get three additions: a loader that starts at any step; a seed per step, so that a resumed run draws the same masks
and dropout; and further measures of the loss in the log. Their checkpoints stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import safetensors.torch
import torch
from sentence_transformers import SentenceTransformerTrainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainerControl, TrainerState
from transformers import TrainingArguments as Arguments

from cmtp.train.batches import TrainBatches, TrainRow, from_step, own_slice, text_hash
from cmtp.train.running_means import RunningMeans

WEIGHTS = "model.safetensors"

Collate = Callable[[list[TrainRow], int], dict[str, Tensor]]
"""Rows of this device and the number of rows before them in the batch, to tensors."""


class BatchStream(IterableDataset[dict[str, Tensor]]):
    """The rows of a run that this device gets, batch by batch, as tensors.

    Args:
        batches: of all devices.
        steps: the steps to give batches for.
        rank: number of this device, from 0.
        world: number of devices.
        collate: makes tensors of rows.
    """

    def __init__(self, batches: TrainBatches, steps: range, rank: int, world: int, collate: Collate) -> None:
        self.batches, self.steps, self.rank, self.world, self.collate = batches, steps, rank, world, collate

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        stream = from_step(self.batches, self.steps.start)
        for step, batch in zip(self.steps, stream, strict=False):
            if (step - self.steps.start) % workers == number:  # the loader takes workers in turn, so the order stays
                yield self.collate(own_slice(batch, self.rank, self.world), len(batch) * self.rank // self.world)


def text_collate(tokenizer: PreTrainedTokenizerBase, length: int) -> Collate:
    """For stage 1: tokens, attention mask, and whether each token is special."""

    def collate(rows: list[TrainRow], before: int) -> dict[str, Tensor]:
        tokens = tokenizer(
            [row.query for row in rows],
            max_length=length,
            truncation=True,
            padding=True,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        special = tokens["special_tokens_mask"].bool() | (tokens["attention_mask"] == 0)
        return {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"], "special": special}

    return collate


def pair_labels(rows: list[TrainRow], before: int) -> tuple[list[str], list[str], dict[str, Tensor]]:
    """Texts of the queries and of all their passages, and the labels by which the loss finds positives and negatives.

    Args:
        rows: this device's rows of a batch.
        before: number of rows of the batch on the devices before this one.

    Returns:
        [q] queries with their instructions, [p] passages, and the labels: [q] ``query_row`` (number in the whole
        batch), ``query_text``, ``positive_text`` (hashes), ``in_batch``; [p] ``passage_row`` (of its query),
        ``passage_text``, ``passage_positive``, ``passage_query_text``, ``passage_in_batch`` and ``passage_score`` (NaN
        where there is none).
    """
    passages = [(i, text, True) for i, row in enumerate(rows) for text in row.pos]
    passages += [(i, text, False) for i, row in enumerate(rows) for text in row.neg]
    scores = [score for row in rows for score in row.pos_scores or [float("nan")] * len(row.pos)]
    scores += [score for row in rows for score in row.neg_scores or [float("nan")] * len(row.neg)]
    owners = torch.tensor([i for i, _, _ in passages])
    query_text = torch.tensor([text_hash(row.query) for row in rows])
    in_batch = torch.tensor([row.in_batch for row in rows])
    labels = {
        "query_row": torch.arange(before, before + len(rows)),
        "query_text": query_text,
        "positive_text": torch.tensor([text_hash(row.pos[0]) for row in rows]),
        "in_batch": in_batch,
        "passage_row": owners + before,
        "passage_text": torch.tensor([text_hash(text) for _, text, _ in passages]),
        "passage_positive": torch.tensor([positive for _, _, positive in passages]),
        "passage_query_text": query_text[owners],
        "passage_in_batch": in_batch[owners],
        "passage_score": torch.tensor(scores, dtype=torch.float32),
    }
    return [row.instruction + row.query for row in rows], [text for _, text, _ in passages], labels


def pair_collate(tokenizer: PreTrainedTokenizerBase, query_length: int, passage_length: int) -> Collate:
    """For stages 2 and 3: tokens of the queries and of all their passages, and the labels of `pair_labels`."""

    def collate(rows: list[TrainRow], before: int) -> dict[str, Tensor]:
        queries, passages, labels = pair_labels(rows, before)
        batch: dict[str, Tensor] = {}
        for side, texts, length in (("query", queries, query_length), ("passage", passages, passage_length)):
            tokens = tokenizer(texts, max_length=length, truncation=True, padding=True, return_tensors="pt")
            batch[f"{side}_input_ids"] = tokens["input_ids"]
            batch[f"{side}_attention_mask"] = tokens["attention_mask"]
        return batch | {f"label_{name}": value for name, value in labels.items()}

    return collate


class StepSeed(TrainerCallback):
    """Seeds every step by its number, so that a resumed run draws what an uninterrupted run would have drawn."""

    def __init__(self, seed: int, rank: int) -> None:
        self.seed, self.rank = seed, rank

    def on_step_begin(self, args: Arguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Before the forward pass."""
        torch.manual_seed((self.seed * 1_000_003 + state.global_step) * 4099 + self.rank)


class Streamed:
    """Mixin of a trainer: reads a `BatchStream`, counts what it reads, and logs further measures of the loss."""

    stream: BatchStream
    loader_workers: int
    """Processes that tokenise ahead; 0: this process tokenises."""
    numbers: RunningMeans
    """Further measures of the loss."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.counts: dict[str, int | Tensor] = {"rows": 0, "tokens": 0}
        """Rows and tokens of this device so far. Tensors stay on their device, so that no step waits for them."""

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """A loader of the stream. The stream has this device's rows alone, so accelerate must not divide them again."""
        generator = torch.Generator().manual_seed(0)  # else the loader draws from the global one, where we resume
        return DataLoader(
            self.stream,
            batch_size=None,
            num_workers=self.loader_workers,
            generator=generator,
            # the stream holds functions that cannot be pickled, as other ways to start a process would
            multiprocessing_context="fork" if self.loader_workers else None,
        )

    def training_step(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Count the batch, and train on it."""
        rows = next(iter(inputs.values()))  # tokens of the texts or queries, one row each
        self.counts["rows"] += len(rows)
        for name, value in inputs.items():
            if name.endswith("attention_mask"):
                self.counts["tokens"] = self.counts["tokens"] + value.sum()
        loss: Tensor = super().training_step(model, inputs, *args, **kwargs)  # type: ignore[misc]
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the further measures of the loss."""
        if "loss" in logs:
            logs = logs | self.numbers.take()
        super().log(logs, *args, **kwargs)  # type: ignore[misc]


class TextTrainer(Streamed, Trainer):
    """Stage 1: the model computes its own loss."""

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """L_enc + L_dec."""
        loss: Tensor = model(**inputs)
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write weights that two modules share only once."""
        folder = output_dir or self.args.output_dir or ""
        os.makedirs(folder, exist_ok=True)
        safetensors.torch.save_model(cast(nn.Module, self.model), os.path.join(folder, WEIGHTS))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        safetensors.torch.load_model(cast(nn.Module, self.model), os.path.join(resume_from_checkpoint, WEIGHTS))


class PairTrainer(Streamed, SentenceTransformerTrainer):
    """Stages 2 and 3: sentence-transformers' trainer with `InfoNCE`."""

    def collect_features(self, inputs: dict[str, Any]) -> tuple[list[dict[str, Tensor]], Any]:
        """Tokens of queries and passages, and the labels of `pair_labels`."""
        features = [
            {name: inputs[f"{side}_{name}"] for name in ("input_ids", "attention_mask")}
            for side in ("query", "passage")
        ]
        labels = {name.removeprefix("label_"): value for name, value in inputs.items() if name.startswith("label_")}
        return features, labels
