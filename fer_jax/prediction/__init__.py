"""Trained networks asked about images they were not trained on: picture files, other data sets,
faces found in photos.

How a network computes its answer belongs to models/, and what it answered when it was trained to
results/.
"""
