"""The cut of a signature into bands, and which rows become candidates."""

import random

import datasketch
import numpy as np
import pyarrow as pa
import pytest

from cmtp.dedup.candidates import AUTO_WEIGHTS, BandCut, choose_bands
from cmtp.dedup.minhash import band_keys, signatures
from cmtp.text.compare import fold
from tests.dedup import pairs


@pytest.mark.parametrize("permutations", [16, 128, 200])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 0.99])
def test_the_cut_is_the_one_that_datasketch_chooses(threshold, permutations):
    lsh = datasketch.MinHashLSH(threshold, permutations, weights=AUTO_WEIGHTS)
    cut = choose_bands(threshold, permutations)
    assert cut == (lsh.b, lsh.r)
    assert cut.bands * cut.rows <= permutations
    assert 1 - (1 - threshold**cut.rows) ** cut.bands > 0.98


def test_for_the_default_threshold_the_search_gives_the_default_cut():
    assert choose_bands(0.8, 128) == BandCut(21, 6)


def test_equal_sets_need_one_band():
    assert choose_bands(1.0, 128) == BandCut(1, 128)


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_recall_on_planted_pairs(threshold):
    """Of pairs at or above the threshold nearly all meet in a band; of pairs far below it few do."""
    generator = random.Random(7)
    texts, others, truth = [], [], []
    for _ in range(1200):
        text = pairs.passage(generator, generator.randrange(60, 200))
        edits = round(len(text) * generator.random() * (0.02 if threshold == 0.9 else 0.12))
        texts.append(text)
        others.append(pairs.perturbed(generator, text, edits))
        truth.append(pairs.jaccard(texts[-1], others[-1]))
    truth = np.array(truth)
    cut = choose_bands(threshold, 128)
    signature = signatures(fold(pa.array(texts + others)), 128, 5, 42)
    keys = band_keys(signature, cut.bands, cut.rows)
    met = (keys[: len(texts)] == keys[len(texts) :]).any(axis=1)
    assert (truth >= threshold).sum() > 400
    assert met[truth >= threshold].mean() > 0.995
    near = (truth >= threshold) & (truth < threshold + 0.03)
    assert near.sum() > 30
    assert met[near].mean() > 0.98
