"""The data of a sweep's waves on the devices, placed once for waves in a row that share them."""

from collections.abc import Callable
from typing import Any

from fer_jax.config.search_space import Trial
from fer_jax.launch.prepared import Prepared, data_key
from fer_jax.train import feed, hyper
from fer_jax.train.engine import WaveProgram
from fer_jax.train.hyper import DataStatistics
from fer_jax.train.streamed import StreamedProgram


class PlacedData:
    """The data that the waves of a sweep train on; those of the last wave stay on the devices.

    Args:
        prepared: the sweep.
        say: shows a line to a person.
    """

    def __init__(self, prepared: Prepared, say: Callable[[str], None]):
        self._prepared, self._say = prepared, say
        self._placed: tuple[Any, feed.Data] | None = None
        self._statistics: dict[tuple, DataStatistics] = {}

    def statistics(self, trial: Trial) -> DataStatistics:
        """Returns the statistics of a trial's training split."""
        key = data_key(trial)
        if key not in self._statistics:
            self._statistics[key] = DataStatistics.of(self._prepared.dataset(trial))
        return self._statistics[key]

    def frozen(self, program: WaveProgram, trial: Trial) -> feed.Frozen:
        """Returns the layers that no phase trains, which all trials of a stack share."""
        initial = self._prepared.initial(trial)
        assert initial is not None, "only loaded weights are shared"
        names = program.recipe.always_frozen
        arrays = {kind: {name: tree[name] for name in names if name in tree} for kind, tree in initial.arrays.items()}
        return feed.Frozen(arrays, *hyper.pixel_map(trial.values["data.normalize"], self.statistics(trial)))

    def data(self, program: WaveProgram, trial: Trial, frozen: feed.Frozen | None) -> feed.Data:
        """Returns a trial's data as its program takes them.

        Args:
            program: of the trial's stack.
            trial: any of the wave.
            frozen: see `frozen`; None where the trials share nothing.
        """
        network = program.network
        sharing = (
            (network.cut, network.held, trial.values["model.init"], trial.values["data.normalize"], program.recipe)
            if frozen
            else ()
        )
        key = data_key(trial), program.devices, isinstance(program, StreamedProgram), sharing
        if self._placed is None or self._placed[0] != key:
            self._placed = None
            if network.cut:
                self._say(f"computing what the frozen layers up to {network.cut} make of the pictures")
            self._placed = key, feed.place(program, self._prepared.dataset(trial), frozen)
        return self._placed[1]
