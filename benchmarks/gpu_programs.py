"""The programs that are looked at for a GPU: those compiled, a covering list, all combinations."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import peer
from gpu_target import Case

from fer_jax.config.fields import FIELDS
from fer_jax.models.backbones import BACKBONES
from fer_jax.train.engine import ENGINES

NETWORKS, PRECISIONS = FIELDS["model.name"].choices, FIELDS["train.precision"].choices

# What compiles something of its own beside the plain network; every row at least one field.
OPTIONS: dict[str, dict[str, Any]] = {
    "augmented": {"augment.flip": 0.5, "augment.shift": 0.1, "augment.rotate": 10.0, "augment.zoom": 0.1},
    "resampled": {"augment.shear": 0.1, "augment.brightness": 0.1, "augment.contrast": 0.1, "augment.noise": 0.1},
    "mixed": {"augment.mixup": 0.2, "augment.erase": 0.2, "loss.label_smoothing": 0.1},
    "focal": {"loss.focal_gamma": 2.0, "loss.class_weight": 1.0, "train.select": "val_loss"},
    "adamw": {"train.optimizer": "adamw", "train.weight_decay": 0.01, "train.clip_norm": 1.0},
    "sgd": {"train.optimizer": "sgd", "train.schedule": "cosine", "train.warmup": 1.0},
    "nesterov": {"train.optimizer": "nesterov", "train.schedule": "step", "train.stop_metric": "val_accuracy"},
    "rmsprop": {"train.optimizer": "rmsprop", "train.schedule": "exponential"},
    "lion": {"train.optimizer": "lion", "train.schedule": "inverse_time"},
    "normalised": {"model.batch_norm": True, "model.padding": "same", "model.init": "he_normal"},
    "averaged": {"model.pool": "average", "model.pool_padding": "same", "model.kernel_size": 5},
    "weighted": {"loss.weights": (2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)},
    "frozen": {"model.freeze": ("conv_0",)},
}
# The programs of a streamed stack, and those that run once or after training.
PROGRAMS = (
    "init", "next_phase", "predict", "evaluate_validation", "train_chunk", "validate_chunk", "finish_epoch",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program that is compiled; `tile` as for `gpu_facts.compiled`."""

    case: Case
    tile: bool = False


OSLO = Case()
COMPILED = {
    "stack": Compiled(OSLO),
    "few_images": Compiled(dataclasses.replace(OSLO, train=320, validation=80)),
    "float32": Compiled(dataclasses.replace(OSLO, width=8), tile=True),
    "tf32": Compiled(dataclasses.replace(OSLO, width=8, precision="tf32"), tile=True),
    "bfloat16": Compiled(dataclasses.replace(OSLO, width=8, precision="bfloat16"), tile=True),
    "mapped": Compiled(dataclasses.replace(OSLO, engine="map", width=1, batch=128)),
}
# What docs/gpu.md shows, beside these.
TABLE = tuple(
    dataclasses.replace(OSLO, engine=engine, width=width, batch=batch, precision=precision)
    for engine, width, batch, precision in (
        ("map", 1, 8, "float32"),
        ("map", 1, 128, "float32"),
        ("vmap", 64, 8, "float32"),
        ("vmap", 64, 32, "float32"),
        ("vmap", 64, 128, "float32"),
        ("vmap", 64, 32, "tf32"),
        ("vmap", 64, 32, "bfloat16"),
        ("grouped", 64, 32, "float32"),
    )
)


def of(network: str, engine: str, precision: str, program: str = "epoch", **options: Any) -> Case:
    """Returns a small stack of a network: what is lowered does not depend on how many images."""
    channels = 3 if network in BACKBONES else 1
    own = peer.FIELDS.get(network, {"model.dropout": 0.4})
    if program == "next_phase":
        own = own | {"phases.lengths": (1, 1), "phases.frozen": ("conv_0", "none")}
    settings = tuple((own | options).items())
    return Case(network, engine, 4, 16, precision, settings, program, train=64, validation=32, channels=channels)


def covering() -> Iterator[Case]:
    """Yields programs among which each network, engine, precision, option and program is."""
    turns = itertools.cycle(zip(ENGINES * 2, PRECISIONS + PRECISIONS[1:] + PRECISIONS[:1], strict=True))
    for network in NETWORKS:
        yield of(network, *next(turns))
    for options in OPTIONS.values():
        yield of("cnn", *next(turns), **options)
    for program in PROGRAMS:
        yield of("cnn", *next(turns), program)


def everything() -> Iterator[Case]:
    """Yields every network and, on oslo's, every option and program, by engine and precision."""
    for engine, precision in itertools.product(ENGINES, PRECISIONS):
        for network in NETWORKS:
            yield of(network, engine, precision)
        for options in OPTIONS.values():
            yield of("cnn", engine, precision, **options)
        for program in PROGRAMS:
            yield of("cnn", engine, precision, program)
