"""The part of a page that one can ask: its frame, which scripts fill from the page's document."""

from __future__ import annotations

from fer_jax.reports import templates
from fer_jax.reports.page import Section

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
