"""A run directory as objects: its tables, its trials and their fits, ensembles, and what their
stored answers come to.

How a network is asked about new images belongs to prediction/ and saliency/, what is shown of a run
to reports/.
"""
