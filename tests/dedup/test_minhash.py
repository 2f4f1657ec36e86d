"""MinHash signatures and band keys."""

import random

import datasketch
import numpy as np
import pyarrow as pa

from cmtp.dedup.minhash import band_keys, permutations, signatures
from cmtp.dedup.settings import DedupSettings
from cmtp.text.compare import fold
from cmtp.text.ngrams import shingle_sets
from tests.dedup import pairs


def test_signature_is_the_minimum_of_every_permutation():
    texts = ["第一条　为了保护民事主体的合法权益，调整民事关系。", "甲", ""]
    a, b = permutations(128, 7)
    shingles, starts = shingle_sets(fold(pa.array(texts)), 5)
    found = signatures(fold(pa.array(texts)), 128, 5, 7)
    for row in (0, 1):
        low = (shingles[starts[row] : starts[row + 1]] >> np.uint64(32)).astype(np.uint32)
        assert (found[row] == (low[:, None] * a + b).min(axis=0)).all()
    assert (found[2] == 0xFFFFFFFF).all()


def test_estimate_is_unbiased_and_as_sharp_as_datasketch():
    generator = random.Random(5)
    errors, theirs = [], []
    for _ in range(300):
        text = pairs.passage(generator, 120)
        other = pairs.perturbed(generator, text, generator.randint(1, 12))
        truth = pairs.jaccard(text, other)
        found = signatures(fold(pa.array([text, other])), 128, 5, 42)
        errors.append((found[0] == found[1]).mean() - truth)
        sketches = [datasketch.MinHash(num_perm=128), datasketch.MinHash(num_perm=128)]
        for sketch, one in zip(sketches, (text, other), strict=True):
            sketch.update_batch([shingle.encode() for shingle in pairs.shingles(one)])
        theirs.append(sketches[0].jaccard(sketches[1]) - truth)
    assert abs(np.mean(errors)) < 0.01  # standard error about 0.0025
    assert np.std(errors) < 1.15 * np.std(theirs)


def test_band_keys_depend_on_band_and_slots():
    signature = np.arange(16, dtype=np.uint32).reshape(2, 8)
    signature[1] = signature[0]
    signature[1, 5] += 1
    keys = band_keys(signature, 3, 2)  # two slots each, the last two are left over
    assert keys.shape == (2, 3)
    assert (keys[0] == keys[1]).tolist() == [True, True, False]
    assert len(np.unique(band_keys(np.zeros((1, 8), np.uint32), 4, 2))) == 4


def test_default_bands_favour_recall_more_than_datasketch_would():
    """Candidates are verified, so bands are for recall: datasketch's own search, told so, takes no fewer of them."""
    settings = DedupSettings()
    rows = settings.permutations // settings.bands
    lsh = datasketch.MinHashLSH(settings.threshold, settings.permutations, weights=(0.0, 1.0))
    balanced = datasketch.MinHashLSH(settings.threshold, settings.permutations)
    assert lsh.b >= settings.bands > balanced.b
    assert 1 - (1 - settings.threshold**rows) ** settings.bands > 0.995


def test_signatures_do_not_change_between_versions():
    """Sketches of one build are compared with each other: a change must be deliberate."""
    assert signatures(fold(pa.array(["第１２條"])), 16, 5, 42)[0, :2].tolist() == [2089037594, 2721231962]
