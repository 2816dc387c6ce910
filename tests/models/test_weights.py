"""Files in Keras' legacy layout are read by name or by order, or refused by their first fault."""

import os
from pathlib import Path

import h5py
import jax
import keras
import numpy as np
import pytest

from fer_jax.config.values import default_config, flatten
from fer_jax.errors import DataError
from fer_jax.launch import initial_weights
from fer_jax.models import pretrained, weights
from tests.models import legacy_files
from tests.models.conftest import keras_outputs, loaded, network

WIDTH = 1 / 16


def small(name, **changed):
    return network(name, 32, model__width_multiplier=WIDTH, **changed)


def drawn(net):
    """Params and stats of a backbone from NumPy."""
    rng = np.random.default_rng(0)
    params, stats = jax.tree.map(lambda leaf: rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32), net.shapes)
    if "rescaling_1" in stats:
        stats["rescaling_1"]["scale"] = (1 / np.sqrt([0.229, 0.224, 0.225])).astype(np.float32)  # in no file
    return {name: leaves for name, leaves in params.items() if name != net.layer_names[-1]}, stats


@pytest.fixture
def written(tmp_path):
    """written(name) -> a small network, its params and stats, and the file that has them."""

    def one(name):
        net = small(name)
        path = tmp_path / f"{name}.h5"
        legacy_files.write(path, net, *drawn(net))
        return net, *drawn(net), path

    return one


def names_in(group, attribute):
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def rename(group, attribute, names):
    group.attrs[attribute] = np.asarray(names, "S")


def assert_same(found, wanted):
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize("name", ["vgg19", "mobilenet_v2", "efficientnet_b0", "resnet50_v2"])
def test_what_is_written_is_read(name, written):
    net, params, stats, path = written(name)
    assert_same(weights.read(path, net), (params, stats))


def test_arrays_have_keras_names_and_axes(written):
    _, params, _, path = written("mobilenet_v2")
    with h5py.File(path) as file:
        layer = file["block_1_depthwise"]
        assert names_in(layer, "weight_names") == ["block_1_depthwise/depthwise_kernel:0"]
        kernel = layer["block_1_depthwise/depthwise_kernel:0"]
        np.testing.assert_array_equal(kernel[..., 0], params["block_1_depthwise"]["kernel"][:, :, 0])
        leaves = ("gamma", "beta", "moving_mean", "moving_variance")
        assert names_in(file["bn_Conv1"], "weight_names") == [f"bn_Conv1/{leaf}:0" for leaf in leaves]


def test_names_of_another_era_are_matched_by_order(written):
    net, params, stats, path = written("mobilenet_v2")
    with h5py.File(path, "r+") as file:
        before = names_in(file, "layer_names")
        for place, old in enumerate(before):
            file.move(old, f"mobl{place}")
            group = file[f"mobl{place}"]
            if inside := names_in(group, "weight_names"):
                group.move(old, "inside")
                rename(group, "weight_names", [name.replace(old, "inside") for name in inside])
        rename(file, "layer_names", [f"mobl{place}" for place in range(len(before))])
    assert_same(weights.read(path, net), (params, stats))


def test_long_lists_of_names_whole_models_and_a_top_of_keras_are_read_too(written, tmp_path):
    net, params, stats, path = written("vgg19")
    with h5py.File(path) as file, h5py.File(tmp_path / "whole.h5", "w") as other:
        group = other.create_group("model_weights")
        for name in file:
            file.copy(name, group)
        for name in ("fc1", "predictions"):
            group.create_group(name)["kernel:0"] = np.zeros((2, 2), np.float32)
            rename(group[name], "weight_names", ["kernel:0"])
        names = [*names_in(file, "layer_names"), "flatten", "fc1", "predictions"]
        group.create_group("flatten").attrs["weight_names"] = np.zeros(0, "S1")
        for part in range(3):
            rename(group, f"layer_names{part}", names[10 * part : 10 * part + 10])
    assert_same(weights.read(tmp_path / "whole.h5", net), (params, stats))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "mobilenet_v2",
            "vgg19",
            "no layer Conv1, which this network has; the file's are block1_conv1, block1_conv2, block2_conv1, ...",
        ),
        (
            "vgg19",
            "mobilenet_v2",
            "no layer block1_conv1, which this network has; "
            "the file's are Conv1, bn_Conv1, expanded_conv_depthwise, ...",
        ),
        (
            "resnet50_v2",
            "efficientnet_b0",
            "no layer conv1_conv, which this network has; the file's are normalization, stem_conv, stem_bn, ...",
        ),
    ],
)
def test_another_networks_file(name, given, message, written):
    *_, path = written(given)
    assert refused(path, small(name)) == message


