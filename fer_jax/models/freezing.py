"""Layers that are not trained: the words of model.freeze and phases.frozen as names of layers."""

import difflib
import fnmatch
import itertools
import re
from collections.abc import Sequence

from fer_jax.errors import ConfigError
from fer_jax.models.backbones import backbone_layers

# The names of a block's layers begin alike; the input layer belongs to the first block.
_BLOCK = re.compile(r"block_?\d+|conv\d+|expanded_conv|Conv_1|Conv1|stem|top")
_FIRST = re.compile(r"input_layer|rescaling|normalization|pool1|bn_Conv1|Conv1")
# Layers whose names do not begin as those of their block, at the end of a backbone.
_OTHERS = {"Conv_1_bn": "Conv_1", "out_relu": "Conv_1"}


def blocks(names: Sequence[str]) -> dict[str, int]:
    """Returns layer -> block of a backbone, counted from 0; layers of the top have none.

    VGG19 has 5 blocks; MobileNetV2 has 19 (the first convolution, 17 inverted residuals, the last
    convolution); EfficientNetB0 has 8 (7 stages, the first with the stem, and the last
    convolution); ResNet50V2 has 5, the last with the layers that follow it.

    Args:
        names: the names of all layers, in order.
    """
    found: dict[str, int] = {}
    key, number = "", -1
    for name in backbone_layers(names):
        own = _key(name, key)
        if own != key:
            key, number = own, number + 1
        found[name] = number
    return found


def _key(name: str, before: str) -> str:
    """Returns what names in this layer's block share, or `before` where its name does not say."""
    if not before or (_FIRST.match(name) and before == "first"):
        return "first"
    if name in _OTHERS:
        return _OTHERS[name]
    match = _BLOCK.match(name)
    if match is None:
        return before
    return "first" if before == "first" and match[0] in ("stem", "conv1", "block1") else match[0]


def frozen(names: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the layers that some words name, in the network's order.

    Args:
        names: the names of all layers, in order.
        words: words such as 'backbone', 'blocks=2', 'layers=140' and 'block1_*', as
            `rules.resolve` leaves them. Several joined by + count as several, 'none' as no word.

    Raises:
        ConfigError: a word names no layer, or more blocks or layers than there are.
    """
    chosen: set[str] = set()
    for word in itertools.chain.from_iterable(text.split("+") for text in words):
        chosen |= set(_named(names, word))
    return tuple(name for name in names if name in chosen)


def in_short(names: Sequence[str], most: int = 12) -> str:
    """Returns names of layers for a message: all of them, or the first and last of over `most`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:4])} ... {', '.join(names[-4:])} ({len(names)} layers)"


def _named(names: Sequence[str], word: str) -> Sequence[str]:
    kind, equals, number = word.partition("=")
    if word == "none":
        return ()
    if word == "backbone" or (kind == "blocks" and equals):
        # Other networks may flatten and pool too, but only the backbones have Keras' input layer.
        if names[0] != "input_layer":
            what = "backbone" if word == "backbone" else "blocks"
            raise ConfigError(
                f"model.freeze: {word!r}: this network has no {what}; name its layers: {', '.join(names)}"
            )
        if word == "backbone":
            return backbone_layers(names)
        place = blocks(names)
        if int(number) > 1 + max(place.values()):
            raise ConfigError(f"model.freeze: {word!r}: the backbone has {1 + max(place.values())} blocks")
        return [name for name, block in place.items() if block < int(number)]
    if kind == "layers" and equals:
        if int(number) > len(names):
            raise ConfigError(f"model.freeze: {word!r}: this network has {len(names)} layers")
        return names[: int(number)]
    found = fnmatch.filter(names, word)
    if not found:
        near = difflib.get_close_matches(word.replace("*", ""), names, 3)
        they = f"did you mean {' or '.join(near)}?" if near else f"they are {in_short(names)}"
        raise ConfigError(f"model.freeze: {word!r} is the name of no layer; {they}")
    return found
