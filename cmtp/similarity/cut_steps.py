"""The steps of the score stage up to the cut: they measure a sample, and find where each group is cut.

`cmtp calibrate` runs these steps alone. `cmtp.similarity.score` says what each of them reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cmtp.columns import codes_in, distinct, vector_column, vectors_of
from cmtp.encoders.registry import load_encoder
from cmtp.engine.figures import Figures, same
from cmtp.engine.task import Job, Result, Task, task
from cmtp.ids import id_halves
from cmtp.order import seeded_keys
from cmtp.partition import read_screened
from cmtp.similarity.bands import ScoredSample, bands_for_agreement
from cmtp.similarity.cuts import WHOLE, GroupCut, SampledGroup, cuts_from_table, cuts_to_table, find_cut, shuffle
from cmtp.similarity.encode import Encoded, encoder_figures
from cmtp.similarity.groups import group_names, lowest_in_group
from cmtp.similarity.settings import SimilarityWork
from cmtp.similarity.vectors import PairVectors, SparseVectors

CHOSEN = "chosen.parquet"
CUTS = "cuts.parquet"


def cut_steps(
    job: Job[SimilarityWork], inputs: list[str], group_rows: dict[str, int] | None = None
) -> Iterator[list[Task]]:
    """The steps up to the cut.

    Args:
        job: of the stage.
        inputs: partitions.
        group_rows: pairs of each group in the build, where the inputs are a sample of them; None: the inputs are all.
    """
    yield [task(draw_candidates, job, f"draw-{index:05d}", index, part) for index, part in enumerate(inputs)]
    yield [task(choose_sample, job, "choose-00000", len(inputs), group_rows)]
    yield [task(take_sample, job, f"sample-{index:05d}", index, part) for index, part in enumerate(inputs)]
    yield [task(find_cuts, job, "cut-00000", len(inputs))]


def draw_candidates(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Write the pairs of a partition that may be in the sample: of each group those with the lowest keys.

    A key is a seeded hash of both texts (`sample_keys`), and of pairs with one key only one is written. So copies of a
    file change no sample.

    Columns: group, key, row (of the pair among those that pass the screen), doc_id.
    """
    rows = read_screened(job.store, part, index, job.settings.screened, ["source", "relation", "doc_id"])
    names = group_names(rows)
    key = sample_keys(Encoded(job.settings.encoded, index).scores(job.store)["text_key"].to_numpy(), job.settings.seed)
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


def sample_keys(text_keys: np.ndarray, seed: int) -> np.ndarray:
    """Keys by which pairs are sampled: uint64 [n].

    Args:
        text_keys: uint64 [n], see `cmtp.text.hashes.pair_keys`.
        seed: of the recipe.
    """
    return seeded_keys(text_keys, seed)


def first_of_key(group: np.ndarray, key: np.ndarray, doc_ids: pa.ChunkedArray) -> np.ndarray:
    """One row of every group and key, in that order: of copies the one with the lowest doc_id."""
    order = np.lexsort((id_halves(doc_ids)[0], key, group))
    new = np.ones(len(order), bool)
    new[1:] = (group[order][1:] != group[order][:-1]) | (key[order][1:] != key[order][:-1])
    return np.asarray(order[new])


def choose_sample(job: Job[SimilarityWork], partitions: int, group_rows: dict[str, int] | None = None) -> Result:
    """Find the highest key that is in the sample of each group of the build.

    Columns: group, last_key, rows (different pairs of the group in the build; estimated where not all are sampled).
    """
    columns = ["group", "key", "doc_id"]
    tables = [job.store.read_table(_candidates_path(job, index), columns) for index in range(partitions)]
    candidates = pa.concat_tables(tables)
    names = candidates["group"].unique().sort()
    group, key = codes_in(candidates["group"], names), candidates["key"].to_numpy()
    once = first_of_key(group, key, candidates["doc_id"])
    group, key = group[once], key[once]
    sampled = lowest_in_group(group, key, job.settings.sample)
    last_key, size = np.zeros(len(names), np.uint64), np.bincount(group[sampled], minlength=len(names))
    np.maximum.at(last_key, group[sampled], key[sampled])
    rows = [
        (estimated_distinct(int(last), n) if n == job.settings.sample else n)
        if group_rows is None
        else group_rows[name]
        for name, last, n in zip(names.to_pylist(), last_key.tolist(), size.tolist(), strict=True)
    ]
    found = {"group": names, "last_key": last_key, "rows": pa.array(rows, pa.int64())}
    job.store.write_table(job.path(CHOSEN), pa.table(found))
    return Result(rows=len(sampled))


