"""What the similarity cut removes of planted wrong pairs, and loses of the others.

    python -m benchmarks.similarity PAIRS

PAIRS is a folder of pairs that no similarity stage has cut: ``.work/filter-*/kept`` of a build. Of every source and
relation at most 2,000 pairs are taken by hash. A share of them exchange passages across documents, and the stage's own
functions estimate, decide and reject. Printed is, for each dose, the mean over some draws: the estimate, right pairs
lost, planted pairs removed, precision, and how often what was decided.

With --second NAME the second encoder is asked as in a build. It may be slow, so it encodes the first --encoded pairs of
a group, and groups of 2,000 are drawn from these. Its vectors are kept in the folder --keep.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.encoders_static import area_under_curve
from cmtp.encoders.base import Encoder
from cmtp.encoders.registry import load_encoder
from cmtp.engine.store import Store
from cmtp.schema import SIDES
from cmtp.similarity.containment import TextGrams, text_grams
from cmtp.similarity.decide import WORTH_A_PROBE, GroupVerdict, fit_suspects, judge_alone, judge_probe
from cmtp.similarity.features import PairTexts
from cmtp.similarity.group_model import ScoredSample, score_sample, second_model
from cmtp.similarity.group_steps import READ_CHARS
from cmtp.similarity.sample_steps import document_codes, text_codes
from cmtp.similarity.shuffled import SampleCodes
from cmtp.similarity.vectors import PairVectors, SparseVectors
from cmtp.text.hashes import pair_keys

DRAWN = 2000
"""Pairs of a group."""

SMALLEST = 400
"""Groups with fewer pairs are passed over."""

PROBE = 300
"""As the setting's default."""

