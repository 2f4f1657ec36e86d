"""C-Pack's ablation (arXiv 2309.07597, table 3): the same model with and without pretraining, with and without labelled
data, with and without the instruction.

Each stage has the same steps, batches and seeds in every arm that has the stage. Arms are scored on held-out documents,
a local set, not C-MTEB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cmtp.scoring.baselines import RetrievalScore, score_bm25, score_static_zh
from cmtp.scoring.measures import bootstrap, interval_text
from cmtp.shards.held_out import RetrievalTask, retrieval_task
from cmtp.train.settings import TrainSettings, load_train_settings

WITHOUT_PRETRAIN = "BGE w.o. pre-train (2)"
PRETRAINED = "BGE-pretrain (1, 2)"
WITHOUT_INSTRUCTION = "BGE w.o. Instruct (1, 2, 3)"
FINETUNED = "BGE-finetune (1, 2, 3)"
ARMS = (WITHOUT_PRETRAIN, PRETRAINED, WITHOUT_INSTRUCTION, FINETUNED)

DIFFERENCES = (
    ("pre-training", PRETRAINED, WITHOUT_PRETRAIN),
    ("labelled data and hard negatives", FINETUNED, PRETRAINED),
    ("instruction", FINETUNED, WITHOUT_INSTRUCTION),
)
"""The differences that are reported: the name of a part, the arm with it, and the arm without it."""


def compare_stages(shards: str, out: Path, preset: str, overrides: list[str], seeds: int) -> str:
    """Train C-Pack's arms once per seed and put them side by side.

    Args:
        shards: output folder of a build.
        out: folder for the models; a finished one is not trained again.
        preset: of the trainer.
        overrides: values of ``--set``, as for ``cmtp train``.
        seeds: runs per arm.

    Returns:
        A table of nDCG@10, and the three differences with 95 % intervals.
    """
    by_arm: dict[str, list[RetrievalScore]] = {arm: [] for arm in ARMS}
    task = None
    for seed in range(seeds):
        settings = load_train_settings(preset, None, [*overrides, f"seed={seed}", "finetune.instruction=true"])
        held = settings.eval
        task = task or retrieval_task(shards, held.split, held.max_queries, held.max_pool)
        for arm, score in train_arms(shards, out / f"seed-{seed}", settings, task).items():
            by_arm[arm].append(score)
    assert task is not None
    scores = {arm: np.stack([score.ndcg for score in rows]) for arm, rows in by_arm.items()}
    lines = [
        f"held-out documents of {Path(shards).name}: {len(task.queries):,} queries over {len(task.passages):,} "
        f"passages; preset {preset}, {seeds} seeds (a local set, not C-MTEB)",
        f"{'':<40}{'nDCG@10':>9}",
    ]
    for row in (score_bm25(task), score_static_zh(task)):
        lines.append(f"{row.name:<40}{row.ndcg.mean():>9.4f}")
    lines += [f"{arm:<40}{values.mean():>9.4f}" for arm, values in scores.items()]
    lines += [
        f"{what:<40}{interval_text(bootstrap(scores[having], scores[lacking])):>9}"
        for what, having, lacking in DIFFERENCES
    ]
    return "\n".join(lines)


def train_arms(shards: str, out: Path, settings: TrainSettings, task: RetrievalTask) -> dict[str, RetrievalScore]:
    """Train and score the four arms with one seed. Both finetuned arms start from the weights of BGE-pretrain."""
    from cmtp.train.run import score_folder, train_stages

    def run(name: str, stages: tuple[str, ...], init: Path | None = None, **change: Any) -> Path:
        changed = settings.model_copy(update={"finetune": settings.finetune.model_copy(update=change)})
        return train_stages(shards, str(out / name), changed, stages, str(init) if init else None).folder

    pretrained = run("pretrained", ("pretrain", "weak"))
    folders = {
        WITHOUT_PRETRAIN: run("without-pretrain", ("weak",)),
        PRETRAINED: pretrained,
        WITHOUT_INSTRUCTION: run("without-instruction", ("finetune",), pretrained, instruction=False),
        FINETUNED: run("finetuned", ("finetune",), pretrained, instruction=True),
    }
    return {
        arm: score_folder(arm, folder, task, settings, instructed=arm == FINETUNED) for arm, folder in folders.items()
    }
