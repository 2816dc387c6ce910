"""Tables and figures of a run as one page, while it runs or afterwards:
`python -m fer_jax.report RUN [RUN ...]`.

Writes figures/*.png, tables/ (CSV, Markdown, LaTeX) and report.html into each run directory;
report.html holds everything and can be sent as it is. With --compare one page sets the best points
of several runs side by side instead.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from absl import flags

from fer_jax.analysis import fits, ranking
from fer_jax.analysis.ranking import Evidence
from fer_jax.config import fields
from fer_jax.config.program import Command, run_program
from fer_jax.errors import FerJaxError, RunError
from fer_jax.figures import distribution, effects, importances, style
from fer_jax.reports import best_point, ensembles, page, several_runs, study_section
from fer_jax.reports import pictures as report_pictures
from fer_jax.reports import run_tables as run_tables
from fer_jax.reports.page import Part, Section
from fer_jax.results.run import Run, load_run
from fer_jax.results.trial import FitResult
from fer_jax.store import RunDirectory

USAGE = "usage: python -m fer_jax.report RUN [RUN ...] [--show_images] [--pdf] [--compare [--out=FILE]]"
STUDY_TABLE = "study.csv"


def write_report(run_dir: str | Path, show_images: bool = False, pdf: bool = False) -> Path:
    """Writes the figures, tables and report.html of a run, however far it has come.

    Needs no lock: files are replaced one by one, each in full.

    Args:
        run_dir: a run directory.
        show_images: shows pictures of the data set whatever `report.show_images` says.
        pdf: also writes figures/*.pdf, for print.

    Returns:
        The path of report.html.

    Raises:
        RunError: no run there, a damaged file, or a directory that cannot be written.
    """
    run = load_run(run_dir)
    evidences = _evidences(run)
    directory = RunDirectory(run.path)
    several = len(evidences) > 1
    parts = [_part(run, each, f"-{number}" if several else "", show_images) for number, each in enumerate(evidences, 1)]
    heads = [_heads(run, each) for each in evidences if run.heads["id"].isin(each.trials["id"]).any()]
    for of_parts in (parts, heads):
        for number, part in enumerate(of_parts, 1):
            for drawing, png in part.figures:
                stem = f"figures/{drawing.name}{f'-{number}' if len(of_parts) > 1 else ''}"
                directory.write_bytes(f"{stem}.png", png)
                if pdf:
                    directory.write_bytes(f"{stem}.pdf", style.pdf(drawing.figure))
    if (run.trials["status"] == "done").any():
        run_tables.save(run, run.path / "tables")
    meanings = {field.name: (field.default, field.comment) for field in fields.FIELDS.values()}
    whole = evidences[0] if not several else _whole(run)
    directory.write_text(
        "report.html", page.render(whole, parts, meanings, _written(), heads, study_section.sections(_study_rows(run)))
    )
    return run.path / "report.html"


def write_comparison(run_dirs: Sequence[str | Path], out: str | Path = several_runs.DEFAULT_OUT) -> Path:
    """Writes one page with the best points of several runs side by side; see
    `report_runs.write_comparison`.
    """
    return several_runs.write_comparison(run_dirs, out, _evidences, _study_rows, _written())


def _written() -> str:
    return f"Written by fer_jax on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."


def _whole(run: Run) -> Evidence:
    return ranking.gather(run.record, run.trials, run.curves, run.path.resolve().name)


def _evidences(run: Run) -> list[Evidence]:
    """The run, or the parts of it that are ranked by themselves."""
    whole = _whole(run)
    return _parts(run, whole) or [whole]


def _part(run: Run, found: Evidence, suffix: str, show_images: bool) -> Part:
    """Trials that are ranked against each other, with what their networks answer; `suffix` tells
    several parts apart.
    """
    drawn, sections = page.drawings(found), []
    if answered := best_point.of_best_point(run, found):
        drawn += best_point.drawings(answered)
        trials = best_point.best_trials(run, found)
        pictures = report_pictures.Pictures(
            run, best_point.one_a_picture(trials, answered.split), answered.split, show_images
        )
        drawing, mistakes = report_pictures.mistake_parts(answered, pictures, suffix)
        drawn += filter(
            None,
            (drawing, report_pictures.saliency(trials, answered, pictures) if run.config.report.saliency else None),
        )
        sections += [best_point.class_section(answered, suffix), *ensembles.sections(run, found, suffix), mistakes]
    elif len(found.ranked):
        sections.append(
            Section("answers", "Answers", "What the networks answer", f"<p>{best_point.NOTHING_STORED}</p>")
        )
    if classes := distribution.draw(found.data):
        drawn.append(classes)
    return Part(found, [(drawing, style.png(drawing.figure)) for drawing in drawn], sections)


def _study_rows(run: Run) -> pd.DataFrame:
    """The rows of the study's table that are about this run, where it lies beside one; no rows
    elsewhere.
    """
    path = run.path.resolve().parent / STUDY_TABLE
    try:
        return study_section.rows_of(pd.read_csv(path), run.path.resolve().name)
    except (OSError, ValueError):
        return pd.DataFrame()  # no study, or a table of something else


def _heads(run: Run, trials: Evidence) -> Part:
    """The fits on trials that are ranked against each other, and their figures."""
    own = run.heads[run.heads["id"].isin(trials.trials["id"])].reset_index(drop=True)
    gathered = fits.gather(trials.record, own, trials.title)
    drawn = []
    if drawing := effects.main_effects(gathered):
        drawn.append(
            dataclasses.replace(drawing, name="head_effects", heading="What each head field does", short="Head fields")
        )
    if drawing := _importances(run, gathered, own):
        drawn.append(drawing)
    return Part(gathered, [(drawing, style.png(drawing.figure)) for drawing in drawn])


def _importances(run: Run, gathered: Evidence, own: pd.DataFrame) -> style.Drawing | None:
    """What the trees of the best head setting with trees look at; None where no head has any, or
    none is left on disk.
    """
    for point in gathered.ranked.index:
        done = own[(gathered.trials["point"] == point) & (own["status"] == "done")]
        if not done["head.kind"].isin(["xgboost", "forest"]).any():
            continue
        found = [FitResult(run.trial(row["id"]), row) for _, row in done.iterrows()]
        try:
            shares = [share for share in (fit.importances for fit in found) if share is not None]
        except RunError:
            return None
        if shares:
            return importances.draw(shares, found[0].layer, found[0].trial.classes, gathered.describe(point))
    return None


def _parts(run: Run, whole: Evidence) -> list[Evidence]:
    """The parts of a run within which its points are ranked, in the order of the sweep; [] if all
    are ranked together.
    """
    keys = run.groups(run.trials, whole.metric)
    parts = []
    for key in dict.fromkeys(keys) if len(set(keys)) > 1 else ():
        trials = run.trials[[other == key for other in keys]].reset_index(drop=True)
        data, *others = run.data_sets(trials)
        curves = run.curves[run.curves["id"].isin(trials["id"])]
        parts.append(ranking.gather({**run.record, "data": data, "other_data": others}, trials, curves, whole.title))
    return parts


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


def _check(command: Command) -> str:
    values = command.flags
    if not command.arguments:
        return "no run: name its directory"
    if values.out and not values.compare:
        return "--out names the page of --compare: add --compare, or leave it out"
    if values.compare and (values.show_images or values.pdf):
        return "--compare shows no pictures and writes no figures of its own: leave out --show_images and --pdf"
    return ""


def _run(command: Command) -> int:
    values, runs = command.flags, command.arguments
    if values.compare:
        print(write_comparison(runs, *([values.out] if values.out else [])))
        return 0
    status = 0
    for run in runs:
        try:
            print(write_report(run, values.show_images, values.pdf))
        except FerJaxError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
