"""Makes batches of rows, in an endless order that depends on the seed alone. Reads Parquet block by block.

The shards' rows are in a seeded random order, so a block of consecutive rows is a fair sample. For each epoch:

1. Read a block and add its rows to those that wait, by group.
2. In each group, shuffle the waiting rows, sort pools of POOL batches by length, and cut batches of `size` rows in
   which no text occurs twice. Rows that do not fill a batch wait for the next block.
3. Mix the batches of all groups; `alpha` says how often each group is drawn.
4. At the end, cut shorter batches from the rows that still wait.

To resume at a step, the order is made again without tokenising. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

import xxhash

from cmtp.errors import CmtpError

POOL = 16
"""Number of batches that are sorted by length together."""


@dataclass(frozen=True, slots=True)
class TrainRow:
    """A query with its passages. For pretraining it is a text alone, as the query."""

    query: str
    pos: tuple[str, ...] = ()
    neg: tuple[str, ...] = ()
    pos_scores: tuple[float, ...] = ()
    neg_scores: tuple[float, ...] = ()
    instruction: str = ""
    in_batch: bool = True
    group: Hashable = ""

    @property
    def length(self) -> int:
        """Characters of the query and the positives, by which rows are sorted."""
        return len(self.query) + sum(map(len, self.pos))


RowBlock = list[TrainRow]
Read = Callable[[int], Iterable[RowBlock]]
"""Gives the blocks of rows of an epoch."""


@dataclass
class Skipped:
    """The rows that are in no batch of the first epoch."""

    alone: int = 0
    """Number of rows without a negative: alone in their group, and without negatives of their own."""
    groups: set[Hashable] = field(default_factory=set)


@dataclass
class TrainBatches:
    """Endless batches; every process of a run gets the same ones.

    Args:
        read: gives an epoch's blocks.
        size: rows per batch over all devices.
        seed: of the order.
        alpha: a group of n batches is drawn in proportion to n^alpha.
        contrastive: whether every query of a batch must have a negative, and no text may occur twice in it.
        smallest: fewest rows of a batch, at least one per device.
        skipped: gets the rows that are in no batch.
    """

    read: Read
    size: int
    seed: int
    alpha: float = 1.0
    contrastive: bool = True
    smallest: int = 1
    skipped: Skipped = field(default_factory=Skipped)

    def __iter__(self) -> Iterator[list[TrainRow]]:
        epoch = 0
        while True:
            batches = 0
            for batch in self.epoch(epoch):
                batches += 1
                yield batch
            if not batches:
                raise CmtpError("no batch can be made of these rows: none has a negative, in the batch or of its own")
            epoch += 1

    def epoch(self, epoch: int) -> Iterator[list[TrainRow]]:
        """The batches of one epoch."""
        waiting: dict[Hashable, list[TrainRow]] = {}
        for number, block in enumerate(self.read(epoch)):
            random = Random(f"{self.seed}/{epoch}/{number}")
            for row in block:
                waiting.setdefault(row.group, []).append(row)
            yield from self._mix(
                {key: self._cut(waiting[key], random, last=False) for key in sorted_keys(waiting)}, random
            )
        random = Random(f"{self.seed}/{epoch}/last")
        rest: dict[Hashable, list[list[TrainRow]]] = {}
        for key in sorted_keys(waiting):
            rest[key] = self._cut(waiting[key], random, last=True)
            if epoch == 0 and waiting[key]:
                self.skipped.alone += len(waiting[key])
                self.skipped.groups.add(key)
        yield from self._mix(rest, random)

    def _cut(self, rows: list[TrainRow], random: Random, *, last: bool) -> list[list[TrainRow]]:
        """Take batches out of `rows`. Rows that fit into none stay there."""
        random.shuffle(rows)
        batches: list[list[TrainRow]] = []
        while len(rows) >= (1 if last else self.size):
            pool, rows[:] = rows[: self.size * POOL], rows[self.size * POOL :]
            pool.sort(key=lambda row: row.length)
            taken, later = self._fill(pool)
            rows.extend(later)
            batches.extend(batch for batch in taken if len(batch) == self.size or last)
            short = [row for batch in taken if len(batch) < self.size and not last for row in batch]
            rows.extend(short)
            if len(short) + len(later) == len(pool):
                break  # what is left cannot fill a batch
        return batches

    def _fill(self, pool: list[TrainRow]) -> tuple[list[list[TrainRow]], list[TrainRow]]:
        """Batches of the pool's rows in their order, without a text twice in one batch, and the rows that were left."""
        batches: list[list[TrainRow]] = []
        while pool:
            batch: list[TrainRow] = []
            seen: set[int] = set()
            later: list[TrainRow] = []
            for position, row in enumerate(pool):
                if len(batch) == self.size:
                    later.extend(pool[position:])
                    break
                texts = {text_hash(text) for text in (row.query, *row.pos)} if self.contrastive else set()
                if texts & seen:
                    later.append(row)
                else:
                    seen |= texts
                    batch.append(row)
            if len(batch) < self.smallest or (self.contrastive and not _comparable(batch)):
                return batches, batch + later
            batches.append(batch)
            pool = later
        return batches, []

    def _mix(self, batches: dict[Hashable, list[list[TrainRow]]], random: Random) -> Iterator[list[TrainRow]]:
        """All batches in a random order. `alpha` says how often each group is drawn."""
        mixed: list[list[TrainRow]] = []
        total = sum(map(len, batches.values()))
        weight = sum(len(group) ** self.alpha for group in batches.values() if group)
        for group in batches.values():
            if not group:
                continue
            wanted = total * len(group) ** self.alpha / weight
            times = int(wanted) + (random.random() < wanted - int(wanted)) if self.alpha < 1 else len(group)
            random.shuffle(group)
            mixed.extend(group[i % len(group)] for i in range(times))
        random.shuffle(mixed)
        yield from mixed


def _comparable(batch: list[TrainRow]) -> bool:
    """Whether every query of the batch has a negative."""
    shared = len(batch) > 1 and all(row.in_batch for row in batch)
    return shared or all(row.neg for row in batch)


def sorted_keys(groups: dict[Hashable, Any]) -> list[Hashable]:
    """Keys in the same order in every process, which a set of strings does not have."""
    return sorted(groups, key=str)


def text_hash(text: str) -> int:
    """Signed 64-bit xxh3 of a text. Texts with equal hashes count as the same."""
    return xxhash.xxh3_64_intdigest(text.encode()) - 2**63


def own_slice(batch: list[TrainRow], rank: int, world: int) -> list[TrainRow]:
    """The rows of a batch that a device gets: consecutive ones. The devices' numbers of rows differ by at most one."""
    return batch[len(batch) * rank // world : len(batch) * (rank + 1) // world]


def from_step(batches: TrainBatches, step: int) -> Iterator[list[TrainRow]]:
    """The batches from a step on."""
    return islice(iter(batches), step, None)
