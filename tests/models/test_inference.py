"""Layers of a network, several in one pass, against the network applied to all pictures at once."""

import jax
import numpy as np
import pytest

from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import RunError
from fer_jax.models import inference, normalize
from fer_jax.models import network as network_module

SIZE, CLASSES = 12, 3
NETWORKS = {
    "cnn": {"model.pairs": 1, "model.kernels": (4,), "model.pool_size": 4, "model.dense": (8, 6)},
    "mlp": {"model.name": "mlp", "model.hidden": (7, 5)},
}


def values(name="cnn", channels=1):
    own = {"data.image_size": SIZE, "data.channels": channels} | NETWORKS[name]
    return resolve(flatten(default_config()) | own)


def pictures(n, channels=1):
    return np.random.default_rng(n).integers(0, 256, (n, SIZE, SIZE, channels), np.uint8)


def build(name="cnn", channels=1):
    return models.build(values(name, channels), (SIZE, SIZE, channels), CLASSES)


@pytest.fixture(scope="module")
def variables():
    params, stats = build().init(jax.random.key(3))
    return {"params": params, "stats": stats, "pixels": {"scale": np.float32(1 / 255), "offset": np.float32(-0.5)}}


@jax.jit
def _whole(variables, images):
    inputs = models.normalize(images, **variables["pixels"])
    network = build()
    logits, _, found = network.apply(variables["params"], variables["stats"], inputs, capture=network.layer_names)
    return found | {"logits": logits}


def all_at_once(variables, images):
    """Every layer and the logits, in one batch of 100 rows, of which the pictures' are kept."""
    padded = np.concatenate([images, np.zeros((100 - len(images), *images.shape[1:]), np.uint8)])
    return {name: found[: len(images)] for name, found in _whole(variables, padded).items()}


