"""What an exported network says of itself, so that its file alone is enough to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from fer_jax.config.values import to_json

if TYPE_CHECKING:
    from fer_jax.results.trial import TrialResult

FORMAT = "fer_jax trial, 1"


def about(trial: TrialResult, weights: str) -> dict[str, str]:
    """Returns the texts that belong in the file of a trial's network.

    Args:
        trial: whose network it is.
        weights: 'best' (of the epoch that validation chose) or 'last'.

    Returns:
        format, trial, weights, epoch (1-based, that the weights are of), classes (JSON list, in the
        order of the outputs), pixels and usage (sentences), data (data set and split), and config
        (JSON, dotted names); of a dead network also warning (a sentence).
    """
    values = trial.config
    size, channels = values.data.image_size, values.data.channels
    pixels = trial.variables["pixels"]
    dead = trial.dead if weights == "best" else None
    epoch = trial.row.get("best_epoch" if weights == "best" else "epochs")
    return {
        "format": FORMAT,
        "trial": trial.id,
        "weights": weights,
        "epoch": "" if epoch is None or pd.isna(epoch) else str(int(epoch)),
        "classes": json.dumps(list(trial.classes)),
        "image_size": str(size),
        "channels": str(channels),
        "pixels": f"the network's input is {float(pixels['scale'])!r} * pixel + {float(pixels['offset'])!r}, "
        "for pixels in 0..255",
        "usage": f"pictures of {size} x {size} pixels, array (n, {size}, {size}, {channels}), "
        f"{'grey' if channels == 1 else 'RGB'}, 0..255; "
        f"gives (n, {len(trial.classes)}) probabilities, columns as `classes`",
        "data": str(trial.data.get("label", "")),
        "config": json.dumps(_plain(to_json(trial.config))),
        **({} if dead is None else {"warning": f"a dead network: it {dead.words}"}),
    }


def _plain(config: Mapping[str, object]) -> dict[str, object]:
    """Returns the config without the sweep that the trial was one of."""
    return {name: value for name, value in config.items() if name != "sweep"}
