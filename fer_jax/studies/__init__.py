"""A paper's experiments beside ours: the sweeps they need, the rows they come to, the table of
both.

The papers' own values stand in sweeps/ at the root of the repository.
"""