@pytest.mark.parametrize("n", [3, 64, 70])
def test_several_layers_in_one_pass_are_those_of_the_network(variables, n):
    images, layers = pictures(n), (*build().layer_names, "probabilities")
    batches = list(inference.activations(values(), CLASSES, variables, images, layers))
    assert [len(batch["flatten"]) for batch in batches] == [64] * (n // 64) + [n % 64] * (n % 64 > 0)
    expected = all_at_once(variables, images)
    expected["probabilities"] = jax.nn.softmax(expected["logits"])
    for layer in layers:
        found = np.concatenate([batch[layer] for batch in batches])
        assert found.dtype == np.float32 and all(tuple(batch) == layers for batch in batches)
        np.testing.assert_allclose(found, expected[layer], atol=1e-5)


def test_each_layer_is_what_apply_gives_for_it_alone(variables):
    images, layers = pictures(70), ("dense_1", "conv_0", "flatten")
    batches = list(inference.activations(values(), CLASSES, variables, images, layers))
    for layer in layers:
        alone = inference.apply(values(), CLASSES, variables, images, layer)
        np.testing.assert_allclose(np.concatenate([batch[layer] for batch in batches]), alone, atol=1e-6)


def test_probabilities_are_the_layer_after_the_last(variables):
    images = pictures(70)
    plain = inference.apply(values(), CLASSES, variables, images)
    np.testing.assert_array_equal(inference.apply(values(), CLASSES, variables, images, "probabilities"), plain)
    np.testing.assert_allclose(plain, jax.nn.softmax(all_at_once(variables, images)["logits"]), atol=1e-6)
    np.testing.assert_allclose(plain.sum(axis=1), 1, atol=1e-6)
    output = inference.apply(values(), CLASSES, variables, images, "output")
    np.testing.assert_allclose(plain, jax.nn.softmax(output), atol=1e-6)


def test_a_batch_holds_nothing_but_what_was_asked_for(variables):
    (batch,) = inference.activations(values(), CLASSES, variables, pictures(3), ("dense_0",))
    assert list(batch) == ["dense_0"] and batch["dense_0"].shape == (3, 8)


def test_no_picture_gives_layers_of_no_rows(variables):
    shapes = inference.layer_shapes(values(), CLASSES)
    (batch,) = inference.activations(values(), CLASSES, variables, pictures(0), tuple(shapes))
    assert {layer: found.shape for layer, found in batch.items()} == {
        layer: (0, *shape) for layer, shape in shapes.items()
    }


@pytest.mark.parametrize(
    "layer, near",
    [
        ("dense_2", "dense_"),
        ("flaten", "did you mean flatten?"),
        ("probability", "did you mean probabilities?"),
        ("?", "conv_0"),
    ],
)
def test_an_unknown_layer_is_one_line_with_near_names_before_any_work(variables, layer, near):
    with pytest.raises(RunError) as caught:
        # Not consumed: a wrong name must not wait for the first batch.
        inference.activations(values(), CLASSES, variables, pictures(2), ("flatten", layer))
    assert str(caught.value).startswith(f"no layer {layer!r} in this network; did you mean ")
    assert near in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name, channels", [("cnn", 3), ("mlp", 1)])
def test_shapes_are_those_of_what_the_layers_give(name, channels):
    network = build(name, channels)
    params, stats = network.init(jax.random.key(0))
    own = {"params": params, "stats": stats, "pixels": {"scale": np.float32(1), "offset": np.float32(0)}}
    shapes = inference.layer_shapes(values(name, channels), CLASSES)
    assert tuple(shapes) == (*network.layer_names, "probabilities")
    (batch,) = inference.activations(values(name, channels), CLASSES, own, pictures(2, channels), tuple(shapes))
    assert {layer: found.shape[1:] for layer, found in batch.items()} == shapes


def test_shapes_counted_by_hand():
    assert inference.layer_shapes(values(), CLASSES) == {
        "conv_0": (10, 10, 4),  # 12 - 3 + 1
        "pool_0": (2, 2, 4),
        "dropout_0": (2, 2, 4),
        "flatten": (16,),
        "dense_0": (8,),
        "dense_dropout_0": (8,),
        "dense_1": (6,),
        "dense_dropout_1": (6,),
        "output": (3,),
        "probabilities": (3,),
    }
    assert inference.layer_shapes(values("mlp"), 5) == {
        "flatten": (144,),
        "dense_0": (7,),
        "dropout_0": (7,),
        "dense_1": (5,),
        "dropout_1": (5,),
        "output": (5,),
        "probabilities": (5,),
    }


def test_logits_are_what_the_softmax_is_taken_of(variables):
    images = pictures(5)
    found = inference.logits(values(), CLASSES, variables, images)
    np.testing.assert_allclose(found, all_at_once(variables, images)["logits"], atol=1e-5)
    np.testing.assert_array_equal(found, inference.apply(values(), CLASSES, variables, images, "output"))


def test_any_numbers_of_pictures_need_three_programs_and_give_the_same(variables, monkeypatch):
    traced = []

    def noted(images, **pixels):
        traced.append(len(images))
        return normalize(images, **pixels)

    monkeypatch.setattr(network_module, "normalize", noted)
    own = values() | {"model.dense": (8, 6, 5)}
    network = models.build(own, (SIZE, SIZE, 1), CLASSES)
    params, stats = network.init(jax.random.key(1))
    those = {**variables, "params": params, "stats": stats}
    images = pictures(70)
    expected = inference.apply(own, CLASSES, those, images)
    for n in (1, 2, 3, 7, 8, 9, 20, 63, 64, 65):
        found = inference.apply(own, CLASSES, those, images[:n])
        assert found.shape == (n, CLASSES)
        np.testing.assert_allclose(found, expected[:n], atol=1e-6)
    assert sorted(traced) == list(inference.BATCH_SIZES) == [1, 8, 64]


def test_products_are_float32_also_where_a_gpu_would_round_their_factors(variables):
    forward, names = inference._network(*inference.network_key(values(), CLASSES))
    text = forward.lower(variables, pictures(2).astype(np.float32), names[-1:]).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line or "stablehlo.convolution" in line]
    assert len(products) == 3 and all(line.count("HIGHEST") == 2 for line in products)
