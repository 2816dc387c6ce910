"""The part of a page that one can ask: its frame, which scripts fill from the page's document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_jax.analysis.ranking import Ranking
from fer_jax.reports import explore_data, templates
from fer_jax.reports.page import Section
from fer_jax.results.run import Run

# In this order: each uses what those before it put into the namespace ferJax.
ASSETS = (
    "explore.css",
    "explore_dom.js",
    "explore_data.js",
    "explore_filter.js",
    "explore_state.js",
    "explore_table.js",
    "explore_tools.js",
    "explore_axes.js",
    "explore_parallel.js",
    "explore_curves.js",
    "explore_surface.js",
    "explore_roc.js",
    "explore_detail.js",
    "explore_start.js",
)


def section() -> Section:
    """Returns the frame; without scripts it is a sentence.

    The page needs ASSETS, and `explore_data.document` as its data.
    """
    return Section("explore", "Explore", "Explore: every point and trial", templates.render("explore.html"))


def of_run(run: Run, whole: Ranking, ranked: Sequence[Ranking]) -> dict[str, Any]:
    """Returns what `page.render` takes for a page that one can ask.

    That is nothing for a run without trials.

    Args:
        run, whole, ranked: as for `explore_data.document`.
    """
    if not len(run.trials):
        return {}
    return {"explore": section(), "assets": ASSETS, "data": explore_data.document(run, whole, ranked)}
