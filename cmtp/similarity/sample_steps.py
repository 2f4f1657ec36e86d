"""The first steps of the score stage: a sample of every group, and which groups are taken together.

`cmtp.similarity.score` says what each of them reads and writes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from cmtp.columns import codes_in, distinct, vector_column, vectors_of
from cmtp.engine.task import Job, Result
from cmtp.ids import id_halves
from cmtp.order import seeded_keys
from cmtp.partition import read_screened
from cmtp.similarity.containment import text_grams
from cmtp.similarity.encode import Encoded
from cmtp.similarity.features import PairTexts
from cmtp.similarity.groups import SMALL_GROUPS, group_names, is_labelled, lowest_in_group
from cmtp.similarity.settings import SimilarityWork
from cmtp.similarity.shuffled import SampleCodes
from cmtp.similarity.vectors import PairVectors
from cmtp.text.hashes import hash_bytes

CHOSEN: Final = "chosen.parquet"


def draw_candidates(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Write the pairs of a partition that may be in the sample: of each group those with the lowest keys.

    A key is a seeded hash of both texts, and of pairs with one key only one is written. So copies of a file change no
    sample.

    Columns: group, key, row (of the pair among those that pass the screen), doc_id.
    """
    rows = read_screened(job.store, part, index, job.settings.screened, ["source", "relation", "doc_id"])
    names = group_names(rows)
    text_key = Encoded(job.settings.encoded, index).scores(job.store)["text_key"].to_numpy()
    key = seeded_keys(text_key, job.settings.seed)
    _, group, _ = distinct(names)
    once = first_of_key(group, key, rows["doc_id"])
    lowest = once[lowest_in_group(group[once], key[once], job.settings.sample)]
    candidates = {
        "group": names.take(pa.array(lowest)),
        "key": key[lowest],
        "row": lowest,
        "doc_id": rows["doc_id"].take(pa.array(lowest)),
    }
    job.store.write_table(_candidates_path(job, index), pa.table(candidates))
    return Result(rows=rows.num_rows)


def first_of_key(group: np.ndarray, key: np.ndarray, doc_ids: pa.ChunkedArray) -> np.ndarray:
    """One row of every group and key, in that order: of copies the one with the lowest doc_id."""
    order = np.lexsort((id_halves(doc_ids)[0], key, group))
    new = np.ones(len(order), bool)
    new[1:] = (group[order][1:] != group[order][:-1]) | (key[order][1:] != key[order][:-1])
    return np.asarray(order[new])


def choose_sample(job: Job[SimilarityWork], partitions: int) -> Result:
    """Find the highest key that is in the sample of each group of the build, and which groups are taken together.

    Columns: group, last_key, pairs (sampled), model (name of what it is judged by: its own, `SMALL_GROUPS`, or null
    if there are too few pairs).
    """
    columns = ["group", "key", "doc_id"]
    tables = [job.store.read_table(_candidates_path(job, index), columns) for index in range(partitions)]
    candidates = pa.concat_tables(tables)
    names = candidates["group"].unique().sort()
    group, key = codes_in(candidates["group"], names), candidates["key"].to_numpy()
    once = first_of_key(group, key, candidates["doc_id"])
    group, key = group[once], key[once]
    sampled = lowest_in_group(group, key, job.settings.sample)
    last_key, pairs = np.zeros(len(names), np.uint64), np.bincount(group[sampled], minlength=len(names))
    np.maximum.at(last_key, group[sampled], key[sampled])
    sizes = dict(zip(names.to_pylist(), pairs.tolist(), strict=True))
    chosen = {"group": names, "last_key": last_key, "pairs": pairs, "model": pa.array(_models(sizes, job), pa.string())}
    job.store.write_table(job.path(CHOSEN), pa.table(chosen))
    return Result(rows=len(sampled))


def _models(sizes: dict[str, int], job: Job[SimilarityWork]) -> list[str | None]:
    """What each group is judged by. Labelled groups are not taken together with others: they are cut only if asked."""
    settings = job.settings
    small = {name: n for name, n in sizes.items() if n < settings.min_sample}
    pooled = [name for name in small if settings.cut_labelled or not is_labelled(name)]
    pool = SMALL_GROUPS if sum(small[name] for name in pooled) >= settings.min_sample else None
    return [(pool if name in pooled else None) if name in small else name for name in sizes]


