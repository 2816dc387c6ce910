"""Numbers only: metrics, statistics over repeats, significance, the ranking of points.

Modules here take arrays, plain tables (pandas) and plain settings; they read no files, draw nothing
and write no prose.
"""
