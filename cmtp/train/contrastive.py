"""InfoNCE over a batch of any size, stages 2 and 3.

GradCache (Gao et al. 2021, arXiv 2101.06983) comes from sentence-transformers. Its `CachedLossMixin`

1. embeds the texts chunk by chunk without a graph,
2. asks `calculate_loss` for the gradients of the embeddings,
3. embeds the chunks again, with a graph, and passes the gradients on.

This module has the loss. It decides which passages are negatives of which query, over all devices.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from cmtp.train.running_means import RunningMeans

ROWS = 1024
"""Queries that are scored with all passages at a time; bounds the memory."""


class InfoNCE(CachedLossMixin, nn.Module):
    """Softmax of the positive against its own negatives and, where allowed, every other passage of the batch.

    A passage never counts as a negative of a query if it is the same text as the query or its positive, or is a
    positive of another row with the same query. Texts with equal hashes are the same.

    Args:
        model: gives vectors as ``sentence_embedding``.
        temperature: divides the cosines.
        chunk: texts per forward pass; a larger batch goes through GradCache.
        dimensions: shorter lengths of the vectors for which the loss is added up too (Matryoshka, arXiv 2205.13147).
        distill: weight of the divergence from the teacher's scores; 0: off.
        distill_temperature: divides the teacher's scores.
    """

    def __init__(
        self,
        model: nn.Module,
        temperature: float,
        chunk: int,
        dimensions: Sequence[int] = (),
        distill: float = 0.0,
        distill_temperature: float = 0.05,
    ) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.mini_batch_size = chunk
        self.dimensions = tuple(dimensions)
        self.distill = distill
        self.distill_temperature = distill_temperature
        self.numbers = RunningMeans()

    def forward(self, features: Sequence[dict[str, Tensor]], labels: dict[str, Tensor]) -> Tensor:
        """Loss of a batch.

        Args:
            features: tokens of the queries and of the passages.
            labels: see `collate` in cmtp.train.trainers.
        """
        features = list(features)
        if _world()[0] == 1 and all(len(feature["input_ids"]) <= self.mini_batch_size for feature in features):
            reps = [[self.model(dict(feature))["sentence_embedding"]] for feature in features]
            return self.calculate_loss(reps, labels)
        return self.forward_cached(features, labels)  # type: ignore[arg-type]

    def calculate_loss(  # type: ignore[override]
        self, reps: list[list[Tensor]], labels: dict[str, Tensor], *, with_backward: bool = False
    ) -> Tensor:
        """Loss from the vectors of this device's texts: the mean over the queries of all devices.

        With DDP, which averages the gradients over devices, each device's share is multiplied by their number.
        """
        local = [torch.cat(reps[0]), torch.cat(reps[1])]
        whole = gather_devices({"query": local[0], **_per_query(labels)})
        pool = gather_devices({"passage": local[1], **_per_passage(labels)})
        world, rank = _world()
        own, queries = torch.nonzero(whole["rank"] == rank).flatten(), len(whole["query"])
        if with_backward:
            # gradients are summed at these leaves and passed on once: devices have different numbers of chunks
            whole["query"] = whole["query"].detach().requires_grad_()
            pool["passage"] = pool["passage"].detach().requires_grad_()
        total = torch.zeros((), dtype=torch.float64, device=own.device)
        counts = torch.zeros(2, device=own.device)
        for start in range(0, len(own), ROWS):
            loss, negatives, right = self._rows(whole, pool, own[start : start + ROWS])
            loss = loss * world / queries
            counts += torch.stack([negatives, right])
            if with_backward:
                loss.backward()
                loss = loss.detach()
            total = total + loss
        if with_backward:
            ends = (whole["query"], whole["rank"] == rank), (pool["passage"], pool["rank"] == rank)
            for reached, (leaf, mine) in zip(local, ends, strict=True):
                assert leaf.grad is not None
                if world > 1:
                    distributed.all_reduce(leaf.grad)
                reached.backward(leaf.grad[mine])
        mean = counts / len(own)
        self.numbers.add(negatives=mean[0], chance_loss=mean[0].log1p(), accuracy=mean[1])
        return total.to(whole["query"].dtype if whole["query"].dtype == torch.float64 else torch.float32)

    def _rows(self, whole: dict[str, Tensor], pool: dict[str, Tensor], rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sum of the losses of some queries, their number of negatives, and how many rank the positive first."""
        query = {name: value[rows] for name, value in whole.items()}
        owned = query["row"][:, None] == pool["row"][None, :]
        positive = owned & pool["positive"][None, :]
        same = pool["text"][None, :] == query["text"][:, None]
        same |= pool["text"][None, :] == query["positive_text"][:, None]
        same |= (pool["query_text"][None, :] == query["text"][:, None]) & pool["positive"][None, :]
        shared = query["in_batch"][:, None] & pool["in_batch"][None, :] & ~same
        candidates = positive | (owned & ~same) | shared
        target = positive.int().argmax(dim=1)
        loss = torch.zeros((), dtype=torch.float64, device=rows.device)
        full = whole["query"].shape[1]
        for dimension in (full, *(d for d in self.dimensions if d < full)):
            left, right = (F.normalize(_wide(x[:, :dimension]), dim=1) for x in (query["query"], pool["passage"]))
            scores = (left @ right.T / self.temperature).masked_fill(~candidates, -torch.inf)
            loss = loss + F.cross_entropy(scores, target, reduction="sum")
            if self.distill:
                loss = loss + self.distill * self._divergence(scores, owned & candidates, pool["score"])
            if dimension == full:
                first = (scores.argmax(dim=1) == target).sum().float()
        return loss, (candidates.sum() - len(rows)).float(), first

    def _divergence(self, scores: Tensor, owned: Tensor, teacher: Tensor) -> Tensor:
        """Sum of KL(teacher ‖ student) over the queries' own passages. Rows without scores add nothing."""
        known = owned & ~teacher.isnan()[None, :]
        usable = known.sum(dim=1) > 1
        wanted = teacher.nan_to_num()[None, :].expand_as(scores) / self.distill_temperature
        target = wanted.masked_fill(~known, -torch.inf)[usable].log_softmax(dim=1)
        student = scores.masked_fill(~known, -torch.inf)[usable].log_softmax(dim=1)
        difference = (target - student).masked_fill(~known[usable], 0.0)  # before the product: 0 × (-inf + inf) is NaN
        return (target.exp() * difference).sum()


