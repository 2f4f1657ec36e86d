import random

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from cmtp.dedup.jaccard import MISSED, CopyLimits, least_slots, promising, rows_of
from cmtp.dedup.minhash import signatures
from cmtp.text.compare import fold
from tests.dedup import pairs


@pytest.mark.parametrize("permutations", [16, 64, 128, 256])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95, 1.0])
def test_sketch_bound_is_the_quantile_of_the_binomial(permutations, threshold):
    slots = least_slots(permutations, threshold)
    assert stats.binom.cdf(slots - 1, permutations, threshold) <= MISSED
    assert threshold == 1 or stats.binom.cdf(slots, permutations, threshold) > MISSED


def test_sketches_let_similar_texts_through_and_hold_back_most_others():
    generator = random.Random(9)
    texts, others, truth = [], [], []
    for _ in range(1500):
        text = pairs.passage(generator, generator.randrange(60, 200))
        other = pairs.perturbed(generator, text, generator.randint(1, max(1, len(text) // 8)))
        texts.append(text)
        others.append(other)
        truth.append(pairs.jaccard(text, other))
    folded = fold(pa.array(texts + others))
    many = len(texts)
    document = np.arange(2 * many).astype(np.uint64)
    rows = rows_of(
        folded,
        document,
        use=np.zeros(2 * many, np.uint64),
        fixed=np.zeros(2 * many, bool),
        sketch=signatures(folded, 128, 5, 42).astype(np.uint8),
    )
    limits = CopyLimits(0.8, 0, 0.0, least_slots(128, 0.8))
    passed = promising(rows, np.arange(many), np.arange(many) + many, limits)
    truth = np.array(truth)
    assert passed[truth >= 0.8].all()
    assert passed[truth < 0.5].mean() < 0.01
    assert (truth < 0.5).sum() > 200


def test_older_rows_documents_forms_and_numbers_hold_back_pairs():
    texts = [
        "甲乙丙丁戊己庚辛壬癸甲乙丙丁一共 3 人",
        "甲乙丙丁戊己庚辛壬癸甲乙丙丁一共 4 人",
        "甲乙丙丁戊己庚辛壬癸甲乙丙丁共 3 人",
    ]
    texts.append(texts[0] + "。")
    document = np.array([1, 2, 3, 4], np.uint64)
    limits = CopyLimits(0.1, 64, 0.5, 0)

    def verdict(document, fixed):
        rows = rows_of(
            fold(pa.array(texts)),
            document,
            use=np.zeros(4, np.uint64),
            fixed=np.array(fixed),
            sketch=np.zeros((4, 16), np.uint8),
        )
        return promising(rows, np.zeros(3, np.int64), np.arange(1, 4), limits).tolist()

    none = [False] * 4
    assert verdict(document, none) == [False, True, False]  # other number; copy; same form
    assert verdict(np.array([1, 2, 1, 4], np.uint64), none) == [False, False, False]  # of one document
    assert verdict(document, [True, False, False, False])[1]
    assert not verdict(document, [True, False, True, False])[1]  # both of older releases
