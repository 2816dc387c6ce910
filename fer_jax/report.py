"""Tables and figures of a run as one page, while it runs or afterwards:
`python -m fer_jax.report RUN [RUN ...]`.

Writes figures/*.png, tables/ (CSV, Markdown, LaTeX) and report.html into each run directory;
report.html holds everything and can be sent as it is. With --compare one page sets the best points
of several runs side by side instead. With --serve nothing is written: the same page, live, in a
browser of this machine or of one that reaches it by ssh; of several runs, or of a folder with runs,
a list to filter, compare and take notes in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from absl import flags

from fer_jax.base import console
from fer_jax.config.program import Command, error_line, run_program
from fer_jax.errors import FerJaxError

USAGE = (
    "usage: python -m fer_jax.report RUN [RUN ...] [--show_images] [--pdf] [--compare [--out=FILE]] "
    "[--serve [--port=N] [--host=ADDRESS] [--names=NAME,...]]"
)


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit status.

    0: done; 2: a report could not be written; 130: stopped.
    """
    return run_program(argv, __doc__, USAGE, _declare, _check, _run)


def _declare(values: flags.FlagValues) -> None:
    flags.DEFINE_bool(
        "show_images", False, "Show pictures of the data set, as report.show_images does.", flag_values=values
    )
    flags.DEFINE_bool("pdf", False, "Write figures/*.pdf as well, for print.", flag_values=values)
    flags.DEFINE_bool("compare", False, "One page with the runs side by side.", flag_values=values)
    flags.DEFINE_string("out", None, "Where that page goes; by default comparison.html.", flag_values=values)
    flags.DEFINE_bool("serve", False, "Serve the pages on this machine, live, until Ctrl-C.", flag_values=values)
    flags.DEFINE_integer(
        "port", None, "Where; by default the first free one from 8765 on.", 0, 65535, flag_values=values
    )
    flags.DEFINE_string(
        "host",
        None,
        "The address to listen on; by default 127.0.0.1, which only this machine reaches.",
        flag_values=values,
    )
    flags.DEFINE_list("names", [], "More names of this machine by which browsers may ask.", flag_values=values)


def _check(command: Command) -> str:
    values = command.flags
    if not command.arguments:
        return "no run: name its directory"
    if values.serve and (values.compare or values.out or values.pdf):
        return "--serve writes nothing and compares in the browser: leave out --compare, --out and --pdf"
    if not values.serve and (values.port is not None or values.host is not None or values.names):
        return "--port, --host and --names are of --serve: add it, or leave them out"
    if values.out and not values.compare:
        return "--out names the page of --compare: add --compare, or leave it out"
    if values.compare and (values.show_images or values.pdf):
        return "--compare shows no pictures and writes no figures of its own: leave out --show_images and --pdf"
    return ""


def _run(command: Command) -> int:
    return _serve(command) if command.flags.serve else _write(command)


def _serve(command: Command) -> int:
    # A server that is forgotten must not keep an accelerator's memory; pages need little of JAX.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from fer_jax.serving import server

    values = command.flags
    try:
        server.serve(command.arguments, values.host or "127.0.0.1", values.port, values.names, values.show_images)
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        raise
    return 0


def _write(command: Command) -> int:
    # pandas and matplotlib take a second to import; --help need not wait for them.
    from fer_jax.base.text import counted, shown
    from fer_jax.reports.run_report import write_report
    from fer_jax.reports.several_runs import DEFAULT_OUT, write_comparison

    values, runs = command.flags, command.arguments
    if values.compare:
        with console.working(f"drawing the report of {counted(len(runs), 'run')}", plain=False):
            path = write_comparison(runs, values.out or DEFAULT_OUT, console.show)
        console.show(str(path))
        return 0
    status = 0
    for run in runs:
        try:
            with console.working(f"drawing the report of {shown(run)}", plain=False):
                path = write_report(run, values.show_images, values.pdf, console.say)
            console.show(str(path))
        except FerJaxError as error:
            console.show(error_line(error), sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
