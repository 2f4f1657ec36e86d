"""C-MTEB through mteb, where there is a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmtp.errors import CmtpError, UsageError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def run_benchmark(model: SentenceTransformer, name: str, instruction: str, out: Path | None = None) -> dict[str, float]:
    """Score a model on a benchmark of the hub, with the instruction on the queries of retrieval and reranking.

    Returns:
        Main score per task.

    Raises:
        UsageError: mteb is not installed, or there is no such benchmark.
        CmtpError: the data cannot be fetched.
    """
    try:
        import mteb
    except ModuleNotFoundError as error:
        raise UsageError("mteb is not installed: pip install 'cmtp[eval]' -c constraints.txt") from error
    try:
        benchmark: Any = mteb.get_benchmark(name)
    except KeyError as error:
        raise UsageError(f"--benchmark {name}: mteb has no such benchmark") from error
    model.prompts = {"query": instruction, "document": ""}
    scores: dict[str, float] = {}
    for task in benchmark.tasks:
        try:
            result = mteb.evaluate(model, task, cache=None)  # its cache knows a model by its name, not its weights
        except (OSError, ConnectionError) as error:
            raise CmtpError(f"{task.metadata.name}: the data cannot be fetched from the hub: {error}") from error
        scores[task.metadata.name] = float(result.task_results[0].get_score())
    return scores
