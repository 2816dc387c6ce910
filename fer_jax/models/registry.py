"""Networks by name: `NETWORKS` holds for each `model.name` the function that builds its chain."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fer_jax.config import fields
from fer_jax.errors import ConfigError
from fer_jax.models.backbones import BACKBONES
from fer_jax.models.cnn import build_cnn
from fer_jax.models.imperial import build_imperial
from fer_jax.models.mlp import build_mlp
from fer_jax.models.network import Builder, Network
from fer_jax.models.silvestro import build_silvestro

NETWORKS: dict[str, Builder] = {
    "cnn": build_cnn,
    "mlp": build_mlp,
    "silvestro": build_silvestro,
    "imperial": build_imperial,
    **BACKBONES,
}


def register(name: str, builder: Builder) -> None:
    """Makes a network of your own known as `model.name = name`; docs/extending.md has an example.

    Args:
        name: as configs will call it; a name that is taken is replaced.
        builder: (values, image_shape, num_classes, rngs) -> Chain, as `cnn.build_cnn`.
    """
    NETWORKS[name] = builder
    fields.add_choice("model.name", name)


def build(values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int) -> Network:
    """Returns the network that a trial's config values ask for, without any arrays yet.

    Args:
        values: dotted field name -> value; `model.*` is read, the dropout rate is not (it is
            traced).
        image_shape: (height, width, channels), in pixels.
        num_classes: number of logits.

    Raises:
        ConfigError: `model.name` is unknown.
    """
    name = values["model.name"]
    if name not in NETWORKS:
        raise ConfigError(f"model.name: {name!r} is none of {', '.join(sorted(NETWORKS))}")
    return Network(partial(NETWORKS[name], values, image_shape, num_classes), image_shape, num_classes)
