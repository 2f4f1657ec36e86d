"""The encoder `static-zh`: a text is the weighted average of the vectors of its words.

The vectors, their weights and everything else that the result depends on are data in the folder `static_zh/`.
`cmtp.encoders.distill` writes and explains them. This module reads and averages them, in one numba kernel over Arrow's
buffers: offsets and UTF-8 bytes in, vectors out.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from cmtp.encoders.base import EncoderCard, check_texts
from cmtp.encoders.hub import folder_identity
from cmtp.encoders.kernel import (
    ARITHMETIC,
    ENTRY,
    TokenVectors,
    Vocabulary,
    decode_text,
    encode_texts,
    make_scratch,
    segment,
    word_entries,
)
from cmtp.encoders.trie import build_trie
from cmtp.schema import Side
from cmtp.text.buffers import string_buffers

DATA = Path(__file__).parent / "static_zh"
FILES = ("characters.npy", "closeness.npy", "neighbours.npy", "settings.json", "weights.npy", "words.txt")
"""characters uint16[65536]: code point → normalised code point, 0 for a separator. words: one a line, with its cost
(−ln p) for the segmentation; weights f32 [words]. neighbours uint16, closeness uint8 [words, k]: the rows of similar
words and how similar they are (`kernel.word_entries`). settings: see `distill.DistillSettings`."""


class StaticZh:
    """The bundled encoder for Chinese: no download, no GPU, tens of megabytes of text a second on one core.

    It encodes queries and passages in the same way, ignores word order, and reads a text whole. Simplified and
    traditional script, full and half width, upper and lower case of a text get the same vector. Texts that share no
    words and no near-synonyms have a cosine of about 0 ± 0.05 (1/√dim). It keeps no state between calls, and the kernel
    releases the GIL.
    """

    name = "static-zh"

    def __init__(self, folder: Path = DATA) -> None:
        digest = hashlib.sha256(bytes([ARITHMETIC]))
        for file in FILES:
            digest.update((folder / file).read_bytes())
        self.weights_hash = digest.hexdigest()
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.max_chars: int | None = settings["max_chars"]
        lines = (folder / "words.txt").read_text(encoding="utf-8").splitlines()
        self.words = [line.split("\t")[0] for line in lines]
        letters = np.array([ord(c) for word in self.words for c in word], dtype=np.int32)
        starts = np.cumsum([0] + [len(word) for word in self.words], dtype=np.int64)
        bits = int(letters.size).bit_length() + 1  # the table is at most half full
        self._vocabulary = Vocabulary(
            np.load(folder / "characters.npy"),
            *build_trie(letters, starts, bits),
            costs=np.array([line.split("\t")[1] for line in lines], dtype=np.float32),
            unknown_cost=float(settings["unknown_cost"]),
            limit=self.max_chars or 0,
        )
        self.dim: int = settings["dim"]
        neighbours, closeness = np.load(folder / "neighbours.npy"), np.load(folder / "closeness.npy")
        self._vectors = TokenVectors(
            *word_entries(neighbours, closeness, settings["neighbour_share"], self.dim),
            scales=np.load(folder / "weights.npy") * np.float32(ENTRY / 127.0),
            unknown=np.array([settings["unknown_weights"][k] for k in ("letters", "digits", "han")], np.float32),
            repeat_power=float(settings["repeat_power"]),
        )

    def encode(self, texts: pa.Array, side: Side) -> np.ndarray:
        """See `Encoder.encode`."""
        check_texts(texts, side)
        data, offsets = string_buffers(texts)
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        encode_texts(data, offsets, self._vocabulary, self._vectors, out)
        return out

    def cut(self, text: str) -> list[str]:
        """The tokens `encode` sees in a text, normalised. For looking at, one text at a time."""
        raw = np.frombuffer(text.encode("utf-8"), np.uint8)
        scratch = make_scratch(raw.size)
        n = decode_text(raw, 0, raw.size, self._vocabulary.characters, scratch.codes)
        n = min(n, self.max_chars or n)
        m = segment(n, self._vocabulary, scratch)
        starts, ends = [0, *scratch.ends[: max(m - 1, 0)]], scratch.ends[:m]
        codes = [scratch.codes[start:end] for start, end in zip(starts[:m], ends, strict=True)]
        return ["".join(chr(code) for code in token if code) for token in codes]


CARD = EncoderCard(
    name=StaticZh.name,
    package="cmtp",
    install="pip install cmtp",
    load=StaticZh,
    identity=lambda: folder_identity(DATA),
)
