"""The learned score's arithmetic against scikit-learn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score

from cmtp.filters.learned import sigmoid
from cmtp.filters.scores import CALIBRATION_BINS, macro_f1, score_figures
from cmtp.filters.train import fit_logistic, ngram_matrix, platt_scale


@pytest.mark.parametrize("penalty", [1.0, 10.0])
def test_logistic_regression(penalty):
    rng = np.random.default_rng(5)
    alphabet = np.array(list("春夏秋冬山水花鸟风月"))
    texts = pl.Series(["".join(rng.choice(alphabet, rng.integers(3, 12))) for _ in range(200)])
    labels = np.array([("春" in text) ^ (rng.random() < 0.1) for text in texts]).astype(np.int64)
    features = ngram_matrix(texts)
    model = fit_logistic(features, labels, penalty)
    oracle = LogisticRegression(C=penalty, tol=1e-9, max_iter=2000).fit(features.astype(np.float64), labels)
    assert sigmoid(model.scores(texts)) == pytest.approx(oracle.predict_proba(features)[:, 1], abs=0.01)
    assert model.weights == pytest.approx(oracle.coef_[0], abs=0.05)
    assert model.bias == pytest.approx(oracle.intercept_[0], abs=0.05)


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is its only feature."""

    def fit(self, x, y):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(np.int64)


def test_platt_scaling():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=500)
    labels = (rng.random(500) < sigmoid(2 * scores + 0.5)).astype(np.int64)
    frozen = FrozenEstimator(Scores().fit(None, None))
    oracle = CalibratedClassifierCV(frozen, method="sigmoid").fit(scores[:, None], labels)
    scale, shift = platt_scale(scores, labels)
    assert sigmoid(scale * scores + shift) == pytest.approx(oracle.predict_proba(scores[:, None])[:, 1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_figures(seed):
    rng = np.random.default_rng(seed)
    chances = rng.beta(0.4, 0.6, 300)
    labels = (rng.random(300) < chances).astype(np.int64)
    measured = score_figures(chances, labels)
    shares, means = calibration_curve(labels, chances, n_bins=CALIBRATION_BINS)
    assert [bin[0] for bin in measured.reliability] == pytest.approx(means)
    assert [bin[1] for bin in measured.reliability] == pytest.approx(shares)
    sizes = np.array([bin[2] for bin in measured.reliability])
    assert measured.error == pytest.approx((np.abs(shares - means) * sizes).sum() / 300)
    assert measured.macro_f1 == pytest.approx(f1_score(labels, chances >= 0.5, average="macro"))
    for cut, precision, recall in measured.thresholds:
        assert precision == pytest.approx(precision_score(labels, chances >= cut, zero_division=0))
        assert recall == pytest.approx(recall_score(labels, chances >= cut))


def test_macro_f1_of_a_label_that_never_occurs():
    ones = np.ones(4, np.int64)
    assert macro_f1(ones, ones) == f1_score(ones, ones, average="macro", labels=[0, 1], zero_division=0)
