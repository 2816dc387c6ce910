"""A small trained sweep asked as one: members, means, spreads, scores and figures against NumPy and
scikit-learn.
"""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as reference

import fer_jax
from fer_jax.config.values import default_config
from fer_jax.errors import RunError
from fer_jax.launch import loop
from fer_jax.results.ensemble import Ensemble

SIZE, RATES, REPEATS = 16, (1e-2, 3e-3, 1e30), 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = default_config()
    config.data.image_size = SIZE
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 41, 35
    config.model.name, config.model.hidden = "mlp", (8,)
    config.train.batch_size, config.train.epochs = 16, 3
    config.sweep.grid.train.learning_rate, config.sweep.repeats = RATES, REPEATS
    return loop.run_sweep(config, tmp_path_factory.mktemp("ensemble") / "run")  # without a report, which takes longer


@pytest.fixture
def run(path):
    return fer_jax.load_run(path)


def pictures(n, side=SIZE):
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 1), np.uint8)


def test_members_are_the_repeats_of_the_best_point_by_validation(run):
    best = run.best_point()
    found = run.ensemble()
    wanted = run.select(learning_rate=best["train.learning_rate"])
    assert [member.id for member in found.members] == [trial.id for trial in wanted] and len(found.members) == REPEATS
    assert found.label == "3 repeats of the best point by val_accuracy" and "3 repeats of the best point" in repr(found)
    lowest = run.ensemble(by="val_loss").members[0].row["train.learning_rate"]
    assert lowest == run.best_point("val_loss")["train.learning_rate"]


