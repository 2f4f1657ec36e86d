"""Two encoders whose cosines stand in the texts, pairs written for them, and the three stages as a build runs them."""

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

TOPICS = 16
CHEAP, EXPENSIVE = "tests/cheap", "tests/expensive"


class Fake:
    """A passage "topic cheap expensive n" has the stated cosine with the query "topic n", and 0 with other topics."""

    dim = 2 * TOPICS
    max_chars = None

    def __init__(self, name):
        self.name = name
        self.weights_hash = f"hash of {name}"
        self.seen = []

    def encode(self, texts, side):
        self.seen += [(side, text) for text in texts.to_pylist()]
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts.to_pylist()):
            topic, *cosines = text.split()
            cosine = 1.0 if side == "query" else float(cosines[self.name == EXPENSIVE])
            out[row, int(topic)] = cosine
            out[row, TOPICS + int(topic)] = (1 - cosine**2) ** 0.5
        return out

    def card(self):
        return EncoderCard(self.name, "cmtp", "nothing", load=lambda: self, identity=lambda: "the only weights")


def text_pairs(texts, source="生活", ids=""):
    """Pairs of (query, passage), each of a document of its own."""
    return pair_table(
        pair(query, passage, source=source, doc=f"d{source}{ids}{i}", name=f"{source}{ids}{i}", origin=f"{i}.md#1")
        for i, (query, passage) in enumerate(texts)
    )


def fake_pairs(n, seed=0, share_wrong=0.2, source="甲", noise=0.15):
    """Pairs of which some are wrong: low by the expensive encoder, mostly low by the cheap one."""
    rng = np.random.default_rng([seed, n])
    wrong = rng.random(n) < share_wrong
    expensive = np.where(wrong, rng.uniform(0.0, 0.2, n), rng.uniform(0.5, 0.9, n))
    cheap = np.clip(np.where(wrong, 0.1, 0.7) + rng.normal(0, noise, n), 0, 0.99)
    texts = [
        (f"{i % TOPICS} {i}", f"{i % TOPICS} {low:.4f} {high:.4f} {i}")
        for i, (low, high) in enumerate(zip(cheap, expensive, strict=True))
    ]
    return text_pairs(texts, source, ids=f"{seed}-")


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
