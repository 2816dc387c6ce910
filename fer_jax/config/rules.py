"""How the values of several config fields must fit together.

What one field allows alone stands in its declaration.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from fer_jax.config import naming, repeats
from fer_jax.config.field import Field, FieldError

# Sides, in pixels, of which a network with a fixed architecture leaves one pixel.
_SMALLEST_IMAGE = {
    "silvestro": 36,
    "vgg19": 32,
    "mobilenet_v2": 32,
    "efficientnet_b0": 32,
    "resnet50_v2": 32,
}
# Kernels of their narrowest convolution; their dense layers that no field sets are wider.
_FEWEST_KERNELS = {
    "silvestro": 32,
    "imperial": 36,
    "vgg19": 64,
    "mobilenet_v2": 16,
    "efficientnet_b0": 16,
    "resnet50_v2": 64,
}
# Distributions of initial kernels, `models.initializers`.
DISTRIBUTIONS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal")
MAX_PHASES = 8
# Of each backbone, as `models.freezing.blocks` counts them.
BLOCKS = {"vgg19": 5, "mobilenet_v2": 19, "efficientnet_b0": 8, "resnet50_v2": 5}
GROUP_WORDS = ("original", "folder")  # rules of data.group that are no regular expressions
_BACKBONES = tuple(BLOCKS)
_CLASS_WEIGHT = Field("loss.weights", 1.0, "traced", "weight of one class", low=0)


def resolve(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with those that depend on others filled in, after checking that they fit.

    One kernel number becomes one a pair, and class names are sorted, so that equal settings are
    equal values.

    Raises:
        FieldError: fields that exclude each other, or a network whose feature map or a layer of
            which would vanish.
    """
    values = dict(values)
    names = tuple(sorted(values["data.classes"]))
    if len(set(names)) != len(names) or len(names) == 1:
        raise FieldError(["data.classes"], f"data.classes = {names}: give two or more different names, or () for all")
    values["data.classes"] = names
    values["data.merge"] = _resolve_merges(values["data.merge"])
    group_rule(values["data.group"])
    values["loss.weights"] = tuple(f"{name}={weight:g}" for name, weight in sorted(class_weights(values).items()))
    values = repeats.resolve(_resolve_phases(values))
    _check_training(values)
    _check_initial(values)
    _check_source(values)
    if values["data.balance"] == "augment" and values["data.balance_splits"] == "all":
        raise FieldError(
            ["data.balance_splits", "data.balance"],
            "data.balance_splits = all: data.balance = augment makes copies to train on only, "
            "no transformed picture is validated or tested on; set data.balance_splits = train",
        )
    if values["model.name"] == "cnn":
        kernels, pairs = values["model.kernels"], values["model.pairs"]
        if len(kernels) not in (1, pairs):
            raise FieldError(
                ["model.kernels", "model.pairs"],
                f"model.kernels = {kernels}: must hold one number for each of model.pairs = {pairs}, or one for all",
            )
        values["model.kernels"] = kernels * pairs if len(kernels) == 1 else kernels
        _check_feature_maps(values)
    if values["model.name"] in _BACKBONES:
        values = _resolve_backbone(values)
    _check_image(values)
    _check_widths(values)
    return values


def _check_source(values: Mapping[str, Any]) -> None:
    """Raises FieldError for a data.path that data.name has no use for, and where it needs one.

    Also where data.names or data.pattern cannot be understood.
    """
    naming.check(values)
    wanted = {
        "fer2013": "FOLDER, ZIP, TAR or CSV",
        "folder": "FOLDER, ZIP, TAR, CSV or NPZ",
        "cifar10": "FOLDER, ZIP or TAR",
    }
    if values["data.name"] in wanted and not values["data.path"]:
        raise FieldError(
            ["data.path", "data.name"],
            f"data.path is empty: data.name = {values['data.name']} needs "
            f"--config.data.path={wanted[values['data.name']]}",
        )
    if values["data.name"] == "synthetic" and values["data.path"]:
        raise FieldError(
            ["data.path", "data.name"],
            f"data.path = {values['data.path']}: data.name = synthetic draws its own faces; to read it add "
            "--config.data.name=fer2013, or =folder for any other data set",
        )
    for field in ("data.labels", "data.pattern", "data.names", "data.group"):
        if values["data.name"] in ("synthetic", "cifar10") and values[field]:
            raise FieldError(
                [field, "data.name"],
                f"{field}: data.name = {values['data.name']} has labels of its own and no names of files; to use it "
                "add --config.data.name=fer2013, or =folder for any other data set",
            )


