"""Vectors of pairs, and files of some texts' vectors that are only ever added to.

The second encoder sees a part of the texts, another part after every change of a setting. Each call of
`SparseVectors.add` writes one file with what was missing. A text that is in any of the files is not encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from cmtp.encoders.base import Encoder
from cmtp.engine.store import Store
from cmtp.schema import SIDES, Side


class PairVectors(NamedTuple):
    """Query and passage vectors of n pairs by one encoder, float32 [n, dim] each."""

    query: np.ndarray
    passage: np.ndarray

    def take(self, rows: np.ndarray | slice) -> PairVectors:
        """Those of some pairs."""
        return PairVectors(self.query[rows], self.passage[rows])


@dataclass(frozen=True)
class SparseVectors:
    """The files of one partition, or of one group's sample.

    Attributes:
        store: where.
        folder: of one encoder over one set of partitions; its name is a fingerprint of both.
        name: of the partition or group; all of its files begin with it.
    """

    store: Store
    folder: str
    name: str

    def add(self, tag: str, texts: pa.Table, encoder: Encoder) -> None:
        """Encode what is not there yet.

        Args:
            tag: names the file. The same tag must come with the same texts, because a file that is there is left alone.
            texts: columns query and passage; repetitions are encoded once.
            encoder: the folder's own.
        """
        path = f"{self.folder}/vectors/{self.name}-{tag}.npz"
        if self.store.exists(path):
            return
        cached, arrays = self.open(), {}
        for side in SIDES:
            distinct = pc.unique(texts[side].combine_chunks())
            keys = text_keys(distinct)
            missing = ~np.isin(keys, cached.keys[side])
            arrays[f"{side}_keys"] = keys[missing]
            arrays[side] = encoder.encode(distinct.filter(pa.array(missing)), side).astype(np.float16)
        with self.store.write(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def open(self) -> CachedVectors:
        """Read all files."""
        keys: dict[Side, list[np.ndarray]] = {side: [np.zeros(0, np.uint64)] for side in SIDES}
        vectors: dict[Side, list[np.ndarray]] = {side: [] for side in SIDES}
        for path in self.store.list(f"{self.folder}/vectors"):
            if path.rsplit("/", 1)[1].startswith(f"{self.name}-"):
                with self.store.read(path) as file, np.load(file) as arrays:
                    for side in SIDES:
                        keys[side].append(arrays[f"{side}_keys"])
                        vectors[side].append(arrays[side])
        return CachedVectors(
            {side: np.concatenate(keys[side]) for side in SIDES},
            {side: np.concatenate(vectors[side] or [np.zeros((0, 0), np.float16)]) for side in SIDES},
        )


@dataclass(frozen=True)
class CachedVectors:
    """What the files of a partition or a group hold.

    Attributes:
        keys: by side, the texts' keys, uint64 [n].
        vectors: by side, fp16 [n, dim].
    """

    keys: dict[Side, np.ndarray]
    vectors: dict[Side, np.ndarray]

    def find(self, side: Side, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Look texts up: whether each is there, [n] bool, and the vectors of those that are, float32."""
        cached, vectors, keys = self.keys[side], self.vectors[side], text_keys(texts)
        if not len(cached):
            return np.zeros(len(keys), bool), vectors.astype(np.float32)
        order = np.argsort(cached, kind="stable")
        row = order[np.minimum(np.searchsorted(cached, keys, sorter=order), len(cached) - 1)]
        present = cached[row] == keys
        return present, vectors[row[present]].astype(np.float32)

    def pairs(self, texts: pa.Table) -> PairVectors:
        """The vectors of pairs (columns query and passage) whose texts are all there.

        Raises:
            LookupError: a text is not there (a defect of the caller).
        """
        query, passage = (self._all(side, texts[side].combine_chunks()) for side in SIDES)
        return PairVectors(query, passage)

    def _all(self, side: Side, texts: pa.Array) -> np.ndarray:
        present, vectors = self.find(side, texts)
        if not present.all():
            raise LookupError(f"{(~present).sum()} texts have no {side} vector")
        return vectors


def text_keys(texts: pa.Array) -> np.ndarray:
    """xxh3-64 of each text: [n] uint64.

    Among the 10^5 texts of a partition two share a key with a probability of 3·10^-10.
    """
    return np.array([xxhash.xxh3_64_intdigest(text.encode()) for text in texts.to_pylist()], np.uint64)


def merged_vectors(parts: list[CachedVectors]) -> CachedVectors:
    """What several hold together, by one encoder."""
    keys: dict[Side, np.ndarray] = {}
    vectors: dict[Side, np.ndarray] = {}
    for side in SIDES:
        filled = [part for part in parts if len(part.keys[side])] or parts[:1]
        keys[side] = np.concatenate([part.keys[side] for part in filled])
        vectors[side] = np.concatenate([part.vectors[side] for part in filled])
    return CachedVectors(keys, vectors)
