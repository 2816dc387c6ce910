"""What a method can be told, and the one line that says what is wrong with it."""

import numpy as np
import pytest

from fer_jax.errors import RunError
from fer_jax.saliency import settings

SHAPE = (48, 48, 1)
SHAPES = {"conv_0": (46, 46, 4), "pool_0": (23, 23, 4), "mean": (1, 1, 4), "flatten": (4,), "output": (3,)}


def resolve(method, **given):
    return settings.resolve(method, given, SHAPE, SHAPES)


def test_defaults():
    assert resolve("gradient") == {}
    assert resolve("smoothgrad") == {"samples": 50, "noise": 0.15, "seed": 0}
    assert resolve("integrated_gradients") == {"steps": 64, "baseline": 0.0}
    assert resolve("grad_cam") == {"layer": "pool_0"}  # a mean over the whole map has no places
    assert resolve("occlusion") == {"patch": 8, "stride": 4, "baseline": 127.5}


def test_what_is_given_stands():
    assert resolve("smoothgrad", samples=3.0, noise=0)["samples"] == 3
    assert resolve("grad_cam", layer="conv_0") == {"layer": "conv_0"}
    assert resolve("occlusion", patch=5) == {"patch": 5, "stride": 2, "baseline": 127.5}
    picture = np.arange(48 * 48).reshape(48, 48) % 256
    np.testing.assert_array_equal(resolve("occlusion", baseline=picture)["baseline"][..., 0], picture)


@pytest.mark.parametrize(
    "method, given, message",
    [
        ("lime", {}, "method = 'lime': must be one of gradient, smoothgrad, integrated_gradients, grad_cam, occlusion"),
        ("gradient", {"steps": 3}, "gradient has no setting 'steps': it takes none"),
        ("smoothgrad", {"sample": 3}, "smoothgrad has no setting 'sample': it takes samples, noise, seed"),
        ("smoothgrad", {"samples": 0}, "samples = 0: must be a whole number of at least 1"),
        ("smoothgrad", {"samples": 1.5}, "samples = 1.5: must be a whole number of at least 1"),
        ("smoothgrad", {"samples": True}, "samples = True: must be a whole number of at least 1"),
        ("smoothgrad", {"noise": -1}, "noise = -1: must be a number from 0 to 1"),
        ("smoothgrad", {"noise": np.nan}, "noise = nan: must be a number from 0 to 1"),
        ("smoothgrad", {"noise": None}, "noise = None: must be a number from 0 to 1"),
        ("integrated_gradients", {"steps": "9"}, "steps = '9': must be a whole number of at least 1"),
        (
            "integrated_gradients",
            {"baseline": 256},
            "baseline must be a number from 0 to 255, or a picture of such numbers of shape (48, 48)",
        ),
        (
            "occlusion",
            {"baseline": "grey"},
            "baseline must be a number from 0 to 255, or a picture of such numbers of shape (48, 48)",
        ),
        (
            "occlusion",
            {"baseline": np.zeros(48)},
            "baseline must be a number from 0 to 255, or a picture of such numbers of shape (48, 48)",
        ),
        ("occlusion", {"patch": 49}, "patch = 49: must be at most the picture's side, 48 pixels"),
        (
            "occlusion",
            {"patch": 4, "stride": 5},
            "stride = 5: must be at most the patch, 4 pixels, or some pixels would never be covered",
        ),
        ("grad_cam", {"layer": "flatten"}, "grad_cam: 'flatten' has no rows and columns; choose one of conv_0, pool_0"),
        (
            "grad_cam",
            {"layer": "conv_1"},
            "grad_cam: 'conv_1' is no layer of this network; choose one of conv_0, pool_0",
        ),
    ],
)
def test_what_it_cannot_be_told_is_one_line(method, given, message):
    with pytest.raises(RunError) as caught:
        resolve(method, **given)
    assert str(caught.value) == message


def test_a_network_without_rows_and_columns_has_no_grad_cam():
    with pytest.raises(
        RunError,
        match="^grad_cam needs a layer with rows and columns, and this network has none: choose another method, such",
    ):
        settings.resolve("grad_cam", {}, SHAPE, {"flatten": (9,), "output": (3,)})
