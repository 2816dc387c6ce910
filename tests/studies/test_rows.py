"""What experiments came to, beside what was published: from the runs of a small study."""

import dataclasses
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics as reference
from small_studies import conclusion

import fer_jax
from fer_jax.analysis import against_published, metrics
from fer_jax.config.values import default_config
from fer_jax.data import faces
from fer_jax.data.names import CLASSES
from fer_jax.errors import ConfigError
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory
from fer_jax.studies import rows as study_rows
from fer_jax.studies import sweeps
from fer_jax.studies.paper import Published, PublishedMatrix
from fer_jax.studies.values import read_metric

VERDICT = re.compile("within what|ours above|ours below|no difference")


def gather(tiny, change=lambda one: one, **conditions):
    file, workdir, _ = tiny
    read = sweeps.read_study(file)
    experiments = [
        change(dataclasses.replace(one, conditions=dataclasses.replace(one.conditions, **conditions)))
        for one in read.experiments
    ]
    return gathered(experiments, file, workdir)[0]


def gathered(experiments, file, workdir, external=""):
    (sweep,) = sweeps.sweeps(experiments, file, "full")
    return study_rows.gather(sweep, file, workdir, "full", external)


def test_a_verdict_where_all_conditions_are_the_papers(tiny):
    rows = gather(tiny)
    assert [row.experiment for row in rows] == ["slow"] * 5 + ["fast"]
    assert all(row.n == 3 and row.split == "official" and row.epochs == 3 for row in rows)
    single, mean, *computed, drawn = rows
    assert conclusion(single).startswith("chosen weights ") and single.verdict.low < single.verdict.high
    assert conclusion(mean).startswith("last epoch ours below, Welch p") and mean.verdict.p < 0.05
    assert all(row.verdict for row in computed)
    assert (
        drawn.verdict is None
        and conclusion(drawn) == "none: no figure published"
        and drawn.published.metric == "val_accuracy"
    )
    assert VERDICT.search(tiny[2]) and (tiny[1] / "study.md").exists()


def test_figures_are_those_of_the_networks(tiny):
    rows = gather(tiny)
    trials = fer_jax.load_run(rows[0].run).select(learning_rate=1e-3)
    assert rows[0].chosen == tuple(trial.row["val_accuracy"] for trial in trials)
    assert rows[0].last == tuple(trial.row["last_val_accuracy"] for trial in trials)
    test = trials[0].dataset().test
    for number, trial in enumerate(trials):
        for weights, field in (("best", "chosen"), ("last", "last")):
            found = trial.predict(test.images, weights=weights).astype(float)
            area = np.mean([reference.roc_auc_score(test.labels == k, found[:, k]) for k in set(test.labels)])
            positive = found[:, [CLASSES.index("happy"), CLASSES.index("surprise")]].sum(axis=1) >= 0.5
            truth = np.isin(test.labels, (CLASSES.index("happy"), CLASSES.index("surprise")))
            assert getattr(rows[2], field)[number] == pytest.approx(area)
            assert getattr(rows[3], field)[number] == pytest.approx(np.mean(positive == truth))
    assert rows[2].last[0] != rows[2].last[1]


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"data": "fer2013"}, "other data"),
        ({"split": "kaggle"}, "other split: official, published kaggle"),
        ({"classes": ("Happiness", "sad")}, "other classes"),
        ({"epochs": 50}, "other epochs: 3, published 50"),
    ],
)
def test_no_verdict_where_a_condition_differs(tiny, conditions, reason):
    rows = gather(tiny, **conditions)[:5]
    assert all(row.verdict is None and row.why_none == (reason,) for row in rows)
    assert not any(VERDICT.search(conclusion(row)) for row in rows)


def test_what_is_unpublished_weakens_a_verdict_and_forbids_none(tiny):
    rows = gather(tiny, epochs=None, unpublished=("the batch size",))
    best, last, auc = rows[:3]
    assert last.choices == "varied: epochs (2 to 3); not varied: the batch size"  # curves know each epoch
    assert last.verdict.words.startswith("ours below, whatever we chose (") and last.why_none == ()
    assert auc.choices == "varied: epochs (chosen and last); not varied: the batch size"
    trials = fer_jax.load_run(last.run).select(learning_rate=1e-3)
    curves = [trial.curves.set_index("epoch")["val_accuracy"] for trial in trials]
    options = [best.chosen, best.last, *([curve[epoch] for curve in curves] for epoch in (2, 3))]
    intervals = [against_published.prediction_interval(np.mean(one), np.std(one, ddof=1), 3, 1) for one in options]
    assert best.verdict.low == pytest.approx(min(low for low, _ in intervals))
    assert best.verdict.high == pytest.approx(max(high for _, high in intervals))


