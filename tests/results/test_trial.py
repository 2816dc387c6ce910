"""A trial of a small run written by hand: found, and measured by scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from fer_jax import data
from fer_jax.errors import ConfigError, RunError
from fer_jax.results.run import load_run

CLASSES = ("angry", "happy", "sad")


def test_trials_are_found_by_what_is_enough_of_their_id(run):
    assert run.trial("010e6789abc").id == run.trial("010").id == "010e6789abc"
    with pytest.raises(
        RunError, match="trial id '0' is ambiguous in .*: 000e6789abc, 001e6789abc, 010e6789abc, 011e6789abc$"
    ):
        run.trial("0")
    with pytest.raises(RunError, match="no trial '010e6789abd' in .*; did you mean 010e6789abc"):
        run.trial("010e6789abd")
    with pytest.raises(RunError, match="no trial '' in"):
        run.trial("")
    with pytest.raises(RunError, match="trial id 0: ids are text"):
        run.trial(0)


def test_an_id_that_begins_another_is_still_found(tmp_path, small):
    trials = small.trials()
    trials.loc[0, "id"] = "01"
    assert load_run(small.write(tmp_path, trials)).trial("01").id == "01"


def test_select_by_field_value_and_column(run):
    def ids(**wanted):
        return [trial.id[:3] for trial in run.select(**wanted)]

    assert ids() == ["000", "001", "010", "011", "100", "101", "110", "111"]
    assert ids(learning_rate=1e-3) == ids(train__learning_rate=0.001) == ["000", "001", "100", "101"]
    assert ids(dense=[8, 6], seed=6) == ["101", "111"]
    assert ids(status="done", repeat=0) == ["000", "010", "100"]
    assert ids(wave="stack_0-wave_0", learning_rate=0.01) == ["010", "011"]
    assert ids(epochs=50) == ids() and ids(epochs=3) == [] and ids(batch_size=64, dropout=0.4) == ids()
    assert ids(learning_rate=0.5) == []


def test_confusion_matrix_counts_the_pictures_of_a_split(run, monkeypatch, small):
    dataset, seen = small.dataset(), []
    monkeypatch.setattr(data, "load", lambda block: seen.append(block.path) or dataset, raising=False)
    trial = run.trial("010")
    for name in ("test", "validation"):
        matrix = trial.confusion_matrix(name)
        assert matrix.index.name == "true" and matrix.columns.name == "predicted"
        assert tuple(matrix.index) == tuple(matrix.columns) == CLASSES
        split = dataset.splits()[name]
        predicted = trial.predict(split.images).argmax(axis=1)
        for true, answer in np.ndindex(3, 3):
            assert matrix.iloc[true, answer] == np.sum((split.labels == true) & (predicted == answer))
    assert trial.confusion_matrix().equals(trial.confusion_matrix("test")) and seen == [""]
    with pytest.raises(RunError, match="have no private split; choose one of train, validation, test$"):
        trial.confusion_matrix("private")
    assert trial.dataset("moved.zip") is dataset and seen == ["", "moved.zip"] and trial.config.data.path == ""


def test_binarised_sums_probabilities_and_agrees_with_scikit_learn(run, monkeypatch, small):
    dataset = small.dataset()
    monkeypatch.setattr(data, "load", lambda block: dataset, raising=False)
    trial = run.trial("010")
    for split, threshold, weights in (("test", 0.5, "best"), ("validation", 0.3, "last")):
        labels = np.isin(dataset.splits()[split].labels, [CLASSES.index("happy"), CLASSES.index("sad")])
        summed = trial.predict(dataset.splits()[split].images, weights)[:, 1:].sum(axis=1)
        found = trial.binarised(("Happiness", "sad"), split, threshold, weights)
        report = metrics.classification_report(labels, summed >= threshold, output_dict=True, zero_division=0)
        assert found["accuracy"] == pytest.approx(np.mean(labels == (summed >= threshold)))
        assert found["auc"] == pytest.approx(metrics.roc_auc_score(labels, summed))
        assert found["loss"] == pytest.approx(metrics.log_loss(labels, summed.astype(float)), rel=1e-5)
        assert found["precision"] == pytest.approx(report["macro avg"]["precision"])
        assert found["recall"] == pytest.approx(report["macro avg"]["recall"])
        assert found["precision_positive"] == pytest.approx(report["True"]["precision"])
        assert found["f1_negative"] == pytest.approx(report["False"]["f1-score"])
        matrix = found.confusion_matrix()
        assert (matrix.index.name, *matrix.index) == ("true", "negative", "positive")
        np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, summed >= threshold))
        np.testing.assert_allclose(
            found.confusion_matrix(normalize=True),
            metrics.confusion_matrix(labels, summed >= threshold, normalize="true"),
        )
        exact = found.sums[:, 1]  # float32 sums may tie where these do not
        np.testing.assert_allclose(exact, summed, atol=1e-6)
        false, true, thresholds = metrics.roc_curve(labels, exact, drop_intermediate=False)
        curve = found.roc()
        np.testing.assert_allclose(curve["false_positive_rate"], false)
        np.testing.assert_allclose(curve["true_positive_rate"], true)
        np.testing.assert_allclose(curve["threshold"], thresholds)
        assert metrics.auc(curve["false_positive_rate"], curve["true_positive_rate"]) == pytest.approx(found["auc"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"positive": ("glad",)}, ConfigError, "no class 'glad' to be positive; the classes are angry, happy, sad"),
        ({"positive": CLASSES}, ConfigError, "every class is positive"),
        ({"positive": ("sad",), "threshold": 50}, RunError, "threshold = 50: must be in .0, 1."),
        (
            {"positive": ("sad",), "split": "private"},
            RunError,
            "have no private split; choose one of train, validation, test",
        ),
    ],
)
def test_what_cannot_be_binarised_is_one_line(run, monkeypatch, arguments, error, message, small):
    monkeypatch.setattr(data, "load", lambda block: small.dataset(), raising=False)
    with pytest.raises(error, match=message) as caught:
        run.trial("010").binarised(**arguments)
    assert "\n" not in str(caught.value)
