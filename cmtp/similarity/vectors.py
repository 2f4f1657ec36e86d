"""Vectors of some of a partition's texts, in files that are only ever added to.

The expensive encoder of a cascade sees a part of the texts, another part after every change of a setting. Each call
writes one file with what was missing; a text that is in any of them is not encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from cmtp.encoders.base import Encoder, Side
from cmtp.encoders.registry import load_encoder
from cmtp.engine.store import Store
from cmtp.engine.task import Task

SIDES: tuple[Side, Side] = ("query", "passage")


@dataclass(frozen=True)
class SparseVectors:
    """The files of one partition.

    Attributes:
        folder: of one encoder over one set of partitions; its name is a fingerprint of both.
        index: of the partition.
    """

    folder: str
    index: int

    def add(self, store: Store, tag: str, texts: dict[Side, pa.ChunkedArray], encoder: Encoder) -> None:
        """Encode what is not there yet.

        Args:
            store: where.
            tag: names the file; the same tag must come with the same texts. A file that is there is whole, and left.
            texts: by side, repetitions allowed.
            encoder: the folder's own.
        """
        path = f"{self.folder}/vectors/part-{self.index:05d}-{tag}.npz"
        if store.exists(path):
            return
        arrays = {}
        for side in SIDES:
            distinct = pc.unique(texts[side].combine_chunks())
            keys = text_keys(distinct)
            missing = ~np.isin(keys, self._read(store, side)[0])
            arrays[f"{side}_keys"] = keys[missing]
            arrays[side] = encoder.encode(distinct.filter(pa.array(missing)), side).astype(np.float16)
        with store.write(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def find(self, store: Store, side: Side, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Look texts up: whether each is there, [n] bool, and the vectors of those that are, float32."""
        known, vectors = self._read(store, side)
        keys = text_keys(texts)
        if not len(known):
            return np.zeros(len(keys), bool), vectors.astype(np.float32)
        order = np.argsort(known, kind="stable")
        place = order[np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)]
        there = known[place] == keys
        return there, vectors[place[there]].astype(np.float32)

    def vectors(self, store: Store, side: Side, texts: pa.ChunkedArray) -> np.ndarray:
        """The vectors of texts that are all there: [n, dim] float32.

        Raises:
            LookupError: one is not (a defect of the caller).
        """
        there, vectors = self.find(store, side, texts.combine_chunks())
        if not there.all():
            raise LookupError(f"{self.folder}, partition {self.index}: {(~there).sum()} texts have no {side} vector")
        return vectors

    def _read(self, store: Store, side: Side) -> tuple[np.ndarray, np.ndarray]:
        keys, vectors = [], []
        for path in store.list(f"{self.folder}/vectors"):
            if path.rsplit("/", 1)[1].startswith(f"part-{self.index:05d}-"):
                with store.read(path) as file, np.load(file) as arrays:
                    keys.append(arrays[f"{side}_keys"])
                    vectors.append(arrays[side])
        if not keys:
            return np.zeros(0, np.uint64), np.zeros((0, 0), np.float16)
        return np.concatenate(keys), np.concatenate(vectors)


@dataclass(frozen=True)
class Dear:
    """The expensive encoder over one partition.

    Attributes:
        name: of the encoder.
        kept: its vectors.
        mark: fingerprint of the stage; names what it adds to them.
    """

    name: str
    kept: SparseVectors
    mark: str

    @classmethod
    def of(cls, task: Task, index: int) -> Dear:
        """As the stage's settings have it."""
        folder = task.settings["dear"]["folder"]
        return cls(task.settings["encoder"], SparseVectors(folder, index), task.folder.rsplit("-", 1)[1])

    def encode(self, store: Store, step: str, texts: pa.Table) -> dict[str, str]:
        """Make sure that the texts of columns query and passage have vectors; tells which encoder made them."""
        encoder = load_encoder(self.name)
        self.kept.add(store, f"{step}-{self.mark}", {side: texts[side] for side in SIDES}, encoder)
        return {"encoder": encoder.name, "weights": encoder.weights_hash, "dim": str(encoder.dim)}

    def vectors(self, store: Store, texts: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Query and passage vectors, [n, dim] float32 each."""
        query, passage = (self.kept.vectors(store, side, texts[side]) for side in SIDES)
        return query, passage


def text_keys(texts: pa.Array) -> np.ndarray:
    """xxh3-64 of each text: [n] uint64.

    Among the 10^5 texts of a partition two share a key with a probability of 3·10^-10.
    """
    return np.array([xxhash.xxh3_64_intdigest(text.encode()) for text in texts.to_pylist()], np.uint64)