def refused(path, net):
    """What the error says after the file's name."""
    with pytest.raises(DataError) as error:
        weights.read(path, net)
    start, message = f"weights {path}: ", str(error.value)
    assert message.startswith(start) and "\n" not in message
    return message.removeprefix(start)


def test_another_width(written):
    *_, path = written("vgg19")
    assert refused(path, network("vgg19", 32, model__width_multiplier=1 / 8)) == (
        "layer block1_conv1: its kernel is 3 x 3 x 3 x 4 in the file and 3 x 3 x 3 x 8 in the network; "
        "another network's weights, or another model.width_multiplier"
    )


def _shaped(file):
    del file["block2_conv2/block2_conv2/bias:0"]
    file["block2_conv2/block2_conv2/bias:0"] = np.zeros(9, np.float32)


def _lacking(file):
    rename(file["block2_conv2"], "weight_names", names_in(file["block2_conv2"], "weight_names")[:1])


def _missing(file):
    rename(file, "layer_names", [name for name in names_in(file, "layer_names") if name != "block4_conv3"])


def _extra(file):
    file.create_group("block6_conv1")["kernel:0"] = np.zeros(2, np.float32)
    rename(file["block6_conv1"], "weight_names", ["kernel:0"])
    rename(file, "layer_names", [*names_in(file, "layer_names"), "block6_conv1"])


def _not_finite(file):
    file["block3_conv1/block3_conv1/bias:0"][1] = np.nan


def _whole_numbers(file):
    del file["block3_conv1/block3_conv1/bias:0"]
    file["block3_conv1/block3_conv1/bias:0"] = np.zeros(16, np.int64)


def _dangling(file):
    del file["block3_conv1/block3_conv1/bias:0"]


def _unnamed(file):
    del file.attrs["layer_names"]


def _empty(file):
    rename(file, "layer_names", ["input_layer"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            _shaped,
            "layer block2_conv2: its bias is 9 in the file and 8 in the network; "
            "another network's weights, or another model.width_multiplier",
        ),
        (_lacking, "layer block2_conv2 has 1 arrays in the file and 2 in the network"),
        (
            _missing,
            "no layer block4_conv3, which this network has; "
            "the file's are block1_conv1, block1_conv2, block2_conv1, ...",
        ),
        (_extra, "layer block6_conv1 is none of this network's: they belong to another"),
        (_not_finite, "layer block3_conv1: its bias holds numbers that are not finite"),
        (_whole_numbers, "layer block3_conv1: its bias holds no floating-point numbers"),
        (_unnamed, "not in Keras' legacy layout (/ has no attribute layer_names)"),
        (_empty, "no layer in it has weights"),
    ],
)
def test_a_file_that_does_not_fit_names_the_layer(spoil, message, written):
    net, *_, path = written("vgg19")
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert refused(path, net) == message


def test_a_name_without_its_array(written):
    net, *_, path = written("vgg19")
    with h5py.File(path, "r+") as file:
        _dangling(file)
    assert refused(path, net).startswith("not in Keras' legacy layout (") and "bias:0" in refused(path, net)


