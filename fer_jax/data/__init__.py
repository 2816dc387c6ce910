"""Images and their labels: built-in faces, readers of FER-2013 and of class-per-folder trees,
splits.

Light to import (NumPy only); what reading files needs is imported when a file is read.
"""

from fer_jax.data.dataset import READERS, Dataset, Split, load, register
from fer_jax.data.reading.source import Source

__all__ = ["READERS", "Dataset", "Source", "Split", "load", "register"]
