"""The report of a run: its figures, its tables and report.html, written into its directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fer_jax.analysis import fits
from fer_jax.analysis.ranking import Ranking
from fer_jax.config import fields
from fer_jax.errors import RunError
from fer_jax.figures import distribution, drawings, effects, importances, style
from fer_jax.reports import (
    by_class,
    ensembles,
    explore,
    explore_data,
    notes,
    page,
    pictures,
    run_tables,
    search_sections,
    study_section,
)
from fer_jax.reports.page import Part, Section
from fer_jax.results import left_files, rankings
from fer_jax.results.best_point import best_trials, of_best_point, one_an_image
from fer_jax.results.run import Run, load_run
from fer_jax.results.trial import FitResult
from fer_jax.store import RunDirectory


class Drawn(NamedTuple):
    """What a page of a run shows: the whole of it, its parts, and its heads, a part each."""

    whole: Ranking
    parts: list[Part]
    heads: list[Part]


def write_report(
    run_dir: str | Path, show_images: bool = False, pdf: bool = False, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Writes the figures, tables and report.html of a run, however far it has come.

    Needs no lock: files are replaced one by one, each in full.

    Args:
        run_dir: a run directory.
        show_images: shows images of the data set whatever `report.show_images` says.
        pdf: also writes figures/*.pdf, for print.
        say: told, a line each, which files of finished trials are gone; a start of the sweep says
            it by itself.

    Returns:
        The path of report.html.

    Raises:
        RunError: no run there, a damaged file, or a directory that cannot be written.
    """
    run = load_run(run_dir)
    for line in left_files.find(run.directory, run.record, run.trials).lines(again=False):
        say(f"{run.path}: {line}")
    drawn = draw(run, show_images)
    directory = RunDirectory(run.path)
    for of_parts in (drawn.parts, drawn.heads):
        for number, part in enumerate(of_parts, 1):
            for drawing, png in part.figures:
                stem = f"figures/{drawing.name}{f'-{number}' if len(of_parts) > 1 else ''}"
                directory.write_bytes(f"{stem}.png", png)
                if pdf:
                    directory.write_bytes(f"{stem}.pdf", style.pdf(drawing.figure))
    if (run.trials["status"] == "done").any():
        run_tables.save(run, run.path / "tables")
    directory.write_text("report.html", html(run, drawn, notes.sections(run.directory)))
    return run.path / "report.html"


def draw(run: Run, show_images: bool = False, saliency: bool = True) -> Drawn:
    """Returns the rankings of a run with their figures; nothing is written.

    Args:
        run: however far it has come.
        show_images: as of `write_report`.
        saliency: False leaves out what the networks look at, whatever the run's config says: it
            takes JAX and a device.
    """
    ranked = rankings.parts(run)
    several = len(ranked) > 1
    whole = rankings.whole(run) if several else ranked[0]
    saliency = saliency and bool(run.config.report.saliency)
    parts = [
        _part(run, each, f"-{number}" if several else "", show_images, saliency)
        for number, each in enumerate(ranked, 1)
    ]
    heads = [_heads(run, each) for each in ranked if run.heads["id"].isin(each.trials["id"]).any()]
    return Drawn(whole, parts, heads)


def html(run: Run, drawn: Drawn, more: Sequence[Section] = (), assets: Sequence[str] = ()) -> str:
    """Returns the page of a run.

    Args:
        run, drawn: it and what `draw` made of it.
        more: sections before its config.
        assets: names of more files of web/, as of `page.assemble`.
    """
    meanings = {field.name: (field.default, field.comment) for field in fields.FIELDS.values()}
    published = study_section.sections(study_section.rows_beside(run.path))
    return page.render(
        drawn.whole,
        drawn.parts,
        meanings,
        page.written_now(),
        drawn.heads,
        [*published, *more],
        explore=explore.section(),
        assets=(*explore.ASSETS, *assets),
        data=explore_data.document(run),
    )


def _part(run: Run, found: Ranking, suffix: str, show_images: bool, saliency: bool) -> Part:
    """Returns one part of the report, with what its networks answer; `suffix` tells parts apart."""
    search = search_sections.of_ranking(found, suffix, whole=not suffix)
    drawn, sections = [*search.drawings, *drawings.of_sweep(found)], list(search.sections)
    if predictions := of_best_point(run, found):
        drawn += drawings.of_best_point(predictions)
        trials = best_trials(run, found)
        shown = pictures.HeldOutImages(run, one_an_image(trials, predictions.split), predictions.split, show_images)
        drawing, mistakes = pictures.mistake_parts(predictions, shown, suffix)
        looked_at = pictures.saliency(trials, predictions, shown) if saliency else None
        drawn += [one for one in (drawing, looked_at) if one is not None]
        sections += [by_class.class_section(predictions, suffix), *ensembles.sections(run, found, suffix), mistakes]
    elif len(found.ranked):
        sections.append(Section("answers", "Answers", "What the networks answer", f"<p>{by_class.NOTHING_STORED}</p>"))
    if classes := distribution.draw(found.data):
        drawn.append(classes)
    return Part(found, [(drawing, style.png(drawing.figure)) for drawing in drawn], sections, search.beside)


def _heads(run: Run, trials: Ranking) -> Part:
    """Returns the fits on trials that are ranked against each other, and their figures."""
    own = run.heads[run.heads["id"].isin(trials.trials["id"])].reset_index(drop=True)
    gathered = fits.rank_heads(trials.record, own, trials.title)
    drawn = []
    if drawing := effects.main_effects(gathered):
        drawn.append(
            dataclasses.replace(drawing, name="head_effects", heading="What each head field does", short="Head fields")
        )
    if drawing := head_importances(run, gathered, own):
        drawn.append(drawing)
    return Part(gathered, [(drawing, style.png(drawing.figure)) for drawing in drawn])


def head_importances(run: Run, gathered: Ranking, own: pd.DataFrame) -> style.Drawing | None:
    """Returns what the trees of the best head setting with trees look at.

    None where no head has any, or none is left on disk.
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
