"""Speed of a sentence-transformers model by this project's encoder and by its own: `python -m benchmarks.encoders_gpu`.

The model is a BERT of the given size with random weights (speed does not depend on them) and a vocabulary of single
Chinese characters. The texts are random characters, with lengths drawn like those of passages. Both encoders get the
same texts and weights; sentence-transformers runs with its defaults. The share of the bf16 peak is the number of
operations that the texts need, without padding, divided by what the chip reaches in one large product.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from cmtp.encoders.sentence import SentenceModel

FIRST, CHARACTERS = 0x4E00, 20_992
"""The vocabulary: the CJK Unified Ideographs, about as many entries as a Chinese BERT has."""


def write_model(folder: Path, layers: int, hidden: int, heads: int, max_tokens: int) -> str:
    """A BERT with random weights and mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(FIRST + i) for i in range(CHARACTERS))]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=512,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    read = Transformer(str(folder / "bert"), max_seq_length=max_tokens)
    pooling = Pooling(read.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[read, pooling], device="cpu").save(str(folder / "model"))
    return str(folder / "model")


def random_texts(count: int, mean_chars: int, seed: int = 0) -> list[str]:
    """Texts with log-normal lengths, like those of passages."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(np.log(mean_chars), 0.8, count), 4, 1000).astype(int)
    return ["".join(map(chr, FIRST + rng.integers(0, CHARACTERS, length))) for length in lengths]


def multiplications(texts: list[str], layers: int, hidden: int, max_tokens: int) -> float:
    """Floating-point operations of the forward pass: 24 d² per token and layer, and 4 d per token and token seen."""
    tokens = np.minimum([len(text) + 2 for text in texts], max_tokens).astype(np.float64)
    return float(layers * (24 * hidden**2 * tokens.sum() + 4 * hidden * (tokens**2).sum()))


def bf16_peak(device: str) -> float:
    """Operations per second that the chip reaches in one large bf16 product, which is less than its maker states."""
    import torch

    size = 8192 if device.startswith("cuda") else 256
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))

    def product() -> None:
        _ = left @ right
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    product()
    return 2.0 * size**3 / min(seconds(product) for _ in range(5))


def seconds(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def time_peer(name: str, texts: list[str]) -> tuple[float, np.ndarray]:
    """Seconds that sentence-transformers takes with its defaults, and its vectors of the first texts."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(name)
    vectors = peer.encode(texts[:64], normalize_embeddings=True)
    return seconds(lambda: peer.encode(texts)), vectors


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--mean-chars", type=int, default=200)
    chosen = parser.parse_args(arguments)
    texts = random_texts(chosen.texts, chosen.mean_chars)
    with tempfile.TemporaryDirectory(prefix="cmtp-embed-gpu-") as folder:
        name = write_model(Path(folder), chosen.layers, chosen.hidden, chosen.heads, chosen.max_tokens)
        theirs, vectors = time_peer(name, texts)
        encoder = SentenceModel(name)
        array = pa.array(texts, pa.large_string())
        found = encoder.encode(array.slice(0, 64), "passage")
        ours = seconds(lambda: encoder.encode(array, "passage"))
    peak = bf16_peak(encoder.device)
    work = multiplications(texts, chosen.layers, chosen.hidden, chosen.max_tokens)
    print(
        f"{encoder.device}, {chosen.layers} layers of {chosen.hidden}, {len(texts):,} texts; vectors of both agree to ",
        end="",
    )
    print(f"a cosine of {float((vectors * found).sum(axis=1).min()):.4f} or more")
    print("| encoder | seconds | texts/s | share of the bf16 peak |\n|---|---:|---:|---:|")
    for kind, took in (("sentence-transformers, defaults", theirs), ("cmtp", ours)):
        print(f"| {kind} | {took:.2f} | {len(texts) / took:,.0f} | {work / took / peak:.1%} |")
    print(f"{theirs / ours:.2f} times as fast; one bf16 product reaches {peak / 1e12:,.1f} TFLOP/s")


if __name__ == "__main__":
    main()