def _resolve_backbone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with those that a backbone settles filled in.

    Keras' top has no pool or dense layers to choose; where the network preprocesses, it is given
    pixels as they are.
    """
    values = dict(values)
    rates, blocks = values["train.block_rates"], BLOCKS[values["model.name"]]
    if rates and len(rates) != blocks:
        raise FieldError(
            ["train.block_rates", "model.name"],
            f"train.block_rates = {rates}: must have an item for each of the {blocks} blocks of {values['model.name']}",
        )
    if values["model.top"] == "keras":
        values |= {"model.pooling": "average", "model.dense": ()}
    if values["model.preprocess"] == "weights":
        if values["data.normalize"] not in ("unit", "none"):
            raise FieldError(
                ["data.normalize", "model.preprocess"],
                f"data.normalize = {values['data.normalize']}: "
                "model.preprocess = weights makes its own input of pixels as they are; leave one of them out",
            )
        values["data.normalize"] = "none"
    return values


def _resolve_phases(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with what phases leave open filled in.

    train.epochs becomes their sum, and what train.* says of one phase that of the first.
    """
    values = dict(values)
    for name in ("model.freeze", "phases.frozen"):
        values[name] = tuple(_spelled_words(name, text) for text in values[name])
    values["model.freeze"] = tuple(dict.fromkeys(word for text in values["model.freeze"] for word in text.split("+")))
    epochs = values["phases.lengths"]
    if len(epochs) > MAX_PHASES:
        raise FieldError(["phases.lengths"], f"phases.lengths = {epochs}: {MAX_PHASES} phases are the most")
    fills = {"phases.rates": "train.learning_rate", "phases.patience": "train.stop_patience", "phases.frozen": None}
    for name, single in fills.items():
        given = values[name]
        if given and len(given) != len(epochs):
            raise FieldError(
                [name, "phases.lengths"],
                f"{name} = {given}: must have an item for each of the {len(epochs)} phases of phases.lengths = {epochs}"
                if epochs
                else f"{name} = {given}: needs phases.lengths, the epochs of each phase",
            )
        values[name] = given or ((values[single] if single else "none"),) * len(epochs)
    if epochs:
        firsts = {"train.learning_rate": "phases.rates", "train.stop_patience": "phases.patience"}
        values |= {"train.epochs": sum(epochs), **{name: values[phased][0] for name, phased in firsts.items()}}
    return values


def _spelled_words(name: str, text: str) -> str:
    """Returns the words of model.freeze or of one phase, joined by +, without idle ones."""
    words = [word.replace(" ", "") for word in text.split("+")]
    for word in words:
        kind, equals, number = word.partition("=")
        if not word or (equals and not (kind in ("blocks", "layers") and number.isdecimal())):
            raise FieldError(
                [name],
                f"{name} = {text!r}: must be 'backbone', 'blocks=2', "
                "'layers=140' or names of layers such as 'block1_*'",
            )
    return "+".join(word for word in words if word not in ("none", "blocks=0", "layers=0")) or "none"


def is_weights_file(name: str) -> bool:
    """Returns whether a model.init is a file of Keras': the published one or one of the user's."""
    return name == "imagenet" or name.endswith((".h5", ".hdf5"))