def test_a_split_drawn_by_an_unknown_seed_is_one_of_our_choices(tiny):
    row = gather(tiny, exact=False)[0]
    assert row.choices == "not varied: the split's draw" and "our choices" in row.verdict.words


def test_one_seed_on_other_images_can_only_be_found_not_to_differ(tiny, tmp_path):
    shutil.copytree(tiny[1], tmp_path / "one")
    table = tmp_path / "one" / "tiny-full" / "trials.csv"
    trials = pd.read_csv(table, dtype={"id": str})
    trials.loc[trials["seed"] > 0, "status"] = "failed"
    RunDirectory(table.parent).write_trials(trials)

    def judged(value, **conditions):
        published = (Published("val_accuracy", value, digits=3),)
        only = (tiny[0], tmp_path / "one", "")
        return gather(only, lambda one: dataclasses.replace(one, published=published), **conditions)[0]

    ours = judged(0.1).last[0]
    half = 1.959964 * np.sqrt(2 * ours * (1 - ours) / 40)  # of 40 validation images each
    near, far = judged(ours + 0.9 * half, exact=False), judged(ours + half + 0.01, exact=False)
    assert near.verdict.words.startswith("no difference beyond what 40 images leave open (") and near.n == 1
    assert near.verdict.high == pytest.approx(ours + half, abs=1e-6)
    assert far.why_none == ("one seed, and more apart than the images alone explain",)
    assert judged(ours).why_none == ("one seed",)  # the paper's own images


def test_our_best_point_stands_beside_theirs(tiny):
    row = gather(tiny, lambda one: dataclasses.replace(one, own_best=True))[0]
    run = fer_jax.load_run(row.run)
    best = run.best_point("val_accuracy")
    assert row.own_point == f"learning_rate {best['train.learning_rate']}"
    assert np.mean(row.own_best) == pytest.approx(best["val_accuracy_mean"])


def test_a_published_confusion_matrix_is_beside_ours_in_its_own_order(tiny):
    order = tuple(reversed(CLASSES))
    printed = PublishedMatrix("test", order, tuple((1.0,) * 7 for _ in order), where="table 9")
    other = dataclasses.replace(printed, classes=order[:5])
    binary = PublishedMatrix("binary_test", ("positive", "negative"), ((1, 0), (0, 1)), where="figure 1")
    file, workdir, _ = tiny
    slow = dataclasses.replace(sweeps.read_study(file).experiments[0], matrices=(printed, other, binary))
    _, (found, two) = gathered([slow], file, workdir)  # one of other classes is left out
    trials = fer_jax.load_run(found.run).select(learning_rate=1e-3)
    test = trials[0].dataset().test
    labels = [CLASSES.index(name) for name in order]
    ours = [trial.predict(test.images, weights="last") for trial in trials]
    expected = [reference.confusion_matrix(test.labels, one.argmax(axis=1), labels=labels) for one in ours]
    np.testing.assert_allclose(found.ours, np.mean(expected, axis=0))
    assert found.n == 3 and found.ours.sum() == 40 and two.ours.shape == (2, 2) and two.ours.sum() == 40


def test_figures_of_a_class_are_those_of_its_pictures(tiny):
    published = (Published("test_recall_happy", 0.5), Published("test_f1_sad", 0.5), Published("test_recall_joy", 0.5))
    recall, f1, unknown = gather(
        tiny, lambda one: dataclasses.replace(one, published=published) if one.name == "slow" else one
    )[:3]
    trials = fer_jax.load_run(recall.run).select(learning_rate=1e-3)
    test = trials[0].dataset().test
    for number, trial in enumerate(trials):
        answers = trial.predict(test.images, weights="last").argmax(axis=1)
        expected = reference.classification_report(
            test.labels, answers, labels=range(7), target_names=CLASSES, output_dict=True, zero_division=0
        )
        assert recall.last[number] == pytest.approx(expected["happy"]["recall"]) and f1.last[number] == pytest.approx(
            expected["sad"]["f1-score"]
        )
    assert "no test_recall_joy in the run" in unknown.why_none


