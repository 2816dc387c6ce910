"""What each saliency method can be told, with defaults and ranges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_jax.errors import RunError


@dataclasses.dataclass(frozen=True)
class Setting:
    """A number a method can be told.

    Attributes:
        default: None where it depends on the image.
        least, most: its range.
        whole: whether it is an integer.
    """

    default: float | None
    least: float
    most: float = math.inf
    whole: bool = False


# Besides these, integrated_gradients and occlusion have a baseline and grad_cam has a layer.
NUMBERS: dict[str, dict[str, Setting]] = {
    "gradient": {},
    "smoothgrad": {
        "samples": Setting(50, 1, whole=True),
        "noise": Setting(0.15, 0, 1),
        "seed": Setting(0, 0, 2**31 - 1, whole=True),
    },
    "integrated_gradients": {"steps": Setting(64, 1, whole=True)},
    "grad_cam": {},
    "occlusion": {"patch": Setting(None, 1, whole=True), "stride": Setting(None, 1, whole=True)},
}
METHODS = tuple(NUMBERS)
# Black, as for the image networks of Sundararajan et al. 2017; grey, as Zeiler and Fergus 2014.
BASELINES = {"integrated_gradients": 0.0, "occlusion": 127.5}
PATCHES = 6  # squares of the default size along a side


def resolve(
    method: str, given: Mapping[str, Any], image_shape: tuple[int, int, int], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Any]:
    """Returns all settings of a method: those given, checked, and the defaults of the others.

    Args:
        method: one of METHODS.
        given: setting -> value.
        image_shape: (S, S, C) of an image.
        shapes: layer -> shape of its output for one image, in order.

    Raises:
        RunError: no such method or setting, a value out of range, a layer without rows and columns,
            or a network with none.
    """
    if method not in METHODS:
        raise RunError(f"method = {method!r}: must be one of {', '.join(METHODS)}")
    known = [*NUMBERS[method], *["baseline"] * (method in BASELINES), *["layer"] * (method == "grad_cam")]
    for name in given:
        if name not in known:
            raise RunError(f"{method} has no setting {name!r}: it takes {', '.join(known) or 'none'}")
    found: dict[str, Any] = {
        name: _number(name, setting, given.get(name, setting.default)) for name, setting in NUMBERS[method].items()
    }
    if method in BASELINES:
        found["baseline"] = _baseline(given.get("baseline", BASELINES[method]), image_shape)
    if method == "grad_cam":
        found["layer"] = spatial_layer(shapes, given.get("layer"))
    if method == "occlusion":
        found |= _squares(found, image_shape[0])
    return found


def spatial_layer(shapes: Mapping[str, tuple[int, ...]], name: str | None = None) -> str:
    """Returns the layer asked for, or the last one whose output has several places.

    Args:
        shapes: layer -> shape of its output for one image, in order.
        name: of the layer; None for the last with rows and columns, more than one in all.

    Raises:
        RunError: the layer is unknown or has no places, or none has.
    """
    spatial = [layer for layer, shape in shapes.items() if len(shape) == 3 and shape[0] * shape[1] > 1]
    if not spatial:
        raise RunError(
            "grad_cam needs a layer with rows and columns, and this network has none: "
            "choose another method, such as smoothgrad"
        )
    if name is None:
        return spatial[-1]
    if name not in spatial:
        what = "has no rows and columns" if name in shapes else "is no layer of this network"
        raise RunError(f"grad_cam: {name!r} {what}; choose one of {', '.join(spatial)}")
    return name


def _number(name: str, setting: Setting, value: Any) -> int | float | None:
    """Returns a number in its setting's type; RunError if it is none or out of range."""
    if value is None and setting.default is None:
        return None
    kind = "a whole number" if setting.whole else "a number"
    wanted = (
        f"{kind} of at least {setting.least:g}"
        if math.isinf(setting.most)
        else f"{kind} from {setting.least:g} to {setting.most:g}"
    )
    fits = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not fits or not setting.least <= value <= setting.most or (setting.whole and value != int(value)):
        raise RunError(f"{name} = {value!r}: must be {wanted}")
    return int(value) if setting.whole else float(value)


def _squares(found: Mapping[str, Any], size: int) -> dict[str, int]:
    """Returns side and stride of the occluding square.

    Raises:
        RunError: it would not fit, or would leave pixels uncovered.
    """
    patch = found["patch"] or max(1, size // PATCHES)
    stride = found["stride"] or max(1, patch // 2)
    if patch > size:
        raise RunError(f"patch = {patch}: must be at most the picture's side, {size} pixels")
    if stride > patch:
        raise RunError(
            f"stride = {stride}: must be at most the patch, {patch} pixels, or some pixels would never be covered"
        )
    return {"patch": patch, "stride": stride}


def _baseline(value: Any, image_shape: tuple[int, int, int]) -> float | np.ndarray:
    """Returns a number, or an image of `image_shape`; RunError for anything else."""
    size = image_shape[0]
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        array = np.full(1, np.nan, np.float32)
    if array.shape == (size, size):
        array = array[..., None]
    if array.shape not in ((), (size, size, 1), image_shape) or not ((array >= 0) & (array <= 255)).all():
        raise RunError(
            f"baseline must be a number from 0 to 255, or a picture of such numbers of shape ({size}, {size})"
        )
    return float(array) if array.shape == () else np.broadcast_to(array, image_shape)
