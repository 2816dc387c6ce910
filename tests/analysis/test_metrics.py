"""Metrics against scikit-learn's and against tables worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fer_jax.analysis import metrics
from fer_jax.errors import ConfigError

TRIALS, IMAGES, CLASSES = 4, 300, 5
NAMES = ("angry", "happy", "sad", "surprise")


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


def test_log_loss_of_a_vote_for_nobody_is_finite():
    least = np.finfo(np.float32).eps
    probabilities = np.array([[[1.0, 0.0], [0.25, 0.75]]], np.float32)
    expected = -(np.log(least) + np.log(0.75)) / 2
    assert metrics.log_loss(probabilities, np.array([1, 1]), float(least)) == pytest.approx([expected])


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


def test_thresholds_are_those_of_the_curves(case):
    probabilities, labels = case
    shown, scores = labels == 0, probabilities[0, :, 0]
    right, called = metrics.at_thresholds(shown, scores)
    false, true, _ = reference.roc_curve(shown, scores, drop_intermediate=False)
    np.testing.assert_allclose((called - right) / (~shown).sum(), false[1:])
    np.testing.assert_allclose(right / shown.sum(), true[1:])
    precision, recall, _ = reference.precision_recall_curve(shown, scores)
    np.testing.assert_allclose((right / called)[::-1], precision[:-1])
    np.testing.assert_allclose((right / shown.sum())[::-1], recall[:-1])


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


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 300)
    logits = rng.normal(0, 1, (300, 4)) + 1.5 * np.eye(4)[labels]
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_all_of_one_classifier_against_scikit_learn(answers):
    probabilities, labels = answers
    found, answer = metrics.measure(*answers), probabilities.argmax(axis=1)
    report = reference.classification_report(labels, answer, output_dict=True)
    assert set(found) == set(metrics.METRICS)
    assert found["accuracy"] == pytest.approx(np.mean(labels == answer)) == pytest.approx(report["accuracy"])
    assert found["loss"] == pytest.approx(-np.log(probabilities[np.arange(300), labels]).mean(), rel=1e-6)
    for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert found[name] == pytest.approx(report["macro avg"][key])
    exact = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    assert found["auc"] == pytest.approx(reference.roc_auc_score(labels, exact, multi_class="ovr", average="macro"))


def test_each_class_of_one_classifier_against_scikit_learn(answers):
    probabilities, labels = answers
    found, answer = metrics.measure_classes(*answers, NAMES), probabilities.argmax(axis=1)
    report = reference.classification_report(labels, answer, target_names=NAMES, output_dict=True)
    assert set(found) == {
        f"{metric}_{name}" for metric in ("precision", "recall", "f1", "auc", "share") for name in NAMES
    }
    for column, name in enumerate(NAMES):
        for metric, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert found[f"{metric}_{name}"] == pytest.approx(report[name][key])
        area = reference.roc_auc_score(labels == column, probabilities[:, column])
        assert found[f"auc_{name}"] == pytest.approx(area)
        assert found[f"share_{name}"] == np.mean(answer == column)


def test_a_class_without_images_has_no_area_and_may_have_answers():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
    found = metrics.measure_classes(probabilities, np.array([0, 0, 1, 1]), ("Angry", "Happiness", "Sad"))
    assert found["share_angry"] == 0.25 and found["share_happy"] == 0.25 and found["share_sad"] == 0.5
    assert np.isnan(found["auc_sad"]) and found["recall_sad"] == found["precision_sad"] == 0
    # Of the four pairs of an angry and a happy image, one is in wrong order: .2 below .3.
    assert found["auc_angry"] == 0.75


def test_one_classifier_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45], [0.1, 0.9]])
    found = metrics.measure(probabilities, np.array([0, 0, 0, 1, 1]))
    # Answers 0, 0, 1, 0, 1. Class 0: precision 2/3, recall 2/3; class 1: 1/2, 1/2. Of six pairs one
    # is in wrong order.
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["auc"] == pytest.approx(5 / 6)
    assert found["loss"] == pytest.approx(-np.log([0.8, 0.6, 0.3, 0.45, 0.9]).mean())


def test_classes_that_are_never_answered_or_never_shown():
    always = np.tile([0.5, 0.3, 0.2], (4, 1))
    found = metrics.measure(always, np.array([0, 0, 1, 1]))
    assert found["precision"] == pytest.approx((0.5 + 0) / 2) and found["recall"] == pytest.approx(0.5)
    assert found["auc"] == pytest.approx(0.5)
    assert np.isnan(metrics.measure(always, np.zeros(4, int))["auc"])


def test_binarise_sums_and_counts_the_threshold_as_positive():
    probabilities = np.array(
        [[0.3, 0.25, 0.2, 0.25], [0.26, 0.25, 0.25, 0.24], [0.1, 0.6, 0.2, 0.1], [0.9, 0.05, 0.05, 0.0]]
    )
    labels = np.array([1, 3, 0, 2])
    found = metrics.binarise(probabilities, labels, NAMES, ("Happiness", "surprised"))
    # Sums .5, .49, .7, .05 against positive, positive, negative, negative: right, wrong, wrong,
    # right.
    assert found["accuracy"] == found["precision"] == found["recall"] == pytest.approx(0.5)
    assert found["auc"] == pytest.approx(0.5)
    assert found["loss"] == pytest.approx(-np.log([0.5, 0.49, 0.3, 0.95]).mean())
    strict = metrics.binarise(probabilities, labels, NAMES, ("happy", "surprise"), threshold=0.8)
    assert strict["accuracy"] == pytest.approx(0.5) and strict["recall"] == pytest.approx(0.5)
    assert strict["auc"] == found["auc"]
    # At .8 no image is called positive.
    assert strict["recall_negative"] == 1 and strict["precision_positive"] == strict["recall_positive"] == 0


def test_binarise_against_scikit_learn(answers):
    probabilities, labels = answers
    found = metrics.binarise(*answers, NAMES, ("happy", "surprise"))
    positive, truth = probabilities[:, [1, 3]].sum(axis=1), np.isin(labels, (1, 3))
    assert found["auc"] == pytest.approx(reference.roc_auc_score(truth, positive))
    assert found["f1"] == pytest.approx(reference.f1_score(truth, positive >= 0.5, average="macro"))
    assert found["precision"] == pytest.approx(reference.precision_score(truth, positive >= 0.5, average="macro"))
    report = reference.classification_report(
        truth, positive >= 0.5, target_names=["negative", "positive"], output_dict=True, zero_division=0
    )
    for name in ("negative", "positive"):
        for metric, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert found[f"{metric}_{name}"] == pytest.approx(report[name][theirs])


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        (("happy", "joyful"), "no class 'joyful' to be positive; the classes are angry, happy, sad, surprise"),
        ((), "no class is positive"),
        (NAMES, "every class is positive"),
    ],
)
def test_classes_that_cannot_be_positive(answers, positive, message):
    with pytest.raises(ConfigError, match=message):
        metrics.binarise(*answers, NAMES, positive)
