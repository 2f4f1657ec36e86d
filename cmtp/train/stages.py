"""One stage of training: reads the folder of a model and a corpus, writes the folder of the next model, resumes."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    PrinterCallback,
    ProgressCallback,
    TrainingArguments,
    set_seed,
)

from cmtp.errors import CmtpError, UsageError
from cmtp.shards.held_out import build_alpha
from cmtp.train import guards
from cmtp.train.batches import RowBlock, TrainBatches
from cmtp.train.contrastive import InfoNCE
from cmtp.train.retromae import RetroMAE
from cmtp.train.running_means import RunningMeans
from cmtp.train.settings import ContrastiveSettings, FinetuneSettings, StageSettings, TrainSettings, WeakSettings
from cmtp.train.shards import Corpus
from cmtp.train.trainers import (
    BatchStream,
    Collate,
    PairTrainer,
    StepSeed,
    Streamed,
    TextTrainer,
    pair_collate,
    text_collate,
)
from cmtp.train.vocabulary import train_vocabulary


@dataclass(frozen=True)
class Place:
    """The folder that a stage works in, and its place among the processes of the run."""

    work: Path
    """Checkpoints and logs of all stages."""
    rank: int = int(os.environ.get("RANK", "0"))
    world: int = int(os.environ.get("WORLD_SIZE", "1"))

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0


def start_model(corpus: Corpus, settings: TrainSettings, init: str | None, out: Path) -> None:
    """Write the model that training starts from: a checkpoint, or random weights with a vocabulary of the shards.

    Raises:
        UsageError: `init` is not a BERT checkpoint.
    """
    set_seed(settings.seed)
    if init is not None:
        try:
            tokenizer = AutoTokenizer.from_pretrained(init)
            model = BertForMaskedLM.from_pretrained(init)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--init {init}: neither a folder with a checkpoint nor a name that the hub gives here: {error}"
            ) from error
        if model.config.model_type != "bert":
            raise UsageError(f"--init {init}: a model of type {model.config.model_type}; only BERT is supported")
    else:
        shape = settings.model
        tokenizer = train_vocabulary(corpus.texts(), shape.vocabulary)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.intermediate,
            hidden_dropout_prob=shape.dropout,
            attention_probs_dropout_prob=shape.dropout,
            max_position_embeddings=shape.positions,
            pad_token_id=tokenizer.pad_token_id,
        )
        model = BertForMaskedLM(config)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def pretrain(source: Path, out: Path, corpus: Corpus, settings: TrainSettings, place: Place) -> dict[str, Any]:
    """Stage 1 on pretrain/: RetroMAE.

    Returns:
        Facts of the run: steps, seconds, rates, last loss.
    """
    chosen = settings.pretrain
    tokenizer = AutoTokenizer.from_pretrained(source)
    encoder = BertForMaskedLM.from_pretrained(source)
    length = min(chosen.max_length, encoder.config.max_position_embeddings)
    torch.manual_seed(settings.seed)  # the decoder's first weights
    model = RetroMAE(encoder, chosen.encoder_mask, chosen.decoder_mask, tokenizer.mask_token_id)
    batches = TrainBatches(
        lambda epoch: corpus.pretrain(length - 2), chosen.batch, settings.seed, contrastive=False, smallest=place.world
    )
    steps = count_steps(chosen, batches, corpus.count("pretrain"))
    if place.first:
        chance = 2 * math.log(encoder.config.vocab_size)
        print(
            f"pretrain: {steps:,} steps of {chosen.batch} texts of up to {length} tokens; masks "
            f"{chosen.encoder_mask:g} and {chosen.decoder_mask:g}; loss at chance level {chance:.2f}"
        )
    folder = out.with_suffix(".run")
    arguments = TrainingArguments(**_arguments(chosen, folder, steps, settings.seed, place))
    stream = _stream(batches, steps, folder, place, text_collate(tokenizer, length))
    trainer = TextTrainer(
        model=model, args=arguments, callbacks=[StepSeed(settings.seed, place.rank), guards.Guard("pretrain")]
    )
    facts = _run(trainer, stream, chosen, folder, model.numbers)
    if place.first:
        encoder.save_pretrained(out)
        tokenizer.save_pretrained(out)
    return facts


def contrast(
    stage: str, source: Path, out: Path, corpus: Corpus, settings: TrainSettings, place: Place
) -> dict[str, Any]:
    """Stage 2 on pairs/ or stage 3 on finetune/: InfoNCE.

    Returns:
        Facts of the run, as those of `pretrain`.
    """
    chosen = cast(ContrastiveSettings, getattr(settings, stage))
    model = open_stage_model(source, settings)

    def read(epoch: int) -> Iterator[RowBlock]:
        if isinstance(chosen, FinetuneSettings):
            return corpus.finetune(chosen, epoch, settings.seed)
        return corpus.weak(cast(WeakSettings, chosen))

    alpha = build_alpha(corpus.shards) if chosen.alpha is None else chosen.alpha
    batches = TrainBatches(read, chosen.batch, settings.seed, alpha, smallest=place.world)
    steps = count_steps(chosen, batches, corpus.count("finetune" if stage == "finetune" else "pairs"))
    if place.first:
        print(guards.announce(stage, batches, steps))
        if batches.skipped.alone:
            print(f"{stage}: {batches.skipped.alone} rows are alone in their group and have no negatives: left out")
    longest = int(cast(Any, model[0]).auto_model.config.max_position_embeddings)
    collate = pair_collate(model.tokenizer, min(chosen.query_length, longest), min(chosen.passage_length, longest))
    loss = InfoNCE(model, chosen.temperature, chosen.chunk, chosen.dimensions)
    if isinstance(chosen, FinetuneSettings):
        loss.distill, loss.distill_temperature = chosen.distill, chosen.distill_temperature
    folder = out.with_suffix(".run")
    arguments = SentenceTransformerTrainingArguments(**_arguments(chosen, folder, steps, settings.seed, place))
    stream = _stream(batches, steps, folder, place, collate)
    trainer = PairTrainer(
        model=model, args=arguments, loss=loss, callbacks=[StepSeed(settings.seed, place.rank), guards.Guard(stage)]
    )
    facts = _run(trainer, stream, chosen, folder, loss.numbers)
    if isinstance(chosen, FinetuneSettings) and chosen.merge:
        _merge(model, open_stage_model(source, settings), chosen.merge)
    if place.first:
        model.save(str(out), create_model_card=False)
    return facts


def open_stage_model(source: Path, settings: TrainSettings) -> SentenceTransformer:
    """Open a folder as a SentenceTransformer.

    A folder with a BERT alone gets the pooling of the settings ([CLS] in C-Pack §3.3), unit length and the prompts.
    """
    if (source / "modules.json").is_file():
        model = SentenceTransformer(str(source), device=_device())
    else:
        torch.manual_seed(settings.seed)  # BERT's pooler is not used, but it is initialised at random and saved
        encoder = Transformer(str(source))
        pooling = Pooling(encoder.get_embedding_dimension(), pooling_mode=settings.model.pooling)
        prompts = {"query": settings.instruction, "document": ""}
        model = SentenceTransformer(modules=[encoder, pooling, Normalize()], prompts=prompts, device=_device())
    pooler = getattr(cast(Any, model[0]).auto_model, "pooler", None)
    if pooler is not None:
        pooler.requires_grad_(False)  # DDP waits for the gradient of every weight that may be trained
    return model


def count_steps(settings: StageSettings, batches: TrainBatches, rows: int) -> int:
    """Steps of a stage: epochs times the batches of an epoch, at most max_steps.

    The batches of a table of up to 200,000 rows are counted. For a larger one their number is computed from its rows.

    Raises:
        CmtpError: there is no batch.
    """
    most = settings.max_steps or 2**62
    per_epoch = sum(1 for _ in batches.epoch(0)) if rows <= 200_000 else math.ceil(rows / settings.batch)
    if per_epoch == 0:
        raise CmtpError("no batch can be made of these rows: none has a negative, in the batch or of its own")
    return min(most, max(1, math.ceil(settings.epochs * per_epoch)))


def _device() -> str | None:
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"


def _arguments(settings: StageSettings, folder: Path, steps: int, seed: int, place: Place) -> dict[str, Any]:
    """Arguments that both trainers get."""
    cuda = torch.cuda.is_available()
    bf16 = settings.precision == "bf16" or (settings.precision == "auto" and cuda and torch.cuda.is_bf16_supported())
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "logs")
    return {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": max(1, settings.batch // place.world),  # for the trainer's own counts alone
        "learning_rate": settings.learning_rate,
        "warmup_steps": math.ceil(settings.warmup * steps),
        "weight_decay": settings.weight_decay,
        "bf16": bf16,
        "use_cpu": not cuda,
        "seed": seed,
        "save_steps": settings.checkpoint_steps,
        "save_total_limit": 2,
        "logging_steps": settings.log_steps,
        "logging_nan_inf_filter": False,  # it would replace NaN by the mean of the losses before
        "ignore_data_skip": True,  # the stream starts where the checkpoint ended
        "remove_unused_columns": False,
        "report_to": ["tensorboard"],
        "disable_tqdm": None,
        "ddp_find_unused_parameters": False,
        "average_tokens_across_devices": False,
    }


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint: its state, which is written last, can be read. None: there is none."""
    newest_first = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for path in newest_first:
        try:
            if json.loads((path / "trainer_state.json").read_text())["global_step"] == int(path.name.split("-")[1]):
                return path
        except (OSError, ValueError, KeyError):
            continue  # the run was killed while it was written; the one before is complete
    return None


