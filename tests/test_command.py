"""`fer-jax PROGRAM ...`: one command for all programs, whose commands are shown as typed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fer_jax import __main__ as command
from fer_jax import __version__, sweep
from tests.test_programs import PROGRAMS, heavy_after

ROOT = Path(__file__).parents[1]
HERE = str(ROOT / "fer_jax" / "__main__.py")


def said(capsys, *argv):
    status = command.main(argv)
    return status, *capsys.readouterr()


@pytest.mark.parametrize("asked", [(), ("--help",), ("-h",), ("help",)])
def test_it_lists_every_program_with_a_line(asked, capsys):
    status, out, err = said(capsys, "/usr/bin/fer-jax", *asked)
    assert status == 0 and err == "" and "usage: fer-jax PROGRAM" in out
    listed = re.findall(r"^  (\w+)  +\w", out, re.MULTILINE)
    assert sorted(listed) == sorted(program.__name__.rpartition(".")[2] for program in PROGRAMS)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("asked", ["--help", "-h", "help"])
def test_help_before_a_programs_name_is_that_programs(asked, capsys):
    assert said(capsys, "fer-jax", asked, "sweep") == said(capsys, "fer-jax", "sweep", "--help")
    assert said(capsys, "fer-jax", asked, "swep")[2] == "error: no program 'swep'; did you mean sweep?\n"


def test_a_wrong_name_is_answered_with_the_near_one(capsys):
    assert said(capsys, "fer-jax", "swep") == (2, "", "error: no program 'swep'; did you mean sweep?\n")
    assert said(capsys, "fer-jax", "REPORT")[2].endswith("did you mean report?\n")
    assert said(capsys, HERE, "--config=grid3d")[2].endswith("; python -m fer_jax --help lists them\n")


def test_help_and_errors_show_what_was_typed(capsys):
    assert said(capsys, "fer-jax", "sweep")[2].endswith(f"; {sweep.USAGE.replace('python -m fer_jax.', 'fer-jax ')}\n")
    status, out, _ = said(capsys, HERE, "study", "--help")
    assert status == 0 and "`python -m fer_jax study --study=oslo`" in out and "fer_jax.study " not in out
    assert sweep.main(["sweep"]) == 2
    assert capsys.readouterr().err.endswith(f"; {sweep.USAGE}\n")


def test_the_version_is_that_of_the_package(capsys):
    for asked in (("--version",), ("audit", "--version")):
        assert said(capsys, "fer-jax", *asked) == (0, f"fer-jax {__version__}\n", "")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "fer_jax/base/version.py"
    assert project["project"]["scripts"] == {"fer-jax": "fer_jax.__main__:main"}


def test_listing_imports_nothing_heavy():
    heavy, out = heavy_after("from fer_jax.__main__ import main; main(['fer-jax'])")
    assert not heavy and "audit" in out


@pytest.mark.parametrize("module", ["fer_jax", "fer_jax.sweep"])
def test_a_reader_that_stops_reading_is_no_error(module):
    """As `fer-jax --help | head -1` does it."""
    command = [sys.executable, "-m", module, "--help"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        started.stdout.close()
        assert started.stderr.read() == b"" and started.wait() == 141
