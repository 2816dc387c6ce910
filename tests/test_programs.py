"""What all programs share: help at once, without what only a running program needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_jax import audit, export, predict, report, study, sweep

ROOT = Path(__file__).parents[1]
PROGRAMS = (sweep, study, report, export, predict, audit)
# Each takes a quarter of a second to some seconds to import.
HEAVY = {"jax", "flax", "orbax", "pandas", "pyarrow", "matplotlib", "scipy", "sklearn"}
MODULES = "import sys; print(*sys.modules, file=sys.stderr)"


def heavy_after(code):
    """The heavy packages that a new interpreter has imported after `code`, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {MODULES}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(done.stderr.split()), done.stdout


def test_the_package_is_light_to_import():
    assert heavy_after("import fer_jax")[0] == set()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_help_imports_nothing_heavy(program):
    name = program.__name__.rpartition(".")[2]
    heavy, out = heavy_after(f"from fer_jax import {name}; assert {name}.main(['{name}', '--help']) == 0")
    assert not heavy
    assert program.USAGE in out and "-h,--[no]help" in out


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_an_unknown_flag_is_one_line(program, capsys):
    assert program.main(["program", "--no_such_flag"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and "no_such_flag" in err and err.count("\n") == 1
