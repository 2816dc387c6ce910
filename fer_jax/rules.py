"""How the values of several config fields must fit together; what one field allows alone stands in its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_jax.field import FieldError


def resolve(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values (of all fields but `sweep`) with those that depend on others filled in; checks that they fit.

    One kernel number becomes one a pair, and class names are sorted, so that equal settings are equal values.

    Raises:
        FieldError: fields that exclude each other, or a network whose feature map would vanish.
    """
    values = dict(values)
    names = tuple(sorted(values["data.classes"]))
    if len(set(names)) != len(names) or len(names) == 1:
        raise FieldError(["data.classes"], f"data.classes = {names}: give two or more different names, or () for all")
    values["data.classes"] = names
    if values["data.name"] in ("fer2013", "folder") and not values["data.path"]:
        raise FieldError(
            ["data.path", "data.name"],
            f"data.path is empty: data.name = {values['data.name']} needs --config.data.path=FOLDER, ZIP, TAR or CSV",
        )
    if values["data.name"] == "synthetic" and values["data.path"]:
        raise FieldError(
            ["data.path", "data.name"],
            f"data.path = {values['data.path']}: data.name = synthetic draws its own faces; to read it add "
            "--config.data.name=fer2013, or =folder for any other data set",
        )
    if values["model.name"] == "cnn":
        kernels, pairs = values["model.kernels"], values["model.pairs"]
        if len(kernels) not in (1, pairs):
            raise FieldError(
                ["model.kernels", "model.pairs"],
                f"model.kernels = {kernels}: must hold one number for each of model.pairs = {pairs}, or one for all",
            )
        values["model.kernels"] = kernels * pairs if len(kernels) == 1 else kernels
        _check_feature_maps(values)
    return values


def _check_feature_maps(values: Mapping[str, Any]) -> None:
    """Raises FieldError where a convolution or pool would leave less than one pixel."""
    image, kernel, pool = values["data.image_size"], values["model.kernel_size"], values["model.pool_size"]
    size = image
    for pair in range(values["model.pairs"]):
        convolved = size if values["model.padding"] == "same" else size - kernel + 1
        pooled = -(-convolved // pool) if values["model.pool_padding"] == "same" else convolved // pool
        for layer, before, after in (("conv", size, convolved), ("pool", convolved, pooled)):
            if after < 1:
                padding = "model.padding" if layer == "conv" else "model.pool_padding"
                raise FieldError(
                    ["model.pairs", "model.kernel_size", "model.pool_size", padding, "data.image_size"],
                    f"model.pairs = {values['model.pairs']}: {layer}_{pair} leaves nothing of its {before}x{before} "
                    f"input (model.kernel_size = {kernel}, model.pool_size = {pool}, data.image_size = {image}): "
                    f"use fewer pairs, a larger image or {padding} = same",
                )
        size = pooled