def _stream(batches: TrainBatches, steps: int, folder: Path, place: Place, collate: Collate) -> BatchStream:
    checkpoint = last_checkpoint(folder)
    done = int(checkpoint.name.split("-")[1]) if checkpoint else 0
    if checkpoint and place.first:
        print(f"{folder.name}: continues at step {done:,} of {steps:,}")
    return BatchStream(batches, range(done, steps), place.rank, place.world, collate)


def _run(
    trainer: Any, stream: BatchStream, settings: StageSettings, folder: Path, numbers: RunningMeans
) -> dict[str, Any]:
    streamed = cast(Streamed, trainer)
    streamed.stream, streamed.loader_workers, streamed.numbers = stream, settings.loader_workers, numbers
    checkpoint = last_checkpoint(folder)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(guards.Lines(folder.name.split("-")[0]))
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - started
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    facts: dict[str, Any] = {"steps": trainer.state.global_step, "seconds": round(seconds, 1)}
    facts["loss"] = {"first": losses[0], "last": losses[-1]} if losses else {}
    facts["rates"] = {f"{name}_per_second": round(int(n) / seconds) for name, n in streamed.counts.items()}
    return facts


def _merge(model: SentenceTransformer, before: SentenceTransformer, share: float) -> None:
    """Weights = share × before + (1 - share) × after."""
    old = before.state_dict()
    mixed = {
        name: torch.lerp(new, old[name].to(new.device), share) if new.is_floating_point() else new
        for name, new in model.state_dict().items()
    }
    model.load_state_dict(mixed)


def replace_folder(finished: Path, target: Path) -> None:
    """Rename a finished folder to its final name. So a folder of that name is always complete."""
    if target.exists():
        shutil.rmtree(target)
    finished.rename(target)
