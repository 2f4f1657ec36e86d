"""Rates of the trainer: texts or queries and tokens per second of each stage, on the device that is there.

    python -m benchmarks.train SHARDS --preset nano --steps 50

On a GPU, the share of its bf16 peak: 6 FLOPs per parameter and token (Kaplan et al. 2020, arXiv 2001.08361 §2.1), 8 for
the contrastive stages, which embed twice, against --peak.
"""

import argparse
import tempfile
from pathlib import Path

from cmtp.threads import limit_threads

limit_threads()


def main():
    import cmtp.train  # noqa: F401 - before torch
    from cmtp.train.run import train
    from cmtp.train.settings import STAGES, load_settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--peak", type=float, help="bf16 peak of the GPU in TFLOP/s, for example 989 for an H100")
    chosen = parser.parse_args()
    changes = [f"{stage}.max_steps={chosen.steps}" for stage in STAGES]
    settings = load_settings(chosen.preset, None, [*changes, *(f"{stage}.loader_workers=0" for stage in STAGES)])
    with tempfile.TemporaryDirectory() as folder:
        report = train(chosen.shards, str(Path(folder) / "model"), settings, STAGES, threads=chosen.threads)
        weights = (Path(folder) / "model" / "model.safetensors").stat().st_size / 4
    embeddings = settings.model.vocabulary * settings.model.hidden
    print(f"\n{'stage':<12}{'rows/s':>10}{'tokens/s':>12}{'TFLOP/s':>10}{'of peak':>9}")
    for stage, facts in report["stages"].items():
        rates = facts["rates"]
        flops = (6 if stage == "pretrain" else 8) * max(weights - embeddings, 0) * rates["tokens_per_second"] / 1e12
        share = f"{flops / chosen.peak:>9.1%}" if chosen.peak else ""
        print(f"{stage:<12}{rates['rows_per_second']:>10,}{rates['tokens_per_second']:>12,}{flops:>10.3f}{share}")


if __name__ == "__main__":
    main()
