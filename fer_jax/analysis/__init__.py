"""What a run's numbers say: statistics over repeats, figures, and the page that carries them.

Modules here take plain tables (pandas) and plain settings; they read no files and know nothing of run directories.
"""