def models(job: Job[SimilarityWork]) -> list[str]:
    """Names of all models, in order: groups, and perhaps `SMALL_GROUPS`."""
    names = job.store.read_table(job.path(CHOSEN))["model"]
    return sorted(set(names.drop_null().to_pylist()))


def models_by_group(job: Job[SimilarityWork]) -> dict[str, str | None]:
    """Name of each group's model; None where there are too few pairs."""
    chosen = job.store.read_table(job.path(CHOSEN))
    return dict(zip(chosen["group"].to_pylist(), chosen["model"].to_pylist(), strict=True))


def take_sample(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Write a partition's sampled pairs, a file for each model that they serve.

    Columns: group, key, doc_id, query, passage, and the vectors (fp16) query_vector and passage_vector.
    """
    chosen = job.store.read_table(job.path(CHOSEN))
    candidates = job.store.read_table(_candidates_path(job, index))
    of_group = codes_in(candidates["group"], chosen["group"].combine_chunks())
    last_key, model = chosen["last_key"].to_numpy()[of_group], chosen["model"].take(pa.array(of_group))
    drawn = candidates.append_column("model", model).filter(pa.array(candidates["key"].to_numpy() <= last_key))
    encoded = Encoded(job.settings.encoded, index).open(job.store)
    texts = read_screened(job.store, part, index, job.settings.screened, ["query", "passage"])
    for number, name in enumerate(models(job)):
        sampled = drawn.filter(pa.compute.equal(drawn["model"], name)).sort_by("row")
        if sampled.num_rows == 0:
            continue
        rows = sampled["row"].to_numpy()
        vectors = encoded.vectors(rows)
        table = sampled.select(["group", "key", "doc_id"])
        for side in ("query", "passage"):
            table = table.append_column(side, texts[side].take(pa.array(rows)))
            column = vector_column(getattr(vectors, side).astype(np.float16))
            table = table.append_column(f"{side}_vector", column)
        job.store.write_table(job.path(f"samples/{number:04d}/part-{index:05d}.parquet"), table)
    return Result(rows=drawn.num_rows)


class GroupSample(NamedTuple):
    """A model's sample, in the order of its keys.

    Attributes:
        rows: columns query and passage, as they are.
        texts: the same as features read them.
        codes: of the same pairs: group by name, and 64-bit hashes of document, query and passage.
    """

    rows: pa.Table
    texts: PairTexts
    codes: SampleCodes

    def take(self, rows: np.ndarray) -> GroupSample:
        """Some of the pairs."""
        chosen = self.rows.take(pa.array(rows))
        texts = PairTexts(self.texts.vectors.take(rows), text_grams(chosen["query"]), text_grams(chosen["passage"]))
        return GroupSample(chosen, texts, SampleCodes(*(code[rows] for code in self.codes)))


def read_sample(job: Job[SimilarityWork], number: int) -> GroupSample:
    """The sample of a model.

    Args:
        job: of the stage.
        number: of the model, see `models`.
    """
    paths = job.store.list(job.path(f"samples/{number:04d}"))
    sample = pa.concat_tables([job.store.read_table(path) for path in paths]).combine_chunks()
    _, group, _ = distinct(sample["group"])
    key = sample["key"].to_numpy()
    sample = sample.take(pa.array(first_of_key(group, key, sample["doc_id"])))  # copies in several partitions
    sample = sample.sort_by([("key", "ascending"), ("group", "ascending")])
    vectors = PairVectors(*(vectors_of(sample[f"{side}_vector"], np.float32) for side in ("query", "passage")))
    codes = SampleCodes(
        distinct(sample["group"])[1], document_codes(sample["doc_id"]), text_codes(sample["query"]),
        text_codes(sample["passage"]),
    )  # fmt: skip
    texts = PairTexts(vectors, text_grams(sample["query"]), text_grams(sample["passage"]))
    return GroupSample(sample.select(["query", "passage"]), texts, codes)


def document_codes(doc_ids: pa.ChunkedArray) -> np.ndarray:
    """64 bits of each id, as int64 [n]."""
    return id_halves(doc_ids)[0].view(np.int64)


def text_codes(texts: pa.ChunkedArray) -> np.ndarray:
    """A 64-bit hash of each text, as int64 [n]."""
    return hash_bytes(texts)[:, 0].copy().view(np.int64)


def _candidates_path(job: Job[SimilarityWork], index: int) -> str:
    return job.path(f"candidates/part-{index:05d}.parquet")
