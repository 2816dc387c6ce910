"""Stored logits of the held-out splits give the tabled metrics without the data or the networks."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

import fer_jax
from fer_jax.analysis import metrics
from fer_jax.errors import ConfigError, RunError


@pytest.fixture(scope="module")
def path(make_config, tmp_path_factory):
    config = make_config()
    config.sweep.grid.train.learning_rate = (1e-2, 1e30)
    config.stack.engine = "vmap"
    return fer_jax.run_sweep(config, tmp_path_factory.mktemp("predictions") / "run").path


@pytest.fixture
def run(path):
    return fer_jax.load_run(path)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_stored_probabilities_are_those_of_the_network_and_give_the_tabled_metrics(run, split):
    prefix = {"validation": "val", "test": "test"}[split]
    for trial in run.select(status="done"):
        part = trial.dataset().splits()[split]
        stored = trial.probabilities(split)
        np.testing.assert_array_equal(trial.labels(split), part.labels)
        np.testing.assert_allclose(stored, trial.predict(part.images), atol=1e-5)
        answers = stored.argmax(-1)
        tabled = trial.row[
            [f"{prefix}_accuracy", f"{prefix}_balanced_accuracy", f"{prefix}_f1", f"{prefix}_auc"]
        ].astype(float)
        one_vs_rest = [reference.roc_auc_score(part.labels == k, stored[:, k]) for k in np.unique(part.labels)]
        wanted = [
            reference.accuracy_score(part.labels, answers),
            reference.balanced_accuracy_score(part.labels, answers),
            reference.f1_score(part.labels, answers, average="macro", zero_division=0),
            np.mean(one_vs_rest),
        ]
        np.testing.assert_allclose(tabled, wanted, rtol=1e-6)


def test_tables_of_metrics_hold_every_done_trial_and_class(run):
    done = run.trials[run.trials["status"] == "done"]
    assert len(done) == 2 and len(run.metrics) == 4 and len(run.class_metrics) == 4 * 7
    tested = run.metrics[run.metrics["split"] == "test"].set_index("id").loc[done["id"]]
    np.testing.assert_allclose(tested["accuracy"], done["test_accuracy"].astype(float), rtol=1e-6)
    np.testing.assert_allclose(tested["ece"], done["test_ece"].astype(float))
    happy = run.class_metrics.query("split == 'test' and `class` == 'happy'").set_index("id").loc[done["id"].iloc[0]]
    matrix = run.trial(done["id"].iloc[0]).confusion_matrix("test")
    assert happy["support"] == matrix.loc["happy"].sum()
    assert happy["recall"] == pytest.approx(matrix.loc["happy", "happy"] / matrix.loc["happy"].sum())


def test_the_table_of_classes_is_over_the_seeds_of_a_point(run):
    table = fer_jax.table(run, "classes")
    assert len(table) == 7 and (table["n"] == 2).all()
    rows = run.class_metrics.query("split == 'test' and `class` == 'happy'")
    happy = table.set_index("class").loc["happy"]
    assert happy["recall_mean"] == pytest.approx(rows["recall"].mean())
    assert happy["recall_sd"] == pytest.approx(rows["recall"].std(ddof=1))
    assert "| happy | 2 |" in fer_jax.table(run, "classes", "markdown")
    with pytest.raises(RunError, match="no metric 'recal' for this table; did you mean recall"):
        fer_jax.table(run, "classes", metrics=("recal",))


def test_a_trial_that_learnt_nothing_has_no_metrics_and_no_predictions(run):
    diverged = run.trials[run.trials["status"] == "diverged"]
    assert len(diverged) == 2 and diverged[["val_f1", "test_f1", "test_ece"]].isna().all(axis=None)
    with pytest.raises(RunError, match="diverged in epoch 1, its first: nothing of it was learnt"):
        run.trial(diverged["id"].iloc[0]).probabilities("test")


def test_accuracies_are_exactly_numbers_of_pictures(run):
    """In float32 equal differences of two seeds would differ.

    A paired test would take that for a spread.
    """
    for trial in run.select(status="done"):
        for split, prefix in (("validation", "val"), ("test", "test")):
            right = trial.probabilities(split).argmax(-1) == trial.labels(split)
            assert trial.row[f"{prefix}_accuracy"] == right.sum() / len(right)
        pictures = {"val_accuracy": len(trial.labels("validation")), "train_accuracy": 70 // 16 * 16}
        for name, count in pictures.items():
            values = trial.curves[name].to_numpy()
            assert (values == np.rint(values * count) / count).all()


def test_stored_answers_serve_without_the_data(run, monkeypatch):
    trial = run.select(status="done")[0]
    wanted = {split: trial.dataset().splits()[split] for split in ("validation", "test")}
    monkeypatch.setattr("fer_jax.data.load", lambda block: pytest.fail("the data were read"))
    for split, part in wanted.items():
        answers = trial.predict(part.images).argmax(-1)
        counts = reference.confusion_matrix(part.labels, answers, labels=range(7))
        np.testing.assert_array_equal(trial.confusion_matrix(split), counts)
        shares = reference.confusion_matrix(part.labels, answers, labels=range(7), normalize="true")
        np.testing.assert_allclose(trial.confusion_matrix(split, normalize=True), shares)
        asked = metrics.binarise(trial.predict(part.images), part.labels, trial.classes, ("happy", "surprise"))
        assert trial.binarised(("happy", "surprise"), split) == pytest.approx(asked, rel=1e-5)


def test_points_measured_on_different_pictures_are_not_ranked_against_each_other(make_config, tmp_path):
    config = make_config()
    config.train.epochs, config.sweep.repeats, config.model.name, config.model.hidden = 1, 2, "mlp", (4,)
    config.sweep.grid.data.fraction, config.sweep.grid.train.learning_rate = (0.5, 1.0), (1e-3, 1e-2)
    config.report.saliency = False
    run = fer_jax.run_sweep(config, tmp_path / "run")
    with pytest.raises(
        RunError,
        match=r"different held-out pictures \(data.fraction swept\) .* "
        r"run.best_point\('val_accuracy', data__fraction=0.5\)",
    ):
        run.best_point()
    with pytest.raises(RunError, match="these points have different held-out pictures: their test_accuracy are"):
        run.compare(
            {"data.fraction": 0.5, "train.learning_rate": 1e-3},
            {"data.fraction": 1.0, "train.learning_rate": 1e-3},
            "test_accuracy",
        )
    assert run.best_point(data__fraction=1.0)["data.fraction"] == 1
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Points measured on different held-out pictures are not ranked against each other" in page
    config.sweep.best, config.sweep.best_repeats = 1, 3
    with pytest.raises(ConfigError, match="points that differ in data.fraction are not ranked"):
        fer_jax.run_sweep(config, tmp_path / "best")


def test_what_only_trains_otherwise_is_ranked(make_config, tmp_path):
    config = make_config()
    config.train.epochs, config.sweep.repeats, config.model.name, config.model.hidden = 1, 1, "mlp", (4,)
    config.sweep.grid.train.learning_rate = None
    config.sweep.grid.data.balance = ("none", "oversample")
    config.report.saliency = False
    run = fer_jax.run_sweep(config, tmp_path)
    assert len(run.data_sets(run.trials)) == 2 and len(set(run.groups(run.summary, "val_accuracy"))) == 1
    assert run.best_point()["n"] == 1


def test_what_is_not_stored_is_one_line(run, path, tmp_path):
    trial = run.select(status="done")[0]
    with pytest.raises(RunError, match="split = 'train': predictions are stored of 'validation' and 'test'"):
        trial.probabilities("train")
    older = tmp_path / "older"
    older.mkdir()
    for name in ("config.json", "trials.csv"):
        (older / name).write_bytes((path / name).read_bytes())
    older_run = fer_jax.load_run(older)
    with pytest.raises(RunError, match="has no stored predictions: it was trained before they were kept"):
        older_run.select(status="done")[0].logits()
    assert older_run.metrics.empty and older_run.class_metrics.empty
    assert isinstance(older_run.summary, pd.DataFrame)


def test_streamed_and_packed_waves_keep_the_answers_of_resident_ones(leaving, tmp_path):
    whole = fer_jax.run_sweep(leaving, tmp_path / "whole")
    leaving.stack.data = "stream"
    streamed = fer_jax.run_sweep(leaving, tmp_path / "streamed")
    for trial in whole.select(status="done"):
        for split in ("validation", "test"):
            np.testing.assert_allclose(
                streamed.trial(trial.id).logits(split), trial.logits(split), rtol=1e-5, atol=1e-6
            )


def test_accuracy_without_leaked_pictures_stands_beside(make_config, tmp_path):
    """A folder whose test split repeats ten training pictures."""
    from PIL import Image

    from fer_jax.data import faces

    for split, count, seed in (("train", 84, 0), ("test", 42, 1)):
        images, labels = faces.draw(
            "train", count, seed=seed, size=16, channels=1, classes=faces.CLASSES, label_noise=0.0
        )
        if split == "train":
            repeated = images[:10], labels[:10]
        else:
            images, labels = np.concatenate([images, repeated[0]]), np.concatenate([labels, repeated[1]])
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            usage = "Training" if split == "train" else ("PublicTest" if number % 2 else "PrivateTest")
            path = tmp_path / "faces" / split / faces.CLASSES[label] / f"{usage}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)
    config = make_config()
    config.data.name, config.data.path = "fer2013", str(tmp_path / "faces")
    config.data.on_error = "skip"
    config.sweep.repeats = 1
    run = fer_jax.run_sweep(config, tmp_path / "run")
    for trial in run.select(status="done"):
        leaked, right = trial.leaked("test"), trial.probabilities("test").argmax(-1) == trial.labels("test")
        assert leaked.sum() == 5 and trial.leaked("validation").sum() == 5
        assert trial.row["test_accuracy_clean"] == pytest.approx(right[~leaked].mean())
        assert trial.row["test_accuracy"] == pytest.approx(right.mean())
    assert (run.metrics["leaked"] == 5).all()
    tested = run.metrics[run.metrics["split"] == "test"].set_index("id")["accuracy_clean"]
    np.testing.assert_allclose(tested[run.trials["id"]], run.trials["test_accuracy_clean"].astype(float))
    assert "test without copies" in (tmp_path / "run" / "report.html").read_text()
