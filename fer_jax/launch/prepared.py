"""What a sweep needs before its first wave: its trials, their data, and the plan for the hardware at hand."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence

from fer_jax import config as fields
from fer_jax import data
from fer_jax import plan as planning
from fer_jax.data import Dataset
from fer_jax.plan import Plan
from fer_jax.search import space
from fer_jax.search.space import Trial
from fer_jax.train import hardware, hyper
from fer_jax.train.hyper import Facts
from fer_jax.words import counted


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A sweep ready to run.

    Attributes:
      config: checked.
      trials: id -> trial, in the order of the sweep.
      datasets: data fields of a trial (see `data_key`) -> its data set.
    """

    config: fields.ConfigDict
    trials: Mapping[str, Trial]
    datasets: Mapping[tuple, Dataset]

    def dataset(self, trial: Trial) -> Dataset:
        return self.datasets[data_key(trial)]

    def sizes(self, trial: Trial) -> planning.DataSizes:
        found = self.dataset(trial)
        count = {name: len(split) for name, split in found.splits().items()}
        return planning.DataSizes(
            found.train.images.shape[1:], found.num_classes, count["train"], count["validation"], count.get("test", 0)
        )


def data_key(trial: Trial) -> tuple:
    """The values that decide which data set a trial uses: traced ones, such as data.normalize, change no picture."""
    return tuple(
        (name, value)
        for name, value in trial.values.items()
        if name.startswith("data.") and fields.FIELDS[name].kind == "shape"
    )


def prepare(config: fields.ConfigDict) -> Prepared:
    """Checks a config, expands it into trials and loads their data.

    Raises:
      ConfigError, DataError: what is wrong, in one line.
    """
    config = fields.canonical(config)
    expanded = space.expand(config)
    datasets: dict[tuple, Dataset] = {}
    trials = {}
    for trial in expanded:
        key = data_key(trial)
        if key not in datasets:
            block = copy.deepcopy(config)
            for name, value in key:
                fields.put(block, name, value)
            datasets[key] = data.load(block.data)
        classes = datasets[key].classes
        hyper.class_weights(trial.values, Facts(classes, (1,) * len(classes)))  # raises for a class the data do not have
        trials[trial.id(datasets[key].checksum)] = trial
    prepared = Prepared(config, trials, datasets)
    planning.check(trials.values(), prepared.sizes)
    return prepared


def describe_data(prepared: Prepared) -> str:
    """'synthetic faces, official split: 2,000 train, 500 validation, 500 test', and how many other data sets there are."""
    first, *others = prepared.datasets.values()
    return f"{first.label}: {_counts(first)}" + (f" (and {counted(len(others), 'other data set')})" if others else "")


def plan_sweep(prepared: Prepared, trials: Mapping[str, Trial] | None = None, first_stack: int = 0) -> Plan:
    """Plans a sweep, or some of its trials, for the hardware at hand."""
    options = planning.Options(**{field.name: prepared.config.stack[field.name] for field in dataclasses.fields(planning.Options)})
    chosen = prepared.trials if trials is None else trials
    return planning.make_plan(chosen, prepared.sizes, options, hardware.detect(), first_stack)


def _counts(dataset: Dataset) -> str:
    parts: Sequence[str] = [f"{len(split):,} {name}" for name, split in dataset.splits().items()]
    size, _, channels = dataset.train.images.shape[1:]
    return f"{', '.join(parts)} images of {size}x{size}x{channels}, {dataset.num_classes} classes"
