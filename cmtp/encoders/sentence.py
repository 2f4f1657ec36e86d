"""Any sentence-transformers model as an encoder: by hub name, or from a folder (extra `gpu`).

On a GPU it computes in bf16, on a CPU in fp32. Texts are sorted by length and batched by tokens, so that little is
spent on padding. The next block is tokenised while this one is computed, and a block's vectors leave the GPU together:
until then batches are only handed to it, and it never waits for one to be padded.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cmtp.encoders.base import PRESETS, Side, check_texts

if TYPE_CHECKING:
    import torch

BLOCK = 8192
"""Texts tokenised at once: long enough that sorting by length leaves little padding."""

GPU_TOKENS = 1 << 16
CPU_TOKENS = 1 << 12
"""Tokens per batch, padding included."""

PROMPTS: tuple[tuple[str, str, str], ...] = (
    (r"BAAI/bge-(small|base|large)-zh(-v1\.5)?", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"intfloat/(multilingual-)?e5-(small|base|large)(-v2)?", "query: ", "passage: "),
)
"""Prompts (query, passage) that model cards ask for but the models' own settings lack, by hub name."""


class SentenceModel:
    """A sentence-transformers model.

    `max_chars` is None: the model's own `max_seq_length` cuts by tokens, the prompt included. Prompts are those in the
    model's settings (`query`; `passage` or `document`), else those of PROMPTS, else none.

    Args:
        name: a preset, a hub name or a folder.
        device: as torch names it; None: a GPU where there is one, each worker process the next.
        bf16: whether to compute in bf16; None: on a GPU.

    Raises:
        ImportError: sentence-transformers or torch is missing.
        ValueError: the model's pooling leaves out the prompt, which this encoder cannot do.
    """

    max_chars: int | None = None

    def __init__(self, name: str, device: str | None = None, bf16: bool | None = None) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ImportError(f"the encoder {name} needs sentence-transformers: pip install 'cmtp[gpu]'") from error
        self.name = name
        hub_name = PRESETS.get(name, name)
        self.device = device or own_device()
        self._on_gpu = not self.device.startswith("cpu")
        dtype = torch.bfloat16 if (self._on_gpu if bf16 is None else bf16) else torch.float32
        model = SentenceTransformer(hub_name, device=self.device, model_kwargs={"dtype": dtype})
        self._model: Any = model.to(dtype).eval()
        self._tokenizer = model.tokenizer
        self.max_tokens = int(model.max_seq_length or self._tokenizer.model_max_length)
        self._prompts = find_prompts(hub_name, {side: prompt or "" for side, prompt in (model.prompts or {}).items()})
        if any(self._prompts.values()) and not all(getattr(m, "include_prompt", True) for m in model):
            raise ValueError(f"{name}: its pooling leaves out the prompt, which is not supported here")
        self.dim = int(self._embed([self._tokenizer("字")["input_ids"]]).shape[1])
        self.weights_hash = self._hash()
        self._budget = GPU_TOKENS if self._on_gpu else CPU_TOKENS

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """See `Encoder.encode`. A row depends on the others by the noise of floating-point sums alone."""
        check_texts(texts, side)
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        starts = range(0, len(texts), BLOCK)
        with ThreadPoolExecutor(1) as ahead:
            jobs = [ahead.submit(self._tokens, texts.slice(start, BLOCK), side) for start in starts[:1]]
            for start in starts:
                tokens = jobs.pop().result()
                if start + BLOCK < len(texts):
                    jobs.append(ahead.submit(self._tokens, texts.slice(start + BLOCK, BLOCK), side))
                rows, vectors = self._block(tokens)
                out[start + rows] = vectors
        return out

    def _tokens(self, texts: pa.Array, side: Side) -> list[list[int]]:
        """Token ids of each text with its prompt; none for a blank text, whose vector would be the prompt's."""
        strings = texts.to_pylist()
        filled = [i for i, text in enumerate(strings) if text.strip()]
        prompt = self._prompts[side]
        ids: list[list[int]] = [[] for _ in strings]
        if filled:
            given = [prompt + strings[i] for i in filled]
            coded = self._tokenizer(given, truncation=True, max_length=self.max_tokens, padding=False)["input_ids"]
            for i, one in zip(filled, coded, strict=True):
                ids[i] = one
        return ids

    def _block(self, tokens: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Encode the texts that have tokens: their rows, and [n, dim] float32.

        Longest first, so that a want of memory shows at once.
        """
        import torch

        lengths = np.array([len(one) for one in tokens], np.int64)
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        vectors: list[torch.Tensor] = []
        start = 0
        while start < len(order):
            size = max(self._budget // int(lengths[order[start]]), 1)
            rows = order[start : start + size]
            try:
                vectors.append(self._embed([tokens[i] for i in rows]))
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    raise
                self._budget = max(int(lengths[rows[0]]) * len(rows) // 2, 1)
                if self._on_gpu:
                    torch.cuda.empty_cache()
                continue
            start += len(rows)
        if not vectors:
            return order, np.zeros((0, self.dim), np.float32)
        return order, torch.cat(vectors).cpu().numpy()

    def _embed(self, ids: list[list[int]]) -> torch.Tensor:
        """[n, dim] float32, still on the device, of n lists of token ids, padded to the longest."""
        import torch

        padded = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt", padding_side="right")
        # From pinned memory the copy is queued like the computation; otherwise it would wait for the batch before.
        pinned = {key: value.pin_memory() if self._on_gpu else value for key, value in padded.items()}
        features = {key: value.to(self.device, non_blocking=True) for key, value in pinned.items()}
        with torch.inference_mode():
            vectors: torch.Tensor = self._model(features)["sentence_embedding"].float()
            return torch.nn.functional.normalize(vectors, dim=1)

    def _hash(self) -> str:
        """sha256 over the sorted weights and all else that a vector depends on: tokenizer, prompts, length, pooling."""
        import torch

        digest = hashlib.sha256()
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        modules: list[Any] = [module.get_config_dict() for module in self._model if hasattr(module, "get_config_dict")]
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        kind = type(self._tokenizer).__name__
        digest.update(repr((kind, vocabulary, sorted(self._prompts.items()), self.max_tokens, modules)).encode())
        return digest.hexdigest()


def find_prompts(name: str, own: dict[str, str]) -> dict[Side, str]:
    """The prompt of each side.

    Args:
        name: hub name, or folder.
        own: prompts in the model's settings.
    """
    query, passage = own.get("query") or "", own.get("passage") or own.get("document") or ""
    if not query and not passage:
        for pattern, query_prompt, passage_prompt in PROMPTS:
            if re.fullmatch(pattern, name):
                return {"query": query_prompt, "passage": passage_prompt}
    return {"query": query, "passage": passage}


def gpus() -> int:
    """How many GPUs torch sees."""
    try:
        import torch
    except ImportError:
        return 0
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def own_device() -> str:
    """A GPU where there is one: worker processes, numbered from 1 as they start, take the GPUs in turn."""
    count = gpus()
    if count == 0:
        return "cpu"
    place = multiprocessing.current_process()._identity
    return f"cuda:{(place[0] - 1 if place else 0) % count}"
