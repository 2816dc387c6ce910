"""Fits after trials: features computed once, nothing trained twice, resumed where they stopped."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
from html import unescape

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax import heads
from fer_jax.config.values import to_json
from fer_jax.errors import RunError
from fer_jax.launch import stopping, wave
from fer_jax.models import inference
from fer_jax.reports import run_report
from fer_jax.store import RunDirectory


@pytest.fixture(autouse=True)
def no_report(request, monkeypatch):
    if "report" not in request.node.name:
        monkeypatch.setattr(run_report, "write_report", lambda path: None)


@pytest.fixture
def headed(config):
    """Four trials, each with boosted heads on two layers and a logistic one."""
    return with_heads(config)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_config):
    """A run of `headed`, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        return fer_jax.run_sweep(with_heads(make_config()), tmp_path_factory.mktemp("whole"))


def with_heads(config):
    config.train.epochs = 2
    config.head.kind = "xgboost"
    config.head.rounds = 5
    config.sweep.each.head.layer = ("flatten", "dense_0")
    config.sweep.each.head.kind = ("logistic",)
    config.sweep.each.train.learning_rate = (1e-3, 1e-2)
    config.sweep.grid.train.learning_rate = None
    config.sweep.points = tuple(
        {"train.learning_rate": 1e-2, **head} for head in ({"head.layer": "dense_0"}, {"head.kind": "logistic"})
    )
    return config


