"""Classifiers on the features of trained networks, in place of a network's last layers.

How a classifier is fitted, asked and turned into bytes belongs here; extracting the features, the
order of fits and their tables belong in `launch`, and the files in `store`.
"""

from fer_jax.heads.classifiers import OF_TWO_CLASSES, Head, damage, fit, kept, load, missing_package, on_gpu, suffix
from fer_jax.heads.features import Features

__all__ = ["OF_TWO_CLASSES", "Features", "Head", "damage", "fit", "kept", "load", "missing_package", "on_gpu", "suffix"]