def test_more_points_come_in_the_order_of_their_means_and_those_without_a_done_trial_never(run):
    order = run.summary[run.summary["n"] > 0].sort_values("val_loss_mean")["train.learning_rate"]
    for top in (2, 9):
        found = run.ensemble(by="val_loss", top=top)
        assert [member.row["train.learning_rate"] for member in found.members] == [
            rate for rate in order for _ in range(REPEATS)
        ]
        assert found.label == "6 networks of the 2 best points by val_loss"
    assert {member.row["train.learning_rate"] for member in run.ensemble(top=2, learning_rate=3e-3).members} == {3e-3}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"by": "test_accuracy"}, "test_accuracy may not choose"),
        ({"top": 0}, "top = 0: must be the number of points"),
        ({"top": "3"}, "top = '3': must be the number of points"),
        ({"learning_rate": 1e30}, r"no trial in .* is done with a val_accuracy and learning_rate = 1e\+30"),
        ({"seed": 0}, "a point has no seed"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(run, arguments, words):
    with pytest.raises(RunError, match=words) as caught:
        run.ensemble(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tta", [None, "flip"])
def test_answers_are_the_mean_and_spread_of_the_members(run, tta):
    found, images = run.ensemble(), pictures(5)
    own = np.array([trial.predict(images, tta=tta) for trial in found.members])
    np.testing.assert_allclose(found.predict(images, tta), own.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.spread(images, tta), own.std(axis=0, ddof=1), atol=1e-6)
    np.testing.assert_allclose(found.predict(images, tta).sum(axis=1), 1, atol=1e-6)
    assert found.classes == run.trial(found.members[0].id).classes
    alone = Ensemble(found.members[:1])
    np.testing.assert_array_equal(alone.predict(images, tta), own[0])
    assert np.isnan(alone.spread(images)).all() and repr(alone) == "<ensemble of 1 trial>"


def test_several_views_are_averaged_after_the_softmax(run):
    trial, images = run.ensemble().members[0], pictures(3, 18)
    one = trial.predict(images[:, 1:17, 1:17], tta="flip")
    np.testing.assert_allclose(
        one, (trial.predict(images[:, 1:17, 1:17]) + trial.predict(images[:, 1:17, 1:17][:, :, ::-1])) / 2, atol=1e-6
    )
    crops = [images[:, y : y + SIZE, x : x + SIZE] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    ten = np.mean([trial.predict(crop[:, :, ::step]) for crop in crops for step in (1, -1)], axis=0)
    np.testing.assert_allclose(trial.predict(images, tta="ten_crop"), ten, atol=1e-6)
    assert trial.predict(images[:, :SIZE, :SIZE], tta="ten_crop").shape == (3, 7)
    np.testing.assert_allclose(
        trial.predict(images[:, :SIZE, :SIZE], "last", "flip"),
        (trial.predict(images[:, :SIZE, :SIZE], "last") + trial.predict(images[:, :SIZE, :SIZE][:, :, ::-1], "last"))
        / 2,
        atol=1e-6,
    )
    with pytest.raises(RunError, match="tta = 'flop'"):
        run.ensemble().predict(images, "flop")


@pytest.mark.parametrize("split, prefix", [("validation", "val"), ("test", "test")])
def test_figures_are_those_of_the_mean_of_the_stored_probabilities(run, split, prefix):
    found = run.ensemble()
    labels = found.members[0].dataset().splits()[split].labels
    mean = np.mean([member.probabilities(split) for member in found.members], axis=0)
    np.testing.assert_allclose(found.probabilities(split), mean)
    np.testing.assert_array_equal(found.labels(split), labels)
    answers, row = mean.argmax(axis=1), found.row()
    assert found.accuracy(split) == row[f"{prefix}_accuracy"] == reference.accuracy_score(labels, answers)
    assert row[f"{prefix}_f1"] == pytest.approx(reference.f1_score(labels, answers, average="macro", zero_division=0))
    assert row[f"{prefix}_log_loss"] == pytest.approx(reference.log_loss(labels, mean, labels=range(7)))
    own = [float(member.row[f"{prefix}_accuracy"]) for member in found.members]
    assert row[f"{prefix}_accuracy_members_mean"] == pytest.approx(np.mean(own))
    assert row[f"{prefix}_accuracy_members_sd"] == pytest.approx(np.std(own, ddof=1))
    assert (row["members"], row["label"]) == (REPEATS, found.label)


def test_accuracy_without_leaked_pictures_stands_beside(run):
    found = run.ensemble()
    assert "accuracy_clean" not in found.metrics("test")
    found.members[0].leaked("test")[:10] = True
    right = found.probabilities("test").argmax(axis=1) == found.labels("test")
    assert found.metrics("test")["accuracy_clean"] == found.row()["test_accuracy_clean"] == np.mean(right[10:])
    assert found.accuracy("test") == np.mean(right)


def test_the_threshold_is_the_fifth_percentile_of_the_members_mean_validation_score(run):
    found = run.ensemble()
    validation = found.members[0].dataset().validation.images
    logits = np.array([member.features(validation, "output") for member in found.members], np.float64)
    for kind, by_hand in (("energy", np.log(np.exp(logits).sum(axis=-1))), ("max_logit", logits.max(axis=-1))):
        scores = by_hand.mean(axis=0)
        np.testing.assert_allclose(found.score(validation, kind), scores, rtol=1e-5)
        assert found.threshold(kind) == pytest.approx(np.percentile(scores, 5), rel=1e-4)
        # 41 pictures: two lie below the twentieth part of the way, exactly the third one on it.
        assert 2 <= np.sum(scores < found.threshold(kind)) <= 3
    np.testing.assert_allclose(
        special.softmax(found.logits(validation), axis=-1).mean(axis=0), found.predict(validation), atol=1e-6
    )


def test_members_of_different_kinds_are_refused(run, path, tmp_path):
    trials = run.ensemble().members[:2]
    with pytest.raises(RunError, match="an ensemble needs a member"):
        Ensemble(())
    other = run.trial(trials[1].id)
    other.__dict__["data"] = {**trials[1].data, "classes": ["angry", "happy"]}
    with pytest.raises(
        RunError,
        match=f"trials {trials[0].id} and {other.id} tell apart different classes .*: their probabilities have no mean",
    ):
        Ensemble((trials[0], other))
    other = run.trial(trials[1].id)
    other.__dict__["data"] = {
        **trials[1].data,
        "checksum": "0" * 64,
        "held_out": {"validation": "0" * 64, "test": "1" * 64},
    }
    mixed = Ensemble((trials[0], other))
    assert mixed.predict(pictures(2)).shape == (2, 7)
    for ask in (mixed.probabilities, mixed.threshold, mixed.row):
        with pytest.raises(
            RunError, match="have different (test|validation) pictures, of different data or folds: none has a mean$"
        ):
            ask()


def test_a_run_without_stored_predictions_has_no_row(path, tmp_path):
    for name in ("config.json", "trials.csv", "plan.json"):
        (tmp_path / name).write_bytes((path / name).read_bytes())
    with pytest.raises(RunError, match="has no stored predictions: it was trained before they were kept$"):
        fer_jax.load_run(tmp_path).ensemble().row()
