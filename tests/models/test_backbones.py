"""The backbones have the layers of `keras.applications`, and give their activations."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet
from keras.src.applications.imagenet_utils import correct_pad

from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import ConfigError
from fer_jax.models.backbones import backbone_layers
from fer_jax.models.keras_layers import DropBranch
from fer_jax.models.layers import BatchNorm, Call, Dropout
from tests.models import legacy_files
from tests.models.conftest import KERAS, keras_model, keras_outputs, loaded, network, num_parameters

# Up to here each mechanism has come once; `pytest -m slow` compares whole networks.
ENOUGH = {
    "vgg19": "block2_pool",
    "mobilenet_v2": "block_2_add",
    "efficientnet_b0": "block2b_add",
    "resnet50_v2": "conv3_block1_2_relu",
}
NORMALISED = [name for name in KERAS if name != "vgg19"]


def compared(net, last=None):
    """The layers of a backbone, up to `last`, that Keras has too."""
    names = [name for name in backbone_layers(net.layer_names) if name not in ("input_layer", "rescaling_1")]
    return names[: names.index(last) + 1] if last else names


def pictures(name, size, count=2):
    return (
        np.random.default_rng(1)
        .uniform(0, 255 if name == "efficientnet_b0" else 1, (count, size, size, 3))
        .astype(np.float32)
    )


def captured(net, params, stats, images, names, **options):
    """Layer -> its output, and those of `names` with statistics -> what they are after the call."""

    def call(*given):
        _, after, outputs = net.apply(*given, capture=names, **options)
        # Whatever is left out is not compiled.
        return outputs, {layer: after[layer] for layer in names if layer in after}

    return jax.jit(call)(params, stats, images)


def assert_equal_outputs(ours, theirs):
    for layer, wanted in theirs.items():
        np.testing.assert_allclose(ours[layer], wanted, atol=1e-4, rtol=1e-5, err_msg=layer)
        assert np.ptp(wanted) > 0.1, layer


def assert_as_keras(model, path, name, size, last=None):
    net = network(name, size)
    images, names = pictures(name, size), compared(net, last)
    ours, _ = captured(net, *loaded(path, net, imagenet=False), images, names)
    assert_equal_outputs(ours, keras_outputs(model, names, images)[0])


@pytest.mark.parametrize("name", KERAS)
def test_named_activations_are_those_of_keras(name, stored):
    assert_as_keras(*stored(name), name, 48, ENOUGH[name])


@pytest.mark.slow
@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("name", KERAS)
def test_all_named_activations_are_those_of_keras(name, size, stored):
    assert_as_keras(*stored(name, size), name, size)


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 33, 47])
@pytest.mark.parametrize("name", KERAS)
def test_the_last_map_of_odd_and_even_images_is_that_of_keras(name, size, stored):
    model, path = stored(name, size)
    net, images = network(name, size), pictures(name, size)
    last = compared(net)[-1:]
    ours, _ = captured(net, *loaded(path, net, imagenet=False), images, last)
    assert_equal_outputs(ours, keras_outputs(model, last, images)[0])


# Odd and even sides meet a stride of two: 33 gives 17, 9, 5, 3, 2; 47 gives 24, 12, 6, 3, 2.
@pytest.mark.parametrize("size", [33, 47])
@pytest.mark.parametrize(("name", "side"), [("mobilenet_v2", {}), ("efficientnet_b0", {"block3a": 5, "block6a": 5})])
def test_borders_of_odd_and_even_images_are_those_of_keras(name, side, size):
    net = network(name, size)
    outputs = jax.eval_shape(
        lambda *given: net.apply(*given, capture=net.layer_names)[2], *net.shapes, jnp.zeros((1, size, size, 3))
    )
    pads = {layer: getattr(net.chain, layer) for layer in net.layer_names if layer.endswith("pad")}
    for layer, pad in pads.items():
        (source,) = net.chain.sources[net.layer_names.index(layer)]
        borders = correct_pad(keras.KerasTensor(outputs[source].shape), side.get(layer.split("_")[0], 3))
        assert ((pad.before, pad.after),) * 2 == borders, layer
    assert len(pads) == {"mobilenet_v2": 4, "efficientnet_b0": 5}[name]


@pytest.mark.parametrize("name", KERAS)
def test_layers_stand_in_keras_order_with_its_shapes_and_parameters(name, stored):
    model, _ = stored(name)
    net = network(name)
    ours = backbone_layers(net.layer_names)
    if name == "efficientnet_b0":
        # Keras puts it there for weights = 'imagenet' only.
        assert ours.index("rescaling_1") == 3
        ours = tuple(layer for layer in ours if layer != "rescaling_1")
    assert ours == tuple(layer.name for layer in model.layers)
    outputs = jax.eval_shape(lambda *given: net.apply(*given, capture=ours)[2], *net.shapes, jnp.zeros((1, 48, 48, 3)))
    assert {layer: outputs[layer].shape[1:] for layer in ours[1:]} == {
        one.name: tuple(one.output.shape[1:]) for one in model.layers[1:]
    }
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert num_parameters(net) == trainable + 7 * model.output_shape[-1] + 7


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("mobilenet_v2", "block_1_depthwise_BN"),
        pytest.param("mobilenet_v2", "block_2_add", marks=pytest.mark.slow),
        # Before the first layer that drops.
        pytest.param("efficientnet_b0", "block2b_project_bn", marks=pytest.mark.slow),
        pytest.param("resnet50_v2", ENOUGH["resnet50_v2"], marks=pytest.mark.slow),
    ],
)
def test_training_moves_statistics_as_keras_does_and_frozen_layers_keep_theirs(name, last, stored):
    model, path = stored(name)
    net, images = network(name), pictures(name, 48, 4)
    names = compared(net, last)
    frozen = names[: len(names) // 2]
    params, stats = loaded(path, net, imagenet=False)
    options = {"train": True, "frozen": frozen, "key": jax.random.key(0)}
    ours, after = captured(net, params, stats, images, names, **options)
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    try:
        theirs, variables = keras_outputs(model, names, images, training=True)
    finally:
        model.trainable = True
    assert_equal_outputs(ours, theirs)
    norms = [layer for layer in names if isinstance(getattr(net.chain, layer), BatchNorm)]
    for layer in norms:
        for leaf, variable in (("mean", "moving_mean"), ("var", "moving_variance")):
            np.testing.assert_allclose(
                after[layer][leaf], variables[f"{layer}/{variable}"], atol=1e-5, rtol=1e-5, err_msg=layer
            )
            assert np.array_equal(after[layer][leaf], stats[layer][leaf]) == (layer in frozen)
    assert {True, False} == {layer in frozen for layer in norms}


@pytest.mark.parametrize("name", NORMALISED)
def test_batch_norms_and_stochastic_depth_have_keras_numbers(name, stored):
    model, _ = stored(name)
    chain = network(name).chain
    theirs = {
        one.name: (one.momentum, one.epsilon)
        for one in model.layers
        if isinstance(one, keras.layers.BatchNormalization)
    }
    layers = {layer: getattr(chain, layer) for layer in chain.names}
    assert {layer: (one.momentum, one.epsilon) for layer, one in layers.items() if isinstance(one, BatchNorm)} == theirs
    theirs = {one.name: one.rate for one in model.layers if isinstance(one, keras.layers.Dropout)}
    assert {layer: one.rate for layer, one in layers.items() if isinstance(one, DropBranch)} == pytest.approx(theirs)


def test_efficientnet_rescales_twice_with_imagenet_weights(stored, monkeypatch):
    _, path = stored("efficientnet_b0")
    # Keras builds its second rescaling only where it downloads: it is handed our file instead of
    # the published one.
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(path))
    model = keras_model("efficientnet_b0", weights="imagenet")
    net = network("efficientnet_b0", model__preprocess="weights")
    assert tuple(layer.name for layer in model.layers) == backbone_layers(net.layer_names)
    names = ["rescaling", "normalization", "rescaling_1", "stem_activation", "block1a_se_excite"]
    images = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3)).astype(np.float32)
    params, stats = loaded(path, net)
    ours, _ = captured(net, params, stats, images, names)
    assert_equal_outputs(ours, keras_outputs(model, names, images)[0])
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


@pytest.mark.parametrize(
    ("pooling", "theirs"), [("average", keras.layers.GlobalAveragePooling2D), ("max", keras.layers.GlobalMaxPooling2D)]
)
def test_grey_pictures_are_pooled_as_keras_pools_their_copy_in_three_channels(pooling, theirs, stored):
    _, path = stored("vgg19")
    grey, net = pictures("vgg19", 48)[..., :1], network("vgg19", channels=1, model__pooling=pooling)
    params, stats = loaded(path, net, imagenet=False)
    pool = net.layer_names[-2]
    ours, _ = captured(net, params, stats, grey, ["input_layer", "block5_pool", pool])
    np.testing.assert_array_equal(ours["input_layer"], np.repeat(grey, 3, axis=-1))
    np.testing.assert_allclose(ours[pool], theirs()(ours["block5_pool"]), atol=1e-5)
    assert pool == {"average": "avg_pool", "max": "max_pool"}[pooling] and np.ptp(ours[pool]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_keras_own_top_gives_the_logits_of_keras(name, stored):
    """Random weights of Keras' top besides those of the file, which holds a backbone only."""
    _, path = stored(name)
    model = keras_model(name, include_top=True, classes=7, classifier_activation=None)
    model.load_weights(path, by_name=True)
    net, images = network(name, model__top="keras"), pictures(name, 48)
    # MobileNetV2's pool is the one layer that Keras leaves unnamed: it numbers it as they come.
    theirs = ["avg_pool" if layer.name.startswith("global_average_pooling2d") else layer.name for layer in model.layers]
    assert [layer for layer in net.layer_names if layer != "rescaling_1"] == theirs
    params, stats = loaded(path, net, imagenet=False)
    for layer in ("fc1", "fc2", "predictions"):
        if layer in params:
            params[layer] = dict(zip(("kernel", "bias"), model.get_layer(layer).get_weights(), strict=True))
    ours, _ = captured(net, params, stats, images, ["predictions"])
    assert_equal_outputs(ours, keras_outputs(model, ["predictions"], images)[0])


