"""A run that is really trained: four dense networks on tiny faces, copied for each test."""

import shutil

import pytest

from fer_jax.launch import loop
from tests.reliability import damage_tables


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    loop.run_sweep(damage_tables.small_config(), path)
    return path


@pytest.fixture
def trained(trained_once, tmp_path):
    """A copy of the run's directory, to damage."""
    return shutil.copytree(trained_once, tmp_path / "run")
