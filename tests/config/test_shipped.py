"""Configs and studies by name, from any folder; what ends in .py is a file."""

import tomllib
from pathlib import Path

import pytest

import fer_jax
from fer_jax import study, sweep
from fer_jax.config import command_line, shipped
from fer_jax.studies import sweeps

ROOT = Path(__file__).parents[2]
OWN = """
from fer_jax.config import default_config

def get_config(words=""):
    config = default_config()
    config.train.epochs = 77
    return config
"""


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", shipped.shipped("config"))
def test_every_config_is_found_by_its_name_from_an_empty_folder(name):
    by_name, by_file = (command_line.load(one) for one in (name, f"{ROOT}/configs/{name}.py"))
    assert by_name.config == by_file.config and by_name.name == by_file.name == name


def test_every_file_of_the_two_folders_has_a_name():
    for kind, folder in shipped.FOLDERS.items():
        assert set(shipped.shipped(kind)) == {file.stem for file in (ROOT / folder).glob("*.py")}


@pytest.mark.parametrize("name", shipped.shipped("study"))
def test_a_study_finds_its_configs_from_an_empty_folder(name, tmp_path):
    study = sweeps.read_study(name)
    chosen = sweeps.choose(study, [], "smoke")
    needed = sweeps.sweeps(chosen, name, "smoke")
    by_file = sweeps.sweeps(chosen, f"{ROOT}/sweeps/{name}.py", "smoke")
    assert needed and [one.folder for one in needed] == [one.folder for one in by_file]
    loaded = sweeps.load(needed[0], {}, tmp_path, "smoke")
    assert f" --config={needed[0].file} " in loaded.command and str(ROOT) not in loaded.command


def test_variants_and_overrides_are_taken_in_python_too():
    config = fer_jax.load_config("grid3d:smoke", {"train.epochs": 3})
    assert config.train.epochs == 3 and config.sweep.grid.train.batch_size == (16, 32)
    with pytest.raises(fer_jax.ConfigError, match="unknown variant 'smoek'; did you mean smoke"):
        fer_jax.load_config("grid3d:smoek")


def test_a_name_wins_over_what_is_called_so_and_a_path_over_a_name(tmp_path):
    for make in (lambda: (tmp_path / "grid3d").write_text("no config"), lambda: (tmp_path / "grid3d").mkdir()):
        make()
        assert fer_jax.load_config("grid3d").train.epochs == 12
        assert fer_jax.load_config("grid3d:smoke").sweep.grid.train.batch_size == (16, 32)
        if (tmp_path / "grid3d").is_file():
            (tmp_path / "grid3d").unlink()
    (tmp_path / "oslo").write_text("no study")
    assert sweeps.read_study("oslo").name == "oslo"
    for name in ("grid3d.py", "own"):
        (tmp_path / name).write_text(OWN)
    assert fer_jax.load_config(tmp_path / "grid3d.py").train.epochs == 77
    for given in ("grid3d.py", "./grid3d.py", "own", "own:smoke"):
        assert fer_jax.load_config(given).train.epochs == 77


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("Grid3D", "Grid3D: no such config: did you mean grid3d? with fer_jax come grid3d, hust, "),
        ("gird3d:smoke", "gird3d: no such config: did you mean grid3d? with fer_jax come grid3d, hust, "),
        ("zzz", "zzz: no such config: with fer_jax come grid3d, hust, "),
        ("configs/grid3d.py", "configs/grid3d.py: no such config file; did you mean grid3d? with fer_jax come "),
    ],
)
def test_an_unknown_name_is_answered_with_those_there_are(given, answer, capsys):
    assert sweep.main(["sweep", f"--config={given}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {answer}") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("program", "arguments", "answer"),
    [
        (sweep, ["grid3d"], "unexpected argument 'grid3d'; did you mean --config=grid3d?"),
        (sweep, ["Gird3d:smoke"], "unexpected argument 'Gird3d:smoke'; did you mean --config=grid3d:smoke?"),
        (sweep, ["my/own.py:full"], "unexpected argument 'my/own.py:full'; did you mean --config=my/own.py:full?"),
        (study, ["oslo"], "unexpected argument 'oslo'; did you mean --study=oslo?"),
        (
            study,
            ["--study=oslo:smoke"],
            "--study=oslo:smoke: a study has no variants; write --study=oslo --scale=smoke",
        ),
        (study, ["--study=oslo:x"], "--study=oslo:x: a study has no variants; write --study=oslo --scale=smoke|full"),
    ],
)
def test_a_name_in_the_wrong_place_is_answered_with_the_flag(program, arguments, answer, capsys):
    assert program.main(["program", *arguments]) == 2
    assert capsys.readouterr() == ("", f"error: {answer}\n")


def test_the_wheel_has_both_folders():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        folder: f"fer_jax/{folder}" for folder in shipped.FOLDERS.values()
    }