def test_tops():
    assert network("vgg19").layer_names[-2:] == ("avg_pool", "output")
    own = network("mobilenet_v2", model__pooling="max", model__dense=(128,), model__width_multiplier=1 / 8)
    assert own.layer_names[-4:] == ("max_pool", "dense_0", "dense_dropout_0", "output")
    assert own.shapes[0]["dense_0"]["kernel"].shape == (160, 16)
    assert network("resnet50_v2", model__top="keras").layer_names[-2:] == ("avg_pool", "predictions")
    efficient = network("efficientnet_b0", model__top="keras")
    assert efficient.layer_names[-3:] == ("avg_pool", "top_dropout", "predictions")
    for net in (efficient, network("efficientnet_b0", model__dense=(8, 8))):
        drops = [
            layer for name in net.layer_names if isinstance(layer := getattr(net.chain, name), (DropBranch, Dropout))
        ]
        indices = [layer.index for layer in drops]
        assert len(set(indices)) == len(indices) and drops[-1].dense  # masks of their own
    vgg = network("vgg19", 224, model__top="keras")
    assert vgg.layer_names[-4:] == ("flatten", "fc1", "fc2", "predictions")
    assert num_parameters(vgg) == 139_570_240 + 7 * 4096 + 7  # Keras' 143,667,240 without its thousand classes