def estimated_distinct(last_key: int, n: int) -> int:
    """About how many different keys there are, by the n-th lowest of them.

    Keys are spread evenly over 64 bits, so the n-th lowest of N lies at about n / N of them: the estimate of Bar-Yossef
    et al. (2002), Counting Distinct Elements in a Data Stream, with a relative error of 1 / √n. Copies do not count.
    """
    return max(n, round((n - 1) * 2**64 / max(last_key, 1)))


def take_sample(job: Job[SimilarityWork], index: int, part: str) -> Result:
    """Write a partition's sampled pairs with their vectors. Figures: name and weights of a cascade's expensive encoder.

    Columns: group, key, doc_id, query, passage; with a cascade also expensive_query and expensive_passage.
    """
    candidates = job.store.read_table(_candidates_path(job, index))
    chosen = in_sample(job, candidates["group"], candidates["key"].to_numpy())
    sampled = candidates.filter(pa.array(chosen)).sort_by("row")
    rows = sampled["row"].to_numpy()
    vectors = Encoded(job.settings.encoded, index).open(job.store).vectors(rows)
    table = sampled.select(["group", "key", "doc_id"])
    table = table.append_column("query", vector_column(vectors.query))
    table = table.append_column("passage", vector_column(vectors.passage))
    result = Result(rows=len(rows))
    if job.settings.expensive is not None:
        texts = read_screened(job.store, part, index, job.settings.screened, ["query", "passage"]).take(pa.array(rows))
        result.figures["cascade"] = encode_expensive(job, index, "sample", texts)
        vectors = expensive_vectors(job, index).open().pairs(texts)
        table = table.append_column("expensive_query", vector_column(vectors.query))
        table = table.append_column("expensive_passage", vector_column(vectors.passage))
    job.store.write_table(_samples_path(job, index), table)
    return result


def in_sample(job: Job[SimilarityWork], groups: pa.ChunkedArray, keys: np.ndarray) -> np.ndarray:
    """Bool [n]: which pairs are in the sample, or copies of one that is.

    Args:
        job: of the stage.
        groups: name of each pair's group.
        keys: uint64 [n], see `sample_keys`.
    """
    chosen = job.store.read_table(job.path(CHOSEN))
    last_key = chosen["last_key"].to_numpy()[codes_in(groups, chosen["group"].combine_chunks())]
    return np.asarray(keys <= last_key)


def find_cuts(job: Job[SimilarityWork], partitions: int) -> Result:
    """Find the cut of every group, and the bands of a cascade.

    Figures: the calibration of every group; agreement and bands of a cascade.
    """
    settings = job.settings
    sample = _read_sample(job, partitions)
    cuts: dict[str, GroupCut] = {}
    scored: dict[str, ScoredSample] = {}
    calibrations: Figures = {}
    for name, group in sample.groups():
        if min(len(group.rows), len(group.left)) < settings.min_sample:
            continue
        found = find_cut(group, sample.deciding, sample.cheap, settings)
        cuts[name] = found.cut
        if found.calibration is not None:
            calibrations[name] = same(found.calibration.to_json())
        if found.cheap is not None:
            keep, wrong_keep = (scores >= np.float32(found.cut.threshold) for scores in found.scores)
            scored[name] = ScoredSample(
                found.cheap.true, keep, sample.rows.get(name, 0), found.cheap.shuffled, wrong_keep
            )
    result = Result(rows=len(sample.group))
    if calibrations:
        result.figures["calibration"] = calibrations
    if settings.expensive is not None:
        if WHOLE in scored:  # stands for the groups that have no cut of their own
            rest = sum(rows for name, rows in sample.rows.items() if name not in scored)
            scored[WHOLE] = replace(scored[WHOLE], rows=rest)
        scored = {name: group_sample for name, group_sample in scored.items() if group_sample.rows}
        result.figures["cascade"] = _set_bands(cuts, scored, settings.agreement)
    job.store.write_table(job.path(CUTS), cuts_to_table(cuts))
    return result


