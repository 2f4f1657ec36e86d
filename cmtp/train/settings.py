"""Settings of a training run: a class per stage, and presets in YAML. Unknown names are refused, as in a recipe.

Defaults are the hyper-parameters of C-Pack and RetroMAE, where their sources state them: see docs/training.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmtp.errors import UsageError
from cmtp.settings import Settings
from cmtp.settings_file import load_settings, read_yaml
from cmtp.shards.held_out import Split

TRAIN_STAGES = ("pretrain", "weak", "finetune")
"""The stages in their order."""

PRESETS = ("nano", "small", "base")
"""nano: minutes on a CPU. small: bge-small-zh's shape, 24 M parameters. base: bge-base-zh's shape, 102 M."""

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class ModelSettings(Settings):
    """A BERT from scratch. With --init only `pooling` is used."""

    vocabulary: Positive = 21_128
    """Most WordPiece entries; Chinese BERT has 21,128."""
    layers: Positive = 4
    hidden: Positive = 512
    heads: Positive = 8
    intermediate: Positive = 2048
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    positions: Positive = 512
    """Most tokens of a text."""
    pooling: Literal["cls", "mean"] = "cls"
    """The sentence vector: that of [CLS], as in C-Pack §3.3, or the mean over tokens. The mean learns from far less
    text, but RetroMAE trains the vector of [CLS]."""

    @model_validator(mode="after")
    def _heads(self) -> ModelSettings:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self


class StageSettings(Settings):
    """Settings that all stages have."""

    learning_rate: Rate = 2e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises. After them it falls linearly."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    batch: Positive = 256
    """Texts or queries per step, over all devices."""
    epochs: Rate = 1.0
    max_steps: Positive | None = None
    """Most steps, however many the epochs give; None: no limit."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on a GPU that has it, else fp32. fp16 is not offered, because it overflows at temperature 0.01."""
    checkpoint_steps: Positive = 500
    log_steps: Positive = 50
    loader_workers: Annotated[int, Field(ge=0)] = 0
    """Processes that tokenise ahead; a GPU needs 4 or more."""


class PretrainSettings(StageSettings):
    """Stage 1, RetroMAE."""

    max_length: Positive = 512
    encoder_mask: Annotated[float, Field(gt=0, lt=1)] = 0.3
    decoder_mask: Annotated[float, Field(gt=0, lt=1)] = 0.5


class ContrastiveSettings(StageSettings):
    """Settings that stages 2 and 3 have."""

    temperature: Rate = 0.02
    query_length: Positive = 128
    passage_length: Positive = 128
    chunk: Positive = 64
    """Texts per forward pass; bounds the memory. A larger batch goes through GradCache."""
    within: Literal["source", "task", "all"] = "source"
    """Whether the rows of a batch come from one source, one task, or anywhere. One source gives harder negatives."""
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """A group of n batches is drawn in proportion to n^alpha. 1: by its size. 0: equally often. None: as the build's
    recipe says (``mixture.alpha``), or 1 if it says nothing."""
    no_in_batch: list[str] = []
    """Relations with rows that see only their own negatives, for example those with a few labels as passages."""
    dimensions: list[Positive] = []
    """Matryoshka (arXiv 2205.13147): shorter lengths that are trained too; empty: the full length alone."""


class WeakSettings(ContrastiveSettings):
    """Stage 2, on pairs/."""


class FinetuneSettings(ContrastiveSettings):
    """Stage 3, on finetune/."""

    negatives: Annotated[int, Field(ge=0)] = 1
    """Hard negatives per query and step, drawn again in every epoch; C-Pack took 1."""
    instruction: bool = True
    """Whether a row's instruction is put before its query."""
    distill: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the divergence from the softmax of pos_scores and neg_scores; 0: off."""
    distill_temperature: Rate = 0.05
    """Temperature of the scores' softmax."""
    merge: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the stage-2 weights in the result, against forgetting (LM-Cocktail, arXiv 2311.13534)."""


class HeldOut(Settings):
    """Whole documents that no stage sees, neither in the vocabulary nor in texts, pairs or negatives."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: int = 1
    max_queries: Positive = 1000
    max_pool: Positive = 20_000
    """Most passages searched: those of the held-out documents, then a seeded sample of training passages."""

    @property
    def split(self) -> Split:
        """Share and seed of the held-out documents."""
        return Split(self.share, self.seed)


class TrainSettings(Settings):
    """All settings of a training run."""

    preset: str
    seed: int = 42
    instruction: str = "为这个句子生成表示以用于检索相关文章："
    """The prompt "query" of the model (C-Pack's string). Rows of finetune/ have instructions of their own."""
    model: ModelSettings = ModelSettings()
    pretrain: PretrainSettings = PretrainSettings()
    weak: WeakSettings = WeakSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    eval: HeldOut = HeldOut()


def load_train_settings(preset: str, path: Path | None = None, overrides: list[str] | None = None) -> TrainSettings:
    """A preset, changed by a YAML file and by ``--set STAGE.SETTING=VALUE``, in this order.

    Raises:
        UsageError: unknown preset or setting, unreadable file, impossible value.
    """
    if preset not in PRESETS:
        raise UsageError(f"--preset {preset}: give one of {', '.join(PRESETS)}")
    base = read_yaml(Path(__file__).parent / "presets" / f"{preset}.yaml", "preset") | {"preset": preset}
    return load_settings(TrainSettings, path, overrides, base, what="training's settings", example="weak.batch=1024")


def stage_names(text: str) -> tuple[str, ...]:
    """The stages that ``--stage`` names (``all``, or several with commas), in the order in which they run.

    Raises:
        UsageError: an unknown stage.
    """
    named = set(TRAIN_STAGES) if text == "all" else set(text.split(","))
    if unknown := named - set(TRAIN_STAGES):
        raise UsageError(f"--stage {text}: {', '.join(sorted(unknown))} is none of {', '.join(TRAIN_STAGES)}, all")
    return tuple(stage for stage in TRAIN_STAGES if stage in named)
