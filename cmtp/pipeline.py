"""The pipeline: which stages a build has, in their order. To add a stage, write it and give it its line here.

A verdict is final only when the row's rivals are. So screen, encode and score judge all rows first and reject none, and
dedup chooses among the rows that pass. Each of the stages from dedup on rejects rows; filter and similarity write what
was recorded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmtp.dedup.stage import DedupStage
from cmtp.engine.stage import Stage
from cmtp.extract.stage import ExtractStage
from cmtp.filters.screen import ScreenStage
from cmtp.filters.stage import FilterStage
from cmtp.mining.stage import MineEncodeStage, MineStage
from cmtp.shards.eval_stage import EvalStage
from cmtp.shards.mixture import MixtureStage
from cmtp.shards.stage import ShardStage
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.score import ScoreStage
from cmtp.similarity.stage import SimilarityStage
from cmtp.sources.discover import RawFile


def stages_over(files: Sequence[RawFile], strict: bool = False) -> tuple[Stage[Any], ...]:
    """The stages of a build of these files.

    Args:
        files: what the first stage reads.
        strict: whether the first broken record ends the build.
    """
    return (
        ExtractStage(files, strict),
        ScreenStage(),
        EncodeStage(),
        ScoreStage(),
        DedupStage(),
        FilterStage(),
        SimilarityStage(),
        EvalStage(),
        MixtureStage(),
        MineEncodeStage(),
        MineStage(),
        ShardStage(),
    )


PIPELINE = stages_over(())
"""The stages, made without files: for their names and their settings."""

ENDS = tuple(stage.name for stage in PIPELINE if stage.decides)
"""Stages that a build may end with."""
