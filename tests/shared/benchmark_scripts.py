"""The files of benchmarks/ as modules."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """scripts(name) imports a file of benchmarks/, which see each other as they do when started."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module
