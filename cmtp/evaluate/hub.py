"""Scores models on C-MTEB, through mteb. Needs a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import mteb

from cmtp.errors import CmtpError, UsageError
from cmtp.evaluate.tasks import BM25, SEARCHING, TextEncoder


def run_benchmark(models: Sequence[TextEncoder | BM25], name: str) -> Iterator[tuple[str, str, list[float | None]]]:
    """Score models on a benchmark of the hub, with the instruction on the queries of retrieval and reranking.

    Yields:
        Name of a task, mteb's main measure, and a value per model (None: the model cannot do the task).

    Raises:
        UsageError: mteb has no such benchmark.
        CmtpError: the data cannot be fetched.
    """
    try:
        benchmark: Any = mteb.get_benchmark(name)
    except KeyError as error:
        raise UsageError(f"--benchmark {name}: mteb has no such benchmark") from error
    for task in benchmark.tasks:
        values: list[float | None] = []
        for model in models:
            if isinstance(model, BM25) and task.metadata.type not in SEARCHING:
                values.append(None)
                continue
            try:
                # no cache: mteb knows a model by its name, not its weights
                result = mteb.evaluate(cast(Any, model), task, cache=None)
            except OSError as error:
                raise CmtpError(f"{task.metadata.name}: the data cannot be fetched from the hub: {error}") from error
            values.append(float(result.task_results[0].get_score()))
        yield task.metadata.name, task.metadata.main_score, values
