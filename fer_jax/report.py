"""Tables and figures of a run as one page: `python -m fer_jax.report RUN [RUN ...]`, while it runs
or afterwards.

Writes figures/*.png, tables/ (CSV, Markdown, LaTeX) and report.html into each run directory;
report.html holds everything and can be sent as it is. With --compare one page sets the best points
of several runs side by side instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from fer_jax.analysis import fits
from fer_jax.analysis.ranking import Ranking, rank_points
from fer_jax.config import fields
from fer_jax.errors import FerJaxError, RunError
from fer_jax.figures import distribution, effects, importances, style
from fer_jax.reports import best_point, ensembles, page, several_runs, study_section
from fer_jax.reports import pictures as report_pictures
from fer_jax.reports import run_tables as run_tables
from fer_jax.reports.page import Part, Section
from fer_jax.results.fitted import FitResult
from fer_jax.results.run import Run, load_run
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
    rankings = _rankings(run)
    directory = RunDirectory(run.path)
    several = len(rankings) > 1
    parts = [_part(run, each, f"-{number}" if several else "", show_images) for number, each in enumerate(rankings, 1)]
    heads = [_heads(run, each) for each in rankings if run.heads["id"].isin(each.trials["id"]).any()]
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
    whole = rankings[0] if not several else _whole(run)
    directory.write_text(
        "report.html", page.render(whole, parts, meanings, _written(), heads, study_section.sections(_study_rows(run)))
    )
    return run.path / "report.html"


def write_comparison(run_dirs: Sequence[str | Path], out: str | Path = several_runs.DEFAULT_OUT) -> Path:
    """Writes one page with the best points of several runs side by side; see
    `report_runs.write_comparison`.
    """
    return several_runs.write_comparison(run_dirs, out, _rankings, _study_rows, _written())


def _written() -> str:
    return f"Written by fer_jax on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."


def _whole(run: Run) -> Ranking:
    return rank_points(run.record, run.trials, run.curves, run.path.resolve().name)


def _rankings(run: Run) -> list[Ranking]:
    """The run, or the parts of it that are ranked by themselves."""
    whole = _whole(run)
    return _parts(run, whole) or [whole]


def _part(run: Run, found: Ranking, suffix: str, show_images: bool) -> Part:
    """Trials that are ranked against each other, with what their networks answer; `suffix` tells
    several parts apart.
    """
    drawn, sections = page.drawings(found), []
    if predictions := best_point.of_best_point(run, found):
        drawn += best_point.drawings(predictions)
        trials = best_point.best_trials(run, found)
        pictures = report_pictures.Pictures(
            run, best_point.one_a_picture(trials, predictions.split), predictions.split, show_images
        )
        drawing, mistakes = report_pictures.mistake_parts(predictions, pictures, suffix)
        drawn += filter(
            None,
            (drawing, report_pictures.saliency(trials, predictions, pictures) if run.config.report.saliency else None),
        )
        sections += [best_point.class_section(predictions, suffix), *ensembles.sections(run, found, suffix), mistakes]
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


def _heads(run: Run, trials: Ranking) -> Part:
    """The fits on trials that are ranked against each other, and their figures."""
    own = run.heads[run.heads["id"].isin(trials.trials["id"])].reset_index(drop=True)
    gathered = fits.rank_heads(trials.record, own, trials.title)
    drawn = []
    if drawing := effects.main_effects(gathered):
        drawn.append(
            dataclasses.replace(drawing, name="head_effects", heading="What each head field does", short="Head fields")
        )
    if drawing := _importances(run, gathered, own):
        drawn.append(drawing)
    return Part(gathered, [(drawing, style.png(drawing.figure)) for drawing in drawn])


def _importances(run: Run, gathered: Ranking, own: pd.DataFrame) -> style.Drawing | None:
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


def _parts(run: Run, whole: Ranking) -> list[Ranking]:
    """The parts of a run within which its points are ranked, in the order of the sweep; [] if all
    are ranked together.
    """
    keys = run.groups(run.trials, whole.metric)
    parts = []
    for key in dict.fromkeys(keys) if len(set(keys)) > 1 else ():
        trials = run.trials[[other == key for other in keys]].reset_index(drop=True)
        data, *others = run.data_sets(trials)
        curves = run.curves[run.curves["id"].isin(trials["id"])]
        parts.append(rank_points({**run.record, "data": data, "other_data": others}, trials, curves, whole.title))
    return parts


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
    parser.add_argument("--out", metavar="FILE", help=f"where that page goes; by default {several_runs.DEFAULT_OUT}")
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
        writers: list[Callable[[], Path]] = [
            functools.partial(write_comparison, given.runs, given.out or several_runs.DEFAULT_OUT)
        ]
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
