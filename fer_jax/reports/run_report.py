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
    notes,
    page,
    pictures,
    run_tables,
    search_sections,
    study_section,
    templates,
)
from fer_jax.reports.page import Part, Section
from fer_jax.results import left_files, rankings
from fer_jax.results.best_point import best_trials, of_best_point, one_an_image
from fer_jax.results.run import Run, load_run
from fer_jax.results.trial import FitResult
from fer_jax.store import RunDirectory


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
    directory = RunDirectory(run.path)
    drawn = draw(run, show_images, files=Files(directory, pdf))
    if (run.trials["status"] == "done").any():
        run_tables.save(run, run.path / "tables")
    directory.write_text("report.html", html(run, drawn, notes.sections(run.directory)))
    return run.path / "report.html"


class Drawn(NamedTuple):
    """What a page of a run shows.

    Attributes:
        whole: the ranking of all of it.
        ranked: that of each part.
        parts, heads: each part with its figures, and the heads of those that have some.
    """

    whole: Ranking
    ranked: list[Ranking]
    parts: list[Part]
    heads: list[Part]


class Files(NamedTuple):
    """Where the figures of a report go, None for nowhere, and whether as PDF too."""

    directory: RunDirectory | None = None
    pdf: bool = False

    def keep(self, drawing: style.Drawing, ranking: Ranking, suffix: str) -> bytes:
        """Writes a figure under figures/ and returns what the page shows of it."""
        if self.directory is None:
            return style.webp(drawing.figure)
        foot = " ".join(filter(None, [f"{ranking.title}.", page.stands_on(ranking), drawing.about]))
        made, stem = style.pictures(drawing.figure, foot), f"figures/{drawing.name}{suffix}"
        self.directory.write_bytes(f"{stem}.png", made.png)
        if self.pdf:
            self.directory.write_bytes(f"{stem}.pdf", style.pdf(drawing.figure))
        return made.webp


def draw(
    run: Run,
    show_images: bool = False,
    saliency: bool = True,
    files: Files | None = None,
    tell: Callable[[str], None] = lambda step: None,
) -> Drawn:
    """Returns the rankings of a run with their figures.

    Args:
        run: however far it has come.
        show_images: as of `write_report`.
        saliency: False leaves out what the networks look at, whatever the run's config says: it
            takes JAX and a device.
        files: where the figures are written to; None for nowhere.
        tell: told which step begins, in a few words.
    """
    tell("the rankings")
    files = files or Files()
    ranked = rankings.parts(run)
    several = len(ranked) > 1
    saliency = saliency and bool(run.config.report.saliency)
    parts = [
        _part(run, each, f"-{number}" if several else "", show_images, saliency, files, tell)
        for number, each in enumerate(ranked, 1)
    ]
    fitted = [each for each in ranked if run.heads["id"].isin(each.trials["id"]).any()]
    heads = [_heads(run, each, f"-{number}" if len(fitted) > 1 else "", files) for number, each in enumerate(fitted, 1)]
    return Drawn(rankings.whole(run) if several else ranked[0], ranked, parts, heads)


def html(
    run: Run,
    drawn: Drawn,
    more: Sequence[Section] = (),
    assets: Sequence[str] = (),
    document: object = None,
    above: str = "",
) -> str:
    """Returns the page of a run.

    Args:
        run, drawn: it and what `draw` made of it.
        more: sections before its config.
        assets, above: more files of web/, and what stands before the heading, as of
            `page.assemble`.
        document: `explore_data.document` of the run where it is known already.
    """
    meanings = {field.name: (field.default, field.comment) for field in fields.FIELDS.values()}
    leading = study_section.sections(study_section.beside(run.path))
    if document is None:
        explored = explore.of_run(run, drawn.whole, drawn.ranked)
    else:
        explored = {"explore": explore.section(), "assets": explore.ASSETS, "data": document}
    explored["assets"] = (*explored.get("assets", ()), *assets)
    return page.render(
        drawn.whole,
        drawn.parts,
        meanings,
        page.written_now(),
        drawn.heads,
        more,
        leading=leading,
        above=above,
        **explored,
    )


def _part(
    run: Run,
    found: Ranking,
    suffix: str,
    show_images: bool,
    saliency: bool,
    files: Files,
    tell: Callable[[str], None],
) -> Part:
    """Returns one part of the report, with what its networks answer; `suffix` tells parts apart."""
    of_part = f" of part {suffix[1:]}" if suffix else ""
    tell(f"what the sweep did{of_part}")
    search = search_sections.of_ranking(found, suffix, whole=not suffix)
    drawn, sections = [*search.drawings, *drawings.of_sweep(found)], list(search.sections)
    tell(f"what the best networks answer{of_part}")
    if predictions := of_best_point(run, found):
        beside = of_best_point(run, found, ("validation",)) if predictions.split == "test" else None
        drawn += drawings.of_best_point(predictions, beside)
        trials = best_trials(run, found)
        shown = pictures.ShownImages(run, one_an_image(trials, predictions.split), predictions.split, show_images)
        drawing, mistakes = pictures.mistake_parts(predictions, shown, suffix)
        if saliency:
            tell(f"what the networks look at{of_part}")
        looked_at = pictures.saliency(trials, predictions, shown) if saliency else None
        drawn += [one for one in (drawing, looked_at) if one is not None]
        sections += [by_class.class_section(predictions, suffix), *ensembles.sections(run, found, suffix), mistakes]
    elif len(found.ranked):
        sections.append(
            Section("answers", "Answers", "What the networks answer", templates.paragraphs(by_class.NOTHING_STORED))
        )
    if classes := distribution.draw(found.data):
        drawn.append(classes)
    if (best := best_trials(run, found)) and (sample := pictures.samples(run, best[0], show_images)):
        drawn.append(sample)
    figures = []
    for number, drawing in enumerate(drawn, 1):
        tell(f"figure {number} of {len(drawn)}{of_part}: {drawing.short}")
        figures.append((drawing, files.keep(drawing, found, suffix)))
    return Part(found, figures, sections, search.beside)


def _heads(run: Run, trials: Ranking, suffix: str, files: Files) -> Part:
    """Returns the fits on trials that are ranked against each other, and their figures."""
    own = run.heads[run.heads["id"].isin(trials.trials["id"])].reset_index(drop=True)
    gathered = fits.rank_heads(trials.record, own, trials.title)
    drawn = []
    if drawing := effects.main_effects(gathered):
        drawn.append(
            dataclasses.replace(
                drawing, name="head_effects", heading="Heads: what each of their fields does", short="Head fields"
            )
        )
    if drawing := head_importances(run, gathered, own):
        drawn.append(drawing)
    return Part(gathered, [(drawing, files.keep(drawing, gathered, suffix)) for drawing in drawn])


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
