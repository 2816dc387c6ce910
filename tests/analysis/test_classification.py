"""Metrics from probabilities, against scikit-learn called otherwise and against a table worked out
by hand.
"""

import numpy as np
import pytest
from sklearn import metrics

from fer_jax.analysis import classification
from fer_jax.errors import ConfigError

CLASSES = ("angry", "happy", "sad", "surprise")


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 300)
    logits = rng.normal(0, 1, (300, 4)) + 1.5 * np.eye(4)[labels]
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_against_scikit_learn(answers):
    probabilities, labels = answers
    found, answer = classification.measure(*answers), probabilities.argmax(axis=1)
    report = metrics.classification_report(labels, answer, output_dict=True)
    assert set(found) == set(classification.METRICS)
    assert found["accuracy"] == pytest.approx(np.mean(labels == answer)) == pytest.approx(report["accuracy"])
    assert found["loss"] == pytest.approx(-np.log(probabilities[np.arange(300), labels]).mean(), rel=1e-6)
    for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert found[name] == pytest.approx(report["macro avg"][key])
    exact = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(labels, exact, multi_class="ovr", average="macro"))


def test_a_table_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45], [0.1, 0.9]])
    found = classification.measure(probabilities, np.array([0, 0, 0, 1, 1]))
    # Answers 0, 0, 1, 0, 1. Class 0: precision 2/3, recall 2/3; class 1: 1/2, 1/2. Of six pairs one
    # is in wrong order.
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["auc"] == pytest.approx(5 / 6)
    assert found["loss"] == pytest.approx(-np.log([0.8, 0.6, 0.3, 0.45, 0.9]).mean())


def test_classes_that_are_never_answered_or_never_shown():
    always = np.tile([0.5, 0.3, 0.2], (4, 1))
    found = classification.measure(always, np.array([0, 0, 1, 1]))
    assert found["precision"] == pytest.approx((0.5 + 0) / 2) and found["recall"] == pytest.approx(0.5)
    assert found["auc"] == pytest.approx(0.5)
    assert np.isnan(classification.measure(always, np.zeros(4, int))["auc"])


def test_binarise_sums_and_counts_the_threshold_as_positive():
    probabilities = np.array(
        [[0.3, 0.25, 0.2, 0.25], [0.26, 0.25, 0.25, 0.24], [0.1, 0.6, 0.2, 0.1], [0.9, 0.05, 0.05, 0.0]]
    )
    labels = np.array([1, 3, 0, 2])
    found = classification.binarise(probabilities, labels, CLASSES, ("Happiness", "surprised"))
    # Sums .5, .49, .7, .05 against positive, positive, negative, negative: right, wrong, wrong,
    # right.
    assert found["accuracy"] == found["precision"] == found["recall"] == pytest.approx(0.5)
    assert found["auc"] == pytest.approx(0.5)
    assert found["loss"] == pytest.approx(-np.log([0.5, 0.49, 0.3, 0.95]).mean())
    strict = classification.binarise(probabilities, labels, CLASSES, ("happy", "surprise"), threshold=0.8)
    assert strict["accuracy"] == pytest.approx(0.5) and strict["recall"] == pytest.approx(0.5)
    assert strict["auc"] == found["auc"]


def test_binarise_against_scikit_learn(answers):
    probabilities, labels = answers
    found = classification.binarise(*answers, CLASSES, ("happy", "surprise"))
    positive, truth = probabilities[:, [1, 3]].sum(axis=1), np.isin(labels, (1, 3))
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(truth, positive))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, positive >= 0.5, average="macro"))
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, positive >= 0.5, average="macro"))


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        (("happy", "joyful"), "no class 'joyful' to be positive; the classes are angry, happy, sad, surprise"),
        ((), "no class is positive"),
        (CLASSES, "every class is positive"),
    ],
)
def test_wrong_classes(answers, positive, message):
    with pytest.raises(ConfigError, match=message):
        classification.binarise(*answers, CLASSES, positive)
