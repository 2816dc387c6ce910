"""What the trials of a stack compute: their network, and the recipe that is compiled for it."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fer_jax import models
from fer_jax.config.field import Field
from fer_jax.config.fields import FIELDS
from fer_jax.config.rules import DISTRIBUTIONS
from fer_jax.config.search_space import Trial
from fer_jax.errors import ConfigError
from fer_jax.models import Network, freezing
from fer_jax.plan import cost
from fer_jax.plan.plan import DataSizes
from fer_jax.train.recipe import Phase, Recipe

# An image's operations are the same in every batch, so they are counted once, in a batch of this
# size.
COUNTED_BATCH = 8


@dataclasses.dataclass(frozen=True)
class Work:
    """The part of a stack's work on which its speed and memory depend.

    Attributes:
        network: the shape fields of `model`, as pairs.
        image_shape: (height, width, channels).
        num_classes: of the data.
        recipe: with whole batches.
        shares: whether the trials share the layers that are never trained.
        cut: the layer whose outputs are computed once, before training; '' where images are
            trained on.
        train, validation: images of the splits.
        trials: of the stack.
    """

    network: tuple[tuple[str, Any], ...]
    image_shape: tuple[int, int, int]
    num_classes: int
    recipe: Recipe
    train: int
    validation: int
    trials: int
    shares: bool = False
    cut: str = ""

    @property
    def images(self) -> int:
        """The training images of an epoch of one trial; the last, partial batch is left out."""
        return self.train // self.recipe.batch_size * self.recipe.batch_size

    def built(self) -> Network:
        """Returns the network as it is trained, see `trained_part`."""
        whole = models.build(dict(self.network), self.image_shape, self.num_classes)
        return trained_part(whole, self.recipe, self.shares, self.cut)

    def cost(self, micro_batch: int) -> cost.Cost:
        """Returns the cost of one trial with micro-batches of this size; 0 is the whole batch."""
        recipe = dataclasses.replace(self.recipe, batch_size=micro_batch or self.recipe.batch_size, micro_batch=0)
        return cost_of(dataclasses.replace(self, recipe=recipe, train=0, validation=0, trials=0))

    def program_key(self) -> dict[str, Any]:
        """Returns what the compiled program depends on besides the numbers of images and trials.

        It is as JSON can hold it. Its cost stands in for the code of a network, which a user may
        have written and changed.
        """
        one = self.cost(COUNTED_BATCH)
        # It follows from the engine, which a question names itself.
        recipe = {name: value for name, value in dataclasses.asdict(self.recipe).items() if name != "side_by_side"}
        return {
            "cost": [one.parameters, one.train_flops, one.evaluation_flops, one.state_bytes],
            "network": [[name, value] for name, value in self.network],
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "frozen": [self.shares, self.cut],
            "recipe": recipe,
        }

    def sized_key(self) -> dict[str, Any]:
        """Returns `program_key` and the numbers of images, on which the memory depends too."""
        return {**self.program_key(), "train": self.train, "validation": self.validation}


def trained_part(network: Network, recipe: Recipe, shares: bool, cut: str) -> Network:
    """Returns the part of a network that a wave trains.

    It has the layers after `cut`, without the frozen ones that the wave's trials share.
    """
    network = network.after(cut) if cut else network
    return network.without(recipe.always_frozen) if shares else network


@functools.cache
def cost_of(work: Work) -> cost.Cost:
    """Returns the cost of a trial, once for all stacks whose images and network are alike."""
    return cost.measure(work.built(), work.recipe)


@functools.cache
def has_statistics(work: Work) -> bool:
    """Returns whether the trained network has batch statistics."""
    return work.built().has_statistics


def recipe_of(
    values: Mapping[str, Any], optional: Iterable[str], micro_batch: int, layers: Sequence[str] = ()
) -> Recipe:
    """Returns the recipe that the trainer compiles for a stack with these shape values.

    Args:
        values: the shape fields.
        optional: see `optional_fields`.
        micro_batch: images a pass; 0 is the whole batch.
        layers: names of all layers of the network, read where some are frozen.

    Raises:
        ConfigError: a word of model.freeze or phases.frozen that names no layer.
    """
    both = [
        (epochs, (*values["model.freeze"], words))
        for epochs, words in zip(values["phases.lengths"], values["phases.frozen"], strict=True)
    ]
    phases = both or [(0, values["model.freeze"])]
    return Recipe(
        batch_size=values["train.batch_size"],
        optimizer=values["train.optimizer"],
        schedule=values["train.schedule"],
        select=values["train.select"],
        stop_metric=values["train.stop_metric"],
        optional=tuple(optional),
        micro_batch=micro_batch,
        precision=values["train.precision"],
        phases=tuple(Phase(epochs, freezing.frozen(layers, words)) for epochs, words in phases),
    )


def optional_fields(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Returns the traced fields with a block of computation of their own that some trial uses.

    They are in the order of `FIELDS`.
    """
    values = [trial.values for trial in trials]
    blocks = [field for field in FIELDS.values() if field.neutral is not None]
    return tuple(
        field.name
        for field in blocks
        if any(_is_computed(field, one[field.name]) and field.has_effect(one) for one in values)
    )


def _is_computed(field: Field, value: Any) -> bool:
    """Returns whether a value needs its field's block of computation.

    Weights that are loaded need none.
    """
    return value != field.neutral and not (field.name == "model.init" and value not in DISTRIBUTIONS)


def work_of(values: Mapping[str, Any], optional: Sequence[str], data: DataSizes, trials: int) -> Work:
    """Returns what trials with these values have to compute.

    Raises:
        ConfigError: nothing is left to train.
    """
    network = tuple(
        (name, value) for name, value in values.items() if name.startswith("model.") and FIELDS[name].kind == "shape"
    )
    whole = models.build(values, data.image_shape, data.num_classes)
    recipe = recipe_of(values, optional, 0, whole.layer_names)
    for phase in range(len(recipe.phases)):
        if not recipe.of_phase(phase).learning(whole.shapes[0]):
            where = (
                f"phase {phase + 1}: phases.frozen and model.freeze leave"
                if len(recipe.phases) > 1
                else "model.freeze leaves"
            )
            raise ConfigError(
                f"{where} no layer to train; those with weights are {freezing.in_short(tuple(whole.shapes[0]))}"
            )
    return Work(network, data.image_shape, data.num_classes, recipe, data.train, data.validation, trials)
