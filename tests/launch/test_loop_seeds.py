"""Sweeps whose repeats vary one thing: what is trained once, what is compared, what is said."""

import numpy as np
import pytest

import fer_jax
from fer_jax.analysis.ranking import rank_points
from fer_jax.errors import ConfigError, RunError
from fer_jax.launch import prepared
from fer_jax.reports import basis, run_report, several_runs, verdict
from fer_jax.results.best_point import best_trials, of_best_point

MODES = ("all", "everything", "weights", "dropout", "split")


@pytest.fixture(scope="module")
def runs(make_config, tmp_path_factory):
    """A run a mode: two points, three repeats of a small dense network."""
    found, folder = {}, tmp_path_factory.mktemp("seeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        for of in MODES:
            found[of] = fer_jax.run_sweep(config_of(make_config, of), folder / of)
    return found


def config_of(make_config, of):
    config = make_config()
    config.model.name, config.model.hidden, config.train.epochs = "mlp", (8,), 2
    config.model.dropout, config.data.split = 0.2, "stratified_80_10_10"
    config.sweep.repeats, config.sweep.seeds_of = 3, of
    return config


def test_the_first_repeat_is_the_same_trial_in_every_run_and_no_other_is(runs):
    ids = {of: run.trials["id"].tolist() for of, run in runs.items()}
    assert all((run.trials["status"] == "done").all() for run in runs.values())
    assert {(found[0], found[3]) for found in ids.values()} == {(ids["all"][0], ids["all"][3])}
    assert len({id for found in ids.values() for id in found}) == 2 + 4 * len(MODES)
    first = {tuple(run.trials.loc[[0, 3], "last_val_loss"]) for run in runs.values()}
    assert len(first) == 1
    for run in runs.values():
        assert run.trials["seed"].tolist() == run.trials["repeat"].tolist() == [0, 1, 2] * 2
        assert run.trials["last_val_loss"].nunique() == 6


def test_one_program_serves_all_seeds_and_each_split_has_its_stack(runs):
    assert {of: len(run.plan["stacks"]) for of, run in runs.items()} == {
        "all": 1,
        "weights": 1,
        "dropout": 1,
        "split": 3,
        "everything": 3,
    }


def test_a_trial_knows_its_seeds_and_its_own_data(runs):
    for of, seeds, split in (("weights", [(), (1, 0, 0, 0), (2, 0, 0, 0)], [0, 0, 0]), ("split", [()] * 3, [0, 1, 2])):
        found = [runs[of].trial(id) for id in runs[of].trials["id"][:3]]
        assert [trial.config.train.seeds for trial in found] == seeds and {t.config.train.seed for t in found} == {0}
        assert [trial.config.data.seed for trial in found] == split
        for trial in found:
            assert trial.dataset().checksum == trial.data["checksum"]
            assert (trial.labels("validation") == trial.dataset().validation.labels).all()
            logits = trial.image_logits(trial.dataset().validation.images)
            np.testing.assert_allclose(logits, trial.logits("validation"), atol=1e-4)
    assert len({trial.data["checksum"] for trial in runs["split"].select()}) == 3
    both = [runs["everything"].trial(id) for id in runs["everything"].trials["id"][:3]]
    assert [(trial.config.train.seed, trial.config.data.seed) for trial in both] == [(0, 0), (1, 1), (2, 2)]
    assert [trial.data["checksum"] for trial in both] == [trial.data["checksum"] for trial in found]
    assert all((trial.labels("test") == trial.dataset().test.labels).all() for trial in both)
    assert both[1].predict(both[1].dataset().test.images).shape == both[1].probabilities("test").shape


def test_the_same_command_repeats_nothing_and_other_repeats_are_refused(runs, make_config):
    path = runs["weights"].path
    before = (path / "trials.csv").read_bytes()
    again = fer_jax.run_sweep(config_of(make_config, "weights"), path)
    assert (path / "trials.csv").read_bytes() == before and len(again.trials) == 6
    with pytest.raises(RunError, match=r"holds another sweep .* sweep.seeds_of was weights, is not set"):
        fer_jax.run_sweep(config_of(make_config, "all"), path, extend=True)


def test_the_verdict_says_what_the_spread_is_of(runs):
    words = {}
    for of, run in runs.items():
        found = rank_points(run.record, run.trials, run.curves, "a run")
        words[of] = " ".join(verdict.sentences(found)), found.scope, dict(basis.facts(found))["Trials"]
    assert words["all"][1].endswith(", 3 seeds a point") and "spread leaves out" not in words["all"][0]
    text, scope, count = words["weights"]
    assert scope.endswith(", 3 seeds of the initial weights a point")
    assert count == "6 on 2 points, 3 seeds of the initial weights a point (0 to 2)"
    assert "differ in the seed of the initial weights alone" in text and "(paired t over seeds of the initial" in text
    text, scope, count = words["split"]
    assert scope == "synthetic faces, stratified_80_10_10 split, 3 splits a point" and "data sets" not in scope
    assert count == "6 on 2 points, 3 splits a point (0 to 2)" and "paired t over splits" in text
    assert "Each of its repeats has a split of its own" in text and "of networks of one seed" in text
    text, scope, count = words["everything"]
    assert scope.endswith(", 3 seeds of training and the split a point") and "data sets" not in scope
    assert count == "6 on 2 points, 3 seeds of training and the split a point (0 to 2)"
    assert "the spread is that over training and over the images" in text


@pytest.mark.parametrize(("of", "unit", "units"), [
    ("split", "split", "splits"), ("everything", "seed", "seeds of training and the split"),
])  # fmt: skip
def test_splits_are_compared_pair_by_pair_and_never_asked_as_one(runs, of, unit, units):
    run = runs[of]
    found = run.compare(0, 1, "test_accuracy")
    a, b = run.trials["test_accuracy"].to_numpy().reshape(2, 3)
    assert found.unit == unit and found.paired.mean == pytest.approx((a - b).mean())
    for _, row in found.pictures.iterrows():
        first, second = run.select(seed=int(row["seed"]))
        assert first.data["checksum"] == second.data["checksum"] and row["pictures"] == len(first.labels("test"))
    assert len(found.pictures) == 3 and f"{units} in common" in found.words
    with pytest.raises(RunError, match="different validation pictures"):
        run.ensemble().probabilities("validation")
    ranking = rank_points(run.record, run.trials, run.curves, "a run")
    (trial,) = best_trials(run, ranking)
    answers = of_best_point(run, ranking)
    assert answers.repeats == 1 and trial.row["repeat"] == 0 and "on the first of its splits" in answers.about
    np.testing.assert_array_equal(answers.labels, trial.labels("test"))
    assert len(best_trials(runs["weights"], rank_points(*seen(runs["weights"])))) == 3
    assert "3 seeds of the initial weights in common" in runs["weights"].compare(0, 1).words


def seen(run):
    return run.record, run.trials, run.curves, "a run"


def test_several_runs_are_ranked_apart_and_their_spreads_stand_together(runs, tmp_path):
    said = []
    page = several_runs.write_comparison([run.path for run in runs.values()], tmp_path / "all.html", said.append)
    text = page.read_text()
    assert "repeats vary other things (sweep.seeds_of)" in text and "here in 5 groups" in text
    assert text.count('id="spread-1"') == 1 and 'id="spread-2"' not in text
    (table,) = said
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert rows[0][:2] == ["repeats vary", "n"] and [row[:2] for row in rows[2:]] == [
        ["all seeds of training", "3"],
        ["all seeds of training and the split", "3"],
        ["seed of the initial weights", "3"],
        ["seed of dropout", "3"],
        ["seed of the split", "3"],
    ]
    best = runs["all"].best_point().name
    for run, row in zip(runs.values(), rows[2:], strict=True):
        values = run.trials["val_accuracy"].to_numpy().reshape(2, 3)[best]
        assert row[2:4] == [f"{values.mean():.4f}", f"{values.std(ddof=1):.4f}"]
    one = several_runs.write_comparison([runs["all"].path], tmp_path / "one.html", said.append)
    assert 'id="spread-1"' not in one.read_text() and len(said) == 1


def test_weights_that_are_all_given_cannot_be_varied(runs, make_config):
    config = config_of(make_config, "weights")
    config.model.init = f"{runs['all'].path}:{runs['all'].trials['id'].iloc[0]}"
    with pytest.raises(ConfigError, match=r"seeds_of = weights: model.init = .* has weights for every layer"):
        prepared.prepare(config)
    config.sweep.seeds_of = "dropout"
    assert len(prepared.prepare(config).trials) == 6