@dataclass(frozen=True)
class _BuildSample:
    """The sample of a build, in order of group and key.

    Attributes:
        group: [n], code of each pair's group.
        rows: by name of a group, in the order of the codes: its pairs in the build.
        left: [m], rows whose query is shuffled with the passage of the rows `right`.
        deciding: vectors by the encoder that decides.
        cheap: vectors by the cheap encoder of a cascade; None: there is no cascade.
    """

    group: np.ndarray
    rows: dict[str, int]
    left: np.ndarray
    right: np.ndarray
    deciding: PairVectors
    cheap: PairVectors | None

    def groups(self) -> Iterator[tuple[str, SampledGroup]]:
        """Each group by its name; at last all of them as one, called WHOLE."""
        for code, name in enumerate(self.rows):
            shuffled = np.flatnonzero(self.group[self.left] == code)
            yield name, SampledGroup(np.flatnonzero(self.group == code), self.left[shuffled], self.right[shuffled])
        yield WHOLE, SampledGroup(np.arange(len(self.group)), self.left, self.right)


def _read_sample(job: Job[SimilarityWork], partitions: int) -> _BuildSample:
    chosen = job.store.read_table(job.path(CHOSEN))
    tables = [job.store.read_table(_samples_path(job, index)) for index in range(partitions)]
    sample = pa.concat_tables(tables).combine_chunks()
    group, key = codes_in(sample["group"], chosen["group"].combine_chunks()), sample["key"].to_numpy()
    once = first_of_key(group, key, sample["doc_id"])
    sample, group, key = sample.take(pa.array(once)), group[once], key[once]
    left, right = shuffle(group, key, distinct(sample["doc_id"])[1])
    first = PairVectors(vectors_of(sample["query"]), vectors_of(sample["passage"]))
    rows = dict(zip(chosen["group"].to_pylist(), chosen["rows"].to_pylist(), strict=True))
    if job.settings.expensive is None:
        return _BuildSample(group, rows, left, right, deciding=first, cheap=None)
    expensive = PairVectors(vectors_of(sample["expensive_query"]), vectors_of(sample["expensive_passage"]))
    return _BuildSample(group, rows, left, right, deciding=expensive, cheap=first)


def _set_bands(cuts: dict[str, GroupCut], samples: dict[str, ScoredSample], agreement: float) -> Figures:
    """Put the bands into the cuts; the expensive encoder decides a group that has none. Returns the figures."""
    if not samples:
        return {"agreement": same(1.0), "in_band": same(1.0)}
    chosen = bands_for_agreement(samples, agreement)
    for name, band in chosen.bands.items():
        cuts[name] = replace(cuts[name], low=band.low, high=band.high)
    return {
        "agreement": same(chosen.agreement),
        "shuffled_agreement": same(chosen.shuffled_agreement),
        "in_band": same(chosen.share),
        "bands": {name: same(band.to_json()) for name, band in chosen.bands.items()},
    }


def read_cuts(job: Job[SimilarityWork]) -> dict[str, GroupCut]:
    """The cuts; none where a fixed threshold leaves nothing to find out."""
    return cuts_from_table(job.store.read_table(job.path(CUTS))) if job.settings.needs_sample else {}


def expensive_vectors(job: Job[SimilarityWork], index: int) -> SparseVectors:
    """The vectors of a cascade's expensive encoder of a partition."""
    work = job.settings.expensive
    assert work is not None, "only a cascade has an expensive encoder"
    assert work.cached is not None, "its vectors have a folder"
    return SparseVectors(job.store, work.cached, index)


def encode_expensive(job: Job[SimilarityWork], index: int, step: str, texts: pa.Table) -> Figures:
    """Make sure that texts (columns query and passage) have vectors of the expensive encoder. Returns its figures."""
    encoder = load_encoder(job.settings.encoder)
    stage_folder = job.folder.rpartition("/")[2]
    expensive_vectors(job, index).add(f"{step}-{stage_folder}", texts, encoder)
    return encoder_figures(encoder)


def _candidates_path(job: Job[SimilarityWork], index: int) -> str:
    return job.path(f"candidates/part-{index:05d}.parquet")


def _samples_path(job: Job[SimilarityWork], index: int) -> str:
    return job.path(f"samples/part-{index:05d}.parquet")
