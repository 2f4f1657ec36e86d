"""The encode stage: every distinct text of a partition becomes a vector, once, for similarity, mining and later runs.

A stage of its own, because its fingerprint covers the encoder and the texts but no threshold: a build with another
threshold, or other mining settings, finds the vectors where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmtp.device import gpus
from cmtp.encoders.base import Encoder
from cmtp.encoders.registry import encoder_card, encoder_identity, load_encoder
from cmtp.engine.figures import Figures, same
from cmtp.engine.plan import place
from cmtp.engine.stage import Stage, StageFolder, StageRun
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Result, Task, task
from cmtp.partition import judged_by, read_screened
from cmtp.schema import Side
from cmtp.settings import RecipeBase
from cmtp.similarity.settings import EncodeWork, SecondWork, SimilaritySettings
from cmtp.similarity.vectors import PairVectors
from cmtp.text.hashes import pair_keys


class EncodeStage(Stage[EncodeWork]):
    """Writes ``scores/`` (see `Encoded.scores`) and ``vectors/`` (fp16) of the rows that pass the screen."""

    name: ClassVar[str] = "encode"
    reads: ClassVar[tuple[str, ...]] = ("screen",)
    writes_rows: ClassVar[bool] = False
    decides: ClassVar[bool] = False

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> EncodeWork:
        """The encoder that sees all pairs."""
        work = encode_work(recipe.of(SimilaritySettings).encoder)
        return work.model_copy(update={"screened": judged_by("screen", before)})

    def steps(self, job: Job[EncodeWork], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(encode_partition, job, f"encode-{index:05d}", index, part) for index, part in enumerate(inputs)]

    def summary(self, run: StageRun) -> str:
        """See Stage."""
        return "vectors written"

    def processes(self, settings: EncodeWork) -> int | None:
        """See `gpu_processes`."""
        return gpu_processes(settings.encoder)


def encode_work(name: str) -> EncodeWork:
    """What tasks are given that encode: the encoder's name, and which weights that is.

    Raises:
        UsageError: there is no such encoder, or its weights cannot be had.
    """
    return EncodeWork(encoder=name, identity=encoder_identity(name))


def second_work(name: str, encode: StageFolder) -> SecondWork:
    """The second encoder, and the folder where it keeps its vectors.

    The folder depends on the encoder and the texts and on no other setting. A later build thus finds what was encoded
    before.

    Args:
        name: of the encoder.
        encode: where the encode stage works; both encoders see the same texts.
    """
    work = encode_work(name)
    folder = place(EncodeStage(), work, encode.input_fingerprint, prefix="vectors").folder
    return SecondWork.extend(work, folder=folder)


def gpu_processes(encoder: str) -> int | None:
    """One process per GPU for an encoder that computes there: a second model beside the first gains nothing.

    None: the encoder does not compute on a GPU, or there is none.
    """
    return gpus() or None if encoder_card(encoder).on_gpu else None


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
    def scores_path(self) -> str:
        """Path of the scores."""
        return f"{self.folder}/scores/part-{self.index:05d}.parquet"

    def vectors_path(self, side: Side) -> str:
        """Path of the vectors of one side."""
        return f"{self.folder}/vectors/part-{self.index:05d}.{side}.npy"

    def scores(self, store: Store) -> pa.Table:
        """One row per pair that was encoded, in the partition's order.

        Columns: pair_id; similarity (f32), cosine of query and passage; query_row and passage_row (i32), rows of their
        vectors; text_key (u64), see `cmtp.text.hashes.pair_keys`.
        """
        return store.read_table(self.scores_path)

    def vectors(self, store: Store, side: Side, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows: [len(rows), dim] float32."""
        return self._distinct(store, side)[rows].astype(np.float32)  # type: ignore[no-any-return]

    def open(self, store: Store) -> EncodedPairs:
        """Read all of it."""
        scores = self.scores(store)
        return EncodedPairs(
            scores["similarity"].to_numpy(),
            PairVectors(self._distinct(store, "query"), self._distinct(store, "passage")),
            scores["query_row"].to_numpy(),
            scores["passage_row"].to_numpy(),
            scores["text_key"].to_numpy(),
        )

    def _distinct(self, store: Store, side: Side) -> np.ndarray:
        with store.read(self.vectors_path(side)) as file:
            return np.load(file)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class EncodedPairs:
    """What the encode stage says about the n pairs of a partition.

    Attributes:
        similarity: float32 [n], cosine of query and passage.
        distinct: vectors of the distinct queries and of the distinct passages, fp16.
        query_row: int32 [n], row of each pair's query among them.
        passage_row: int32 [n], row of each pair's passage.
        text_key: uint64 [n], hash of each pair's two texts; copies have the same.
    """

    similarity: np.ndarray
    distinct: PairVectors
    query_row: np.ndarray
    passage_row: np.ndarray
    text_key: np.ndarray

    def vectors(self, rows: np.ndarray) -> PairVectors:
        """The vectors of some pairs, float32."""
        return PairVectors(
            self.distinct.query[self.query_row[rows]].astype(np.float32),
            self.distinct.passage[self.passage_row[rows]].astype(np.float32),
        )


def encode_partition(job: Job[EncodeWork], index: int, part: str) -> Result:
    """Encode one partition. Figures: name and weights of the encoder, length of a vector."""
    store, settings = job.store, job.settings
    encoded = Encoded(job.folder, index)
    encoder = load_encoder(settings.encoder)
    rows = read_screened(store, part, index, settings.screened, ["pair_id", "query", "passage"])
    query, query_row = _encode_distinct(rows["query"], "query", encoder)
    passage, passage_row = _encode_distinct(rows["passage"], "passage", encoder)
    # Rounded, so that a sum in another order on another processor seldom shows.
    similarity = np.round(np.einsum("ij,ij->i", query[query_row], passage[passage_row]), 5).astype(np.float32)
    scores = pa.table(
        {
            "pair_id": rows["pair_id"],
            "similarity": similarity,
            "query_row": query_row,
            "passage_row": passage_row,
            "text_key": pair_keys(rows["query"], rows["passage"]),
        }
    )
    store.write_table(encoded.scores_path, scores)
    sides: tuple[tuple[Side, np.ndarray], ...] = (("query", query), ("passage", passage))
    for side, vectors in sides:
        with store.write(encoded.vectors_path(side)) as file:
            np.save(file, vectors.astype(np.float16))
    return Result(rows=rows.num_rows, bytes=rows.nbytes, figures=encoder_figures(encoder))


def encoder_figures(encoder: Encoder) -> Figures:
    """Name and weights of an encoder, and the length of its vectors."""
    return {"encoder": same(encoder.name), "weights": same(encoder.weights_hash), "dim": same(str(encoder.dim))}


def _encode_distinct(texts: pa.ChunkedArray, side: Side, encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the distinct texts, and the row of each text among them (int32)."""
    coded = pc.dictionary_encode(texts.combine_chunks())
    return encoder.encode(coded.dictionary, side), coded.indices.to_numpy().astype(np.int32)
