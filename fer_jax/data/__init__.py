"""Labelled images: built-in faces, readers of FER-2013, CIFAR-10 and class folders, and splits.

Networks and training do not belong here.

Light to import (NumPy only); what reading files needs is imported when a file is read.
"""

from fer_jax.data.dataset import READERS, Dataset, Split, load, register
from fer_jax.data.reading.source import Source

__all__ = ["READERS", "Dataset", "Source", "Split", "load", "register"]
