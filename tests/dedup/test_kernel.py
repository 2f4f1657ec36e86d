import itertools
import random

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmtp.dedup.kernel import band_keys, hash_texts, permutations, shingle_sets, signatures
from cmtp.recipe import DedupSettings
from cmtp.text.compare import comparison_form, fold
from tests.dedup import pairs


def hashes(*texts):
    column = pa.array(texts)
    return [tuple(one) for one in hash_texts(column, fold(column)).tolist()]


def sets(texts, width=5):
    shingles, starts = shingle_sets(fold(pa.array(texts)), width)
    return [set(shingles[a:b].tolist()) for a, b in itertools.pairwise(starts)]


def test_equal_forms_have_equal_hashes_and_others_do_not():
    texts = ["第３條，臺灣", "第3条：台湾", "第4条：台湾", "台湾第3条", ""]
    first, second, *others = hashes(*texts)
    assert first == second
    assert len({first, *others}) == 4


def test_text_of_punctuation_is_hashed_by_its_bytes():
    found = hashes("……", "……", "——", "。", "", "!")
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_halves_of_the_hash_are_independent():
    texts = pairs.family(3, 3000, 1)
    found = np.array(hashes(*texts), np.uint64)
    for half in (0, 1):
        assert len(np.unique(found[:, half])) == len(texts)
        bits = (found[:, half, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        assert (abs(bits.mean(axis=0) - 0.5) < 0.06).all()


@given(st.lists(st.text(alphabet="一二三四甲乙丙 ，12", max_size=30), min_size=1, max_size=8))
def test_shingle_sets_are_those_of_plain_python(texts):
    # as sets of hashes: sizes of every intersection must agree
    ours, plain = sets(texts), [pairs.shingles(text) for text in texts]
    for a, x in zip(ours, plain, strict=True):
        for b, y in zip(ours, plain, strict=True):
            assert len(a & b) == len(x & y)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("。", 0),
        ("甲", 1),
        ("甲乙", 1),
        ("甲乙丙", 1),
        ("一二三四五六七八九十甲乙", 10),
        ("一二三四五六七八九十甲乙丙", 9),
    ],
)
def test_width_follows_length(text, count):
    assert len(sets([text])[0]) == count


def test_widths_never_meet():
    short, longer = "甲乙丙", "甲乙丙丁戊甲乙丙丁戊甲乙丙丁戊"
    assert not sets([short])[0] & sets([longer])[0]


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


def test_hashes_do_not_change_between_versions():
    """Fingerprints of builds rest on them: a change must be deliberate."""
    assert comparison_form("第１２條") == "第12条"
    assert hashes("第１２條")[0] == (2848919056434392496, 1613165478738224931)
    assert signatures(fold(pa.array(["第１２條"])), 16, 5, 42)[0, :2].tolist() == [2089037594, 2721231962]
