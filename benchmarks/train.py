"""Rates of the trainer and of FlagEmbedding: texts or queries and tokens per second of each stage.

    python -m benchmarks.train SHARDS --preset nano --steps 40 --flagembedding PYTHON --write benchmarks/train.md

PYTHON is an interpreter with FlagEmbedding, in a virtual environment of its own, because its pinned versions differ
from ours. It starts from the same weights, with the same rows, batch, lengths, pooling and threads. It has no trainer
for stage 1. On a GPU, the table has the share of --peak, its bf16 peak: 6 FLOPs per parameter and token (Kaplan et al.
2020, arXiv 2001.08361 §2.1), and 8 for contrastive stages that embed twice.
"""

import argparse
import ast
import json
import os
import platform
import re
import subprocess
import tempfile
from datetime import date
from itertools import islice
from pathlib import Path

from cmtp.threads import limit_threads, usable_cores

limit_threads()


def main():
    import cmtp.train  # noqa: F401 - before torch
    from cmtp.train.run import train_stages
    from cmtp.train.settings import TRAIN_STAGES, load_train_settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--peak", type=float, help="bf16 peak of the GPU in TFLOP/s, for example 989 for an H100")
    parser.add_argument("--flagembedding", help="a Python that has FlagEmbedding")
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    chosen = parser.parse_args()
    # no batch within a source or a task: FlagEmbedding mixes all rows, and no instruction of cmtp's rows is used
    same = ["weak.within=all", "finetune.within=all", "finetune.instruction=false", "finetune.negatives=2"]
    changes = [
        f"{stage}.{name}" for stage in TRAIN_STAGES for name in (f"max_steps={chosen.steps}", "loader_workers=0")
    ]
    settings = load_train_settings(chosen.preset, None, [*changes, *same])
    lines = ["| stage | trainer | batch | rows/s | tokens/s | TFLOP/s | of peak |", "|---|---|--:|--:|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        run = train_stages(chosen.shards, str(out), settings, TRAIN_STAGES, threads=chosen.threads)
        weights = (run.folder / "model.safetensors").stat().st_size / 4
        config = json.loads((run.folder / "config.json").read_text(encoding="utf-8"))
        embeddings = config["vocab_size"] * config["hidden_size"]  # looked up, not multiplied
        for stage in TRAIN_STAGES:
            mine = getattr(settings, stage)
            rates = run.facts[stage]["rates"]
            twice = stage != "pretrain" and mine.batch > mine.chunk
            flops = (8 if twice else 6) * max(weights - embeddings, 0) * rates["tokens_per_second"] / 1e12
            share = f"{flops / chosen.peak:.1%}" if chosen.peak else ""
            lines.append(
                f"| {stage} | cmtp | {mine.batch} | {rates['rows_per_second']:,} | {rates['tokens_per_second']:,} "
                f"| {flops:.4f} | {share} |"
            )
            if chosen.flagembedding and stage != "pretrain":
                rows = write_rows(chosen.shards, settings, stage, Path(folder) / f"{stage}.jsonl")
                peer = flagembedding(chosen, out / ".work" / "start", rows, mine, stage)
                # the same rows, with the same number of tokens each
                tokens = peer * rates["tokens_per_second"] / rates["rows_per_second"]
                lines.append(f"| {stage} | FlagEmbedding | {mine.batch} | {peer:,.0f} | {tokens:,.0f} | | |")
    head = (
        f"preset {chosen.preset}, {chosen.steps} steps per stage, {chosen.threads} threads, {machine()}, "
        f"{date.today().isoformat()}"
    )
    text = "\n".join([head, "", *lines, ""])
    print(text)
    if chosen.write:
        chosen.write.write_text(f"# Trainer: figures\n\n`python -m benchmarks.train SHARDS`: {text}", encoding="utf-8")


def write_rows(shards, settings, stage, path):
    """The rows of the stage in FlagEmbedding's form, as many as its steps need."""
    from cmtp.train.shards import Corpus

    mine = getattr(settings, stage)
    corpus = Corpus(shards, settings.eval.split)
    blocks = corpus.weak(mine) if stage == "weak" else corpus.finetune(mine, 0, settings.seed)
    rows = (row for block in blocks for row in block)
    with path.open("w", encoding="utf-8") as lines:
        for row in islice(rows, mine.batch * mine.max_steps * 4):
            lines.write(json.dumps({"query": row.query, "pos": row.pos, "neg": row.neg}, ensure_ascii=False) + "\n")
    return path


def flagembedding(chosen, start, rows, mine, stage):
    """Rows per second of FlagEmbedding's trainer, by its own clock."""
    options = {
        "model_name_or_path": start,
        "train_data": rows,
        "train_group_size": 1 if stage == "weak" else 1 + mine.negatives,
        "query_max_len": mine.query_length,
        "passage_max_len": mine.passage_length,
        "sentence_pooling_method": "mean" if chosen.preset == "nano" else "cls",
        "temperature": mine.temperature,
        "learning_rate": mine.learning_rate,
        "per_device_train_batch_size": mine.batch,
        "max_steps": mine.max_steps,
        "output_dir": rows.with_suffix(".out"),
        "use_cpu": True,
        "save_strategy": "no",
        "logging_steps": 10,
        "report_to": "none",
    }
    command = [chosen.flagembedding, "-m", "FlagEmbedding.finetune.embedder.encoder_only.base"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    threads = {name: str(chosen.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads, check=False)
    found = re.findall(r"\{[^{}]*'train_samples_per_second'[^{}]*\}", done.stdout + done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"FlagEmbedding ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return float(ast.literal_eval(found[-1])["train_samples_per_second"])


def machine():
    names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{names[0] if names else platform.machine()}, {usable_cores()} cores, {memory:.0f} GiB"


if __name__ == "__main__":
    main()
