"""Which held-out images have a copy among those that a trial learned or was chosen from."""

from __future__ import annotations

import numpy as np

from fer_jax.errors import DataError, RunError
from fer_jax.results.network import TrialNetwork
from fer_jax.results.row_checks import SPLITS


def prefix(split: str) -> str:
    """Returns what columns of 'validation' or 'test' begin with; RunError for another split."""
    for short, name in SPLITS.items():
        if name == split:
            return short
    raise RunError(f"split = {split!r}: copies are known of 'validation' and 'test'")


def images(trial: TrialNetwork, split: str, path: str | None = None) -> np.ndarray | None:
    """Returns which images of a split have an exact copy in an earlier one, see `data.leaks`.

    A sweep stores this when it begins; for a run of a version that did not, the data are read.

    Args:
        trial: by whose data.
        split: 'validation' or 'test'.
        path: as for `TrialNetwork.dataset`.

    Returns:
        bool (n,), in the order of the split; None where there is no such split, or where nothing is
        stored and the data cannot be read.

    Raises:
        RunError: another split, or what is stored is damaged.
    """
    prefix(split)
    if trial.run.has_targets(trial.data["checksum"]):
        return trial.run.targets(trial.data["checksum"]).get(f"{split}_leaked")
    try:
        return trial.dataset(path).leaked.get(split)
    except (DataError, RunError):
        return None