def _wide(x: Tensor) -> Tensor:
    """The tensor in at least float32: in bf16 a softmax at temperature 0.01 would have two digits."""
    return x if x.dtype == torch.float64 else x.float()


def _per_query(labels: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {"row": "query_row", "text": "query_text", "positive_text": "positive_text", "in_batch": "in_batch"}
    chosen = {name: labels[label] for name, label in names.items()}
    chosen["rank"] = torch.full_like(chosen["row"], _world()[1])
    return chosen


def _per_passage(labels: dict[str, Tensor]) -> dict[str, Tensor]:
    names = ("row", "text", "positive", "query_text", "in_batch", "score")
    chosen = {name: labels[f"passage_{name}"] for name in names}
    chosen["rank"] = torch.full_like(chosen["row"], _world()[1])
    return chosen


def _world() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size(), distributed.get_rank()
    return 1, 0


def gather_devices(rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """Concatenate the rows of all devices, in the order of their ranks. No gradient flows back.

    Args:
        rows: [n, ...] tensors by name; n may differ from device to device.
    """
    world, _ = _world()
    if world == 1:
        return rows
    count = torch.tensor(len(next(iter(rows.values()))), device=next(iter(rows.values())).device)
    counts = [torch.zeros_like(count) for _ in range(world)]
    distributed.all_gather(counts, count)
    lengths = [int(n) for n in counts]
    most = max(lengths)
    whole: dict[str, Tensor] = {}
    for name, value in rows.items():
        kind = value.dtype
        sent = value.detach().to(torch.uint8) if kind == torch.bool else value.detach()
        padded = torch.cat([sent, sent.new_zeros(most - len(sent), *sent.shape[1:])])
        parts = [torch.zeros_like(padded) for _ in range(world)]
        distributed.all_gather(parts, padded)
        whole[name] = torch.cat([part[:n] for part, n in zip(parts, lengths, strict=True)]).to(kind)
    return whole
