"""A chain of named layers: its outputs, its parts, frozen layers, and arrays kept apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fer_jax import models
from fer_jax.config.values import default_config, flatten
from fer_jax.models.chain import Chain
from fer_jax.models.keras_layers import Activation, Add, GlobalPool, Pointwise
from fer_jax.models.layers import BatchNorm, Call, Conv, Dense, Dropout, Pool
from fer_jax.models.network import Network
from tests.models.conftest import num_parameters

IMAGES = np.random.default_rng(0).normal(size=(6, 9, 9, 2)).astype(np.float32)


def build(rngs):
    """Two ways that part after `relu` and meet in `sum`; `pool` is computed with `conv`."""
    return Chain(
        [
            ("conv", Conv(2, 4, 3, "same", relu=True, rngs=rngs)),
            ("pool", Pool(2, "max", "valid")),
            ("norm", BatchNorm(4)),
            ("relu", Activation("relu")),
            ("left", Pointwise(4, 5, bias=False, rngs=rngs)),
            ("left_norm", BatchNorm(5)),
            ("right", Pointwise(4, 5, bias=True, rngs=rngs), ("relu",)),
            ("sum", Add(), ("left_norm", "right")),
            ("drop", Dropout(0)),
            ("mean", GlobalPool("average")),
            ("output", Dense(5, 3, relu=False, rngs=rngs)),
        ]
    )


@pytest.fixture
def net():
    return Network(build, IMAGES.shape[1:], 3)


@pytest.fixture
def arrays(net):
    """Params and stats, the running statistics other than 0 and 1."""
    params, stats = net.init(jax.random.key(0))
    rng = np.random.default_rng(1)
    return params, jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape), jnp.float32), stats)


def own(network, *arrays):
    """Of the arrays of the whole network those of one part."""
    return [{name: tree[name] for name in shapes} for tree, shapes in zip(arrays, network.shapes, strict=True)]


def test_a_chain_takes_the_outputs_it_names():
    parts = [Dense(3, 3, relu=False, rngs=nnx.Rngs(seed)) for seed in (1, 2)]
    chain = Chain([("a", parts[0]), ("b", parts[1]), ("sum", Add(), ("a", "b")), ("output", Dropout(0), ("sum",))])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    out, found = chain(x, Call(), ["a"])
    first = x @ parts[0].kernel[...]
    np.testing.assert_allclose(found["a"], first, rtol=1e-6)
    np.testing.assert_allclose(out, first + first @ parts[1].kernel[...], rtol=1e-5)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [("a", Activation("relu")), ("sum", Add(), ("a", "c"))],
            "layer 'sum' takes the output of 'c', which is no layer before it",
        ),
        ([("a", Activation("relu"), ("a",))], "layer 'a' takes the output of 'a', which is no layer before it"),
        ([("a", Activation("relu")), ("a", Activation("relu"))], "layer names must be unique"),
        ([("names", Activation("relu"))], "none may be 'names' or 'sources'"),
        ([("", Activation("relu"))], "not empty"),
    ],
)
def test_what_is_no_chain_is_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        Chain(layers)


def test_it_can_be_parted_where_one_output_goes_on(net):
    assert net.chain.cuts == ("conv", "pool", "norm", "relu", "sum", "drop", "mean")


@pytest.mark.parametrize("cut", ["conv", "pool", "norm", "relu", "sum", "drop", "mean"])
def test_parts_give_the_whole(net, arrays, cut):
    logits, stats, outputs = net.apply(*arrays, IMAGES, capture=(cut,))
    before, after = net.before(cut), net.after(cut)
    assert before.layer_names + after.layer_names == net.layer_names
    assert after.input_shape == outputs[cut].shape[1:] and before.input_shape == net.image_shape
    assert before.takes_images and not after.takes_images
    middle, _, _ = before.apply(*own(before, *arrays), IMAGES)
    np.testing.assert_allclose(middle, outputs[cut], rtol=1e-6, atol=1e-6)
    found, _, seen = after.apply(*own(after, *arrays), middle, capture=("output",))
    np.testing.assert_allclose(found, logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen["output"], found)
    assert after.whole == net and after.whole_names == net.layer_names


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50_v2", "efficientnet_b0", "vgg19"])
def test_no_way_leads_past_a_cut(name):
    """A backbone can be parted at each cut, and at none inside a block that adds."""
    values = flatten(default_config()) | {"model.name": name, "model.width_multiplier": 1 / 16}
    net = models.build(values, (32, 32, 1), 7)
    inside = {
        "mobilenet_v2": "block_2_expand",
        "resnet50_v2": "conv2_block1_1_conv",
        "efficientnet_b0": "block1a_se_reduce",
        "vgg19": "output",
    }
    assert inside[name] not in net.chain.cuts and net.layer_names[-2] in net.chain.cuts
    image = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    outputs = jax.eval_shape(lambda *given: net.apply(*given, capture=net.layer_names)[2], *net.shapes, image)
    sources = dict(zip(net.layer_names, net.chain.sources, strict=True))
    for cut in net.chain.cuts:
        place = net.layer_names.index(cut) + 1
        across = {source for layer in net.layer_names[place:] for source in sources[layer]} & {
            "",
            *net.layer_names[:place],
        }
        assert across == {cut}
    for cut in net.chain.cuts[:: len(net.chain.cuts) // 3]:
        assert net.after(cut).input_shape == outputs[cut].shape[1:]


def test_frozen_layers_run_as_outside_training(net, arrays):
    names = ("norm", "left_norm", "drop")
    _, _, inference = net.apply(*arrays, IMAGES, capture=names)
    options = {"train": True, "dropout": 0.5, "key": jax.random.key(0), "capture": names}
    _, stats, training = net.apply(*arrays, IMAGES, **options)
    _, kept, frozen = net.apply(*arrays, IMAGES, frozen=("norm", "left_norm", "drop"), **options)
    for name in names:
        np.testing.assert_array_equal(frozen[name], inference[name])
        assert not np.allclose(training[name], inference[name])
    for name in ("norm", "left_norm"):
        for leaf in ("mean", "var"):
            np.testing.assert_array_equal(kept[name][leaf], arrays[1][name][leaf])
            assert not np.array_equal(stats[name][leaf], arrays[1][name][leaf])
    # A layer that is not frozen normalises by its batch though one before it is.
    _, half, some = net.apply(*arrays, IMAGES, frozen=("norm",), **options)
    np.testing.assert_array_equal(half["norm"]["mean"], arrays[1]["norm"]["mean"])
    assert not np.array_equal(half["left_norm"]["mean"], arrays[1]["left_norm"]["mean"])
    np.testing.assert_allclose(np.mean(some["left_norm"], (0, 1, 2)), arrays[0]["left_norm"]["bias"], atol=1e-5)


def test_a_network_without_some_layers_arrays_is_the_whole_once_it_holds_them(net, arrays):
    held = ("norm", "conv")
    apart = net.without(held)
    assert apart.held == ("conv", "norm") and not set(held) & {*apart.shapes[0], *apart.shapes[1]}
    assert num_parameters(apart) + 2 * 3 * 3 * 4 + 4 + 2 * 4 == num_parameters(net)
    with pytest.raises(ValueError, match=r"the arrays of 'conv' are kept apart: Network\.holding gives them"):
        apart.apply(*own(apart, *arrays), IMAGES)
    holding = apart.holding({"params": arrays[0], "stats": arrays[1]})
    assert set(holding.held_shapes["params"]) == {"conv", "norm"} and set(holding.held_shapes["stats"]) == {"norm"}
    logits, stats, _ = holding.apply(*own(apart, *arrays), IMAGES)
    np.testing.assert_array_equal(logits, net.apply(*arrays, IMAGES)[0])
    assert set(stats) == {"left_norm"}
    part = holding.before("relu")
    middle, _, _ = part.apply(*own(part, *arrays), IMAGES)
    np.testing.assert_allclose(middle, net.apply(*arrays, IMAGES, capture=("relu",))[2]["relu"], rtol=1e-6)