def test_an_array_of_another_file_is_not_read(written, tmp_path):
    net, *_, path = written("vgg19")
    (tmp_path / "other.h5").write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["block3_conv1"]
        file["block3_conv1"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/block3_conv1")
    assert refused(path, net) == "layer block3_conv1 is no array of this file"


@pytest.mark.parametrize("left", [0.3, 0.7, 0.999])
def test_a_truncated_file(left, written):
    net, *_, path = written("vgg19")
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    assert refused(path, net) == "cannot be read: it is truncated; copy it anew"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip, as Keras' own .keras files are", b"\x89HDF\r\n\x1a\n"])
def test_no_hdf5_file(content, tmp_path):
    (tmp_path / "weights.h5").write_bytes(content)
    message = refused(tmp_path / "weights.h5", small("vgg19"))
    assert message in (
        "cannot be read: it is no HDF5 file, or damaged; copy it anew",
        "cannot be read: it is truncated; copy it anew",
    )


def test_no_such_file(tmp_path):
    assert refused(tmp_path / "weights.h5", small("vgg19")) == "no such file"


def test_keras_newer_layout_is_none_of_these(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "new.weights.h5")
    assert refused(tmp_path / "new.weights.h5", small("vgg19")).startswith("not in Keras' legacy layout (")


def initial(net, name, init):
    return initial_weights.load(flatten(default_config()) | {"model.name": name, "model.init": init}, net)


def test_imagenet_is_the_published_file_in_the_cache(written, tmp_path, monkeypatch):
    net, params, stats, path = written("mobilenet_v2")
    place = tmp_path / "cache" / "weights" / pretrained.FILES["mobilenet_v2"].file
    place.parent.mkdir(parents=True)
    place.write_bytes(path.read_bytes())
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "cache"))
    start = initial(net, "mobilenet_v2", "imagenet")
    assert_same((start.params, start.stats), (params, stats))
    own = initial(net, "mobilenet_v2", str(path))
    assert start.source == str(place) and own.source == str(path) and start.checksum == own.checksum
    assert initial(net, "mobilenet_v2", "he_normal") is None


def test_only_imagenet_rescales_efficientnets_input_twice(written):
    net, _, _, path = written("efficientnet_b0")
    np.testing.assert_allclose(
        weights.read(path, net)[1]["rescaling_1"]["scale"], 1 / np.sqrt([0.229, 0.224, 0.225]), rtol=1e-6
    )
    np.testing.assert_array_equal(weights.read(path, net, imagenet=False)[1]["rescaling_1"]["scale"], np.ones(3))
    np.testing.assert_array_equal(initial(net, "efficientnet_b0", str(path)).stats["rescaling_1"]["scale"], np.ones(3))


@pytest.mark.skipif(
    "MOBILENET_V2_PATH" not in os.environ,
    reason="MOBILENET_V2_PATH names no ImageNet weights of MobileNetV2 without top",
)
def test_real_imagenet_weights_give_what_keras_gives(tmp_path, monkeypatch):
    path = Path(os.environ["MOBILENET_V2_PATH"]).absolute()
    place = tmp_path / "weights" / pretrained.FILES["mobilenet_v2"].file
    place.parent.mkdir()
    place.symlink_to(path)
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path))
    net = network("mobilenet_v2", 96, model__preprocess="weights")
    start = initial(net, "mobilenet_v2", "imagenet")
    params, stats = loaded(path, net)
    assert_same(({**params, **start.params}, {**stats, **start.stats}), (params, stats))
    images = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3)).astype(np.float32)
    names = [name for name in net.layer_names if name not in ("input_layer", "avg_pool", "output")]
    ours = jax.jit(lambda *given: net.apply(*given, capture=names)[2])(params, stats, images)
    model = keras.applications.MobileNetV2(include_top=False, weights=path, input_shape=(96, 96, 3))
    theirs, _ = keras_outputs(model, names, keras.applications.mobilenet_v2.preprocess_input(images.copy()))
    for name in names:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, rtol=1e-5, err_msg=name)
    assert theirs["out_relu"].max() > 1