DOSES = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Shares of the pairs that exchange passages."""


@dataclass(frozen=True)
class Group:
    """A group's pairs.

    Attributes:
        name: source and relation.
        first: their vectors by the encoder that sees all pairs.
        second: by the other one; None: there is none.
        queries: texts.
        passages: texts.
        codes: of document, query and passage.
    """

    name: str
    first: PairVectors
    second: PairVectors | None
    queries: TextGrams
    passages: TextGrams
    codes: SampleCodes


@dataclass(frozen=True)
class Outcome:
    """What happened to a group in which pairs were planted.

    Attributes:
        verdict: the last one.
        planted: bool [n].
        rejected: bool [n].
        asked: pairs that the second encoder saw.
    """

    verdict: GroupVerdict
    planted: np.ndarray
    rejected: np.ndarray
    asked: int


def read_groups(folder: Path, only: str, first: str, second: str | None, encoded: int, keep: Path) -> Iterator[Group]:
    """The groups of a build, in order of their names."""
    plain = [pl.col(name).cast(pl.String) for name in ("query", "passage", "doc_id", "source", "relation")]
    pairs = pl.concat([pl.scan_parquet(path).select(plain) for path in sorted(folder.rglob("*.parquet"))]).collect()
    for (source, relation), group in sorted(pairs.group_by("source", "relation"), key=lambda item: item[0]):
        name = f"{source} | {relation}"
        if len(group) < SMALLEST or only not in name:
            continue
        order = np.argsort(pair_keys(group["query"].to_arrow(), group["passage"].to_arrow()), kind="stable")
        table = group[order[: encoded if second else DRAWN].tolist()].to_arrow()
        texts = pa.table({side: pa.chunked_array(table[side].cast(pa.large_string())) for side in SIDES})
        beginnings = pa.table({side: pa.compute.utf8_slice_codeunits(texts[side], 0, READ_CHARS) for side in SIDES})
        encoder = load_encoder(first)
        codes = SampleCodes(
            np.zeros(len(texts), np.int64),
            document_codes(table["doc_id"].cast(pa.string())),
            text_codes(texts["query"]),
            text_codes(texts["passage"]),
        )
        yield Group(
            name,
            PairVectors(*(encoder.encode(texts[side].combine_chunks(), side) for side in SIDES)),
            kept_vectors(load_encoder(second), beginnings, keep) if second else None,
            text_grams(texts["query"]),
            text_grams(texts["passage"]),
            codes,
        )


def kept_vectors(encoder: Encoder, texts: pa.Table, keep: Path) -> PairVectors:
    """Vectors of queries and passages, those of earlier runs among them."""
    cache = SparseVectors(Store(str(keep / encoder.weights_hash[:16])), "kept", "all")
    cache.add(hashlib.sha256(repr(texts.to_pydict()).encode()).hexdigest()[:16], texts, encoder)
    return cache.open().pairs(texts)


def taken(texts: TextGrams, rows: np.ndarray) -> TextGrams:
    """Some texts of a column."""
    pieces = [texts.data[texts.offsets[row] : texts.offsets[row + 1]] for row in rows]
    data = np.concatenate([np.zeros(0, np.uint8), *pieces])
    data.flags.writeable = False
    return TextGrams(texts.folded.take(rows), data, np.r_[0, np.cumsum([len(piece) for piece in pieces])])


@dataclass(frozen=True)
class Drawn:
    """A group in which pairs exchanged passages: `query` and `passage` are rows of the group."""

    group: Group
    query: np.ndarray
    passage: np.ndarray

    def take(self, rows: np.ndarray) -> Drawn:
        """Some of the pairs."""
        return Drawn(self.group, self.query[rows], self.passage[rows])

    @property
    def texts(self) -> PairTexts:
        """As features read them."""
        group = self.group
        vectors = PairVectors(group.first.query[self.query], group.first.passage[self.passage])
        return PairTexts(vectors, taken(group.queries, self.query), taken(group.passages, self.passage))

    @property
    def codes(self) -> SampleCodes:
        """A planted pair has the document of its query."""
        codes = self.group.codes
        return SampleCodes(
            codes.group[self.query], codes.document[self.query], codes.query[self.query], codes.passage[self.passage]
        )

    @property
    def second(self) -> PairVectors:
        """Vectors by the second encoder."""
        assert self.group.second is not None, "there is one"
        return PairVectors(self.group.second.query[self.query], self.group.second.passage[self.passage])


def plant(group: Group, dose: float, rng: np.random.Generator) -> tuple[Drawn, np.ndarray]:
    """Draw a group, and give a share of its pairs the passages of other documents."""
    n = len(group.codes.group)
    query = np.arange(n) if group.second is None else rng.integers(0, n, DRAWN)
    passage, planted = query.copy(), np.zeros(len(query), bool)
    for row in rng.permutation(len(query))[: int(dose * len(query))]:
        for other in rng.integers(0, n, 100):
            if all(code[other] != code[query[row]] for code in group.codes[1:]):
                passage[row], planted[row] = other, True
                break
    return Drawn(group, query, passage), planted


def decide(drawn: Drawn, planted: np.ndarray) -> Outcome:
    """What the stage would do with a group."""
    scored = score_sample(drawn.texts, drawn.codes)
    assert scored is not None, "the group has many documents"
    verdict, rejected = judge_alone(scored.ranks), np.zeros(len(planted), bool)
    if verdict.decision not in WORTH_A_PROBE or drawn.group.second is None:
        if verdict.decision == "cut":
            rejected = scored.judged & (scored.model.ranks(scored.scores) < verdict.limit)
        return Outcome(verdict, planted, rejected, 0)
    part, null_part = scored.suspect_part, scored.model.suspects_among_shuffled
    asked = scored.suspects[:PROBE]
    verdict = judge_probe(verdict, second_ranks(drawn, scored, asked), part, null_part)
    if verdict.decision == "cut":
        asked = scored.suspects
        ranks = second_ranks(drawn, scored, asked)
        verdict = fit_suspects(verdict, ranks, part, null_part)
        rejected[asked] = ranks < verdict.limit
    return Outcome(verdict, planted, rejected, len(asked))


def second_ranks(drawn: Drawn, scored: ScoredSample, asked: np.ndarray) -> np.ndarray:
    """Ranks of suspects by both encoders."""
    some = drawn.take(asked)
    second = second_model(scored.model, some.texts, some.codes, some.second)
    assert second is not None, "there are suspects"
    return second.ranks(second.scores(some.second, scored.scores[asked]))


def area(group: Group) -> float:
    """AUC of T: the probability that a pair scores above a shuffled one."""
    rows = np.arange(len(group.codes.group))
    scored = score_sample(Drawn(group, rows, rows).texts, group.codes)
    assert scored is not None, "the group has many documents"
    return float(area_under_curve(scored.scores, scored.model.null))


def print_group(group: Group, draws: int, seed: int) -> None:
    """A line per dose."""
    for dose in DOSES:
        found = [decide(*plant(group, dose, np.random.default_rng([seed, draw]))) for draw in range(draws)]
        wrong = np.array([one.verdict.wrong.estimate if one.verdict.wrong else np.nan for one in found])
        lost = np.mean([one.rejected[~one.planted].mean() for one in found])
        removed = np.mean([one.rejected[one.planted].mean() for one in found]) if dose else np.nan
        right = sum((one.rejected & one.planted).sum() for one in found)
        precision = right / max(sum(one.rejected.sum() for one in found), 1)
        asked = np.mean([one.asked / len(one.planted) for one in found])
        decisions = ", ".join(f"{n} {name}" for name, n in Counter(one.verdict.decision for one in found).most_common())
        print(
            f"| {group.name} | {dose:.0%} | {wrong.mean():.3f} ± {wrong.std():.3f} | {lost:.2%} | {removed:.2f} | "
            f"{precision:.2f} | {asked:.1%} | {decisions} |",
            flush=True,
        )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--encoder", default="static-zh")
    parser.add_argument("--second", help="the second encoder")
    parser.add_argument("--encoded", type=int, default=300, help="pairs of a group that the second encoder sees")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "cmtp-benchmark-vectors")
    parser.add_argument("--only", default="", help="a part of the name of the groups that are measured")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| group | planted | estimate | lost | removed | precision | asked | decided |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    areas = []
    for group in read_groups(
        arguments.pairs,
        arguments.only,
        first=arguments.encoder,
        second=arguments.second,
        encoded=arguments.encoded,
        keep=arguments.keep,
    ):
        areas.append(f"{group.name} {area(group):.3f}")
        print_group(group, arguments.draws, arguments.seed)
    print("\nAUC of T: " + "; ".join(areas))


if __name__ == "__main__":
    main()
