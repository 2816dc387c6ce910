"""Metrics of many trials at once against scikit-learn's of one."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fer_jax.analysis import metrics

TRIALS, IMAGES, CLASSES = 4, 300, 5


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.fixture(params=["continuous", "tied", "rare", "float32"])
def case(request):
    """(probabilities, labels): of all classes; of few distinct values; one class never shown and
    one never answered.
    """
    rng = np.random.default_rng(3)
    labels = rng.integers(0, CLASSES, IMAGES)
    logits = 2 * rng.normal(size=(TRIALS, IMAGES, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    if request.param == "tied":
        logits = np.round(logits)
    if request.param == "rare":
        labels[labels == 4] = 0
        logits[..., 2] = -30
    probabilities = softmax(logits)
    return probabilities.astype(np.float32) if request.param == "float32" else probabilities, labels


def test_confusion_and_what_follows_from_it(case):
    probabilities, labels = case
    matrix = metrics.confusion(probabilities, labels)
    found = metrics.by_class(matrix)
    balanced = metrics.balanced_accuracy(matrix)
    for trial, answers in enumerate(probabilities.argmax(-1)):
        np.testing.assert_array_equal(matrix[trial], reference.confusion_matrix(labels, answers, labels=range(CLASSES)))
        wanted = reference.precision_recall_fscore_support(labels, answers, labels=range(CLASSES), zero_division=0)
        for values, expected in zip((found.precision, found.recall, found.f1), wanted, strict=False):
            np.testing.assert_allclose(values[trial], expected)
        np.testing.assert_array_equal(found.support, wanted[3])
        for average, mean in (("macro", found.macro), ("weighted", found.weighted)):
            wanted = reference.precision_recall_fscore_support(labels, answers, average=average, zero_division=0)
            for values, expected in zip((found.precision, found.recall, found.f1), wanted, strict=False):
                np.testing.assert_allclose(mean(values)[trial], expected)
        recalls = reference.recall_score(labels, answers, average=None, labels=np.unique(labels), zero_division=0)
        np.testing.assert_allclose(balanced[trial], recalls.mean())


def test_log_loss(case):
    probabilities, labels = case
    for trial, found in enumerate(metrics.log_loss(probabilities, labels)):
        exact = probabilities[trial].astype(np.float64)
        exact /= exact.sum(-1, keepdims=True)
        np.testing.assert_allclose(found, reference.log_loss(labels, exact, labels=range(CLASSES)), rtol=1e-6)


def test_areas_of_each_class_against_the_rest(case):
    probabilities, labels = case
    areas, precisions = metrics.auc(probabilities, labels), metrics.average_precision(probabilities, labels)
    for number in range(CLASSES):
        shown = labels == number
        for trial in range(TRIALS):
            scores = probabilities[trial, :, number]
            if not shown.any():
                assert np.isnan(areas[trial, number]) and np.isnan(precisions[trial, number])
                continue
            np.testing.assert_allclose(areas[trial, number], reference.roc_auc_score(shown, scores))
            np.testing.assert_allclose(precisions[trial, number], reference.average_precision_score(shown, scores))
    np.testing.assert_allclose(metrics.class_mean(areas), np.nanmean(areas, axis=1))


def test_calibration_by_hand():
    """Five bins: two pictures of confidence .6, both right; three of .9, .9 and 1, one right."""
    probabilities = np.array([[[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [1.0, 0.0]]])
    found = metrics.calibration(probabilities, np.array([0, 1, 0, 1, 1]), bins=5)
    np.testing.assert_array_equal(found.counts, [[0, 0, 2, 0, 3]])
    np.testing.assert_allclose(found.confidence[0, [2, 4]], [0.6, 2.8 / 3])
    np.testing.assert_allclose(found.accuracy[0, [2, 4]], [1, 1 / 3])
    np.testing.assert_allclose(found.ece, [(2 * 0.4 + 3 * (2.8 / 3 - 1 / 3)) / 5])


def test_nobody_answers_one_class_only():
    matrix = metrics.confusion(np.full((2, 6, 3), 1 / 3), np.array([0, 0, 1, 1, 2, 2]))
    np.testing.assert_array_equal(matrix, [[[2, 0, 0], [2, 0, 0], [2, 0, 0]]] * 2)
    assert np.isnan(metrics.class_mean(np.full((1, 3), np.nan))).all()
