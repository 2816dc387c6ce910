"""Several runs on one page, the best point of each beside the others'."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from fer_jax.analysis import comparable
from fer_jax.analysis.parts import part_names
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.analysis.run_entry import Entry, in_order
from fer_jax.analysis.varied import seeds_of
from fer_jax.base import files
from fer_jax.config.values import flatten
from fer_jax.figures import side_by_side as drawn
from fer_jax.figures import style
from fer_jax.reports import page, side_by_side, spread_section, study_section, templates, text_tables
from fer_jax.reports.page import Section
from fer_jax.results import rankings
from fer_jax.results.best_point import of_best_point
from fer_jax.results.run import Run, load_run

DEFAULT_OUT = "comparison.html"


def write_comparison(
    run_dirs: Sequence[str | Path], out: str | Path = DEFAULT_OUT, say: Callable[[str], None] | None = None
) -> Path:
    """Writes one page about several runs, with their best points side by side.

    Args:
        run_dirs: run directories, however far they have come.
        out: the page's file.
        say: is given the table of what each source of chance does, as text, where there is one.

    Returns:
        `out`.

    Raises:
        RunError: no run there, a damaged file, or a place that cannot be written.
    """
    html = comparison(run_dirs, say)
    files.write_bytes(Path(out), html.encode(errors="backslashreplace"))
    return Path(out)


def comparison(
    run_dirs: Sequence[str | Path],
    say: Callable[[str], None] | None = None,
    names: Sequence[str] = (),
    assets: Sequence[str] = (),
    above: str = "",
) -> str:
    """Returns one page about several runs, with their best points side by side.

    Only what is measured on the same images, by the same metric, is ranked together, and not where
    repeats vary other things (sweep.seeds_of): runs that differ in nothing else show what each of
    these does to a result.

    Args:
        run_dirs, say: as of `write_comparison`.
        names: what to call the runs; none for the names of their folders.
        assets, above: as of `page.assemble`.

    Raises:
        RunError: no run there, or a damaged file.
    """
    runs = [load_run(path) for path in run_dirs]
    entries, keys = [], []
    for run, name in zip(runs, names or _names([run.path for run in runs]), strict=True):
        parts = rankings.parts(run)
        words = part_names(parts) if len(parts) > 1 else [""]
        for part, word in zip(parts, words, strict=True):
            entry, key = _entry(run, part, f"{name}: {word}" if word else name)
            entries.append(entry)
            keys.append(key)
    order = [key for key in dict.fromkeys(keys) if key is not None]
    group_of = [0 if key is None else order.index(key) + 1 for key in keys]
    sections = study_section.sections(_study(runs))
    sections.append(Section("overview", "Runs", "The runs", _overview(entries, group_of, len(order))))
    figures = 0
    for number in range(1, len(order) + 1):
        own = in_order([entry for entry, group in zip(entries, group_of, strict=True) if group == number])
        found = _group(own, f"-{number}" if len(order) > 1 else "", figures + 1)
        figures += sum("<figure>" in section.content for section in found)
        sections += found
    told = [entry for entry, group in zip(entries, group_of, strict=True) if group]
    sections += _differences(told)
    if told:
        sections.append(Section("points-of-runs", "Points", "The best points of every run", _points(told)))
    spreads = spread_section.tables([entry.ranking for entry in entries])
    sections += spread_section.sections(spreads)
    for table in spreads:
        if say is not None:
            say(text_tables.markdown(table))
    title = f"{len(runs)} runs side by side" if len(runs) > 1 else "One run"
    scope = ", ".join(dict.fromkeys(str(entry.ranking.data.get("label", "unknown data set")) for entry in entries))
    return page.assemble(title, scope, {}, sections, page.written_now(), assets=assets, above=above)


def _study(runs: Sequence[Run]) -> study_section.Beside:
    """Returns what studies say of all runs together."""
    found = [study_section.beside(run.path) for run in runs]
    rows = pd.concat([each.rows for each in found], ignore_index=True) if found else pd.DataFrame()
    return study_section.Beside(rows, [one for each in found for one in each.matrices])


def _names(paths: Sequence[Path]) -> list[str]:
    """Returns the folders' names; with the folder above where two are alike."""
    names = [path.resolve().name for path in paths]
    return [
        f"{path.resolve().parent.name}/{name}" if names.count(name) > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]


