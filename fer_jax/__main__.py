"""The command `fer-jax PROGRAM ...`, or `python -m fer_jax PROGRAM ...`, for all programs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_jax.base import console, started
from fer_jax.base.text import aligned, did_you_mean
from fer_jax.base.version import __version__
from fer_jax.config.program import MISUSED, error_line

PROGRAMS = {
    "sweep": "train everything a config asks for, and report what it comes to",
    "study": "run a paper's experiments and put its figures beside ours",
    "report": "tables and figures of a run as one page, or several runs side by side",
    "predict": "ask trained networks about pictures, or about another data set",
    "audit": "find copies, leaks and conflicting labels in a data set",
    "export": "hand a run to ONNX, safetensors, TensorBoard, MLflow or spreadsheets",
}
_HELP = ("--help", "-h", "help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program that the first argument names and returns its exit status.

    Args:
        argv: like `sys.argv`, which is the default.

    Returns:
        The program's exit status; 0 after the list of programs, 2 for a name that is none. `--help`
        before a program's name shows that program's help.
    """
    place, *given = sys.argv if argv is None else argv
    typed = "python -m fer_jax" if Path(place).name == "__main__.py" else "fer-jax"
    if given and given[0] in _HELP and given[1:] and not given[1].startswith("-"):
        given = [given[1], "--help"]
    if not given or given[0] in _HELP:
        return console.until_closed(lambda: print(_listed(typed)) or 0)
    if given[0] == "--version":
        print(f"fer-jax {__version__}")
        return 0
    if given[0] not in PROGRAMS:
        what = f"no flag {given[0]} before a program's name" if given[0].startswith("-") else f"no program {given[0]!r}"
        hint = f"{typed} --help lists them" if given[0].startswith("-") else did_you_mean(given[0], PROGRAMS)
        print(error_line(f"{what}; {hint}"), file=sys.stderr)
        return MISUSED
    with started.by(f"{typed} "):
        status: int = importlib.import_module(f"fer_jax.{given[0]}").main(given)
        return status


def _listed(typed: str) -> str:
    """Returns the help: usage, and a line for each program."""
    lines = aligned([(f"  {name}", line) for name, line in PROGRAMS.items()])
    return "\n".join(
        [
            "Trains hundreds of small facial-expression networks at once.",
            "",
            f"usage: {typed} PROGRAM ... [--help] [--version]",
            "",
            *lines,
            "",
            f"{typed} PROGRAM --help has the flags of one.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
