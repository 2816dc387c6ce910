"""Tables and figures of a run as one page: `python -m fer_jax.report RUN [RUN ...]`, while it runs
or afterwards.

Writes figures/*.png, tables/ (CSV, Markdown, LaTeX) and report.html into each run directory;
report.html holds everything and can be sent as it is. With --compare one page sets the best points
of several runs side by side instead.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_jax.errors import FerJaxError
from fer_jax.reports.run_report import write_report
from fer_jax.reports.several_runs import DEFAULT_OUT, write_comparison

USAGE = "usage: python -m fer_jax.report RUN [RUN ...] [--show_images] [--pdf] [--compare [--out=FILE]]"


def main(argv: Sequence[str]) -> int:
    """Writes a report for every run named, or one page about all of them; returns 0, or 2 if any
    could not be written.
    """
    parser = argparse.ArgumentParser(usage=USAGE.removeprefix("usage: "), description=__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run directory")
    parser.add_argument(
        "--show_images", action="store_true", help="show pictures of the data set, as report.show_images does"
    )
    parser.add_argument("--pdf", action="store_true", help="write figures/*.pdf as well, for print")
    parser.add_argument("--compare", action="store_true", help="one page with the runs side by side")
    parser.add_argument("--out", metavar="FILE", help=f"where that page goes; by default {DEFAULT_OUT}")
    try:
        given = parser.parse_args(argv[1:])
        if given.out and not given.compare:
            parser.error("--out names the page of --compare: add --compare, or leave it out")
        if given.compare and (given.show_images or given.pdf):
            parser.error(
                "--compare shows no pictures and writes no figures of its own: leave out --show_images and --pdf"
            )
    except SystemExit as end:
        return int(end.code or 0)
    if given.compare:
        writers: list[Callable[[], Path]] = [functools.partial(write_comparison, given.runs, given.out or DEFAULT_OUT)]
    else:
        writers = [functools.partial(write_report, run, given.show_images, given.pdf) for run in given.runs]
    status = 0
    for write in writers:
        try:
            print(write())
        except FerJaxError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
