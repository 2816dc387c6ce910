"""What the trials of a stack need only once: layers that no phase trains and that all start alike.

So do these layers' outputs, where they are the same in every epoch.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping

import numpy as np

from fer_jax import models
from fer_jax.config.rules import DISTRIBUTIONS, is_weights_file
from fer_jax.config.search_space import Trial
from fer_jax.models.backbones import backbone_layers
from fer_jax.models.keras_layers import DropBranch
from fer_jax.models.layers import Dropout
from fer_jax.plan.plan import DataSizes
from fer_jax.plan.work import Work
from fer_jax.train import stream


def parts(work: Work, group: Mapping[str, Trial]) -> list[dict[str, Trial]]:
    """Returns trials of one shape, id -> trial, in the stacks that they make.

    Those that load the same frozen layers, which they can share, stand apart. Trials that freeze
    nothing for good, or of which no two load the same weights, stay together.
    """
    of_weights: dict[str, dict[str, Trial]] = {}
    for identity, trial in group.items():
        of_weights.setdefault(trial.values["model.init"], {})[identity] = trial
    apart = {name for name, trials in of_weights.items() if len(trials) > 1 and shares(work, trials.values())}
    found: dict[str, dict[str, Trial]] = {}
    for identity, trial in group.items():
        name = trial.values["model.init"]
        found.setdefault(name if name in apart else "", {})[identity] = trial
    return list(found.values())


def shares(work: Work, trials: Iterable[Trial]) -> bool:
    """Returns whether the layers that are never trained are the same in all trials.

    They are if they were loaded from one file, or from one trial.
    """
    frozen = work.recipe.always_frozen
    initial = {trial.values["model.init"] for trial in trials}
    if not frozen or len(initial) > 1 or initial & set(DISTRIBUTIONS):
        return False
    network = models.build(dict(work.network), work.image_shape, work.num_classes)
    # Another trial's last layer is drawn anew where the classes are others.
    loaded = backbone_layers(network.layer_names) if is_weights_file(initial.pop()) else network.layer_names[:-1]
    drawn = set(network.layer_names) - set(loaded)
    params, stats = network.shapes
    return not any(name in drawn and (name in params or name in stats) for name in frozen)


def cut(work: Work, trials: Iterable[Trial], data: DataSizes, free: float) -> str:
    """Returns the last layer whose outputs are the same in every epoch and trial.

    It is '' if there is none, or if the outputs take too much memory.

    Args:
        work: of a stack whose trials share their frozen layers.
        trials: of the stack.
        data: sizes of their data.
        free: bytes on a device.
    """
    if work.recipe.used("augment") or len({trial.values["data.normalize"] for trial in trials}) > 1:
        return ""
    network = models.build(dict(work.network), work.image_shape, work.num_classes)
    params, cuts = network.shapes[0], set(network.chain.cuts)
    found, weighs = "", False
    for name in network.layer_names:
        if name not in work.recipe.always_frozen and name in {*params, *network.shapes[1]}:
            break
        weighs |= name in params
        if name in cuts and weighs and not _drops(network, name, work):
            found = name
    if found and not stream.fits(feature_bytes(dataclasses.replace(work, cut=found), data), free):
        return ""
    return found


def _drops(network: models.Network, name: str, work: Work) -> bool:
    """Returns whether a layer up to this one drops activations in training.

    Its outputs then differ from epoch to epoch.
    """
    before = network.layer_names[: network.layer_names.index(name) + 1]
    return any(
        one not in work.recipe.always_frozen and isinstance(getattr(network.chain, one), (Dropout, DropBranch))
        for one in before
    )


def feature_bytes(work: Work, data: DataSizes) -> int:
    """Returns the bytes of the outputs of the layer where the network is cut, of all images."""
    whole = models.build(dict(work.network), work.image_shape, work.num_classes)
    each = math.prod(whole.after(work.cut).input_shape) * np.dtype(work.recipe.dtype).itemsize
    return (data.train + data.validation + data.test) * each
