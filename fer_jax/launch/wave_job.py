"""A wave and everything its training needs."""

import dataclasses
from collections.abc import Callable, Sequence

import jax

from fer_jax.config.search_space import Trial
from fer_jax.launch.initial_weights import InitialWeights
from fer_jax.plan import Wave
from fer_jax.train.engine import WaveProgram
from fer_jax.train.feed import Data, Frozen
from fer_jax.train.hyper import DataStatistics


@dataclasses.dataclass(frozen=True)
class WaveJob:
    """A wave and everything it needs.

    Attributes:
        wave: its name and trial ids.
        trials: the trials, in the order of their slots.
        width: slots; those beyond the trials stay idle.
        program: of its stack, for this width.
        data: what it trains on, on the program's devices or streamed to them.
        statistics: of the data, for the traced values that depend on them.
        checkpoint_every: epochs between checkpoints of the full state, 0 for none.
        keeps_state: whether the state after the last epoch stays, from which the trials may go on.
        packs: whether survivors go on in narrower programs.
        narrower: gives the stack's program for fewer slots, once it is compiled.
        compile_ahead: told of a width that `narrower` may soon be asked for.
        words: gives what tells a trial from the others of its sweep.
        initial: for each trial the weights it begins with; None where they are drawn from its seed.
        frozen: what the trials share because no phase trains it; None where they share nothing.
    """

    wave: Wave
    trials: Sequence[Trial]
    width: int
    program: WaveProgram
    data: Data
    statistics: DataStatistics
    checkpoint_every: int
    keeps_state: bool
    packs: bool
    narrower: Callable[[int], WaveProgram]
    compile_ahead: Callable[[int], None]
    words: Callable[[Trial], str]
    initial: Sequence[InitialWeights | None] = ()
    frozen: Frozen | None = None

    def hyper(self) -> dict[str, jax.Array]:
        """Returns the traced values of all slots, see `train.hyper`.

        An idle slot has the first trial's values and no epochs.
        """
        idle = {**self.trials[0].values, "train.epochs": 0}
        values = [trial.values for trial in self.trials] + [idle] * (self.width - len(self.trials))
        return self.program.place_values(values, self.statistics)

    def epochs(self) -> int:
        """Returns the last epoch that any of its trials may come to."""
        return max(self.wave.end(trial.values["train.epochs"]) for trial in self.trials)

    def images_per_epoch(self) -> int:
        """Returns the training images of one epoch of one trial."""
        batch = self.program.recipe.batch_size
        return self.data.train_images // batch * batch

    def images(self, after_epoch: int = 0) -> int:
        """Returns the training images of all trials beyond an epoch, up to where the wave ends."""
        left = (max(0, self.wave.end(trial.values["train.epochs"]) - after_epoch) for trial in self.trials)
        return self.images_per_epoch() * sum(left)
