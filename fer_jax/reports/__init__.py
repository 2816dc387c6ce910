"""Words, tables and pages: what a run is shown as, in HTML, CSV, Markdown and LaTeX.

Numbers come from analysis/ and results/, drawings from figures/; nothing is computed here.
"""