def test_fits_are_scored_as_the_loaded_heads_score(whole):
    run, table = whole, whole.heads
    assert len(run.trials) == 4 and len(table) == 2 * 6 and (table["status"] == "done").all()
    assert table["fit"].is_unique and set(table["id"]) == set(run.trials["id"])
    for _, row in table.iterrows():
        trial = run.trial(row["id"])
        wanted = {"layer": row["head.layer"], "kind": row["head.kind"]}
        fit, splits = trial.head(**wanted), trial.dataset().splits()
        for short, split in (("train", "train"), ("val", "validation"), ("test", "test")):
            images, labels = splits[split].images, splits[split].labels
            probabilities = fit.predict(images)
            assert row[f"{short}_accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)
            loss = -np.log(probabilities[np.arange(len(labels)), labels].astype(float)).mean()
            assert row[f"{short}_loss"] == pytest.approx(loss, rel=1e-5)
            direct = heads.load(
                fit.settings, RunDirectory(run.path).read_head(fit.id, heads.suffix(fit.settings)), len(trial.classes)
            )
            features = trial.features(images, row["head.layer"]).reshape(len(images), -1)
            np.testing.assert_array_equal(direct.probabilities(features), probabilities)
        own = run.trials.set_index("id").loc[row["id"]]
        assert row["val_accuracy_gain"] == pytest.approx(row["val_accuracy"] - own["val_accuracy"], abs=1e-6)
        assert row["test_accuracy_gain"] == pytest.approx(row["test_accuracy"] - own["test_accuracy"], abs=1e-6)
        assert row["features"] == features.shape[1] and row["threads"] == 1
    boosted = table[table["head.kind"] == "xgboost"]
    assert (boosted["rounds"] == 5).all() and boosted["head.C"].isna().all()
    assert table[table["head.kind"] == "logistic"]["head.rounds"].isna().all()
    summary = run.heads_summary
    assert len(summary) == 6 and (summary["n"] == 2).all()
    first = table[(table["head.layer"] == "dense_0") & (table["train.learning_rate"] == 1e-2)]
    row = summary[(summary["head.layer"] == "dense_0") & (summary["train.learning_rate"] == 1e-2)].iloc[0]
    assert row["val_accuracy_gain_mean"] == pytest.approx(first["val_accuracy_gain"].mean())
    assert row["val_accuracy_gain_sd"] == pytest.approx(first["val_accuracy_gain"].std())
    on_disk = pd.read_csv(run.path / "heads_summary.csv")
    np.testing.assert_allclose(on_disk["val_accuracy_mean"], summary["val_accuracy_mean"])
    assert run.record["finished"]


def test_features_are_those_of_the_chosen_weights_and_are_extracted_once(headed, tmp_path, monkeypatch):
    headed.sweep.points = ()
    run = fer_jax.run_sweep(headed, tmp_path)
    files = sorted(path.name for path in (tmp_path / "features").glob("*.npy"))
    layered = [identity for identity in run.trials["id"] if len(run.trial(identity).heads) == 3]
    assert len(files) == 2 * 2 + 2  # the base's two repeats at two layers, the other point's at one
    for identity in layered:
        trial = run.trial(identity)
        kept = RunDirectory(run.path).features.read(identity, "dense_0")
        for name, split in trial.dataset().splits().items():
            np.testing.assert_array_equal(kept[name], trial.features(split.images, "dense_0"))
    before = run.heads
    lost = [tmp_path / "heads" / f"{fit}.ubj" for fit in before["fit"][before["head.kind"] == "xgboost"][:2]]
    for path in lost:
        path.unlink()
    monkeypatch.setattr(inference, "activations", lambda *_: pytest.fail("kept features were extracted again"))
    again = fer_jax.run_sweep(headed, tmp_path)
    assert all(path.exists() for path in lost)
    columns = [name for name in before if name != "seconds"]
    pd.testing.assert_frame_equal(again.heads[columns], before[columns])


def test_damaged_features_are_named_and_extracted_again(headed, tmp_path, capsys):
    headed.sweep.each.head.kind = None
    run = fer_jax.run_sweep(headed, tmp_path)
    fits = len(run.heads)
    base = run.select(learning_rate=1e-3)[0].id
    path = tmp_path / "features" / f"{base}-flatten.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + b"\x00\x00\xc0\x7f")
    capsys.readouterr()
    headed.sweep.each.head.eta = (0.1, 0.3)
    again = fer_jax.run_sweep(headed, tmp_path)
    assert path.read_bytes() == whole
    assert f"features that are damaged are extracted again: {path.name}\n" in capsys.readouterr().err
    assert len(again.heads) == fits + 2 and (again.heads["status"] == "done").all()


def test_other_head_settings_go_on_and_train_nothing(headed, tmp_path, monkeypatch):
    fer_jax.run_sweep(headed, tmp_path)
    trials = (tmp_path / "trials.csv").read_bytes()
    monkeypatch.setattr(wave, "train", lambda *_: pytest.fail("a head made a network train"))
    headed.head.eta = 0.1
    run = fer_jax.run_sweep(headed, tmp_path)
    assert (tmp_path / "trials.csv").read_bytes() == trials
    assert len(run.heads) == 20  # eight boosted fits more; the logistic ones know no eta
    assert sorted(run.heads["head.eta"].dropna().unique()) == [0.1, 0.3]
    assert run.trial(run.trials["id"][2]).head(layer="dense_0", eta=0.3).row["status"] == "done"


def test_stopped_fits_go_on_where_they_stopped(headed, whole, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def requests(note):
        yield lambda: (tmp_path / "cut" / "heads").exists()

    with monkeypatch.context() as patch:
        patch.setattr(stopping, "requests", requests)
        with pytest.raises(KeyboardInterrupt):
            fer_jax.run_sweep(headed, tmp_path / "cut")
    partial = fer_jax.load_run(tmp_path / "cut")
    done = (partial.heads["status"] == "done").sum()
    assert 0 < done < 12 and not partial.record["finished"]
    assert "the same command goes on from there" in (tmp_path / "cut" / "log.txt").read_text()
    resumed = fer_jax.run_sweep(headed, tmp_path / "cut")
    columns = [name for name in whole.heads if name != "seconds"]
    pd.testing.assert_frame_equal(resumed.heads[columns], whole.heads[columns], check_exact=True)
    assert resumed.record["finished"]
    boosted = [row for _, row in whole.heads.iterrows() if row["head.kind"] == "xgboost"]
    for row in boosted:
        name = f"heads/{row['fit']}.ubj"
        assert (tmp_path / "cut" / name).read_bytes() == (whole.path / name).read_bytes()


HANGING = """
import ctypes, json
from fer_jax import heads
from fer_jax.config.values import from_json

def fit(*_):
    mutex, lock = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
    lock(mutex)
    lock(mutex)  # never returns, as liblinear with an endless sum

def get_config(words=""):
    heads.fit = fit
    return from_json(json.loads({config!r}))
"""


def test_a_sweep_ended_at_once_before_its_first_fit_goes_on(config, tmp_path):
    config.sweep.grid.train.learning_rate, config.sweep.repeats, config.train.epochs = None, 1, 1
    config.head.kind, config.sweep.grid.head.C = "svm", (0.5, 1.0)
    (tmp_path / "mine.py").write_text(HANGING.format(config=json.dumps(to_json(config))))
    command = [
        sys.executable,
        "-m",
        "fer_jax.sweep",
        f"--config={tmp_path / 'mine.py'}",
        f"--workdir={tmp_path / 'run'}",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
        lines = []

        def until(words):
            while words not in (line := program.stderr.readline()):
                assert line, lines
                lines.append(line)
            return line

        until("2 fits, ")
        program.send_signal(signal.SIGINT)
        waited = until("that cannot be interrupted: svm on flatten, head.C = ")
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130
        assert "Traceback" not in "".join(lines) + program.stderr.read()
    assert waited.startswith("waiting for 2 fits" if "2 at once" in "".join(lines) else "waiting for ")
    assert set(fer_jax.load_run(tmp_path / "run").heads["status"]) == {"pending"}
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert (run.heads["status"] == "done").all() and run.record["finished"]


def test_a_run_whose_fits_all_failed_is_tried_again(headed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(heads, "fit", lambda *_: (_ for _ in ()).throw(ValueError("no")))
        assert set(fer_jax.run_sweep(headed, tmp_path).heads["status"]) == {"failed"}
    assert (fer_jax.run_sweep(headed, tmp_path, retry_failed=True).heads["status"] == "done").all()


def test_damaged_and_lost_heads_are_named_and_fitted_again(whole, tmp_path, make_config, capsys):
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    files = sorted((path / "heads").iterdir())
    before = {file.name: file.read_bytes() for file in files}
    flipped = [next(file for file in files if file.suffix == suffix) for suffix in (".skops", ".ubj")]
    for file in flipped:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    cut, gone = [file for file in files if file.suffix == ".skops" and file not in flipped][:2]
    cut.write_bytes(before[cut.name][: len(before[cut.name]) // 2])
    gone.unlink()
    table = pd.read_csv(path / "heads.csv", dtype=str)
    unlike = table["fit"].isin([file.stem for file in (*flipped, cut, gone)])
    torn = table.index[~unlike][-1]
    table.loc[torn, ["val_accuracy", "val_loss"]] = None
    table.to_csv(path / "heads.csv", index=False)
    shutil.rmtree(path / ".sealed")  # its copy would bring the row back
    run = fer_jax.run_sweep(with_heads(make_config()), path)
    said = (path / "log.txt").read_text()
    shown = capsys.readouterr().err
    assert "4 fits to do again: " in shown
    assert (
        f"heads.csv: left out until the same command does these fits again: {table.at[torn, 'fit']} "
        "(its accuracies are no shares)"
    ) in shown
    for words in (
        *(f"heads/{file.name} is damaged (its checksum differs)" for file in flipped),
        f"heads/{cut.name} is damaged",
        f"heads/{gone.name} is gone",
    ):
        assert words in said
    columns = [name for name in whole.heads if name != "seconds"]
    pd.testing.assert_frame_equal(run.heads[columns], whole.heads[columns], check_exact=True)
    assert {name for name, content in before.items() if (path / "heads" / name).read_bytes() != content} <= {
        file.name
        for file in files
        if file.suffix == ".skops"  # a zip file holds the time
    }
    # Whole numbers stay whole, also where a logistic head has none.
    texts = pd.read_csv(path / "heads.csv", dtype=str, keep_default_na=False)
    assert set(texts["rounds"]) == set(texts["head.rounds"]) == {"5", ""} and set(texts["features"]) <= {"196", "8"}


def test_fits_keep_their_results_when_another_field_is_swept(whole, tmp_path, make_config):
    shutil.copytree(whole.path, tmp_path / "run")
    config = with_heads(make_config())
    config.sweep.each.train.l2 = (1e-4, 1e-3)
    config.sweep.points = (*config.sweep.points, {"head.kind": "logistic", "train.l2": 1e-3})
    run = fer_jax.run_sweep(config, tmp_path / "run", extend=True)
    assert run.heads["train.l2"].notna().all() and len(run.heads) > len(whole.heads)
    old = run.heads.set_index("fit").loc[whole.heads["fit"]]
    np.testing.assert_array_equal(old["seconds"], whole.heads["seconds"])
    assert set(old["train.l2"]) == {1e-4}


def test_a_failed_fit_is_marked_and_tried_again_when_asked(headed, tmp_path, monkeypatch):
    fit = heads.fit

    def broken(settings, *rest):
        if settings["head.kind"] == "logistic":
            raise ValueError("Input X contains\ninfinity")
        return fit(settings, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(heads, "fit", broken)
        table = fer_jax.run_sweep(headed, tmp_path).heads
    failed = table[table["status"] == "failed"]
    assert len(failed) == 4 and set(failed["head.kind"]) == {"logistic"}
    assert set(failed["error"]) == {"ValueError: Input X contains infinity"}
    run = fer_jax.run_sweep(headed, tmp_path)
    assert (run.heads["status"] == "failed").sum() == 4
    assert (run.heads_summary["left_out"] == "2 failed").sum() == 2
    assert (fer_jax.run_sweep(headed, tmp_path, retry_failed=True).heads["status"] == "done").all()


def test_a_network_that_diverged_has_no_fits_and_its_point_says_so(headed, tmp_path):
    headed.sweep.each.head.kind = None
    headed.sweep.points = ({"train.learning_rate": 1e9},)
    headed.train.optimizer = "sgd"
    run = fer_jax.run_sweep(headed, tmp_path)
    lost = run.heads[run.heads["train.learning_rate"] == 1e9]
    assert (lost["status"] == "diverged").all() and lost["val_accuracy"].isna().all()
    row = run.heads_summary[run.heads_summary["train.learning_rate"] == 1e9].iloc[0]
    assert row["n"] == 0 and row["left_out"] == "2 diverged"


@pytest.mark.parametrize("kind", ["svm", "forest", "neighbors"])
def test_every_kind_comes_back_from_disk(config, tmp_path, kind):
    config.sweep.grid.train.learning_rate = None
    config.sweep.repeats = 1
    config.train.epochs = 1
    config.head.kind = kind
    config.head.layer = "probabilities"
    run = fer_jax.run_sweep(config, tmp_path)
    trial = run.trial(run.trials["id"][0])
    test = trial.dataset().test
    fit = trial.head()
    assert fit.predict(test.images[:0]).shape == (0, 7)
    assert np.mean(fit.predict(test.images).argmax(axis=1) == test.labels) == fit.row["test_accuracy"]
    assert np.isnan(fit.row["val_loss"]) == (kind == "svm")
    assert bool(list((tmp_path / "heads").glob("*"))) == (kind != "neighbors")


def test_a_tie_with_the_network_is_a_gain_of_zero(config, tmp_path):
    config.sweep.grid.train.learning_rate = None
    config.train.epochs = 1
    config.head.kind = "xgboost"
    config.head.layer = "probabilities"
    config.head.rounds = 1
    config.head.min_child_weight = 1e5  # no split: the answer is the first class, whatever the picture
    run = fer_jax.run_sweep(config, tmp_path)
    labels = run.trial(run.trials["id"][0]).dataset().validation.labels
    for _, row in run.heads.iterrows():
        own = run.trials.set_index("id").loc[row["id"], "val_accuracy"]
        assert own == round(own * len(labels)) / len(labels)
        assert row["val_accuracy_gain"] == row["val_accuracy"] - own


def test_neighbours_do_not_answer_from_damaged_features(config, tmp_path):
    config.sweep.grid.train.learning_rate = None
    config.sweep.repeats = 1
    config.train.epochs = 1
    config.head.kind = "neighbors"
    run = fer_jax.run_sweep(config, tmp_path)
    trial = run.trial(run.trials["id"][0])
    path = tmp_path / "features" / f"{trial.id}-flatten.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + b"\x00\x00\xc0\x7f")
    with pytest.raises(RunError, match="at flatten are gone or damaged: start the sweep again$"):
        fer_jax.load_run(tmp_path).trial(trial.id).head().predict(trial.dataset().test.images)
    fer_jax.run_sweep(config, tmp_path)
    assert path.read_bytes() == whole


def test_what_a_trial_answers_when_asked_for_a_head(whole, tmp_path):
    shutil.copytree(whole.path, tmp_path / "run")
    run = fer_jax.load_run(tmp_path / "run")
    trial = run.trial(run.heads["id"].iloc[-1])
    for wanted, words in (
        ({}, "fits with any setting: name more of kind, layer, rounds"),
        ({"layr": "flatten"}, "^no field head.layr; did you mean layer"),
        ({"layer": "conv_0"}, "has no fit with layer = conv_0; trial.heads lists 3$"),
        ({"max_depth": 2.5}, "^head.max_depth = 2.5: must be a whole number"),
    ):
        with pytest.raises(RunError, match=words):
            trial.head(**wanted)
    fit = trial.head(kind="logistic")
    assert repr(fit).startswith(f"<fit {fit.id} of trial {trial.id}: logistic on flatten, done>")
    assert fit.importances is None and trial.head(layer="dense_0").importances.sum() == pytest.approx(1)
    path = run.path / "heads" / f"{fit.id}.skops"
    path.write_bytes(b"damaged")
    words = f"{fit.id}.skops: a logistic head cannot be read .*; start the sweep again to fit it anew"
    with pytest.raises(RunError, match=words):
        run.trial(trial.id).head(kind="logistic").predict(trial.dataset().test.images)
    path.unlink()
    with pytest.raises(RunError, match="start the sweep again to fit it$"):
        run.trial(trial.id).head(kind="logistic").predict(trial.dataset().test.images)


def test_the_report_shows_heads_against_their_networks(headed, tmp_path):
    headed.sweep.points = ()
    fer_jax.run_sweep(headed, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert 'id="heads"' in page and "Against its own networks' output" in unescape(page)
    assert {"head_effects.png", "head_importances.png"} <= {path.name for path in (tmp_path / "figures").iterdir()}


def test_a_damaged_table_of_fits_is_named(whole, tmp_path, make_config):
    shutil.copytree(whole.path, tmp_path / "run")
    (tmp_path / "run" / "heads.csv").write_text("broken\n")
    assert (fer_jax.load_run(tmp_path / "run").heads["status"] == "done").all(), "its sealed copy counts"
    shutil.rmtree(tmp_path / "run" / ".sealed")
    for use in (
        lambda: fer_jax.load_run(tmp_path / "run").heads,
        lambda: fer_jax.run_sweep(with_heads(make_config()), tmp_path / "run"),
    ):
        with pytest.raises(RunError, match="heads.csv is damaged .it has no column 'fit'.; delete it"):
            use()
    (tmp_path / "run" / "heads.csv").unlink()
    again = fer_jax.run_sweep(with_heads(make_config()), tmp_path / "run")
    assert (again.heads["status"] == "done").all() and len(again.heads) == len(whole.heads)


def test_a_table_of_fits_that_is_gone_is_said_and_made_again(whole, tmp_path, make_config, capsys):
    shutil.copytree(whole.path, tmp_path / "run")
    table = tmp_path / "run" / "heads.csv"
    before = table.read_bytes()
    table.unlink()
    fer_jax.run_sweep(with_heads(make_config()), tmp_path / "run")
    assert re.search(r"heads.csv (was|is) gone: ", capsys.readouterr().err)
    assert table.read_bytes() == before
