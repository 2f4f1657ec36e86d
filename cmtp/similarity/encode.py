"""The encode step: every distinct text of a partition becomes a vector, once, for similarity, mining and later runs.

A stage of its own, because its fingerprint covers the encoder and the texts but no threshold: a build with another
threshold, or other mining settings, finds the vectors where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.encoders.base import Encoder, Side
from cmtp.encoders.registry import encoder_card, load_encoder
from cmtp.engine.store import Store
from cmtp.engine.task import Result, StageJob, Task
from cmtp.similarity.vectors import SparseVectors


def encode_settings(name: str) -> dict[str, Any]:
    """Settings of the encode stage: the encoder's name, and which weights that is (`EncoderCard.identity`).

    Raises:
        UsageError: there is no such encoder, or its weights cannot be had.
    """
    return {"encoder": name, "weights": encoder_card(name).identity()}


class EncodeStage:
    """Writes, per partition, ``scores/`` (pair_id, similarity, rows of the two vectors) and ``vectors/`` (fp16)."""

    name: ClassVar[str] = "encode"
    code: ClassVar[tuple[str, ...]] = ("cmtp.similarity.encode", "cmtp.similarity.vectors", "cmtp.encoders")
    rejects_rows: ClassVar[bool] = False

    def steps(self, job: StageJob) -> Iterator[list[Task]]:
        """See cmtp.engine.task.Stage."""
        tasks = []
        for i, part in enumerate(job.inputs):
            inputs = [part, *Encoded(job.folder, i).files]
            tasks.append(Task("cmtp.similarity.encode:run", job.folder, f"encode-{i:05d}", inputs, job.settings))
        yield tasks


@dataclass(frozen=True)
class Encoded:
    """Where a partition's scores and vectors lie, and how to read them.

    Attributes:
        folder: of the encode stage.
        index: of the partition.
    """

    folder: str
    index: int

    @property
    def files(self) -> list[str]:
        """Paths of the scores, the query vectors and the passage vectors."""
        name = f"part-{self.index:05d}"
        return [
            f"{self.folder}/scores/{name}.parquet",
            f"{self.folder}/vectors/{name}.query.npy",
            f"{self.folder}/vectors/{name}.passage.npy",
        ]

    def scores(self, store: Store) -> pa.Table:
        """pair_id, similarity (f32), query_row and passage_row (i32): one row per pair, in the partition's order."""
        return store.read_table(self.files[0])

    def vectors(self, store: Store, side: Side, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows: [len(rows), dim] float32."""
        with store.read(self.files[1 if side == "query" else 2]) as file:
            return np.load(file)[rows].astype(np.float32)  # type: ignore[no-any-return]


def run(task: Task, store: Store) -> Result:
    """Encode one partition. Facts: name and hash of the encoder."""
    source, scores_path, query_path, passage_path = task.inputs
    encoder = load_encoder(task.settings["encoder"])
    rows = store.read_table(source, ["pair_id", "query", "passage"])
    known = SparseVectors(task.settings["known"], task.index) if "known" in task.settings else None
    query, query_row = _encode_distinct(rows["query"], "query", encoder, known, store)
    passage, passage_row = _encode_distinct(rows["passage"], "passage", encoder, known, store)
    # Rounded, so that a sum in another order on another processor seldom shows.
    similarity = np.round(np.einsum("ij,ij->i", query[query_row], passage[passage_row]), 5).astype(np.float32)
    scores = pa.table(
        {"pair_id": rows["pair_id"], "similarity": similarity, "query_row": query_row, "passage_row": passage_row}
    )
    store.write_table(scores_path, scores)
    for path, vectors in ((query_path, query), (passage_path, passage)):
        with store.write(path) as file:
            np.save(file, vectors.astype(np.float16))
    facts = {"encoder": encoder.name, "weights": encoder.weights_hash, "dim": str(encoder.dim)}
    return Result(rows=rows.num_rows, bytes=rows.nbytes, facts=facts)


def _encode_distinct(
    texts: pa.ChunkedArray, side: Side, encoder: Encoder, known: SparseVectors | None, store: Store
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the distinct texts, and the row of each text among them (int32)."""
    coded = pc.dictionary_encode(texts.combine_chunks())
    rows = coded.indices.to_numpy().astype(np.int32)
    if known is None:
        return encoder.encode(coded.dictionary, side), rows
    there, found = known.find(store, side, coded.dictionary)
    vectors = np.empty((len(there), encoder.dim), np.float32)
    vectors[there] = found.reshape(-1, encoder.dim)
    vectors[~there] = encoder.encode(coded.dictionary.filter(pa.array(~there)), side)
    return vectors, rows
