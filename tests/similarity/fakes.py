"""Two encoders whose cosines stand in the texts, and pairs written for them."""

import numpy as np

from tests.rows import pair, pair_table

TOPICS = 16
CHEAP, DEAR = "tests/cheap", "tests/dear"


class Fake:
    """A passage "topic cheap dear n" has the stated cosine with the query "topic n", and 0 with other topics."""

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
            cosine = 1.0 if side == "query" else float(cosines[self.name == DEAR])
            out[row, int(topic)] = cosine
            out[row, TOPICS + int(topic)] = (1 - cosine**2) ** 0.5
        return out


def fake_pairs(n, seed=0, share_wrong=0.2, source="甲", noise=0.15):
    """Pairs of which some are wrong: low by the dear encoder, mostly low by the cheap one."""
    rng = np.random.default_rng([seed, n])
    wrong = rng.random(n) < share_wrong
    dear = np.where(wrong, rng.uniform(0.0, 0.2, n), rng.uniform(0.5, 0.9, n))
    cheap = np.clip(np.where(wrong, 0.1, 0.7) + rng.normal(0, noise, n), 0, 0.99)
    return pair_table(
        pair(
            query=f"{i % TOPICS} {i}",
            passage=f"{i % TOPICS} {cheap[i]:.4f} {dear[i]:.4f} {i}",
            source=source,
            doc=f"d{source}{seed}-{i}",
            name=f"{source}{seed}-{i}",
            origin=f"{i}.md#1",
        )
        for i in range(n)
    )
