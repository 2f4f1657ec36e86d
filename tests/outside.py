"""What a package of somebody else's adds to cmtp. tests/test_additions.py installs it and builds with it."""

from contextlib import contextmanager

import numpy as np
import polars as pl
import pyarrow.compute as pc

from cmtp.encoders.base import EncoderCard, check_texts
from cmtp.engine.executor import execute
from cmtp.filters.rule import Rule
from cmtp.mining.dense import Hits
from cmtp.mining.miners import MinerCard
from cmtp.sources.encoding import decode
from cmtp.sources.formats.format import Format
from cmtp.sources.stream import Failure

# a format: 问：… and 答：… on a line each


def read_faq(content):
    question, number = "", 0
    for line in decode(content.stream.read(), content.encoding).splitlines():
        kind, _, text = line.partition("：")
        if kind == "答" and question:
            number += 1
            yield number, {"question": question, "answer": text}
        elif kind != "问":
            number += 1
            yield number, Failure("bad_record", {"line": line})
        question = text if kind == "问" else ""


FAQ = Format("faq", (".faq",), gives="records", about="questions and answers", read=read_faq, text=True)

# a filter rule with a measure of its own

EXCLAMATIONS = Rule(
    "exclamations",
    ("passage",),
    lambda c: pl.when(c("prose") >= 10).then(c("measure") / c("prose")),
    fires="above",
    limit=0.2,
    basis="for the test",
    unit="share of ！",
    measure=lambda texts: texts.str.count_matches("[！!]"),
)


# an encoder


class Letters:
    """Counts characters, hashed into 256 columns."""

    name, dim, max_chars, weights_hash = "letters", 256, None, "none"

    def encode(self, texts, side):
        check_texts(texts, side)
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts.to_pylist(), strict=True):
            np.add.at(row, [ord(char) % self.dim for char in text], 1)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


LETTERS = EncoderCard(
    "letters", package="numpy", install="", load=Letters, identity=lambda: "letters 1", fallback_cut=0.05
)


# a miner


class Longest:
    """The longest passages, whatever the query."""

    def __init__(self, pool):
        self.order = np.argsort(-pc.utf8_length(pool.passages).to_numpy(), kind="stable")

    def nearest(self, queries, k):
        return Hits(np.tile(self.order[:k], (len(queries.ids), 1)))


LONGEST = MinerCard(Longest)


class Backwards:
    """An executor that runs the tasks of a step in this process, the last first."""

    def run(self, tasks):
        for task in reversed(tasks):
            yield execute(task)


@contextmanager
def open_backwards(workers):
    yield Backwards()
