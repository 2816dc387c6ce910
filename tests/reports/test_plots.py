"""`fer_jax.plot`: each kind of figure, what it takes, and why there is none."""

import re

import pytest
from reported_runs import run_directory, with_answers

import fer_jax
from fer_jax.errors import RunError
from fer_jax.reports import plots


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fer_jax.load_run(with_answers(run_directory(tmp_path_factory.mktemp("run"), statuses=("done",) * 4)))


@pytest.mark.parametrize("kind", ["curves", "effects", "surface", "classes", "confusion", "roc", "calibration"])
def test_a_figure_is_drawn_and_shows_itself(run, kind):
    figure = fer_jax.plot(run, kind)
    image, shape = figure._repr_png_()
    assert image.startswith(b"\x89PNG") and shape == {"width": 960}
    assert not hasattr(figure, "number")  # none of pyplot's, which would show it a second time


@pytest.mark.parametrize(
    "kind, words",
    [
        ("scatter", "it needs 3 numeric swept fields of two values or more, and there are 1"),
        ("parallel", "it needs 3 swept fields of two values or more, and there are 2"),
        ("tuning", "fewer than"),
        ("rungs", "the run was no search with search.halving"),
    ],
)
def test_what_a_run_does_not_have_is_refused_in_a_line_that_says_why(run, kind, words):
    with pytest.raises(RunError, match=f"^{re.escape(str(run.path))} has no plot '{kind}': {words}.*$"):
        fer_jax.plot(run, kind)


def test_unknown_kinds_are_named_with_those_there_are(run):
    with pytest.raises(RunError, match="^no plot 'confusions'; did you mean confusion.*There are curves, surface"):
        fer_jax.plot(run, "confusions")
    with pytest.raises(RunError, match="^plot draws a run, a trial or an ensemble, not a str; load_run opens a run$"):
        fer_jax.plot("runs/grid3d", "curves")


def test_two_answers_are_drawn_as_the_threshold_decides(run):
    trial = run.trial(run.trials["id"][0])
    found = trial.binarised(trial.classes[1:], threshold=0.3)
    figure = fer_jax.plot(found, "confusion")
    cells = [int(text.get_text()) for text in figure.axes[0].texts]
    assert cells == found.confusion_matrix().to_numpy().ravel().tolist() and sum(cells) == len(trial.labels())
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["negative", "positive"]
    words = f"{trial.classes[1]} positive from 0.3 on, trial {trial.id}."
    assert headed(figure).endswith(words) and headed(figure).startswith("Test pictures")
    legend = [text.get_text() for text in fer_jax.plot(found, "roc").axes[0].get_legend().get_texts()]
    assert legend == [f"{name}  {found['auc']:.3f}" for name in ("negative", "positive", "mean of the classes")]
    with pytest.raises(RunError, match="^plot 'calibration' is not of what trial.binarised gives: there are confusion"):
        fer_jax.plot(found, "calibration")


def test_a_metric_ranks_and_filters_and_points_choose(run):
    assert fer_jax.plot(run, "surface", metric="val_loss").axes[-1].get_ylabel() == "validation loss (nats)"
    assert headed(fer_jax.plot(run, "confusion", point=0)).endswith("learning rate 0.001, kernels a layer 32-64-64.")
    assert "learning rate 0.01" in headed(fer_jax.plot(run, "confusion", learning_rate=1e-2))
    with pytest.raises(RunError, match="it needs 2 swept fields of two values or more, and there are 1$"):
        fer_jax.plot(run, "surface", learning_rate=1e-2)
    for wanted, words in (
        ({"kind": "scatter", "metric": "val_loss"}, "plot 'scatter' takes no metric"),
        ({"kind": "surface", "point": 0}, "plot 'surface' takes no point"),
        ({"kind": "surface", "metric": "test_accuracy"}, "test_accuracy may not choose"),
        ({"kind": "curves", "seed": 9}, "no trial has seed = 9$"),
        ({"kind": "curves", "point": 99}, "no point 99"),
        ({"kind": "curves", "point": [1]}, "no point "),
        ({"kind": "curves", "point": {"train.l": 1e-4}}, "no field 'train.l'; did you mean train.l2"),
        ({"kind": "curves", "point": {"train__l": 1e-4}}, "no field 'train__l'; did you mean train__l2"),
        ({"kind": "curves", "metric": 3}, "no metric 3 in "),
        ({"kind": "curves", "rate": 1}, "no field 'rate'"),
    ):
        with pytest.raises(RunError, match=words):
            fer_jax.plot(run, **wanted)


def headed(figure):
    return figure.get_suptitle()


def test_trials_and_ensembles_have_answers(run):
    trial = run.select()[1]
    for kind in plots.ANSWERS:
        assert headed(fer_jax.plot(trial, kind)) == f"Test pictures (5), trial {trial.id}."
        assert "mean answer of 2 networks" in headed(fer_jax.plot(run.ensemble(top=2), kind))
    assert fer_jax.plot(trial, "curves").axes
    with pytest.raises(RunError, match="^plot 'surface' is of a run; of <trial .*> there are curves, confusion, roc"):
        fer_jax.plot(trial, "surface")
    with pytest.raises(RunError, match="^plot takes metric, point and field values for a run only"):
        fer_jax.plot(trial, "confusion", metric="val_loss")


def test_without_stored_answers_or_results_there_is_a_reason(tmp_path):
    run = fer_jax.load_run(run_directory(tmp_path / "run"))
    with pytest.raises(RunError, match="has no plot 'roc': no predictions of .* are stored$"):
        fer_jax.plot(run, "roc")
    waiting = fer_jax.load_run(run_directory(tmp_path / "waiting", ("pending",) * 4, curves=False))
    with pytest.raises(RunError, match=r"has no plot 'roc': no trial is done \(4 pending\)$"):
        fer_jax.plot(waiting, "roc")
    with pytest.raises(RunError, match="has no plot 'curves': no epoch is recorded yet$"):
        fer_jax.plot(waiting, "curves")


def test_a_figure_with_what_no_font_has_is_kept_without_a_warning(run, tmp_path, recwarn):
    figure = fer_jax.plot(run, "classes")
    figure.axes[0].set_title("a\x1bb")
    figure.savefig(tmp_path / "figure.pdf")
    figure._repr_png_()
    assert not recwarn.list and (tmp_path / "figure.pdf").exists()
