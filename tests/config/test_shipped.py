"""Configs and studies by name, from any folder; a file of the user's own wins over a name."""

import tomllib
from pathlib import Path

import pytest

import fer_jax
from fer_jax import sweep
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


def test_a_file_of_ones_own_wins_over_a_name(tmp_path):
    (tmp_path / "grid3d").write_text(OWN)
    assert fer_jax.load_config("grid3d").train.epochs == 77
    (tmp_path / "grid3d").unlink()
    (tmp_path / "grid3d").mkdir()  # a folder is no config
    assert fer_jax.load_config("grid3d").train.epochs == 12
    (tmp_path / "own.py").write_text(OWN)
    assert fer_jax.load_config("own.py").train.epochs == 77


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


def test_the_wheel_has_both_folders():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        folder: f"fer_jax/{folder}" for folder in shipped.FOLDERS.values()
    }
