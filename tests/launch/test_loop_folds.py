"""k-fold cross-validation: every trial of a point validates on a fold of its own."""

import numpy as np
import pytest

import fer_jax
from fer_jax.analysis import significance
from fer_jax.analysis.ranking import rank_points
from fer_jax.errors import RunError
from fer_jax.reports import basis, run_report, verdict


@pytest.fixture(scope="module")
def run(make_config, tmp_path_factory):
    config = make_config()
    config.model.name, config.model.hidden, config.train.epochs = "mlp", (8,), 2
    config.data.split, config.data.folds, config.sweep.repeats = "kfold", 3, 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        return fer_jax.run_sweep(config, tmp_path_factory.mktemp("folds"))


def test_every_repeat_has_its_own_fold_and_all_share_the_test_split(run):
    assert (run.trials["status"] == "done").all() and run.trials["repeat"].tolist() == [0, 1, 2] * 2
    held_out, tests = {}, set()
    for trial in run.select():
        data = trial.dataset()
        assert (
            trial.data["fold"] == trial.config.data.fold == trial.row["repeat"]
            and data.checksum == trial.data["checksum"]
        )
        held_out[trial.row["repeat"]] = {image.tobytes() for image in data.validation.images}
        tests.add(data.test.images.tobytes())
        assert (trial.labels("validation") == data.validation.labels).all()
        assert not held_out[trial.row["repeat"]] & {image.tobytes() for image in data.train.images}
    assert len(tests) == 1 and len(held_out[0] | held_out[1] | held_out[2]) == sum(map(len, held_out.values()))
    assert len({len(trial.dataset().train) for trial in run.select()}) == 1


def test_the_report_speaks_of_folds(run):
    found = rank_points(run.record, run.trials, run.curves, "a run")
    assert found.scope == "synthetic faces, stratified 3-fold split, 3 folds a point"
    text = " ".join(verdict.sentences(found))
    assert "3 folds, corrected for their overlap" in text and "paired t over folds" in text and "seed" not in text
    facts = dict(basis.facts(found))
    assert facts["Trials"] == "6 on 2 points, 3 folds a point" and facts["Data set and split"].endswith("3-fold split")
    values = run.trials["val_accuracy"].to_numpy()[:3]
    corrected = significance.paired_t(values, overlap=0.5)
    row = run.summary.iloc[0]
    assert (row["val_accuracy_low95"], row["val_accuracy_high95"]) == pytest.approx((corrected.low, corrected.high))


def test_points_are_compared_fold_by_fold_and_picture_by_picture(run):
    found = run.compare({"train.learning_rate": 1e-3}, run.summary.loc[1], "test_accuracy")
    a, b = run.trials["test_accuracy"].to_numpy().reshape(2, 3)
    assert found.unit == "fold" and found.paired.mean == pytest.approx((a - b).mean())
    for _, row in found.pictures.iterrows():
        first, second = (run.select(train__learning_rate=rate, seed=int(row["seed"]))[0] for rate in (1e-3, 1e-2))
        right = [np.argmax(trial.logits("test"), axis=1) == trial.labels("test") for trial in (first, second)]
        assert (row["only_a"], row["only_b"]) == ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum())
    assert len(found.pictures) == 3 and set(found.pictures["split"]) == {"test"} and "McNemar" in str(found)
    table = run.indistinguishable()
    assert table["point"][0] == run.best_point().name and len(table) == 2 and table["tied"][0]
    assert run.intervals("test_accuracy")["bootstrap_low95"].isna().all()


def test_folds_are_an_ensemble_on_the_test_split_they_share(run):
    found = run.ensemble()
    assert len(found.members) == 3
    mean = np.mean([trial.probabilities("test") for trial in found.members], axis=0)
    right = mean.argmax(axis=1) == found.members[0].labels("test")
    assert found.accuracy("test") == found.row()["test_accuracy"] == right.mean() and "val_accuracy" not in found.row()
    with pytest.raises(RunError, match="different validation pictures"):
        found.probabilities("validation")


@pytest.mark.parametrize(
    ("points", "metric", "words"),
    [
        ((0, 0), None, "cannot be compared with itself"),
        ((0, 7), None, "no point 7"),
        ((0, {"train.learning_rate": 0.5}), None, "0 points have train.learning_rate = 0.5"),
        ((0, {}), None, "2 points have no field"),
        ((0, 1), "val_acuracy", "did you mean val_accuracy"),
    ],
)
def test_a_wrong_comparison_is_one_line(run, points, metric, words):
    with pytest.raises(RunError, match=words):
        run.compare(*points, metric)
