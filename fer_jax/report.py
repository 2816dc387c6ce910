"""Tables and figures of a run as one page: `python -m fer_jax.report RUN [RUN ...]`, while it runs or afterwards.

Writes figures/*.png and report.html into each run directory; report.html holds everything and can be sent as it is.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fer_jax import config as fields
from fer_jax import report_answers
from fer_jax.analysis import distribution, effects, evidence, fits, importances, page, style
from fer_jax.analysis.evidence import Evidence
from fer_jax.analysis.page import Part
from fer_jax.errors import FerJaxError, RunError
from fer_jax.fitted import FitResult
from fer_jax.run import Run, load_run
from fer_jax.store import RunDirectory

USAGE = "usage: python -m fer_jax.report RUN [RUN ...]"


def write_report(run_dir: str | Path) -> Path:
    """Writes the figures and report.html of a run, however far it has come.

    Needs no lock: files are replaced one by one, each in full.

    Args:
      run_dir: a run directory.

    Returns:
      The path of report.html.

    Raises:
      RunError: no run there, a damaged file, or a directory that cannot be written.
    """
    run = load_run(run_dir)
    found = evidence.gather(run.record, run.trials, run.curves, run.path.resolve().name)
    evidences = _parts(run, found) or [found]
    directory = RunDirectory(run.path)
    parts = [_part(run, each, f"-{number}" if len(evidences) > 1 else "") for number, each in enumerate(evidences, 1)]
    heads = [_heads(run, each) for each in evidences if run.heads["id"].isin(each.trials["id"]).any()]
    for of_parts in (parts, heads):
        for number, part in enumerate(of_parts, 1):
            for drawing, png in part.figures:
                directory.write_bytes(f"figures/{drawing.name}{f'-{number}' if len(of_parts) > 1 else ''}.png", png)
    meanings = {field.name: (field.default, field.comment) for field in fields.FIELDS.values()}
    written = f"Written by fer_jax on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."
    directory.write_text("report.html", page.render(found, parts, meanings, written, heads))
    return run.path / "report.html"


def _part(run: Run, found: Evidence, suffix: str) -> Part:
    """Trials that are ranked against each other, with what their networks answer; `suffix` tells several parts apart."""
    drawn, sections = page.drawings(found), []
    if answered := report_answers.of_best_point(run, found):
        drawn += report_answers.drawings(answered)
        sections.append(report_answers.class_section(answered, suffix))
    if classes := distribution.draw(found.data):
        drawn.append(classes)
    return Part(found, [(drawing, style.png(drawing.figure)) for drawing in drawn], sections)


def _heads(run: Run, trials: Evidence) -> Part:
    """The fits on trials that are ranked against each other, and their figures."""
    own = run.heads[run.heads["id"].isin(trials.trials["id"])].reset_index(drop=True)
    gathered = fits.gather(trials.record, own, trials.title)
    drawn = []
    if drawing := effects.main_effects(gathered):
        drawn.append(dataclasses.replace(drawing, name="head_effects", heading="What each head field does", short="Head fields"))
    if drawing := _importances(run, gathered, own):
        drawn.append(drawing)
    return Part(gathered, [(drawing, style.png(drawing.figure)) for drawing in drawn])


def _importances(run: Run, gathered: Evidence, own: pd.DataFrame) -> style.Drawing | None:
    """What the trees of the best head setting with trees look at; None where no head has any, or none is left on disk."""
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
    """The parts of a run within which its points are ranked, in the order of the sweep; [] if all are ranked together."""
    keys = run.groups(run.trials, whole.metric)
    parts = []
    for key in dict.fromkeys(keys) if len(set(keys)) > 1 else ():
        trials = run.trials[[other == key for other in keys]].reset_index(drop=True)
        data, *others = run.data_sets(trials)
        curves = run.curves[run.curves["id"].isin(trials["id"])]
        parts.append(evidence.gather({**run.record, "data": data, "other_data": others}, trials, curves, whole.title))
    return parts


def main(argv: Sequence[str]) -> int:
    """Writes a report for every run named; returns 0, or 2 if any could not be written."""
    runs = list(argv[1:])
    if not runs or any(run in ("-h", "--help") for run in runs):
        print(f"{USAGE}\n\n{__doc__}", file=sys.stderr if not runs else sys.stdout)
        return 0 if runs else 2
    status = 0
    for run in runs:
        try:
            print(write_report(run))
        except FerJaxError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