def _entry(run: Run, part: Ranking, name: str) -> tuple[Entry, Hashable | None]:
    """Returns a part of a run as an entry, and what its best point may be ranked by.

    That is None without a result.
    """
    if not len(part.ranked):
        return Entry(name, part, part.config), None
    predictions = of_best_point(run, part)
    entry = Entry(name, part, {}, predictions)
    trial = run.trial(entry.done["id"].iloc[0])
    config = flatten(trial.config)
    losses = tuple(config[one] for one in comparable.loss_fields(part.metric))
    key = (part.metric, comparable.held_out(trial.data), losses, seeds_of(part.config) if part.repeats > 1 else "all")
    return dataclasses.replace(entry, config=config), key


def _overview(entries: Sequence[Entry], group_of: Sequence[int], groups: int) -> Markup:
    note = "Every run with what it stands on."
    if groups > 1:
        note += (
            " Ranked together are only runs measured on the same held-out pictures with the same classes, by the same "
            f"metric: here in {groups} groups."
        )
    if len({seeds_of(entry.ranking.config) for entry in entries}) > 1:
        note += (
            " Runs whose repeats vary other things (sweep.seeds_of) are not ranked together either: their spreads are "
            "not of one kind."
        )
    return templates.paragraphs(note) + side_by_side.overview(entries, group_of)


def _group(entries: Sequence[Entry], suffix: str, first: int) -> list[Section]:
    """Returns the sections of runs that are ranked against each other, the best first.

    Figures are numbered from `first` on.
    """
    metric = entries[0].ranking.metric
    name = METRIC_NAMES.get(metric, metric)
    label = str(entries[0].ranking.data.get("label", "unknown data set"))
    of_group = f" of group {suffix[1:]}" if suffix else ""
    stands_on = f"{label[:1].upper()}{label[1:]}."
    note = (
        f"{stands_on} The best point of each run by mean {name} on validation; "
        "test figures stand beside and choose nothing."
    )
    found = [
        Section(
            f"ranking-of-runs{suffix}",
            f"Best{suffix.replace('-', ' ')}",
            f"Best points{of_group}",
            templates.paragraphs(note) + side_by_side.best_points(entries, suffix),
        )
    ]
    for drawing in filter(None, (drawn.best_points(entries), drawn.curves(entries))):
        content = page.figure(first, drawing, style.webp(drawing.figure))
        found.append(
            Section(
                f"{drawing.name}{suffix}",
                f"{drawing.short}{suffix.replace('-', ' ')}",
                f"{drawing.heading}{of_group}",
                content,
            )
        )
        first += 1
    if classes := side_by_side.by_class(entries, suffix):
        note = f"{stands_on} F1 at the best points, mean ± standard deviation over the repeats."
        found.append(
            Section(
                f"classes{suffix}",
                f"By class{suffix.replace('-', ' ')}",
                f"Class by class{of_group}",
                templates.paragraphs(note) + classes,
            )
        )
    return found


def _differences(entries: Sequence[Entry]) -> list[Section]:
    found = side_by_side.differences(entries) if len(entries) > 1 else ""
    if not found:
        return []
    note = templates.paragraphs("Config fields whose values differ between the best points.")
    return [Section("settings-that-differ", "Settings", "Where the settings differ", note + found)]


def _points(entries: Sequence[Entry]) -> Markup:
    """Returns the best points of every run, beside each other where the window is wide enough."""
    blocks = [
        (
            entry.name,
            page.best_points(entry.ranking, f"-run-{number}"),
            str(entry.ranking.record.get("command") or "command not recorded"),
        )
        for number, entry in enumerate(entries, 1)
    ]
    return templates.macro("beside", blocks=blocks)
