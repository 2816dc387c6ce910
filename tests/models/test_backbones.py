"""The backbones give the activations of `keras.applications` with the same weights, and have its layers in its order."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from fer_jax import config, models
from fer_jax.errors import ConfigError
from fer_jax.models import weights
from fer_jax.models.backbones import backbone_layers
from fer_jax.models.keras_layers import Add, DropBranch
from fer_jax.models.layers import Call, Dense, Dropout
from fer_jax.models.network import Chain
from fer_jax.rules import resolve
from tests.models.conftest import KERAS, keras_model, network

# Up to here each mechanism has come once; `pytest -m slow` compares whole networks.
ENOUGH = {"vgg19": "block2_pool", "mobilenet_v2": "block_2_add", "efficientnet_b0": "block2b_add", "resnet50_v2": "conv3_block1_2_relu"}


def _loaded(path, net, **options):
    """Params and stats with a file's weights below zeros at the top."""
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), net.shapes)
    return [ours | found for ours, found in zip(zeros, weights.read(path, net, **options), strict=True)]


def _keras_outputs(model, names, images):
    part = keras.Model(model.input, [model.get_layer(name).output for name in names])
    # Called on the arrays as they are: Keras' fit and predict would compile once more for every model.
    outputs = part.stateless_call([v.value for v in part.trainable_variables], [v.value for v in part.non_trainable_variables], images)
    return dict(zip(names, outputs[0], strict=True))


def _assert_as_keras(model, path, name, size, last=None):
    net = network(name, size)
    params, stats = _loaded(path, net, imagenet=False)
    images = np.random.default_rng(1).uniform(0, 255 if name == "efficientnet_b0" else 1, (2, size, size, 3)).astype(np.float32)
    names = [layer for layer in backbone_layers(net.layer_names) if layer not in ("input_layer", "rescaling_1")]
    names = names[: names.index(last) + 1] if last else names
    ours = jax.jit(lambda *given: net.apply(*given, capture=names)[2])(params, stats, images)
    for layer, theirs in _keras_outputs(model, names, images).items():
        np.testing.assert_allclose(ours[layer], theirs, atol=1e-4, err_msg=layer)
    assert max(np.ptp(ours[layer]) for layer in names) > 0.1


@pytest.mark.parametrize("name", KERAS)
def test_named_activations_are_those_of_keras(name, stored):
    _assert_as_keras(*stored(name), name, 48, ENOUGH[name])


@pytest.mark.slow
@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("name", KERAS)
def test_all_named_activations_are_those_of_keras(name, size, stored):
    _assert_as_keras(*stored(name, size), name, size)


@pytest.mark.parametrize("name", KERAS)
def test_layers_stand_in_keras_order_with_its_parameters(name, stored):
    model, _ = stored(name)
    net = network(name)
    ours = backbone_layers(net.layer_names)
    if name == "efficientnet_b0":
        # Keras puts it there for weights = 'imagenet' only.
        assert ours.index("rescaling_1") == 3
        ours = tuple(layer for layer in ours if layer != "rescaling_1")
    assert ours == tuple(layer.name for layer in model.layers)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert net.num_parameters() == trainable + 7 * model.output_shape[-1] + 7


def test_efficientnet_rescales_twice_with_imagenet_weights(stored, monkeypatch):
    _, path = stored("efficientnet_b0")
    # Keras builds its second rescaling only where it downloads: it is handed our file instead of the published one.
    from keras.src.applications import efficientnet

    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(path))
    keras.backend.clear_session()
    model = keras.applications.EfficientNetB0(weights="imagenet", include_top=False, input_shape=(48, 48, 3))
    net = network("efficientnet_b0", model__preprocess="weights")
    params, stats = _loaded(path, net)
    names = ["rescaling", "normalization", "rescaling_1", "stem_activation", "block1a_se_excite"]
    assert [layer.name for layer in model.layers][:6] == list(net.layer_names)[:6]
    images = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3)).astype(np.float32)
    ours = jax.jit(lambda *given: net.apply(*given, capture=names)[2])(params, stats, images)
    for layer, theirs in _keras_outputs(model, names, images).items():
        np.testing.assert_allclose(ours[layer], theirs, atol=1e-4, err_msg=layer)
    assert not np.allclose(ours["rescaling_1"], ours["normalization"], atol=0.1)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("vgg19", keras.applications.vgg19.preprocess_input),
        ("mobilenet_v2", keras.applications.mobilenet_v2.preprocess_input),
        ("efficientnet_b0", keras.applications.efficientnet.preprocess_input),
        ("resnet50_v2", keras.applications.resnet_v2.preprocess_input),
    ],
)
def test_preprocessing_of_the_weights_is_that_of_keras_on_grey_copied_to_three_channels(name, theirs):
    entrance = network(name, 32, model__preprocess="weights").chain.input_layer
    grey = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.float32)
    np.testing.assert_allclose(entrance(grey, Call()), theirs(np.repeat(grey, 3, axis=-1)), atol=1e-4)
    colour = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(entrance(colour, Call()), theirs(colour.copy()), atol=1e-4)
    np.testing.assert_array_equal(network(name, 32).chain.input_layer(grey, Call()), np.repeat(grey, 3, axis=-1))


