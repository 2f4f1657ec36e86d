"""Settings of a training run: presets in YAML form, one class per stage. Shares the recipe's rules: no unknown names.

The hyper-parameters of C-Pack and RetroMAE are the defaults where a source states them; docs/training.md says which.
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
"""nano: a CPU, minutes. small: bge-small-zh's shape, 24 M parameters. base: bge-base-zh's, 102 M."""

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class ModelSettings(Settings):
    """A BERT from scratch; ignored where --init gives a checkpoint."""

    vocabulary: Positive = 21_128
    """WordPiece entries at most; 21,128 is Chinese BERT's own number."""
    layers: Positive = 4
    hidden: Positive = 512
    heads: Positive = 8
    intermediate: Positive = 2048
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    positions: Positive = 512
    """Most tokens of a text."""
    pooling: Literal["cls", "mean"] = "cls"
    """The sentence vector: [CLS] as in C-Pack §3.3, or the mean over tokens, which needs far less text to learn from
    but is not what RetroMAE trains. Counts for a checkpoint as well."""

    @model_validator(mode="after")
    def _heads(self) -> ModelSettings:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self


class StageSettings(Settings):
    """What all stages have."""

    learning_rate: Rate = 2e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises; it falls linearly after."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    batch: Positive = 256
    """Texts or queries per step, over all devices."""
    epochs: Rate = 1.0
    max_steps: Positive | None = None
    """Upper bound on the steps, whatever the epochs; None: none."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on a GPU that has it, else fp32. There is no fp16: it overflows at temperature 0.01."""
    checkpoint_steps: Positive = 500
    log_steps: Positive = 50
    loader_workers: Annotated[int, Field(ge=0)] = 0
    """Processes that tokenise ahead; a GPU wants 4 or more."""


class PretrainSettings(StageSettings):
    """Stage 1, RetroMAE."""

    max_length: Positive = 512
    encoder_mask: Annotated[float, Field(gt=0, lt=1)] = 0.3
    decoder_mask: Annotated[float, Field(gt=0, lt=1)] = 0.5


class ContrastiveSettings(StageSettings):
    """What stages 2 and 3 share."""

    temperature: Rate = 0.02
    query_length: Positive = 128
    passage_length: Positive = 128
    chunk: Positive = 64
    """Texts per forward pass: what memory has to hold. A larger batch goes through GradCache."""
    within: Literal["source", "task", "all"] = "source"
    """What the rows of a batch have in common. Within one source, negatives are of one kind and harder."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 1.0
    """A group of n batches is drawn in proportion to n^alpha: 1 as it is, 0 all groups alike."""
    no_in_batch: list[str] = []
    """Relations whose rows see their own negatives only: those whose passages are few labels."""
    dimensions: list[Positive] = []
    """Matryoshka: shorter vectors that are to work as well (arXiv 2205.13147); empty: the full length alone."""


class WeakSettings(ContrastiveSettings):
    """Stage 2, on pairs/."""


class FinetuneSettings(ContrastiveSettings):
    """Stage 3, on finetune/."""

    negatives: Annotated[int, Field(ge=0)] = 1
    """Hard negatives per query and step, drawn anew in every epoch; C-Pack took 1."""
    instruction: bool = True
    """Whether a row's instruction is put before its query."""
    distill: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the divergence from the softmax of pos_scores and neg_scores; 0: off."""
    distill_temperature: Rate = 0.05
    """Temperature of the scores' softmax."""
    merge: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the stage-2 weights in the result: LM-Cocktail's cure for forgetting (arXiv 2311.13534)."""


class HeldOut(Settings):
    """Whole documents that no stage sees: vocabulary, texts, pairs, negatives."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: int = 1
    max_queries: Positive = 1000
    max_pool: Positive = 20_000
    """Passages searched: those of the held-out documents, and a seeded sample of training passages as distractors."""

    @property
    def split(self) -> Split:
        """Share and seed of the documents."""
        return Split(self.share, self.seed)


class TrainSettings(Settings):
    """All settings of a training run."""

    preset: str
    seed: int = 42
    instruction: str = "为这个句子生成表示以用于检索相关文章："
    """The prompt "query" of the model (C-Pack's own); finetune rows carry their own."""
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
    """``all``, or stages with commas, in the order they are run.

    Raises:
        UsageError: an unknown stage.
    """
    named = set(TRAIN_STAGES) if text == "all" else set(text.split(","))
    if unknown := named - set(TRAIN_STAGES):
        raise UsageError(f"--stage {text}: {', '.join(sorted(unknown))} is none of {', '.join(TRAIN_STAGES)}, all")
    return tuple(stage for stage in TRAIN_STAGES if stage in named)
