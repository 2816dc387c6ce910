"""The only loop: from a config and a run directory to trained waves, heads and tables.

It goes on after kills and full memory. What a wave computes belongs to train/, in which order waves
run to plan/, and how their files are written to store/.
"""
