"""One way to train a network on random pictures; the benchmarks let several take turns."""

import dataclasses
import importlib
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
import numpy as np

ROOT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Work:
    """What is trained: trials of a network (model.name) on random grey pictures, in batches (of
    micro-batches; 0: whole).

    A quarter as many pictures are the validation split, unless `held_out` says how many. `settings`
    are further fields of the config; what is set there of dropout is compiled in.
    """

    size: int
    batch: int
    trials: int
    images: int
    micro_batch: int = 0
    model: str = "cnn"
    held_out: int = 0
    settings: tuple[tuple[str, Any], ...] = (("model.dropout", 0.4),)


# Where a module lies, and where it lay in trees up to commit 9d8d37d, so that these can be compared
# with newer ones.
MODULES = {
    "fields": ("config.fields", "config"),
    "values": ("config.values", "config"),
    "rules": ("config.rules", "rules"),
    "search_space": ("config.search_space", "search.space"),
    "models": ("models",),
    "plan": ("plan",),
    "cost": ("plan.cost", "train.cost"),
    "memory": ("plan.memory",),
    "engine": ("train.engine",),
    "recipe": ("train.recipe",),
    "hardware": ("train.hardware",),
}


def load(tree: Path) -> SimpleNamespace:
    """The modules of the fer_jax that lies in a folder, beside any loaded before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "fer_jax"]:
        del sys.modules[name]
    sys.path.insert(0, str(tree.resolve()))
    found = SimpleNamespace(**{name: _first(places) for name, places in MODULES.items()})
    sys.path.pop(0)
    if Path(found.models.__file__).parents[2] != tree.resolve():
        raise SystemExit(f"{tree}: holds no folder fer_jax")
    return found


def _first(places: Sequence[str]) -> ModuleType:
    for place in places[:-1]:
        try:
            return importlib.import_module(f"fer_jax.{place}")
        except ModuleNotFoundError:
            continue
    return importlib.import_module(f"fer_jax.{places[-1]}")


def place_values(program: Any, trials: Sequence[dict[str, Any]]) -> Any:
    """Puts traced values on a program's devices; trees up to commit 9d8d37d took columns."""
    if hasattr(program, "place_values"):
        return program.place_values(trials)
    return program.place_hyper({name: [trial[name] for trial in trials] for name in trials[0]})


def lower_epoch(program: Any, *arguments: Any) -> jax.stages.Lowered:
    """Lowers a program's epoch; in trees up to commit 9d8d37d it was an attribute."""
    if hasattr(program, "lower"):
        return program.lower("epoch", *arguments)
    return program.epoch.lower(*arguments)


def network_and_recipe(code: SimpleNamespace, work: Work) -> tuple[Any, Any]:
    """Returns what a program for the work is made of."""
    settings = {"model.name": work.model, **dict(work.settings), "train.batch_size": work.batch}
    values = code.values.flatten(code.values.default_config()) | settings
    dropped = [name for name in ("model.dropout", "model.dense_dropout") if name in settings]
    network = code.models.build(values, (work.size, work.size, 1), 7)
    return network, code.plan.recipe_of(values, dropped, work.micro_batch)


class Candidate:
    """A program, its state and the seconds of its epochs (training, validation, best-weights
    bookkeeping).

    Attributes:
        compile_seconds: what the program took to compile.
        bytes_a_trial: temporary, of an epoch, by the compiler's count; None where it does not say.
        flops: per training image, as fer_jax counts them.
        images: trials x training images of an epoch.
        seconds: of the epochs of `run`; the first epoch is run before and left out, unless
            `keep_first` is called.
        state, records: after the last epoch.

    Args:
        devices: the first so many (None: all), or these; where there are more than trials, each
            trial's batches are cut into parts.
    """

    def __init__(
        self, code: SimpleNamespace, work: Work, engine: str = "map", devices: int | Sequence[jax.Device] | None = None
    ):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (work.images, work.size, work.size, 1)).astype(np.uint8)
        labels = rng.integers(0, 7, work.images)
        held_out = work.held_out or work.images // 4
        network, recipe = network_and_recipe(code, work)
        chosen = jax.devices()[:devices] if devices is None or isinstance(devices, int) else devices
        parts = len(chosen) // work.trials
        of_part = dataclasses.replace(recipe, parts=parts) if parts > 1 else recipe
        program = code.engine.WaveProgram(network, of_part, engine, tuple(chosen))
        traced = {field.name: field.default for field in code.fields.FIELDS.values() if field.kind == "traced"}
        changed = {name: value for name, value in work.settings if name in traced} | {"train.epochs": 1_000_000}
        hyper = place_values(program, [{**traced, **changed, "train.seed": seed} for seed in range(work.trials)])
        self._fixed = (
            hyper,
            program.place_train(images, labels),
            program.place_batches(images[:held_out], labels[:held_out]),
            {},
        )
        self.state = program.init(hyper)
        start = time.perf_counter()
        self._epoch = lower_epoch(program, self.state, *self._fixed).compile()
        self.compile_seconds = time.perf_counter() - start
        counted = getattr(self._epoch.memory_analysis(), "temp_size_in_bytes", None)
        self.bytes_a_trial = counted and counted // work.trials
        self.flops = code.cost.measure(network, recipe).train_flops
        self.seconds: list[float] = []
        self.images = work.trials * (work.images // work.batch * work.batch)
        self.run()
        self.first_seconds = self.seconds.pop()

    def keep_first(self) -> None:
        """Counts the first epoch, too: it is compiled before, and long ones need no second."""
        self.seconds.insert(0, self.first_seconds)

    def run(self) -> None:
        """An epoch of every trial."""
        start = time.perf_counter()
        self.state, self.records = self._epoch(self.state, *self._fixed)
        jax.block_until_ready(self.state)
        self.seconds.append(time.perf_counter() - start)

    @property
    def rate(self) -> float:
        """Trials x training images a second, the median over the epochs."""
        return statistics.median(self.rates)

    @property
    def rates(self) -> list[float]:
        """Trials x training images a second of every epoch."""
        return [self.images / seconds for seconds in self.seconds]

    def ratio(self, other: "Candidate") -> float:
        """How much faster than another with which turns were taken: the median of the turns'
        ratios.
        """
        return statistics.median(theirs / own for theirs, own in zip(other.seconds, self.seconds, strict=True))
