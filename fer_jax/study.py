"""Runs the experiments of a paper and puts its figures beside ours:
`python -m fer_jax.study --study=oslo`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from fer_jax.base import console
from fer_jax.base.text import counted, in_time
from fer_jax.config import search_space
from fer_jax.config.choices import MEASURE, define_plan
from fer_jax.config.command_line import COMMAND_LINE, Loaded
from fer_jax.config.program import Command, run_program
from fer_jax.config.shipped import as_flag, shipped
from fer_jax.config.values import to_json
from fer_jax.errors import ConfigError
from fer_jax.studies.paper import SCALES
from fer_jax.studies.sweeps import StudySweep, choose, load, read_study, sweeps

if TYPE_CHECKING:
    from fer_jax.studies.written import StudyFiles

USAGE = "usage: python -m fer_jax.study --study=NAME|FILE [--scale=smoke|full] [--config.a.b=value ...] [flags]"


def main(argv: list[str]) -> int:
    """Runs the program and returns its exit status.

    0: done; 1: some trials or fits failed; 2: an error of the user's; 130: stopped.
    """
    note = f"Studies: {', '.join(shipped('study'))}. --config.a.b=value sets a config field in every sweep."
    return run_program(argv, __doc__, USAGE, _declare, _check, _run, takes_config=True, note=note)


def _declare(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "study", None, "Study that comes with fer_jax, such as oslo, or a study file of yours.", flag_values=values
    )
    flags.DEFINE_string(
        "scale",
        "",
        "smoke: built-in faces for seconds; full: the paper's own setting; left out: built-in faces for minutes.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "workdir", None, "Holds the runs and the table; by default runs/study-<study>[-<scale>].", flag_values=values
    )
    flags.DEFINE_multi_string(
        "only", [], "Part of an experiment's name; may be given several times.", flag_values=values
    )
    flags.DEFINE_string(
        "external", "", "Labelled data set for figures of an external test, as data.path.", flag_values=values
    )
    flags.DEFINE_bool("table", False, "Train nothing: write the table of what is there.", flag_values=values)
    define_plan(values, "the sweeps with their cost")
    flags.DEFINE_bool("extend", False, "Go on with runs that hold only some of the trials.", flag_values=values)
    flags.DEFINE_bool("retry_failed", False, "Train failed trials again.", flag_values=values)


def _check(command: Command) -> str:
    values = command.flags
    if command.arguments and not (values.study or command.config):
        given = command.arguments[0]
        if meant := as_flag(given, "study"):
            raise ConfigError(f"unexpected argument {given!r}; {meant}")
    if command.config or command.arguments:
        return f"unexpected argument {'--config' if command.config else repr(command.arguments[0])}"
    if values.scale not in ("", *SCALES):
        raise ConfigError(f"--scale={values.scale}: must be {', '.join(SCALES)}, or left out")
    if not values.study:
        return "no study: add --study=NAME, such as --study=oslo"
    name, _, words = values.study.partition(":")
    if words in SCALES or (words and name in shipped("study")):
        scale = words if words in SCALES else "|".join(SCALES)
        raise ConfigError(f"--study={values.study}: a study has no variants; write --study={name} --scale={scale}")
    if values.table and command.overrides:
        given = ", ".join(f"--config.{name}" for name in command.overrides)
        raise ConfigError(f"--table reads the runs as they are and trains nothing: leave out {given}, or --table")
    return ""


def _run(command: Command) -> int:
    # pandas and JAX take seconds to import; errors of the command line need not wait for them.
    from fer_jax.data.reading.opening import open_container

    values, overrides = command.flags, command.overrides
    if values.external:
        open_container(values.external)  # a mistyped path would otherwise show after the training only
    study = read_study(values.study)
    needed = sweeps(choose(study, values.only, values.scale), values.study, values.scale)
    workdir = Path(values.workdir or "-".join(filter(None, ("runs/study", study.name, values.scale)))).expanduser()
    _check_metrics(needed)
    if values.plan:
        loaded = {one.folder: load(one, overrides, workdir, values.scale) for one in needed}
        _check_overrides(overrides, loaded)
        return _plan(needed, loaded, values.plan == MEASURE)
    from fer_jax.studies.written import StudyFiles

    asked = frozenset(experiment.name for sweep in needed for experiment in sweep.experiments)
    files = StudyFiles(study, values.study, workdir, values.scale, asked, values.external)
    status = 0
    if not values.table:
        loaded = {one.folder: load(one, overrides, workdir, values.scale) for one in needed}
        _check_overrides(overrides, loaded)
        status = _train(needed, loaded, files, values.extend, values.retry_failed)
    _show(files)
    return status


def _check_metrics(needed: tuple[StudySweep, ...]) -> None:
    """Raises ConfigError for a metric that no study has, before anything is trained for it."""
    from fer_jax.studies.values import read_metric

    for experiment in (experiment for sweep in needed for experiment in sweep.experiments):
        for published in experiment.published:
            read_metric(published.metric)


def _check_overrides(overrides: Mapping[str, str], loaded: Mapping[str, Loaded]) -> None:
    """Prints which overrides change nothing in which sweeps.

    Raises:
        ConfigError: one from the command line changes nothing in any sweep.
    """
    for name in overrides:
        whys = [one.unused.get(name) for one in loaded.values()]
        if whys[0] and all(whys):
            raise ConfigError(f"{COMMAND_LINE}: {whys[0]}")
    for folder, one in loaded.items():
        for why in one.unused.values():
            console.show(f"note: {folder}: {why}")


def _plan(needed: tuple[StudySweep, ...], loaded: dict[str, Loaded], measure: bool) -> int:
    from fer_jax.launch.planned import plan_sweep, room_for
    from fer_jax.launch.prepared import describe_heads, prepare
    from fer_jax.plan.tuning import to_stderr
    from fer_jax.train import hardware

    hardware.prepare_host_devices()
    total, known, page = 0.0, True, console.Page(sys.stdout)
    for number, sweep in enumerate(needed, 1):
        unknown: list[str] = []
        say = to_stderr if measure else unknown.append
        with console.working(f"planning sweep {number} of {len(needed)}: {sweep.folder}"):
            prepared = prepare(loaded[sweep.folder].config)
            plan = plan_sweep(prepared, say=say, measures=measure, times_product=measure)
            room = room_for(prepared)
        seconds = [stack.seconds for stack in plan.stacks]
        total, known = total + sum(seconds), known and all(seconds)
        time = f"about {in_time(sum(seconds))}" if all(seconds) else "time unknown"
        page.line(
            f"{sweep.folder}: {counted(len(plan.trials), 'trial')} in {counted(len(plan.stacks), 'stack')}, {time}"
        )
        if fits := describe_heads(prepared):
            page.line(f"    ({fits})")
        for line in (*room.shortages(plan), *unknown):
            page.line(f"    {line}")
        for experiment in sweep.experiments:
            page.line(f"    {experiment.name}")
        if tight := room.tightness(plan):
            to_stderr(f"{sweep.folder}: {tight}")
        if unused := search_space.describe_unused(search_space.settings(loaded[sweep.folder].config)):
            page.line(f"    {unused}")
    time = f"about {in_time(total)}" if known else "time unknown: hardware not measured"
    page.line(f"{counted(len(needed), 'sweep')}, {time}")
    return 0


def _train(
    needed: tuple[StudySweep, ...], loaded: dict[str, Loaded], files: StudyFiles, extend: bool, retry_failed: bool
) -> int:
    """Trains what is missing; returns 1 if some trials failed.

    The files of the study are written before the report of each run is drawn, which shows them.
    """
    from fer_jax.results.run import load_run
    from fer_jax.store import RunDirectory

    workdir = files.workdir
    waiting = [
        sweep for sweep in needed if not _is_complete(workdir / sweep.folder, loaded[sweep.folder], retry_failed)
    ]
    if waiting:
        from fer_jax.launch import resume
        from fer_jax.launch.prepared import prepare
        from fer_jax.reports.reported_sweep import run_sweep
        from fer_jax.train import hardware

        hardware.prepare_host_devices()
        # All are checked first: what is wrong with the last sweep's data or folder would otherwise
        # show after a night of training.
        for number, sweep in enumerate(waiting, 1):
            with console.working(f"checking sweep {number} of {len(waiting)}: {sweep.folder}", plain=False):
                prepared = prepare(loaded[sweep.folder].config)
                directory = RunDirectory(workdir / sweep.folder)
                directory.check_ours()
                resume.check_directory(directory, prepared, extend)
        for number, sweep in enumerate(waiting, 1):
            console.show(f"\nsweep {number} of {len(waiting)}: {sweep.folder}")
            one = loaded[sweep.folder]
            options = {"extend": extend, "retry_failed": retry_failed, "command": one.command}
            files.forget(sweep)
            run_sweep(one.config, workdir / sweep.folder, before_report=files.write, **options)
            files.outdated.discard(sweep.folder)
    return 1 if any(load_run(workdir / sweep.folder).has_failures for sweep in needed) else 0


def _is_complete(folder: Path, loaded: Loaded, retry_failed: bool) -> bool:
    """Returns whether a run of exactly this config has ended.

    Starting it again would only draw its report anew.
    """
    from fer_jax.results.run import load_run
    from fer_jax.store import RunDirectory

    directory = RunDirectory(folder)
    if not directory.has("config.json") or not directory.has("trials.csv"):
        return False
    record = directory.read_config()
    same = record.get("config") == json.loads(json.dumps(to_json(loaded.config)))
    failed = retry_failed and load_run(folder).has_failures
    return bool(same and record.get("finished") and not failed)


def _show(files: StudyFiles) -> None:
    """Writes the files of a study, prints its table, and draws the reports that lack some of it.

    The table is of what was asked for and, but for smoke, of what else is there; report.html beside
    it sets its runs side by side.
    """
    from fer_jax.reports.run_report import write_report
    from fer_jax.reports.several_runs import write_comparison
    from fer_jax.studies import table

    files.write()
    workdir, rows = files.workdir, files.rows
    for folder in sorted(files.outdated):
        with console.working(f"drawing the report of {folder}"):
            write_report(workdir / folder)
    page = console.Page(sys.stdout)
    asked = [row for row in rows if row.experiment in files.asked]
    page.line(f"\n{table.to_text(files.study.title, asked, page.columns)}")
    console.show(f"table: {workdir / 'study.md'}, {workdir / 'study.csv'}")
    if runs := list(dict.fromkeys(row.run for row in rows if row.run)):
        console.show(f"report: {write_comparison(runs, workdir / 'report.html')}")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
