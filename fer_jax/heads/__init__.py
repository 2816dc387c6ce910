"""Classifiers on the features of trained networks: what stands in for the last layers of a network
that is not trained again.
"""

from fer_jax.heads.classifiers import Head, fit, kept, load, missing_package, on_gpu, suffix
from fer_jax.heads.features import Features

__all__ = ["Features", "Head", "fit", "kept", "load", "missing_package", "on_gpu", "suffix"]
