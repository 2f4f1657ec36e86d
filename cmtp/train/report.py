"""training.json beside a trained model: the data that it was trained on, and the documents that it has not seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmtp.errors import UsageError
from cmtp.shards.held_out import Split, build_split, manifest_sha256

REPORT = "training.json"
"""File name in the model's folder."""


@dataclass(frozen=True)
class TrainedOn:
    """The data of a training run, as its report says."""

    manifest_sha256: str
    """Checksum of the manifest of the build that the model was trained on."""
    held_out: Split
    """The documents of that build that no stage has seen."""
    max_queries: int
    """Most queries of the retrieval task that scored the model at the end of the run."""
    max_pool: int
    """Most passages of that task."""


def read_trained_on(model: str, shards: str) -> TrainedOn | None:
    """The data that a model was trained on.

    Args:
        model: folder of a model.
        shards: the build that it will be scored on. Older reports do not name the documents that the build itself held
            out. If the model was trained on this build, its manifest names them.

    Returns:
        None for a model that has no report: a name on the hub, or a model of another trainer.

    Raises:
        UsageError: the report cannot be read.
    """
    path = Path(model) / REPORT
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        digest, settings = report["data"]["manifest_sha256"], report["settings"]["eval"]
        split = Split(settings["share"], settings["seed"])
        if named := report.get("held_out"):
            split = Split(named["share"], named["seed"])
        elif digest == manifest_sha256(shards):
            split = build_split(shards) or split
        return TrainedOn(digest, split, settings["max_queries"], settings["max_pool"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a report of `cmtp train` ({type(error).__name__}: {error})") from error


def held_out_report(shards: str, trainer: Split) -> dict[str, Any]:
    """The entry ``held_out`` of a report: share and seed of the documents that no stage saw, and what held them out."""
    by_build = build_split(shards)
    split = by_build or trainer
    return {"share": split.share, "seed": split.seed, "by": "build" if by_build else "trainer"}
