"""A run directory as objects: its tables, its points, its trials and their fits, and ensembles.

Asking networks about other data belongs in prediction/ and saliency/, showing a run in reports/.
"""
