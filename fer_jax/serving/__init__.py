"""A run's pages in a browser while the run goes on: which runs are shown, their pages and data, and
the server, on this machine's own address unless told otherwise.

What a page says and how it looks belongs in `reports`; here nothing is written but notes.
"""
