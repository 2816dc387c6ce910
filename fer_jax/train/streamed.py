"""The programs of a stack whose images come in chunks: an epoch is several calls.

They are `train_chunk` for every chunk of steps, `validate_chunk` for every chunk of validation
batches, and `finish_epoch`. All share their bodies with the one call of resident data, so a trial's
results are the same.

A chunk holds a stream for each distinct seed of the order, not for each trial: trials of one such
seed see the same images in the same order, and every trial takes the stream of its own. Each device
gets whole chunks, so trials may lie on any of them.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from fer_jax.train import evaluation, step, stream, trial
from fer_jax.train.engine import WaveProgram, batch_grid, batch_shapes, held_out, with_sharding
from fer_jax.train.evaluation import Scores
from fer_jax.train.recipe import Recipe
from fer_jax.train.step import Tally
from fer_jax.train.trial import TrialState


class StreamedProgram(WaveProgram):
    """The programs of a stack whose images come in chunks.

    `trace` leaves `epoch` and `evaluate`, which are for resident data, uncompiled.

    Args:
        program: the same stack's for resident data. Its network takes images and holds nothing
            apart.
        train: images of the training split.
        streams: the most distinct seeds of the order in a wave.

    Attributes:
        train, streams: as given.
        steps: of an epoch.
        size: steps in a chunk.
    """

    phased = ("train_chunk", "validate_chunk", "finish_epoch", "next_phase")

    def __init__(self, program: WaveProgram, train: int, streams: int):
        super().__init__(program.network, program.recipe, program.engine, program.devices)
        batch = self.recipe.batch_size
        self.train, self.streams, self.steps = train, streams, train // batch
        self.size = stream.chunk_size(self.steps, streams * batch * math.prod(self.network.image_shape))

    def order(self, seed: jax.Array, epoch: jax.Array) -> jax.Array:
        """Returns the rows of the training split in an epoch's order, int32 (steps, batch).

        Args:
            seed: of the order, uint32 scalar.
            epoch: int32 scalar, epochs completed before. See `step.order`.
        """
        return self.run("order", seed, epoch)

    def train_chunk(
        self, state: TrialState, tally: Tally, values: Any, own: Any, chunk: Any, first: Any, phase: int = 0
    ) -> tuple[TrialState, Tally]:
        """Trains every active trial for the steps of a chunk; the old state is donated.

        Args:
            state, tally: of the wave, before the chunk.
            values: traced values, see `place_values`.
            own: int32 (trial,), the stream that has the order of each trial's seed.
            chunk: see `step.chunk_steps`.
            first: int32 scalar, number of the chunk's first step in the epoch.
            phase: the phase of the training that the epoch belongs to.
        """
        return self.run("train_chunk", state, tally, values, own, chunk, first, phase=phase)

    def validate_chunk(self, state: TrialState, scores: Scores, values: Any, batches: Any, phase: int = 0) -> Scores:
        """Adds the scores of every active trial on some batches of the validation split."""
        return self.run("validate_chunk", state, scores, values, batches, phase=phase)

    def finish_epoch(
        self, state: TrialState, tally: Tally, scores: Scores, values: Any, count: Any, phase: int = 0
    ) -> tuple[TrialState, dict[str, jax.Array]]:
        """Ends an epoch that validated on `count` images and returns what `epoch` returns.

        The old state is donated.
        """
        return self.run("finish_epoch", state, tally, scores, values, count, phase=phase)

    def evaluate_chunk(
        self, split: str, variables: Any, scores: Scores, values: Any, batches: Any
    ) -> tuple[Scores, jax.Array]:
        """Adds the scores on some batches of 'validation' or 'test'.

        Returns:
            The scores and the batches' logits (trial, batches, b, K).
        """
        return self.run(f"evaluate_chunk_{split}", variables, scores, values, batches)

    def mean_scores(self, scores: Scores, count: Any) -> tuple[jax.Array, jax.Array]:
        """Returns loss (trial,) and accuracy (trial,), means of the scores over `count` images."""
        return self.run("mean_scores", scores, count)

    def place_sums(self, width: int) -> tuple[Tally, Scores]:
        """Returns the tally and the scores of nothing yet, for a wave of this width."""
        return jax.device_put(_no_sums(width), self.per_trial)

    def place_number(self, number: int) -> jax.Array:
        """Returns a number, such as that of a step, as an int32 scalar on every device."""
        return jax.device_put(np.int32(number), self.shared)

    def _functions(self) -> dict[str, Callable[[Recipe], jax.stages.Wrapped]]:
        return super()._functions() | {
            "order": self._order,
            "train_chunk": self._train_chunk,
            "validate_chunk": self._validate_chunk,
            "finish_epoch": self._finish_epoch,
            "evaluate_chunk_validation": self._evaluate_chunk,
            "evaluate_chunk_test": self._evaluate_chunk,
            "mean_scores": self._mean_scores,
        }

    def _order(self, recipe: Recipe) -> jax.stages.Wrapped:
        ordered = functools.partial(step.order, count=self.train, batch_size=recipe.batch_size)
        return jax.jit(ordered, compiler_options=self._options(once=True))

    def _train_chunk(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(per_trial: tuple, chunk: Any, first: jax.Array) -> tuple[TrialState, Tally]:
            state, tally, values, stream = per_trial
            return trial.train_chunk(self.network, recipe, state, tally, values, chunk, stream, first, self.steps)

        mapped = self._over_trials(one, shared=2)
        return self._jitted(
            lambda state, tally, values, stream, chunk, first: mapped((state, tally, values, stream), chunk, first),
            donate=True,
        )

    def _validate_chunk(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(per_trial: tuple, batches: Any) -> Scores:
            state, scores, values = per_trial
            return trial.validate_chunk(self.network, recipe, state, scores, values, batches)

        mapped = self._over_trials(one, shared=1)
        return self._jitted(lambda state, scores, values, batches: mapped((state, scores, values), batches))

    def _finish_epoch(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(per_trial: tuple, count: jax.Array) -> tuple[TrialState, dict[str, jax.Array]]:
            state, tally, scores, values = per_trial
            return trial.finish_epoch(recipe, state, tally, scores, values, self.steps, count)

        mapped = self._over_trials(one, shared=1)
        return self._jitted(
            lambda state, tally, scores, values, count: mapped((state, tally, scores, values), count), donate=True
        )

    def _evaluate_chunk(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(per_trial: tuple, batches: Any) -> tuple[Scores, jax.Array]:
            variables, scores, values = per_trial
            params, stats = variables["params"], variables["stats"]
            return evaluation.scores_and_logits(self.network, recipe, params, stats, values, scores, batches)

        mapped = self._over_trials(one, shared=1)
        return self._jitted(lambda variables, scores, values, batches: mapped((variables, scores, values), batches))

    def _mean_scores(self, recipe: Recipe) -> jax.stages.Wrapped:
        # Mapped as in `evaluate`: XLA makes a division of a vector by one number a product with its
        # rounded inverse.
        return self._jitted(self._over_trials(lambda scores, count: (scores[0] / count, scores[1] / count), shared=1))

    def _jitted(self, function: Any, donate: bool = False) -> jax.stages.Wrapped:
        return jax.jit(
            function,
            donate_argnums=0 if donate else (),
            out_shardings=self.per_trial,
            compiler_options=self._options(),
        )

    def shapes(self, values: Any, train: int, validation: int, test: int) -> dict[str, tuple]:
        image_shape = self.network.image_shape
        width = values["train.seed"].shape[0]
        state = self.state_shapes(values)
        tally, scores = with_sharding(_no_sums(width), self.per_trial)
        own = jax.ShapeDtypeStruct((width,), np.int32, sharding=self.per_trial)
        number = jax.ShapeDtypeStruct((), np.int32, sharding=self.shared)
        grid = (self.streams, self.size, self.recipe.batch_size)
        chunk = {
            "images": jax.ShapeDtypeStruct((*grid, *image_shape), np.uint8),
            "labels": jax.ShapeDtypeStruct(grid, np.int32),
        }

        def batches(count: int) -> Any:
            grid = evaluation_grid(count, image_shape, self.evaluation_batch)
            return with_sharding(batch_shapes(grid, image_shape), self.shared)

        found: dict[str, tuple] = {
            "order": (jax.ShapeDtypeStruct((), np.uint32), jax.ShapeDtypeStruct((), np.int32)),
            "train_chunk": (state, tally, values, own, with_sharding(chunk, self.shared), number),
            "validate_chunk": (state, scores, values, batches(validation)),
            "finish_epoch": (state, tally, scores, values, number),
            "mean_scores": (scores, number),
        }
        for split, count in held_out(validation, test):
            found[f"evaluate_chunk_{split}"] = (state.best, scores, values, batches(count))
        return found


def _no_sums(width: int) -> Any:
    """Returns `Tally.new` and `evaluation.no_scores` for every trial, on the host."""
    loss, correct = np.zeros(width, np.float32), np.zeros(width, np.int32)
    tally: Any = {"finite": np.ones(width, bool), "loss": loss, "correct": correct}
    return Tally(**tally), (loss, correct)


def evaluation_grid(count: int, image_shape: tuple[int, int, int], batch: int) -> tuple[int, int]:
    """Returns (batches in a chunk, images in each) for a split cut into batches of `batch`."""
    batches, batch = batch_grid(count, batch)
    return stream.chunk_size(batches, batch * math.prod(image_shape)), batch
