"""Paths in the home folder, as a run directory shows them."""

import os

import pytest

from fer_jax.base import home
from fer_jax.config.values import canonical, default_config


@pytest.fixture(autouse=True)
def _home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/home/ada/fer2013.zip", "~/fer2013.zip"),
        ("/home/ada", "~"),
        ("fer-jax sweep '--config.data.path=/home/ada/my faces' --workdir=/home/ada/run", None),
        ("/home/adam/x", "/home/adam/x"),
        ("/home/ada-2/x", "/home/ada-2/x"),
        ("/mnt/home/ada/x", "/mnt/home/ada/x"),
        ("runs/grid3d", "runs/grid3d"),
        ("https://x.org/home/ada/x", "https://x.org/home/ada/x"),
    ],
)
def test_only_the_home_folder_is_hidden(given, shown):
    shown = shown or "fer-jax sweep '--config.data.path=~/my faces' --workdir=~/run"
    assert home.hidden(given) == shown
    assert home.hidden({"a": [given, 1, None]}) == {"a": [shown, 1, None]}


def test_without_a_home_folder_nothing_changes(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert home.hidden("/data/x") == "/data/x"


def test_a_config_holds_paths_from_the_home_folder_on_unless_asked_for_whole_ones():
    config = default_config()
    config.data.name, config.data.path = "folder", "/home/ada/faces"
    assert canonical(config).data.path == "~/faces"
    assert os.path.expanduser(canonical(config).data.path) == "/home/ada/faces"
    config.report.paths = True
    assert canonical(config).data.path == "/home/ada/faces"
