"""How the values of several fields must fit together."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import message, unlocked

from fer_jax.config.rules import resolve
from fer_jax.config.values import (
    default_config,
    flatten,
    validate,
)
from fer_jax.models.layers import widened


def test_a_path_that_built_in_faces_would_not_read_is_refused():
    text = message(validate, unlocked(**{"data.path": "fer2013.zip"}))
    assert text.startswith("data.path") and "--config.data.name=fer2013" in text


@pytest.mark.parametrize("name", ["synthetic", "cifar10"])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.labels", "a.csv"),
        ("data.pattern", "(?P<group>S)"),
        ("data.names", ("rafdb",)),
        ("data.group", "original"),
    ],
)
def test_what_says_how_files_are_read_is_refused_where_none_are(name, path, value):
    source = {"data.name": name, "data.path": "cifar-10-python.tar.gz" if name == "cifar10" else ""}
    text = message(validate, unlocked(**source, **{path: value}))
    assert text.startswith(f"{path}: data.name = {name} has labels of its own") and "--config.data.name=fer2013" in text


@pytest.mark.parametrize("path", ["data.path", "model.kernels", "data.classes", "data.balance_splits"])
def test_fields_that_must_fit_each_other(path):
    values = {
        "data.path": {"data.name": "fer2013"},
        "model.kernels": {"model.kernels": (8, 16)},
        "data.classes": {"data.classes": ("happy",)},
        "data.balance_splits": {"data.balance": "augment", "data.balance_splits": "all"},
    }[path]
    assert message(validate, unlocked(**values)).startswith(path)
    assert message(validate, unlocked(**{"data.classes": ("sad", "sad")})).startswith("data.classes")


def test_equal_settings_get_equal_values():
    base = flatten(default_config())
    assert resolve({**base, "model.kernels": (8,)})["model.kernels"] == (8, 8, 8)
    assert resolve({**base, "data.classes": ("sad", "happy")})["data.classes"] == ("happy", "sad")


def reference_sizes(size, pairs, kernel, pool, padding, pool_padding):
    """Height after each convolution and pool as XLA computes it."""

    sizes = []

    def network(x):
        for _ in range(pairs):
            x = jax.lax.conv_general_dilated(
                x,
                jnp.zeros((kernel, kernel, 1, 1)),
                (1, 1),
                padding.upper(),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            sizes.append(x.shape[1])
            window = (1, pool, pool, 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, pool_padding.upper())
            sizes.append(x.shape[1])

    jax.eval_shape(network, jnp.zeros((1, size, size, 1)))
    return sizes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.integers(8, 40),
    pairs=st.integers(1, 5),
    kernel=st.integers(1, 7),
    pool=st.integers(1, 4),
    padding=st.sampled_from(("valid", "same")),
    pool_padding=st.sampled_from(("valid", "same")),
)
def test_a_network_is_refused_exactly_where_its_feature_map_vanishes(size, pairs, kernel, pool, padding, pool_padding):
    values = {
        **flatten(default_config()),
        **{"data.image_size": size, "model.pairs": pairs, "model.kernels": (8,), "model.kernel_size": kernel},
        **{"model.pool_size": pool, "model.padding": padding, "model.pool_padding": pool_padding},
    }
    try:
        left = min(reference_sizes(size, pairs, kernel, pool, padding, pool_padding))
    except (TypeError, ValueError):  # XLA refuses a window on nothing
        left = 0
    if left >= 1:
        resolve(values)
    else:
        text = message(resolve, values)
        assert text.startswith(f"model.pairs = {pairs}: ")
        assert "conv_" in text or "pool_" in text


def test_a_vanished_feature_map_names_the_layer_and_the_way_out():
    text = message(validate, unlocked(**{"data.image_size": 20}))
    assert "pool_2 leaves nothing of its 1x1 input" in text
    assert "use fewer pairs, a larger image or model.pool_padding = same" in text


def test_mlp_has_no_feature_map_to_lose():
    config = unlocked(**{"data.image_size": 8, "model.name": "mlp"})
    validate(config)
    assert resolve(flatten(config))["data.image_size"] == 8


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"train.warmup": 50.5}, "train.warmup = 50.5: train.epochs = 50 end before it does"),
        (
            {"train.learning_rate_floor": 0.01, "train.schedule": "cosine"},
            "train.learning_rate_floor = 0.01: is above train.learning_rate = 0.001",
        ),
        (
            {"train.learning_rate_floor": 0.01, "train.plateau_patience": 3},
            "train.learning_rate_floor = 0.01: is above",
        ),
        (
            {"model.width_multiplier": 0.07},
            "model.width_multiplier = 0.07: leaves nothing of a layer of 7 (model.dense = (64, 7))",
        ),
        (
            {"model.width_multiplier": 0.01, "model.dense": ()},
            "model.width_multiplier = 0.01: leaves nothing of a layer of 32",
        ),
        (
            {"model.width_multiplier": 0.0005, "model.name": "mlp"},
            "model.width_multiplier = 0.0005: leaves nothing of a layer of 1000",
        ),
        (
            {"model.width_multiplier": 0.015, "model.name": "silvestro"},
            "a layer of 32 (model.name = silvestro); use more than 0.015625",
        ),
        (
            {"model.width_multiplier": 0.013, "model.name": "imperial", "model.dense": ()},
            "a layer of 36 (model.name = imperial)",
        ),
    ],
)
def test_nonsense_is_refused(values, wanted):
    assert wanted in message(validate, unlocked(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"train.warmup": 50.0},
        {"train.learning_rate_floor": 0.001, "train.schedule": "cosine"},
        {"train.learning_rate_floor": 0.01},
        {"model.width_multiplier": 0.072},
        {"model.width_multiplier": 0.01, "model.name": "mlp"},
        {"model.width_multiplier": 0.01, "model.name": "mlp", "model.hidden": ()},
        {"model.width_multiplier": 0.016, "model.name": "silvestro"},
    ],
)
def test_what_is_just_not_nonsense_is_taken(values):
    config = unlocked(**values)
    validate(config)
    assert values.items() <= resolve(flatten(config)).items()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.floats(1e-3, 2.0))
def test_a_width_is_refused_exactly_where_the_network_would_be_clamped(units, width):
    config = unlocked(**{"model.name": "mlp", "model.hidden": (units, 400), "model.width_multiplier": width})
    if round(units * width) >= 1:
        validate(config)
        assert widened(units, width) == round(units * width)
    else:
        assert message(validate, config).startswith("model.width_multiplier")
