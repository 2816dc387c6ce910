"""The pins of pip and of uv are the same, and the README's commands exist."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_uv_and_pip_pin_the_same_versions():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == [line for line in lines if not line.startswith("#")]


def test_every_direct_dependency_is_pinned_and_fits_its_bound():
    pins = dict(pin.split("==") for pin in PROJECT["tool"]["uv"]["constraint-dependencies"])
    wanted = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["test"]
    for requirement in wanted:
        found = Requirement(requirement)
        if found.marker is None or found.marker.evaluate({"sys_platform": "linux"}):
            assert found.specifier and pins[found.name] in found.specifier, requirement


def test_the_readme_names_configs_and_pages_that_exist():
    readme = (ROOT / "README.md").read_text()
    for path in re.findall(r"(?:configs/\w+\.py|docs/[\w.]+)", readme):
        assert (ROOT / path).exists(), path
