"""Trials grouped into stacks by the shapes of their arrays and by what they can share."""

from collections.abc import Callable, Hashable, Iterable, Mapping

from fer_jax.config.fields import FIELDS
from fer_jax.config.search_space import Trial
from fer_jax.errors import ConfigError
from fer_jax.plan import sharing
from fer_jax.plan.candidates import Options
from fer_jax.plan.plan import DataSizes, Plan
from fer_jax.plan.stack import plan_stack
from fer_jax.plan.tuning import Tuner
from fer_jax.plan.work import work_of
from fer_jax.train.hardware import Hardware


def make_plan(
    trials: Mapping[str, Trial],
    sizes: Callable[[Trial], DataSizes],
    options: Options,
    hardware: Hardware,
    first_stack: int = 0,
    tuner: Tuner | None = None,
) -> Plan:
    """Groups trials into stacks and cuts these into waves.

    Trials of one stack have arrays of the same shapes; those that can share frozen layers have a
    stack of their own.

    Args:
        trials: id -> trial, in the order of the sweep.
        sizes: returns the sizes of the data set that a trial uses.
        options: the user's wishes.
        hardware: what there is to run on.
        first_stack: number of the first stack, for a plan that extends another.
        tuner: measures where that pays; without one the shipped table and estimates of memory
            decide.

    Raises:
        ConfigError: a number of devices, a width or a micro-batch that does not fit.
    """
    by_shape: dict[Hashable, dict[str, Trial]] = {}
    for identity, trial in trials.items():
        by_shape.setdefault(trial.shape_key(), {})[identity] = trial
    differing = _differing(trial for trial in trials.values())
    groups = [part for group in by_shape.values() for part in _parts(group, sizes)]
    stacks = []
    for number, group in enumerate(groups, first_stack):
        first = next(iter(group.values()))
        shape = {name: first.values[name] for name in differing}
        stacks.append(plan_stack(f"stack_{number}", shape, group, sizes(first), options, hardware, tuner))
    return Plan(tuple(stacks), f"{hardware.devices} x {hardware.kind}")


def _parts(group: dict[str, Trial], sizes: Callable[[Trial], DataSizes]) -> list[dict[str, Trial]]:
    first = next(iter(group.values()))
    if len({trial.values["model.init"] for trial in group.values()}) < 2 or not (
        first.values["model.freeze"] or first.values["phases.frozen"]
    ):
        return [group]
    return sharing.parts(work_of(first.values, (), sizes(first), len(group)), group)


def check(trials: Iterable[Trial], sizes: Callable[[Trial], DataSizes]) -> None:
    """Checks that the training split of every trial fills at least one batch.

    Raises:
        ConfigError: a trial's batch is larger than its training split.
    """
    for trial in trials:
        batch, count = trial.values["train.batch_size"], sizes(trial).train
        if batch > count:
            raise ConfigError(
                f"train.batch_size = {batch} is more than the {count} training images: "
                "lower it, or train on more images (data.train_size, data.fraction)"
            )


def _differing(trials: Iterable[Trial]) -> list[str]:
    """Returns the shape fields that do not have the same value in all trials."""
    distinct = [trial.values for trial in {trial.shape_key(): trial for trial in trials}.values()]
    shape = (name for name, field in FIELDS.items() if field.kind == "shape")
    return [name for name in shape if any(values[name] != distinct[0][name] for values in distinct)]
