"""Optional packages: one that is missing is named with the extra that installs it."""

import json
import sys

import pytest

from fer_jax.base.optional import need
from fer_jax.errors import FerJaxError


def test_a_module_that_is_there_is_returned():
    assert need("json", "tables") is json


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(FerJaxError) as caught:
        need("no_such_package.part", "onnx")
    assert str(caught.value) == "the package no_such_package is not installed: pip install 'fer_jax[onnx]'"


def test_a_package_that_cannot_be_imported_says_why(monkeypatch, tmp_path):
    (tmp_path / "half_installed.py").write_text("import a_library_of_its_own")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_installed", raising=False)
    with pytest.raises(
        FerJaxError, match=r"half_installed cannot be imported \(No module named 'a_library_of_its_own'\)"
    ):
        need("half_installed", "onnx")
