"""Numbers and what they are called: metrics, statistics, significance, the ranking of points.

Modules here take arrays, plain tables (pandas) and plain settings; they read no files and draw
nothing. A verdict of several sentences belongs to reports/.
"""
