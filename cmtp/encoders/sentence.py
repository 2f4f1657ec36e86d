"""Any sentence-transformers model as an encoder: by hub name, or from a folder (extra `gpu`).

On a GPU it computes in bf16, on a CPU in fp32. Four measures keep a GPU busy:

1. Texts are tokenised in blocks of TEXTS_PER_BLOCK. The next block is tokenised while this one is computed.
2. A block is sorted by length and cut into batches with about the same number of tokens, so that there is little
   padding.
3. Batches are handed to the GPU without waiting for their results. A block's vectors leave it together.
4. When a batch does not fit into memory, the number of tokens per batch is halved, for this batch and all later ones.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cmtp.device import own_device
from cmtp.encoders.base import EncoderCard, check_texts
from cmtp.encoders.hub import computed_identity
from cmtp.schema import Side

if TYPE_CHECKING:
    import torch

TEXTS_PER_BLOCK = 8192
"""Texts tokenised at once: long enough that sorting by length leaves little padding."""

GPU_TOKENS = 1 << 16
CPU_TOKENS = 1 << 12
"""Tokens per batch, padding included."""

TEXT2VEC_LARGE = "GanymedeNil/text2vec-large-chinese"
TEXT2VEC_BASE = "shibing624/text2vec-base-chinese"
"""Two models are called Text2Vec-Chinese."""

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
        model: a hub name or a folder.
        name: its name in a recipe; None: `model`.
        device: as torch names it, for example ``cuda:1``; None: that of the process (`cmtp.device.own_device`).
        bf16: whether to compute in bf16; None: bf16 on a GPU, fp32 on a CPU.

    Raises:
        ImportError: sentence-transformers or torch is missing.
        OSError: the model does not exist or cannot be fetched.
        ValueError: the model's pooling leaves out the prompt, which this encoder cannot do.
    """

    max_chars: int | None = None

    def __init__(
        self, model: str, *, name: str | None = None, device: str | None = None, bf16: bool | None = None
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self.name = name or model
        self.device = device or own_device()
        self._on_gpu = not self.device.startswith("cpu")
        dtype = torch.bfloat16 if (self._on_gpu if bf16 is None else bf16) else torch.float32
        loaded = SentenceTransformer(model, device=self.device, model_kwargs={"dtype": dtype})
        self._model: Any = loaded.to(dtype).eval()
        self._tokenizer = loaded.tokenizer
        self.max_tokens = int(loaded.max_seq_length or self._tokenizer.model_max_length)
        self._prompts = find_prompts(model, {side: prompt or "" for side, prompt in (loaded.prompts or {}).items()})
        if any(self._prompts.values()) and not all(getattr(module, "include_prompt", True) for module in loaded):
            raise ValueError(f"{self.name}: its pooling leaves out the prompt, which is not supported here")
        self.dim = int(self._embed([self._tokenizer("字")["input_ids"]]).shape[1])
        self.weights_hash = self._hash()
        self._budget = GPU_TOKENS if self._on_gpu else CPU_TOKENS

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """See `Encoder.encode`. The other texts change a row by the rounding of floating-point sums only."""
        check_texts(texts, side)
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        starts = range(0, len(texts), TEXTS_PER_BLOCK)
        with ThreadPoolExecutor(1) as ahead:
            jobs = [ahead.submit(self._tokens, texts.slice(start, TEXTS_PER_BLOCK), side) for start in starts[:1]]
            for start in starts:
                tokens = jobs.pop().result()
                if start + TEXTS_PER_BLOCK < len(texts):
                    jobs.append(ahead.submit(self._tokens, texts.slice(start + TEXTS_PER_BLOCK, TEXTS_PER_BLOCK), side))
                rows, vectors = self._block(tokens)
                out[start + rows] = vectors
        return out

    def _tokens(self, texts: pa.Array, side: Side) -> list[list[int]]:
        """Token ids of each text with its prompt. A blank text has none, or its vector would be that of the prompt."""
        strings = texts.to_pylist()
        filled = [row for row, text in enumerate(strings) if text.strip()]
        ids: list[list[int]] = [[] for _ in strings]
        if filled:
            prompted = [self._prompts[side] + strings[row] for row in filled]
            coded = self._tokenizer(prompted, truncation=True, max_length=self.max_tokens, padding=False)["input_ids"]
            for row, text_ids in zip(filled, coded, strict=True):
                ids[row] = text_ids
        return ids

    def _block(self, tokens: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Encode the texts that have tokens.

        The longest come first, so that a batch that does not fit into memory shows at once.

        Returns:
            Rows of these texts, and their vectors, float32 [n, dim].
        """
        import torch

        lengths = np.array([len(ids) for ids in tokens], np.int64)
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
        """The vectors of n lists of token ids, padded to the longest: float32 [n, dim], still on the device."""
        import torch

        padded = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt", padding_side="right")
        # A copy from pinned memory is queued like the computation. From other memory it waits for the batch before.
        pinned = {key: value.pin_memory() if self._on_gpu else value for key, value in padded.items()}
        features = {key: value.to(self.device, non_blocking=True) for key, value in pinned.items()}
        with torch.inference_mode():
            vectors: torch.Tensor = self._model(features)["sentence_embedding"].float()
            return torch.nn.functional.normalize(vectors, dim=1)

    def _hash(self) -> str:
        """SHA-256 over everything that a vector depends on: sorted weights, tokenizer, prompts, length, pooling."""
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
    """The prompt of each side: the model's own, else that of PROMPTS, else none.

    Args:
        name: hub name or folder.
        own: prompts in the model's settings, by name.
    """
    query, passage = own.get("query") or "", own.get("passage") or own.get("document") or ""
    if not query and not passage:
        for pattern, query_prompt, passage_prompt in PROMPTS:
            if re.fullmatch(pattern, name):
                return {"query": query_prompt, "passage": passage_prompt}
    return {"query": query, "passage": passage}


def model_card(name: str, hub_name: str | None = None) -> EncoderCard:
    """The card of a sentence-transformers model.

    Args:
        name: what a recipe calls it: a hub name, a folder, or a short name.
        hub_name: its hub name or folder, where `name` is a short name.
    """
    model = hub_name or name
    return EncoderCard(
        name=name,
        package="sentence_transformers",
        install="pip install 'cmtp[gpu]' -c constraints.txt",
        load=lambda: SentenceModel(model, name=name),
        identity=lambda: computed_identity(model),
        on_gpu=True,
    )


CARDS = (model_card("text2vec-large", TEXT2VEC_LARGE), model_card("text2vec-base", TEXT2VEC_BASE))
"""Models with a short name."""
