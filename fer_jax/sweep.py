"""Trains everything a config asks for:
`python -m fer_jax.sweep --config=grid3d[:variant,...] [--config.a.b=v ...]`.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import ConfigDict

from fer_jax.base import console, started
from fer_jax.config.choices import MEASURE, define_plan
from fer_jax.config.command_line import describe, load
from fer_jax.config.program import Command, run_program
from fer_jax.config.shipped import as_flag, shipped
from fer_jax.errors import ConfigError, RunError

if TYPE_CHECKING:
    from fer_jax.reports.reported_sweep import Closing

USAGE = "usage: python -m fer_jax.sweep --config=NAME|FILE[:variant,...] [--config.a.b=value ...] [flags]"


def main(argv: list[str]) -> int:
    """Runs the program and returns its exit status.

    0: done; 1: some trials or fits failed; 2: an error of the user's; 130: stopped.
    """
    note = f"Configs: {', '.join(shipped('config'))}, or a file of yours. Their fields: --config=NAME --print_config"
    return run_program(argv, __doc__, USAGE, _declare, _check, _run, takes_config=True, note=note)


def _declare(values: flags.FlagValues) -> None:
    flags.DEFINE_string("workdir", None, "Run directory; by default runs/<config>[-variant].", flag_values=values)
    define_plan(values, "what would run, with its cost")
    flags.DEFINE_bool(
        "print_config",
        False,
        "Print every config field with its value, kind and meaning, and stop.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "extend",
        False,
        "Go on with a run directory that holds only some of the trials, or all after fewer epochs.",
        flag_values=values,
    )
    flags.DEFINE_bool("retry_failed", False, "Train failed trials again.", flag_values=values)
    flags.DEFINE_enum("executor", "local", ["local"], "Where waves run: 'local' is this machine.", flag_values=values)


def _check(command: Command) -> str:
    if command.arguments:
        given = command.arguments[0]
        if not command.config and (meant := as_flag(given, "config")):
            raise ConfigError(f"unexpected argument {given!r}; {meant}")
        return f"unexpected argument {given!r}"
    return "" if command.config else "no config: add --config=NAME, such as --config=grid3d:smoke"


def _run(command: Command) -> int:
    values = command.flags
    line = f"{started.command('sweep')} {shlex.join(command.argv[1:])}"
    loaded = load(command.config or "", command.overrides, line)
    if values.print_config:
        console.show(describe(loaded.config))
        return 0

    # JAX takes seconds to import; errors above need not wait for it.
    with console.working("starting", plain=False):
        from fer_jax.reports.reported_sweep import closing, run_sweep
        from fer_jax.results.run import load_run
        from fer_jax.train import hardware

    hardware.prepare_host_devices()
    if values.plan:
        _print_plan(loaded.config, values.plan == MEASURE)
        return 0

    workdir = Path(values.workdir or Path("runs") / loaded.name).expanduser()
    options = {"extend": values.extend, "retry_failed": values.retry_failed, "command": line}
    try:
        run = run_sweep(loaded.config, workdir, **options)
    except KeyboardInterrupt:
        # Stopped before there was a run: nothing to show.
        with contextlib.suppress(RunError):
            _show(closing(load_run(workdir), line))
        raise
    _show(closing(run, line))
    return 1 if run.has_failures else 0


def _show(found: Closing) -> None:
    """Prints what a sweep ends with: the answer and the command to type next at the very end.

    That is where a person looks, whatever the height of the terminal.
    """
    page = console.Page(sys.stdout)
    sentences = [*filter(None, [found.preface]), *found.sentences]
    for sentence in sentences:
        page.paragraph(sentence)
    for number, (title, rows) in enumerate(found.answers):
        if sentences or number:
            page.line("")
        page.table(title, rows)
    page.whole(f"report: {found.report}")
    if found.command:
        page.command(f"next, {found.why}:", found.command)


def _print_plan(config: ConfigDict, measure: bool) -> None:
    from fer_jax import plan as planning
    from fer_jax.launch import more_seeds, rungs
    from fer_jax.launch.planned import plan_sweep, room_for
    from fer_jax.launch.prepared import describe_data, describe_heads, notes, prepare
    from fer_jax.plan.tuning import to_stderr

    prepared = prepare(config)
    unknown: list[str] = []
    say = to_stderr if measure else unknown.append
    plan = plan_sweep(prepared, say=say, measures=measure, times_product=measure)
    room = room_for(prepared)
    page = console.Page(sys.stdout)
    lines = (
        describe_data(prepared, page.columns),
        *notes(prepared),
        planning.describe(plan, page.columns),
        *(f"note: {line}" for line in room.shortages(plan)),
        *unknown,
        *rungs.describe(prepared.search, plan, prepared.config.sweep.repeats),
        more_seeds.describe(prepared.config),
        describe_heads(prepared),
    )
    for line in filter(None, lines):
        page.line(line)
    if tight := room.tightness(plan):
        to_stderr(tight)  # apart from the plan, which is the same whatever else runs


if __name__ == "__main__":
    sys.exit(main(sys.argv))
