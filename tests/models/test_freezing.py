"""The words of model.freeze as layers: blocks of each backbone, numbers of layers, names."""

import pytest

from fer_jax import models
from fer_jax.config import rules
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import ConfigError
from fer_jax.models import freezing
from fer_jax.models.backbones import backbone_layers


def names_of(name, **changed):
    values = flatten(default_config()) | {
        "model.name": name,
        "model.dense": (8,),
        "model.width_multiplier": 1 / 16,
        **changed,
    }
    return models.build(values, (32, 32, 1), 7).layer_names


# First layer of each block, and the last layer of the backbone.
BLOCKS = {
    "vgg19": (["input_layer", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"], "block5_pool"),
    "mobilenet_v2": (
        ["input_layer", "expanded_conv_depthwise", *(f"block_{number}_expand" for number in range(1, 17)), "Conv_1"],
        "out_relu",
    ),
    "efficientnet_b0": (
        [
            "input_layer",
            "block2a_expand_conv",
            "block3a_expand_conv",
            "block4a_expand_conv",
            "block5a_expand_conv",
            "block6a_expand_conv",
            "block7a_expand_conv",
            "top_conv",
        ],
        "top_activation",
    ),
    "resnet50_v2": (
        [
            "input_layer",
            "conv2_block1_preact_bn",
            "conv3_block1_preact_bn",
            "conv4_block1_preact_bn",
            "conv5_block1_preact_bn",
        ],
        "post_relu",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_runs_of_layers_and_hold_the_whole_backbone(name):
    firsts, last = BLOCKS[name]
    names = names_of(name)
    found = freezing.blocks(names)
    assert rules.BLOCKS[name] == len(firsts)
    assert list(found) == list(backbone_layers(names)) and list(found)[-1] == last
    starts = [names.index(first) for first in firsts]
    assert list(found.values()) == [sum(start <= place for start in starts) - 1 for place in range(len(found))]
    for count in range(len(firsts) + 1):
        end = starts[count] if count < len(firsts) else len(found)
        assert freezing.frozen(names, (f"blocks={count}",)) == names[:end]
    with pytest.raises(ConfigError, match=f"'blocks={len(firsts) + 1}': the backbone has {len(firsts)} blocks$"):
        freezing.frozen(names, (f"blocks={len(firsts) + 1}",))


def test_layers_are_counted_as_keras_counts_them():
    """pisa trains MobileNetV2 from layer 140 on, which is block_15_project."""
    names = names_of("mobilenet_v2")
    frozen = freezing.frozen(names, ("layers=140",))
    assert frozen == names[:140] and names[140] == "block_15_project" and len(backbone_layers(names)) == 154
    assert freezing.frozen(names, ("layers=0",)) == ()
    assert freezing.frozen(names, (f"layers={len(names)}",)) == names
    with pytest.raises(ConfigError, match=f"'layers={len(names) + 1}': this network has {len(names)} layers$"):
        freezing.frozen(names, (f"layers={len(names) + 1}",))


@pytest.mark.parametrize("top", ["own", "keras"])
@pytest.mark.parametrize("name", BLOCKS)
def test_the_backbone_is_all_below_the_top(name, top):
    names = names_of(name, **{"model.top": top})
    frozen = freezing.frozen(names, ("backbone",))
    assert frozen == names[: len(frozen)] and frozen[-1] == BLOCKS[name][1]
    assert names[len(frozen)] == ("flatten" if (name, top) == ("vgg19", "keras") else "avg_pool")


def test_words_add_up_in_the_networks_order():
    names = names_of("vgg19")
    assert freezing.frozen(names, ()) == freezing.frozen(names, ("none",)) == ()
    assert freezing.frozen(names, ("dense_0", "block1_*", "dense_0")) == (
        "block1_conv1",
        "block1_conv2",
        "block1_pool",
        "dense_0",
    )
    joined, apart = (freezing.frozen(names, words) for words in (("dense_0+blocks=1+none",), ("blocks=1", "dense_0")))
    assert joined == apart == ("input_layer", "block1_conv1", "block1_conv2", "block1_pool", "dense_0")
    assert freezing.frozen(names, ("*_conv?",)) == tuple(name for name in names if "_conv" in name)
    assert freezing.frozen(names_of("cnn"), ("conv_*",)) == ("conv_0", "conv_1", "conv_2")


@pytest.mark.parametrize("name", ["cnn", "mlp", "silvestro", "imperial"])
@pytest.mark.parametrize(("word", "what"), [("backbone", "backbone"), ("blocks=1", "blocks")])
def test_other_networks_have_no_backbone_and_no_blocks(name, word, what):
    values = flatten(default_config()) | {"model.name": name}
    names = models.build(values, (48, 48, 1), 7).layer_names
    with pytest.raises(
        ConfigError, match=f"^model.freeze: '{word}': this network has no {what}; name its layers: {names[0]}, "
    ) as error:
        freezing.frozen(names, (word,))
    assert "\n" not in str(error.value)


def test_a_name_of_no_layer_is_refused():
    with pytest.raises(
        ConfigError, match=r"^model.freeze: 'Block1_\*' is the name of no layer; did you mean block1_pool or "
    ):
        freezing.frozen(names_of("vgg19"), ("Block1_*",))