# Sides of 50, 25, 13, 7 and 4 pixels on the way: odd and even ones meet a stride of two.
@pytest.mark.parametrize("name", ["mobilenet_v2", pytest.param("efficientnet_b0", marks=pytest.mark.slow), "resnet50_v2"])
def test_maps_have_keras_sizes_for_odd_and_even_images(name):
    model, net = keras_model(name, 50), network(name, 50)
    names = [layer for layer in backbone_layers(net.layer_names) if layer not in ("input_layer", "rescaling_1")]
    images = jax.ShapeDtypeStruct((1, 50, 50, 3), jnp.float32)
    shapes = jax.eval_shape(lambda *given: net.apply(*given, capture=names)[2], *net.shapes, images)
    for layer in names:
        assert shapes[layer].shape[1:] == tuple(model.get_layer(layer).output.shape[1:]), layer


def test_tops():
    assert network("vgg19").layer_names[-2:] == ("avg_pool", "output")
    own = network("mobilenet_v2", model__pooling="max", model__dense=(128,), model__width_multiplier=1 / 8)
    assert own.layer_names[-4:] == ("max_pool", "dense_0", "dense_dropout_0", "output")
    assert own.shapes[0]["dense_0"]["kernel"].shape == (160, 16)
    assert network("resnet50_v2", model__top="keras").layer_names[-2:] == ("avg_pool", "predictions")
    vgg = network("vgg19", 224, model__top="keras")
    assert vgg.layer_names[-4:] == ("flatten", "fc1", "fc2", "predictions")
    assert vgg.num_parameters() == 139_570_240 + 7 * 4096 + 7  # Keras' 143,667,240 without its thousand classes


def test_rules_of_backbones():
    base = config.flatten(config.default_config())
    found = resolve(base | {"model.name": "vgg19", "model.preprocess": "weights"})
    assert found["data.normalize"] == "none"
    with pytest.raises(ConfigError, match="data.normalize = minmax: model.preprocess = weights"):
        resolve(base | {"model.name": "vgg19", "model.preprocess": "weights", "data.normalize": "minmax"})
    with pytest.raises(ConfigError, match="data.image_size = 31: model.name = resnet50_v2 leaves nothing of less than 32"):
        resolve(base | {"model.name": "resnet50_v2", "data.image_size": 31})
    assert resolve(base | {"model.name": "vgg19", "model.top": "keras"})["model.dense"] == ()


def test_a_chain_takes_the_outputs_it_names():
    parts = jax.tree.map(lambda seed: Dense(3, 3, relu=False, rngs=models.network.nnx.Rngs(seed)), [1, 2])
    chain = Chain([("a", parts[0]), ("b", parts[1]), ("sum", Add(), ("a", "b")), ("output", Dropout(0), ("sum",))])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    out, found = chain(x, Call(), ["a"])
    first = x @ parts[0].kernel[...]
    np.testing.assert_allclose(found["a"], first, rtol=1e-6)
    np.testing.assert_allclose(out, first + first @ parts[1].kernel[...], rtol=1e-5)
    with pytest.raises(ValueError, match="layer 'sum' takes the output of 'c', which is no layer before it"):
        Chain([("a", parts[0]), ("sum", Add(), ("a", "c"))])


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    call = Call(train=True, key=jax.random.key(0), rows=jnp.arange(4000))
    out = np.asarray(DropBranch(3, 0.2)(jnp.ones((4000, 2, 2, 3)), call)).reshape(4000, -1)
    assert (out == out[:, :1]).all()
    assert abs((out[:, 0] == 0).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 4000)
    np.testing.assert_allclose(out[out > 0], 1.25, rtol=1e-6)
    np.testing.assert_array_equal(DropBranch(3, 0.2)(jnp.ones((2, 2)), Call()), np.ones((2, 2)))


@pytest.mark.skipif("FER_JAX_MOBILENET_V2" not in os.environ, reason="needs FER_JAX_MOBILENET_V2=FILE, ImageNet weights without top")
def test_real_imagenet_weights_give_what_keras_gives():
    path = Path(os.environ["FER_JAX_MOBILENET_V2"])
    net = network("mobilenet_v2", 96, model__preprocess="weights")
    params, stats = _loaded(path, net)
    images = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3)).astype(np.float32)
    ours = jax.jit(lambda *given: net.apply(*given, capture=["out_relu"])[2])(params, stats, images)["out_relu"]
    model = keras_model("mobilenet_v2", 96)
    model.load_weights(path)
    theirs = _keras_outputs(model, ["out_relu"], keras.applications.mobilenet_v2.preprocess_input(images.copy()))["out_relu"]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert theirs.max() > 1