def _check_initial(values: Mapping[str, Any]) -> None:
    """Raises FieldError where model.init is no distribution, no backbone's file and no trial."""
    name = values["model.init"]
    if name in DISTRIBUTIONS or (":" in name and not is_weights_file(name)):
        return
    if not is_weights_file(name):
        close = difflib.get_close_matches(name, (*DISTRIBUTIONS, "imagenet"), 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise FieldError(
            ["model.init"],
            f"model.init = {name!r}: must be {', '.join(DISTRIBUTIONS)}, imagenet, "
            f"an .h5 file of Keras' or RUN:trial{hint}",
        )
    if values["model.name"] not in _BACKBONES:
        raise FieldError(
            ["model.init", "model.name"],
            f"model.init = {name}: published weights are those of {', '.join(_BACKBONES)}; "
            f"model.name = {values['model.name']} has none",
        )


def merges(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Returns data.merge as new class name -> names of the classes that become it.

    Both are as the user spells them.

    Raises:
        FieldError: an entry that is not 'new=old+old'.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in values["data.merge"]:
        name, equals, parts = (piece.strip() for piece in text.partition("="))
        old = tuple(part.strip() for part in parts.split("+"))
        if not (name and equals and all(old)) or name in found:
            raise FieldError(
                ["data.merge"], f"data.merge = {text!r}: must be 'new=old+old', such as 'positive=happy+surprise'"
            )
        found[name] = old
    return found


def _resolve_merges(given: tuple[str, ...]) -> tuple[str, ...]:
    found = merges({"data.merge": given})
    old = [part for parts in found.values() for part in parts]
    if len(set(old)) != len(old):
        raise FieldError(["data.merge"], f"data.merge = {given}: a class can become part of one new class only")
    return tuple(f"{name}={'+'.join(sorted(parts))}" for name, parts in sorted(found.items()))


def group_rule(rule: str) -> re.Pattern[str]:
    """Returns data.group as a compiled regular expression; its words are read elsewhere.

    Raises:
        FieldError: it is none.
    """
    try:
        return re.compile(rule)
    except (re.error, OverflowError, RecursionError) as error:
        raise FieldError(
            ["data.group"],
            f"data.group = {rule}: is no regular expression ({error}); write one whose first group is what images "
            f"have in common, such as '(S\\d+)_', or {' or '.join(GROUP_WORDS)}",
        ) from None


def class_weights(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns loss.weights as class name -> weight.

    Raises:
        FieldError: an entry that is not 'class=number', the number at least 0.
    """
    found: dict[str, float] = {}
    for text in values["loss.weights"]:
        name, _, number = (piece.strip() for piece in text.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = -1.0
        if not name or name in found or not 0 <= weight < float("inf"):
            raise FieldError(["loss.weights"], f"loss.weights = {text!r}: must be 'class=number', such as 'disgust=5'")
        found[name] = weight
    return found


def _check_training(values: Mapping[str, Any]) -> None:
    """Raises FieldError for settings of the optimiser or the loss that exclude each other.

    Also for a class weight that float32 cannot hold.
    """
    for weight in class_weights(values).values():
        _CLASS_WEIGHT.check_held(weight)
    if values["train.optimizer"] == "adam" and values["train.weight_decay"]:
        raise FieldError(
            ["train.weight_decay", "train.optimizer"],
            f"train.weight_decay = {values['train.weight_decay']:g}: train.optimizer = adam has none; "
            "adamw is Adam with it, and train.l2 is a penalty in the objective",
        )
    if values["loss.weights"] and values["loss.class_weight"]:
        raise FieldError(
            ["loss.weights", "loss.class_weight"],
            "loss.weights and loss.class_weight exclude each other: set one of them",
        )
    phases = values["phases.lengths"]
    field, epochs = ("phases.lengths", min(phases)) if phases else ("train.epochs", values["train.epochs"])
    if (warmup := values["train.warmup"]) > epochs:
        which = f"each phase warms up, and the {epochs} epochs of one" if phases else f"train.epochs = {epochs}"
        raise FieldError(
            ["train.warmup", field],
            f"train.warmup = {warmup:g}: {which} end before it does; shorten it or train longer",
        )
    floor, rate = values["train.learning_rate_floor"], values["train.learning_rate"]
    lowered = values["train.schedule"] == "cosine" or values["train.plateau_patience"] > 0
    if lowered and floor > rate:
        raise FieldError(
            ["train.learning_rate_floor", "train.learning_rate"],
            f"train.learning_rate_floor = {floor:g}: is above train.learning_rate = {rate:g}, which would never fall; "
            "lower it",
        )


def _check_widths(values: Mapping[str, Any]) -> None:
    """Raises FieldError where model.width_multiplier leaves a hidden layer no kernel or unit.

    Of a network that was registered the layers are not known.
    """
    read = {"cnn": ("model.kernels", "model.dense"), "mlp": ("model.hidden",)}
    read |= dict.fromkeys(("imperial", *_BACKBONES), ("model.dense",))
    name, width = values["model.name"], values["model.width_multiplier"]
    fields = read.get(name, ())
    layers = [(f"{field} = {values[field]}", size) for field in fields for size in values[field]]
    if name in _FEWEST_KERNELS:
        layers.append((f"model.name = {name}", _FEWEST_KERNELS[name]))
    where, size = min(layers, key=lambda layer: layer[1], default=("", 0))
    if where and round(size * width) < 1:
        raise FieldError(
            ["model.width_multiplier", *fields],
            f"model.width_multiplier = {width:g}: leaves nothing of a layer of {size} ({where}); "
            f"use more than {0.5 / size:g}",
        )


def _check_image(values: Mapping[str, Any]) -> None:
    """Raises FieldError for images of which a network with a fixed architecture leaves nothing."""
    name, size, pool = values["model.name"], values["data.image_size"], values["model.pool_size"]
    smallest, named, what = _SMALLEST_IMAGE.get(name, 0), ["data.image_size", "model.name"], f"model.name = {name}"
    if name == "imperial":
        # One pixel, upwards through three pools, before which come kernels of 3, 3 and 5 pixels.
        smallest = ((pool + 2) * pool + 2) * pool + 4
        named, what = [*named, "model.pool_size"], f"{what} with model.pool_size = {pool}"
    if size < smallest:
        raise FieldError(named, f"data.image_size = {size}: {what} leaves nothing of less than {smallest} pixels")


def _check_feature_maps(values: Mapping[str, Any]) -> None:
    """Raises FieldError where a convolution or pool would leave less than one pixel."""
    image, kernel, pool = values["data.image_size"], values["model.kernel_size"], values["model.pool_size"]
    size = image
    for pair in range(values["model.pairs"]):
        convolved = size if values["model.padding"] == "same" else size - kernel + 1
        pooled = -(-convolved // pool) if values["model.pool_padding"] == "same" else convolved // pool
        for layer, before, after in (("conv", size, convolved), ("pool", convolved, pooled)):
            if after < 1:
                padding = "model.padding" if layer == "conv" else "model.pool_padding"
                raise FieldError(
                    ["model.pairs", "model.kernel_size", "model.pool_size", padding, "data.image_size"],
                    f"model.pairs = {values['model.pairs']}: {layer}_{pair} leaves nothing of its {before}x{before} "
                    f"input (model.kernel_size = {kernel}, model.pool_size = {pool}, data.image_size = {image}): "
                    f"use fewer pairs, a larger image or {padding} = same",
                )
        size = pooled