def test_an_external_figure_is_of_the_data_that_are_named(tiny, tmp_path):
    file, workdir, _ = tiny
    for number, (image, label) in enumerate(zip(*faces.draw("test", 30, seed=3, size=20)[:2], strict=True)):
        folder = tmp_path / "there" / f"{CLASSES[label].upper()}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    read = sweeps.read_study(file)
    published = (Published("external_accuracy", 0.5), Published("external_recall_happy", 0.5))
    slow = dataclasses.replace(read.experiments[0], published=published, external="other people's pictures")
    accuracy, recall = gathered([slow], file, workdir, str(tmp_path / "there"))[0]
    trials = fer_jax.load_run(accuracy.run).select(learning_rate=1e-3)
    for number, trial in enumerate(trials):
        found = fer_jax.evaluate(trial, str(tmp_path / "there"), weights="last", copies=False)
        assert accuracy.last[number] == pytest.approx(found.accuracy)
        assert recall.last[number] == pytest.approx(found.report.loc["happy", "recall"])
    assert accuracy.data == str(tmp_path / "there") and accuracy.images == {"external": 30} and not accuracy.split
    nothing, _ = gathered([slow], file, workdir)[0]
    assert (
        nothing.verdict is None
        and "no external data set: name other people's pictures with --external" in nothing.why_none
    )


def test_a_metric_that_cannot_be_had_is_said_so(tiny):
    one_class = gather(tiny, lambda one: dataclasses.replace(one, positive=()))[3]
    assert one_class.verdict is None and "no class is positive" in one_class.why_none[0]
    with pytest.raises(
        ConfigError, match="metric 'val_acc': must be 'train_', 'val_', 'test_' or 'external_' before accuracy"
    ):
        gather(tiny, lambda one: dataclasses.replace(one, published=(Published("val_acc", 0.5),)))


def test_one_of_two_answers_is_a_class_of_a_binary_metric_and_no_other_is():
    assert read_metric("binary_test_precision_positive") == ("test", "precision_positive", True)
    assert read_metric("val_binary_recall_negative") == ("val", "recall_negative", True)
    with pytest.raises(ConfigError, match="'binary_test_precision_happy': .* whose classes are positive and negative"):
        read_metric("binary_test_precision_happy")


def test_the_precision_of_positive_is_looked_up(tiny):
    published = (Published("binary_test_precision_positive", 0.9), Published("binary_test_precision", 0.9))
    one, mean = (
        row
        for row in gather(tiny, lambda one: dataclasses.replace(one, published=published))
        if row.experiment == "slow"
    )
    run = load_run(Path(one.run))
    trials = run.select(learning_rate=1e-3)
    wanted = [trial.binarised(("happy", "surprise"), weights="last")["precision_positive"] for trial in trials]
    assert one.last == pytest.approx(wanted) and one.last != mean.last


def test_equal_repeats_get_no_verdict(tiny, monkeypatch):
    def always(probabilities, labels, *more):
        return dict.fromkeys(metrics.METRICS, 0.25)

    for name in ("measure", "binarise"):
        monkeypatch.setattr(metrics, name, always)
    computed = gather(tiny)[2:5]
    file, workdir, _ = tiny
    shutil.copytree(workdir, workdir.parent / "equal")
    table = workdir.parent / "equal" / "tiny-full" / "trials.csv"
    trials = pd.read_csv(table, dtype={"id": str}).assign(val_accuracy=0.25, last_val_accuracy=0.25)
    RunDirectory(table.parent).write_trials(trials)
    rows = [*gather((file, workdir.parent / "equal", ""))[:2], *computed]
    assert all(row.verdict is None and row.why_none == ("the repeats do not differ",) for row in rows)
    assert conclusion(rows[0]) == "none: the repeats do not differ"


def test_a_verdict_knows_how_a_figure_was_rounded(tiny):
    def printed(value, digits):
        published = (Published("val_accuracy", value, digits=digits),)
        row = gather(tiny, lambda one: dataclasses.replace(one, published=published) if one.name == "slow" else one)[0]
        return row.verdict.words

    assert printed(3.0, 2).startswith("ours below") and printed(3.0, -1).startswith("within")


def test_rows_show_images_split_and_the_share_that_was_used(tiny):
    row = gather(tiny)[0]
    assert row.images == {"train": 70, "validation": 40, "test": 40} and row.sampling == ""
    assert "70 / 40 / 40" in tiny[2]
    config = default_config()
    config.data.fraction = 0.5
    label = "FER-2013, stratified_80_10_10 split, every split undersampled"
    trial = SimpleNamespace(config=config, data={"label": label})
    assert study_rows.sampling(trial) == "every split undersampled, a share of 0.5"
