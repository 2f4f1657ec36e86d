"""The lines that a run prints, and the checks that stop it: no negatives, a loss that is NaN, infinite or constant."""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cmtp.errors import CmtpError
from cmtp.train.batches import TrainBatches, TrainRow

CONSTANT_LOGS = 5
"""A loss that is the same on this number of log lines is constant."""


def negatives_of(batch: list[TrainRow]) -> float:
    """Negatives per query of a batch. Includes texts that the loss will leave out because they are equal."""
    passages = sum(len(row.pos) + len(row.neg) for row in batch if row.in_batch)
    total = 0
    for row in batch:
        total += passages - len(row.pos) if row.in_batch else len(row.neg)
    return total / len(batch)


def announce(stage: str, batches: TrainBatches, steps: int) -> str:
    """A line about a contrastive stage before it starts: steps, queries, negatives, chance level of its first batches.

    Raises:
        CmtpError: the queries have no negatives, so that the loss would be 0 in every step.
    """
    first = list(islice(iter(batches), 16))
    negatives = sum(map(negatives_of, first)) / len(first)
    if negatives <= 0:
        raise CmtpError(f"{stage}: no query has a negative; nothing can be learned. Larger batches or within: all help")
    rows = sum(map(len, first)) / len(first)
    chance = sum(math.log(1 + negatives_of(batch)) for batch in first) / len(first)
    text = f"{stage}: {steps:,} steps, {rows:.0f} queries per batch, {negatives:.1f} negatives per query; "
    return text + f"loss at chance level {chance:.2f}"


class Lines(TrainerCallback):
    """Prints a line for each entry of the log, in the first process."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.started = time.perf_counter()
        self.first_step = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock."""
        self.started, self.first_step = time.perf_counter(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Print step, loss, the loss's own numbers and the time that is left."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        per_step = (time.perf_counter() - self.started) / max(1, state.global_step - self.first_step)
        shown = [f"{name} {float(logs[name]):.4g}" for name in logs if name not in ("epoch", "loss", "step")]
        left = per_step * (state.max_steps - state.global_step)
        text = f"{self.stage} {state.global_step:,}/{state.max_steps:,}  loss {float(logs['loss']):.4f}  "
        print(f"{text}{'  '.join(shown)}  {left:.0f} s left", flush=True)


class Guard(TrainerCallback):
    """Stops a run with a reason when the loss is NaN, infinite or constant."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.losses: list[float] = []

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Check a logged loss."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        step = state.global_step
        if not math.isfinite(loss):
            raise CmtpError(
                f"{self.stage}: the loss is {loss} at step {step}. A lower learning rate or precision: fp32 is the "
                "usual cure; the last checkpoint is intact"
            )
        self.losses.append(loss)
        last = self.losses[-CONSTANT_LOGS:]
        if len(last) == CONSTANT_LOGS and max(last) - min(last) < 1e-7:
            first = step - (CONSTANT_LOGS - 1) * args.logging_steps
            raise CmtpError(
                f"{self.stage}: the loss has been {loss:.6f} from step {first} "
                f"to {step}: nothing is learned. {self._reason(loss)}"
            )

    def _reason(self, loss: float) -> str:
        if loss == 0:
            return "A loss of 0 means queries without negatives, or a corpus that is learned by heart"
        return "The learning rate may be 0, or all texts look the same to the model"
