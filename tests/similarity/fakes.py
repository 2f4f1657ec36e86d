"""Two encoders that know which texts belong together, pairs written for them, and the stages as a build runs them."""

from dataclasses import replace

import numpy as np

from cmtp.encoders.base import EncoderCard
from cmtp.engine.executor import SerialExecutor
from cmtp.engine.plan import place, run_alone
from cmtp.recipe import load_recipe
from cmtp.similarity.encode import EncodeStage
from cmtp.similarity.score import ScoreStage
from cmtp.similarity.stage import SimilarityStage
from tests.rows import pair, pair_table

DIM = 48
FIRST, SECOND = "tests/first", "tests/second"

QUERY_DIGITS, PASSAGE_DIGITS = "零一二三四五六七八九", "甲乙丙丁戊己庚辛壬癸"
"""A query and its passage are one number, in digits that have no character in common."""

MARKS = {"某": 0.0, "稍": 0.3}
"""Marks at the end of passages of which the first encoder sees little: the cosine with their queries."""


def query_text(number):
    return "".join(QUERY_DIGITS[int(digit)] for digit in f"{number:06d}")


def passage_text(number, mark=""):
    return "".join(PASSAGE_DIGITS[int(digit)] for digit in f"{number:06d}") + mark


def number_of(text):
    return int("".join(str((QUERY_DIGITS + PASSAGE_DIGITS).index(char) % 10) for char in text.rstrip("".join(MARKS))))


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=DIM)
    return vector / np.linalg.norm(vector)


class Fake:
    """A passage has a cosine of about .85 with its own query, by the first encoder less if it is marked."""

    dim = DIM
    max_chars = None

    def __init__(self, name):
        self.name = name
        self.weights_hash = f"hash of {name}"
        self.seen = []

    def encode(self, texts, side):
        self.seen += [(side, text) for text in texts.to_pylist()]
        out = np.zeros((len(texts), DIM), np.float32)
        for row, text in enumerate(texts.to_pylist()):
            number = number_of(text)
            own = 1.0 if side == "query" else MARKS.get(text[-1], 0.85) if self.name == FIRST else 0.85
            out[row] = own * unit([1, number]) + (1 - own**2) ** 0.5 * unit([2, number])
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    def card(self):
        return EncoderCard(self.name, "cmtp", "nothing", load=lambda: self, identity=lambda: "the only weights")


def text_pairs(texts, source="生活", ids="", relation="title_body"):
    """Pairs of (query, passage), each of a document of its own."""
    return pair_table(
        pair(
            query, passage, source=source, relation=relation, doc=f"d{source}{ids}{i}", name=f"{source}{ids}{i}",
            origin=f"{i}.md#1",
        )
        for i, (query, passage) in enumerate(texts)
    )  # fmt: skip


def planted_texts(n, planted, unclear=0.0, start=0):
    """(query, passage) of n pairs, of which the first share exchange passages in a circle.

    `unclear`: share of passages of which the first encoder sees nothing, and share of those of which it sees little.
    """
    wrong, each = int(n * planted), int(n * unclear)
    marks = [""] * (n - 2 * each) + ["稍"] * each + ["某"] * each
    passages = [passage_text(start + i, mark) for i, mark in enumerate(marks)]
    passages[:wrong] = passages[1:wrong] + passages[: min(wrong, 1)]
    return [(query_text(start + i), passage) for i, passage in enumerate(passages)]


def is_wrong(query, passage):
    """Whether a query has another's passage."""
    return number_of(query) != number_of(passage)


def write_parts(store, table, sizes):
    """The rows of a table as partitions of these sizes."""
    parts, start = [], 0
    for i, size in enumerate(sizes):
        parts.append(f"in-{i}.parquet")
        store.write_table(parts[-1], table.slice(start, size))
        start += size
    return parts


def run_similarity(store, parts, settings, executor=None):
    """The encode, score and similarity stages; `settings`: of the recipe's similarity part, as for --set.

    Returns:
        What the similarity stage wrote, with the figures and the warning of the score stage.
    """
    executor = executor or SerialExecutor()
    recipe = load_recipe(None, [f"similarity.{setting}" for setting in settings])
    work = EncodeStage().resolve(recipe, {})
    encoded = run_alone(EncodeStage(), store, work, parts, input_fingerprint="x", executor=executor)
    before = {"encode": place(EncodeStage(), work, "x")}
    work = ScoreStage().resolve(recipe, before)
    before["score"] = place(ScoreStage(), work, encoded.fingerprint)
    scored = run_alone(
        ScoreStage(), store, work, encoded.kept, input_fingerprint=encoded.fingerprint, executor=executor
    )
    work = SimilarityStage().resolve(recipe, before)
    applied = run_alone(
        SimilarityStage(), store, work, scored.kept, input_fingerprint=scored.fingerprint, executor=executor
    )
    return replace(applied, stage=scored.stage, receipts=[*scored.receipts, *applied.receipts])
