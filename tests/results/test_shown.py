"""What a notebook shows of a run, a trial and an ensemble."""

import re

import pandas as pd
import pytest
from reported_runs import changed, run_directory, with_answers

import fer_jax
from fer_jax.results.ensemble import Ensemble


def words(html):
    """The text of HTML, in which every < is a tag's."""
    assert html.count("<") == html.count(">") and "NaN" not in html and "None" not in html
    return re.sub(r"<[^>]*>", "|", html)


@pytest.fixture
def run(tmp_path):
    return fer_jax.load_run(with_answers(run_directory(tmp_path / "a <b>run</b>")))


def test_a_run_shows_how_far_it_is_and_its_best_points(run):
    html = run._repr_html_()
    text = words(html)
    assert "a &lt;b&gt;run&lt;/b&gt;" in html and "2 done, 1 diverged, 1 pending; 4 points; synthetic faces" in text
    assert "the 2 best points by validation accuracy" in text
    first, second = (text.index(f"{value} (n = 1)".replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"))
                     for value in ("0.810", "0.800"))  # fmt: skip
    assert first < second and "learning rate" in text and "test accuracy" in text
    assert len(re.findall(r"text-align:right[^>]*>0\.8[01]0", html)) == 4  # numbers, below each other
    assert not re.search(r"(?<![-\w])color:|background:(?!none)", html)  # those of the page, light or dark


def test_a_run_without_results_shows_its_statuses(tmp_path):
    run = fer_jax.load_run(run_directory(tmp_path / "run", statuses=("pending",) * 4, curves=False))
    assert "4 pending; 4 points" in words(run._repr_html_()) and "<table" not in run._repr_html_()
    (tmp_path / "run" / "trials.csv").unlink()
    for path in (tmp_path / "run").glob(".sealed/*"):
        path.unlink()
    assert "no trials yet" in words(fer_jax.load_run(tmp_path / "run")._repr_html_())


def test_points_that_are_not_ranked_together_show_the_best_of_each_group(tmp_path):
    path = run_directory(tmp_path / "run", statuses=("done",) * 4)
    table = pd.read_csv(path / "trials.csv", dtype={"id": str})
    run = fer_jax.load_run(changed(path, train__select="val_loss"))
    run.swept, run.trials = ("loss.focal_gamma",), table.assign(**{"loss.focal_gamma": [0.0, 0.0, 2.0, 2.0]})
    assert "the best of each of 2 groups of points, which val_loss does not rank" in words(run._repr_html_())


def test_a_trial_shows_its_settings_and_scores(run):
    trial = run.select(status="done")[0]
    assert repr(trial) == f"<trial {trial.id} of {run.path}: done>"
    text = words(trial._repr_html_())
    assert f"Trial {trial.id}" in text and "32-64-64" in text and "2, best 2" in text and "0.800" in text
    waiting = run.select(status="pending")[0]
    assert "pending" in words(waiting._repr_html_()) and "accuracy" not in words(waiting._repr_html_())


def test_an_ensemble_shows_its_mean_answer_and_its_members(run):
    ensemble = run.ensemble(top=2)
    text = words(ensemble._repr_html_())
    assert "Ensemble of 2 networks of the 2 best points" in text and "their mean answer" in text
    assert all(member.id in text for member in ensemble.members)
    alone = Ensemble((run.select(status="pending")[0],))  # without stored answers
    assert "their mean answer" not in words(alone._repr_html_())


def test_control_characters_of_names_are_visible_escapes(tmp_path):
    run = fer_jax.load_run(with_answers(run_directory(tmp_path / "red\x1b[31m\u202e")))
    trial, ensemble = run.select(status="done")[0], run.ensemble()
    named = Ensemble(ensemble.members, "r\x1bd")
    for one in (run, trial):
        for text in (repr(one), one._repr_html_()):
            assert r"red\x1b[31m\u202e" in text and "\x1b" not in text and "\u202e" not in text
    assert r"r\x1bd" in repr(named) and "\x1b" not in named._repr_html_()
