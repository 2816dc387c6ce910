"""The program as its user starts it: in a process of its own, killed, started again, misspelled."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import fer_jax

ROOT = Path(__file__).parents[1]
SMOKE = "--config=configs/grid3d.py:smoke"


def start(*arguments, **options):
    command = [sys.executable, "-m", "fer_jax.sweep", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for_state(process, path):
    """Until the sweep has left its first checkpoint; one that does not is killed, since a failing
    test must not wait for it.
    """
    deadline = time.monotonic() + 120
    while not list(path.glob("checkpoints/*/state-*")):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"no checkpoint: {process.communicate()[1]}")
        time.sleep(0.05)


def curves(path):
    return fer_jax.load_run(path).curves.sort_values(["id", "epoch"], ignore_index=True)


def test_a_killed_sweep_ends_with_the_tables_of_one_that_ran_through(tmp_path):
    quick = (
        "--config.sweep.grid.train.batch_size=16",
        "--config.train.epochs=12",
        "--config.checkpoint.every=1",
        "--config.report.saliency=false",
    )
    status, out, err = finish(start(SMOKE, *quick, f"--workdir={tmp_path / 'whole'}"))
    assert status == 0, err
    # Networks that have learnt nothing yet, of one seed.
    assert "by mean validation accuracy" in out and "One seed: no spread can be given. Points are compared" in out
    assert f"\nreport: {tmp_path / 'whole' / 'report.html'}\n" in out and "dead network" in out
    typed = shlex.join([SMOKE, *quick, f"--workdir={tmp_path / 'whole'}"])
    assert fer_jax.load_run(tmp_path / "whole").record["command"] == f"python -m fer_jax.sweep {typed}"
    killed = start(SMOKE, *quick, f"--workdir={tmp_path / 'killed'}")
    wait_for_state(killed, tmp_path / "killed")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert fer_jax.load_run(tmp_path / "killed").trials["status"].eq("running").all()
    status, _, err = finish(start(SMOKE, *quick, f"--workdir={tmp_path / 'killed'}"))
    assert status == 0, err
    whole, again = (fer_jax.load_run(tmp_path / name).trials for name in ("whole", "killed"))
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    pd.testing.assert_frame_equal(curves(tmp_path / "killed"), curves(tmp_path / "whole"), check_exact=True)


def test_interrupting_saves_the_epoch_and_says_how_to_go_on(tmp_path):
    process = start(SMOKE, "--config.train.epochs=300", "--config.checkpoint.every=1", f"--workdir={tmp_path}")
    wait_for_state(process, tmp_path)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert out.startswith("No result yet\n") and "\nnext, to go on where it stopped:\npython -m fer_jax.sweep " in out
    assert status == 130 and "the same command goes on from there" in err and "Traceback" not in err
    assert "stopping after this epoch" in err and "  stopping after this epoch" in (tmp_path / "log.txt").read_text()
    assert "\r" not in err and "\x1b" not in err
    assert fer_jax.load_run(tmp_path).trials["status"].eq("pending").all()


@pytest.mark.parametrize("config", ["grid3d", "oslo", "mlp"])
def test_plan_prints_stacks_and_writes_nothing(config, tmp_path):
    status, out, err = finish(start(f"--config=configs/{config}.py:smoke", "--plan", f"--workdir={tmp_path / 'run'}"))
    assert status == 0, err
    assert (
        out.startswith("synthetic faces, official split: ")
        and "\n  train: angry " in out
        and "stack_0" in out
        and "training image passes" in out
    )
    assert not (tmp_path / "run").exists()


def test_plan_names_fields_without_effect():
    status, out, err = finish(start("--config=configs/silvestro.py:smoke", "--plan", "--config.model.name=mlp"))
    assert status == 0, err
    (note,) = (line for line in out.splitlines() if line.startswith("note: "))
    assert note == (
        "note: set without effect: model.dense_dropout (only with model.name = cnn or silvestro or imperial "
        "or vgg19 or mobilenet_v2 or efficientnet_b0 or resnet50_v2)"
    )
    assert "dense_dropout" not in out.replace(note, "")


def test_help_says_how_to_use_it():
    status, out, _ = finish(start("--help"))
    assert status == 0 and "--config=NAME|FILE[:variant,...]" in out and "retry_failed" in out


def test_print_config_lists_fields_with_their_meaning():
    status, out, _ = finish(start(SMOKE, "--print_config"))
    assert status == 0 and "train.learning_rate" in out and "step size" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([SMOKE, "--config.train.learning_rat=1"], "did you mean train.learning_rate"),
        ([SMOKE, "--plan=foo"], "flag --plan=foo: must be --plan or --plan=measure"),
        ([SMOKE, "--noplan=1"], "--noplan=1 does not take an argument"),
        ([SMOKE, "--config.sweep.grid.train.l2=(-1.,)"], "sweep.grid.train.l2"),
        (["--config=configs/grid3d.py:smok"], "did you mean smoke"),
        (["--config=configs/grid4d.py"], "configs/grid4d.py"),
        ([], "no config"),
        ([SMOKE, "--wrokdir=x"], "wrokdir"),
        ([SMOKE, "--config.data.name=fer2013", "--config.data.path=/nowhere/fer.zip"], "/nowhere/fer.zip"),
        ([SMOKE, "--config.sweep.grid.train.batch_size=16,5000"], "train.batch_size = 5000"),
        ([SMOKE, "--config.train.learning_rate=0.1"], "--config.sweep.grid.train.learning_rate='(0.1,)'"),
        ([SMOKE, "--config.train.momentum=0.9"], "train.momentum = 0.9 has no effect"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_directory(arguments, message, tmp_path):
    status, out, err = finish(start(*arguments, f"--workdir={tmp_path / 'run'}"))
    assert status == 2 and out == ""
    assert err.startswith("error: ") and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
