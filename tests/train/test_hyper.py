"""Words and lists of a trial as the numbers its program takes."""

import dataclasses

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from fer_jax import data
from fer_jax.config import fields
from fer_jax.config.values import default_config
from fer_jax.data import Split
from fer_jax.errors import ConfigError
from fer_jax.models import initializers
from fer_jax.train import hyper
from fer_jax.train.hyper import DataStatistics

DEFAULTS = {name: field.default for name, field in fields.FIELDS.items() if field.kind == "traced"}
LABELS = np.repeat([0, 1, 2], [50, 5, 20])
PIXELS = np.random.default_rng(0).integers(20, 200, (75, 4)).astype(float)
STATISTICS = DataStatistics(
    ("angry", "disgust", "happy"), (50, 5, 20), PIXELS.min(), PIXELS.max(), PIXELS.mean(), PIXELS.std()
)


def one(**changed):
    values = {name.replace("__", "."): value for name, value in changed.items()}
    return {name: array[0] for name, array in hyper.encode([{**DEFAULTS, **values}], STATISTICS).items()}


def test_every_array_has_the_shape_and_type_of_the_layout():
    found = hyper.encode([DEFAULTS, {**DEFAULTS, "train.seed": 2**31 - 1}], STATISTICS)
    assert {name: (array.shape[1:], array.dtype) for name, array in found.items()} == {
        name: (shape, np.dtype(kind)) for name, (shape, kind) in hyper.layout(3).items()
    }
    assert found["train.seed"].tolist() == [0, 2**31 - 1]


def test_class_weights_are_those_of_scikit_learn():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    np.testing.assert_allclose(one(loss__class_weight=1.0)["loss.class_weight"], expected, rtol=1e-6)
    np.testing.assert_allclose(one(loss__class_weight=0.5)["loss.class_weight"], expected**0.5, rtol=1e-6)
    assert one()["loss.class_weight"].tolist() == [1, 1, 1]


def test_weights_of_single_classes_are_found_by_name():
    assert one(loss__weights=("disgusted=5", "happy=0.5"))["loss.class_weight"].tolist() == [1, 5, 0.5]
    with pytest.raises(ConfigError, match="loss.weights: no class 'calm'; the data have angry, disgust, happy"):
        one(loss__weights=("calm=2",))


def test_a_class_may_weigh_nothing_but_not_all_of_them():
    assert one(loss__weights=("disgust=0", "happy=0"))["loss.class_weight"].tolist() == [1, 0, 0]
    with pytest.raises(ConfigError, match="loss.weights: every class of the data has weight 0, so nothing is learnt"):
        one(loss__weights=("angry=0", "disgust=0", "happy=0"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unit", PIXELS / 255),
        ("symmetric", PIXELS / 127.5 - 1),
        ("none", PIXELS),
        ("minmax", MinMaxScaler().fit_transform(PIXELS.reshape(-1, 1)).reshape(PIXELS.shape)),
        ("standardize", StandardScaler().fit_transform(PIXELS.reshape(-1, 1)).reshape(PIXELS.shape)),
    ],
)
def test_normalisation_is_one_affine_map(name, expected):
    found = one(data__normalize=name)
    np.testing.assert_allclose(PIXELS * found["pixels.scale"] + found["pixels.offset"], expected, rtol=1e-5, atol=1e-5)


def test_pictures_of_one_shade_are_not_divided_by_zero():
    flat = DataStatistics(("a", "b"), (1, 1), 7, 7, 7, 0)
    for name in ("minmax", "standardize"):
        scale, offset = hyper.pixel_map(name, flat)
        assert 7 * scale + offset == 0


def test_initializers_keep_their_places():
    assert [int(one(model__init=name)["model.init"]) for name in initializers.NAMES] == list(range(6))
    assert (
        one(model__init="imagenet")["model.init"] == 0
    )  # what is loaded is drawn first, for the layers that are not in the file


def test_statistics_of_the_pixels_are_those_numpy_finds(monkeypatch):
    monkeypatch.setattr(hyper, "BLOCK", 32)  # 70 images in three blocks
    config = default_config()
    config.data.image_size, config.data.train_size = 16, 70
    config.data.validation_size = config.data.test_size = 35
    dataset = data.load(config.data)
    known, pixels = DataStatistics.of(dataset), dataset.train.images
    found = (known.low, known.high, known.mean, known.sd)
    assert found == pytest.approx((pixels.min(), pixels.max(), pixels.mean(), pixels.std()), rel=1e-9)
    one_shade = dataclasses.replace(dataset, train=Split(np.full((3, 4, 4, 1), 7, np.uint8), np.zeros(3, np.int32)))
    known = DataStatistics.of(one_shade)
    assert (known.low, known.high, known.mean, known.sd) == (7, 7, 7, 0)