@pytest.mark.parametrize(
    ("name", "last"),
    [("resnet50_v2", "conv2_block1_out"), *(pytest.param(name, None, marks=pytest.mark.slow) for name in KERAS)],
)
def test_bfloat16_stays_near_float32(name, last, stored):
    _, path = stored(name)
    net, images = network(name), pictures(name, 48)
    weights, names = loaded(path, net, imagenet=False), compared(net, last)[-1:]
    exact, half = (
        captured(net, *weights, images.astype(dtype), names)[0][names[0]] for dtype in (jnp.float32, jnp.bfloat16)
    )
    assert half.dtype == jnp.bfloat16
    difference = np.linalg.norm(np.asarray(half, np.float32) - exact) / np.linalg.norm(exact)
    assert 0 < difference < (0.02 if last else 0.1)


def test_rules_of_backbones():
    base = flatten(default_config())
    found = resolve(base | {"model.name": "vgg19", "model.preprocess": "weights"})
    assert found["data.normalize"] == "none"
    with pytest.raises(ConfigError, match="data.normalize = minmax: model.preprocess = weights"):
        resolve(base | {"model.name": "vgg19", "model.preprocess": "weights", "data.normalize": "minmax"})
    with pytest.raises(
        ConfigError, match="data.image_size = 31: model.name = resnet50_v2 leaves nothing of less than 32"
    ):
        resolve(base | {"model.name": "resnet50_v2", "data.image_size": 31})
    assert resolve(base | {"model.name": "vgg19", "model.top": "keras"})["model.dense"] == ()


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", *(pytest.param(name, marks=pytest.mark.slow) for name in KERAS if name != "mobilenet_v2")]
)
def test_keras_loads_what_is_written(name, stored, tmp_path):
    model, path = stored(name)
    net = network(name)
    legacy_files.write(tmp_path / "ours.h5", net, *loaded(path, net, imagenet=False))
    again = keras_model(name)
    again.set_weights([np.zeros_like(array) for array in model.get_weights()])
    again.load_weights(tmp_path / "ours.h5")
    for layer, ours in zip(model.layers, again.layers, strict=True):
        kept = 2 if isinstance(layer, keras.layers.Normalization) else None  # what follows counts pictures
        for wanted, found in zip(layer.get_weights()[:kept], ours.get_weights()[:kept], strict=True):
            np.testing.assert_array_equal(found, wanted)
