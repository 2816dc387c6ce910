"""What a sweep needs before its first wave: its trials, their data, and the plan."""

import copy
import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from fer_jax import data, heads, models
from fer_jax import plan as planning
from fer_jax.analysis import axes, comparable
from fer_jax.base import console
from fer_jax.base.text import counted, in_bytes
from fer_jax.config import fields, rules, search_space
from fer_jax.config.field import in_words
from fer_jax.config.search_space import Fit, Trial
from fer_jax.config.settings import Sweep
from fer_jax.config.values import canonical, default_config, flatten, put, sweep_draws
from fer_jax.data import Dataset, names, sizes
from fer_jax.data.remarks import remarks
from fer_jax.errors import ConfigError
from fer_jax.launch import initial_weights
from fer_jax.launch.initial_weights import InitialWeights
from fer_jax.models import inference
from fer_jax.search import search as searching
from fer_jax.search.search import Search
from fer_jax.train import hyper
from fer_jax.train.hyper import DataStatistics


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A sweep ready to run.

    Attributes:
        config: checked.
        trials: id -> trial, in the order of the sweep.
        datasets: data fields of a trial (see `data_key`) -> its data set.
        fits: id -> (id of its trial, fit), trial by trial.
        initial_weights: what decides a trial's initial weights (see `initial_key`) -> these
            weights; None where they are drawn.
        repeated: number of trials of the sweep that are the same as others of it, such as those
            whose weights begin with two copies of one file.
        search: decides which points are trained to their end; None where all are.
        known: ids that the run has recorded, see `Trial.id`.
    """

    config: ConfigDict
    trials: Mapping[str, Trial]
    datasets: Mapping[tuple, Dataset]
    fits: Mapping[str, tuple[str, Fit]]
    initial_weights: Mapping[tuple, InitialWeights | None]
    repeated: int = 0
    search: Search | None = None
    known: Collection[str] = ()

    def initial(self, trial: Trial) -> InitialWeights | None:
        """Returns the weights a trial begins with, None where they are drawn from its seed."""
        return self.initial_weights[initial_key(trial, self.dataset(trial))]

    def dataset(self, trial: Trial) -> Dataset:
        """Returns the data set of a trial."""
        return self.datasets[data_key(trial)]

    @functools.cached_property
    def with_copies(self) -> frozenset[str]:
        """The held-out splits in which some data set of the sweep has leaked images."""
        return frozenset(
            name for dataset in self.datasets.values() for name, leaked in dataset.leaked.items() if leaked.any()
        )

    def identity(self, trial: Trial) -> str:
        """Returns the id of a trial with data and initial weights of this sweep."""
        return _identity(trial, self.dataset(trial), self.initial(trial), self.known)

    @functools.cached_property
    def axes(self) -> Mapping[str, axes.Axis]:
        """The swept fields, laid out as reports have them, so that a value has one text."""
        draws = {name: draw.text for name, draw in sweep_draws(self.config).items()}
        points = [trial.point for trial in self.trials.values()]
        return {name: axes.axis(name, [point[name] for point in points], draws.get(name, "")) for name in points[0]}

    def words(self, trial: Trial) -> str:
        """Returns what tells a trial from the others: 'learning rate 1e-3, seed 2'."""
        names = axes.short_names(list(trial.point))
        found = [f"{names[name]} {self.axes[name].text(value)}" for name, value in trial.point.items()]
        if trial.values["data.split"] == "kfold":
            return ", ".join([*found, f"fold {trial.values['data.fold']}"])
        return ", ".join([*found, f"{'split' if trial.seeds_of == 'split' else 'seed'} {trial.seed}"])

    def sizes(self, trial: Trial) -> planning.DataSizes:
        """Returns the sizes of a trial's data set."""
        found = self.dataset(trial)
        count = {name: len(split) for name, split in found.splits().items()}
        return planning.DataSizes(
            found.train.images.shape[1:], found.num_classes, count["train"], count["validation"], count.get("test", 0)
        )

    def head_layers(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Returns trial id -> (layer, `head.weights`) of its fits' features, where it has fits."""
        layers: dict[str, dict[tuple[str, str], None]] = {}
        for trial, fit in self.fits.values():
            layers.setdefault(trial, {})[fit.head["head.layer"], fit.head["head.weights"]] = None
        return {trial: tuple(some) for trial, some in layers.items()}

    def values(self, trial: str) -> dict[str, Any]:
        """Returns every field but those of `sweep` as the trial with this id has it."""
        return {**flatten(self.config), **self.trials[trial].values}

    def layer_shapes(self, trial: str) -> dict[str, tuple[int, ...]]:
        """Returns what `inference.layer_shapes` does, for the trial with this id."""
        values = self.values(trial)
        network = tuple((name, value) for name, value in values.items() if name.startswith(("model.", "data.")))
        return _layer_shapes(network, self.dataset(self.trials[trial]).num_classes)


@functools.lru_cache(maxsize=64)
def _layer_shapes(network: tuple[tuple[str, Any], ...], num_classes: int) -> dict[str, tuple[int, ...]]:
    return inference.layer_shapes({**flatten(default_config()), **dict(network)}, num_classes)


def data_key(trial: Trial) -> tuple:
    """Returns the values that decide which data set a trial uses.

    Traced ones, such as data.normalize, change no image.
    """
    return tuple(
        (name, value)
        for name, value in trial.values.items()
        if name.startswith("data.") and fields.FIELDS[name].kind == "shape"
    )


def initial_key(trial: Trial, dataset: Dataset) -> tuple:
    """Returns what decides the weights that a trial begins with, its seed apart."""
    network = tuple(
        (name, value)
        for name, value in trial.values.items()
        if name.startswith("model.") and fields.FIELDS[name].kind == "shape"
    )
    return trial.values["model.init"], network, dataset.train.images.shape[1:], dataset.num_classes


def _identity(trial: Trial, dataset: Dataset, weights: InitialWeights | None, known: Collection[str]) -> str:
    return trial.id(dataset.checksum, weights.checksum if weights else "", known)


@console.each_once()  # folds read one source, of which the same is to be said
def prepare(config: ConfigDict, known: Collection[str] = ()) -> Prepared:
    """Checks a config, expands it into trials and loads their data.

    Args:
        config: of a sweep.
        known: ids that its run has recorded, see `Trial.id`.

    Raises:
        ConfigError, DataError: what is wrong, in one line.
    """
    with console.working("preparing", plain=False):
        return _prepare(canonical(config), known)


def _prepare(config: ConfigDict, known: Collection[str]) -> Prepared:
    datasets: dict[tuple, Dataset] = {}
    loaded: dict[tuple, InitialWeights | None] = {}
    trials, fits = {}, {}
    expanded = [(trial, settings) for of_point, settings in search_space.expand_points(config) for trial in of_point]
    for values in {
        (trial.values["model.init"], trial.values["model.name"]): trial.values for trial, _ in expanded
    }.values():
        initial_weights.check(values)  # before minutes of reading data
    searching.check(config, [trial for trial, _ in expanded])
    for trial, head_settings in expanded:
        key = data_key(trial)
        if key not in datasets:
            block = copy.deepcopy(config)
            for name, value in key:
                put(block, name, value)
            datasets[key] = data.load(block.data)
        classes = datasets[key].classes
        # Raises for a class that the data do not have.
        hyper.class_weights(trial.values, DataStatistics(classes, (1,) * len(classes)))
        initial = initial_key(trial, datasets[key])
        if initial not in loaded:
            network = models.build(trial.values, *initial[2:])
            loaded[initial] = initial_weights.load(trial.values, network)
            initial_weights.check_drawn(config, trial.values, network, loaded[initial])
        identity = _identity(trial, datasets[key], loaded[initial], known)
        trials[identity] = trial
        for fit in (Fit(trial, head) for head in head_settings):
            fits[fit.id(identity, known)] = identity, fit
    repeated, search = len(expanded) - len(trials), searching.asked_for(config, trials)
    prepared = Prepared(config, trials, datasets, fits, loaded, repeated, search, known)
    planning.check(trials.values(), prepared.sizes)
    _check_heads(prepared)
    return prepared


def _check_heads(prepared: Prepared) -> None:
    """Raises ConfigError for a head that cannot be fitted.

    It needs a package that is not there, a layer that its network does not have, more training
    images than there are, or images of a second class.
    """
    for kind in {fit.head["head.kind"] for _, fit in prepared.fits.values()}:
        if package := heads.missing_package(kind):
            raise ConfigError(f"head.kind = {kind} needs the package {package}: pip install {package}")
    for trial, layers in prepared.head_layers().items():
        shapes = prepared.layer_shapes(trial)
        for layer, _ in layers:
            if layer not in shapes:
                network = prepared.trials[trial].values["model.name"]
                raise ConfigError(f"head.layer = {layer}: the {network} network has {', '.join(shapes)}")
    for _, fit in prepared.fits.values():
        dataset, kind = prepared.dataset(fit.trial), fit.head["head.kind"]
        images = len(dataset.train)
        if kind == "neighbors" and fit.head["head.neighbors"] > images:
            raise ConfigError(
                f"head.neighbors = {fit.head['head.neighbors']:,}: there are {counted(images, 'training image')} "
                f"({dataset.label}); {images:,} is the most"
            )
        if kind in heads.OF_TWO_CLASSES and np.count_nonzero(dataset.counts("train")) < 2:
            raise ConfigError(
                f"head.kind = {kind}: needs training images of two classes, and {dataset.label} has those of one"
            )


def describe_heads(prepared: Prepared) -> str:
    """Returns one line on the fits, empty where no head is asked for.

    '1,200 fits on 5 trained trials: 4 layers, 240 head settings; 34 MB of features'
    """
    if not prepared.fits:
        return ""
    layers = prepared.head_layers()
    images = {
        trial: sum(len(split) for split in prepared.dataset(prepared.trials[trial]).splits().values())
        for trial in layers
    }
    numbers = sum(
        images[trial] * math.prod(prepared.layer_shapes(trial)[layer])
        for trial, some in layers.items()
        for layer, _ in some
    )
    different = {layer for some in layers.values() for layer, _ in some}
    settings = {tuple(fit.head.items()) for _, fit in prepared.fits.values()}
    return (
        f"{counted(len(prepared.fits), 'fit')} on {counted(len(layers), 'trained trial')}: "
        f"{counted(len(different), 'layer')}, {counted(len(settings), 'head setting')}; "
        f"{in_bytes(4 * numbers)} of features" + (", less those of trials that leave" if prepared.search else "")
    )


def describe_precision(prepared: Prepared, backend: str) -> str:
    """Returns what a precision comes to on a backend without it, empty where it has it."""
    asked = {trial.values["train.precision"] for trial in prepared.trials.values()}
    if "tf32" in asked and backend != "gpu":
        instead = "with bfloat16 factors in its products" if backend == "tpu" else "as float32"
        return f"train.precision = tf32: there is no TensorFloat-32 on this {backend}, so it trains {instead}"
    if "bfloat16" in asked and backend == "cpu":
        return (
            "train.precision = bfloat16: on a CPU convolutions compute in float32 and round, "
            "which is slower than float32"
        )
    return ""


def notes(prepared: Prepared) -> list[str]:
    """Returns lines about what is set and may not be meant."""
    found = [
        *Sweep.of(prepared.config).notes(),
        search_space.describe_unused(search_space.settings(prepared.config)),
        _repeated(prepared),
        *_alike(prepared),
        _pixels(prepared),
        *_remarks(prepared),
        _numbered(prepared),
    ]
    return [line for line in found if line]


def _remarks(prepared: Prepared) -> list[str]:
    """Returns what is to be said of groups and dropped leaks, of several splits for the first."""
    found = [dataset.provenance for dataset in prepared.datasets.values()]
    told = [remarks(one) for one in found if comparable.drawn(one) == comparable.drawn(found[0])]
    return list(dict.fromkeys(line for lines in told for line in lines))


def _repeated(prepared: Prepared) -> str:
    if not prepared.repeated:
        return ""
    many = counted(prepared.repeated + len(prepared.trials), "trial")
    return (
        f"note: {prepared.repeated} of {many} begin with the same weights as others that have the same values, "
        "and are left out"
    )


def _alike(prepared: Prepared) -> list[str]:
    """Returns a note on each field of whose values two are one number in the computation."""
    found = []
    settings = [trial.values for trial in prepared.trials.values()] + [fit.head for _, fit in prepared.fits.values()]
    for name, field in fields.FIELDS.items():
        if not field.is_single:
            continue
        held: dict[Any, list[str]] = {}
        for value in dict.fromkeys(values[name] for values in settings if name in values):
            held.setdefault(field.held(value), []).append(str(value))
        found += [
            f"note: {name} = {in_words(same)} are the same in float32: "
            f"their {'fits' if field.kind == 'head' else 'trials'} come out alike"
            for same in held.values()
            if len(same) > 1
        ]
    return found


def _numbered(prepared: Prepared) -> str:
    """Returns a note on classes that have numbers for names."""
    (first, *_) = prepared.datasets.values()
    if first.name == "synthetic" or not all(map(names.is_numbered, first.classes)):
        return ""
    return (
        f"note: the classes are called {', '.join(first.classes[:3])}{' ...' * (len(first.classes) > 3)}; "
        "data.names = rafdb, affectnet or such as '0=angry' gives them names"
    )


def _pixels(prepared: Prepared) -> str:
    """Returns a note on a network that rescales pixels itself and gets rescaled ones."""
    for trial in prepared.trials.values():
        values = trial.values
        if (
            values["model.name"] == "efficientnet_b0"
            and rules.is_weights_file(values["model.init"])
            and values["data.normalize"] != "none"
        ):
            return (
                "note: efficientnet_b0 rescales pixels of 0 to 255 itself, and its weights know no others: "
                f"data.normalize = {values['data.normalize']} comes before that; "
                "set data.normalize = none or model.preprocess = weights"
            )
    return ""


def describe_data(prepared: Prepared, columns: int | None = None) -> str:
    """Returns a line on the data, lines on the sizes of classes and one on what is left out.

    'synthetic faces, official split: 2,000 train, 500 validation, 500 test images of ...' is the
    first; it says how many other data sets there are.
    """
    first, *others = prepared.datasets.values()
    more = f" (and {counted(len(others), 'other data set')})" if others else ""
    by_class = {name: dict(zip(first.classes, first.counts(name).tolist(), strict=True)) for name in first.splits()}
    found = sizes.lines(by_class, columns and columns - 2)
    if left_out := sizes.left_out(first.provenance):
        found.append(f"left out: {left_out}")
    return "\n".join((f"{first.label}: {_counts(first)}{more}", *(f"  {line}" for line in found)))


def _counts(dataset: Dataset) -> str:
    parts: Sequence[str] = [f"{len(split):,} {name}" for name, split in dataset.splits().items()]
    size, _, channels = dataset.train.images.shape[1:]
    return f"{', '.join(parts)} images of {size}x{size}x{channels}, {dataset.num_classes} classes"
