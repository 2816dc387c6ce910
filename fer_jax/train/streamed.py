"""The programs of a stack whose pictures come in chunks: `engine.WaveProgram` with an epoch of
several calls.

An epoch is `train_chunk` for every chunk of steps, `validate_chunk` for every chunk of validation
batches, and `finish_epoch`. All share their bodies with the one call of resident data, so a trial's
results are the same.

A chunk holds a stream a distinct seed, not a trial: trials of one seed see the same images in the
same order, and every trial takes the stream of its seed. Each device gets whole chunks, so trials
may lie on any of them.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import numpy as np

from fer_jax.train import hardware, step, stream, trial
from fer_jax.train.engine import WaveProgram, batch_grid, batch_shapes, held_out, with_sharding
from fer_jax.train.step import Scores, Tally
from fer_jax.train.trial import TrialState


@dataclasses.dataclass(frozen=True)
class StreamedProgram(WaveProgram):
    """Its `epoch` and `evaluate`, for resident data, stay uncompiled.

    Attributes:
        train: images of the training split.
        streams: most distinct seeds of a wave.
        size: steps in a chunk.
    """

    train: int
    streams: int
    size: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.train // self.recipe.batch_size

    @functools.cached_property
    def order(self) -> jax.stages.Wrapped:
        """(seed, epochs completed before) -> rows of the training split, int32 (steps, batch):
        `step.order`.
        """
        options = hardware.compiler_options(self.devices[0].platform, once=True)
        ordered = functools.partial(step.order, count=self.train, batch_size=self.recipe.batch_size)
        return jax.jit(ordered, compiler_options=options)

    @functools.cached_property
    def train_chunk(self) -> jax.stages.Wrapped:
        """(state, tally, hyper, stream a trial, chunk, first step) -> (state, tally); the old state
        is donated.
        """

        def one(per_trial: tuple, chunk: Any, first: jax.Array) -> tuple[TrialState, Tally]:
            state, tally, values, stream = per_trial
            return trial.train_chunk(self.network, self.recipe, state, tally, values, chunk, stream, first, self.steps)

        mapped = self._over_trials(one, shared=2)
        return self._compiled_later(
            lambda state, tally, values, stream, chunk, first: mapped((state, tally, values, stream), chunk, first),
            donate=True,
        )

    @functools.cached_property
    def validate_chunk(self) -> jax.stages.Wrapped:
        """(state, scores, hyper, batches) -> scores."""

        def one(per_trial: tuple, batches: Any) -> Scores:
            state, scores, values = per_trial
            return trial.validate_chunk(self.network, self.recipe, state, scores, values, batches)

        mapped = self._over_trials(one, shared=1)
        return self._compiled_later(lambda state, scores, values, batches: mapped((state, scores, values), batches))

    @functools.cached_property
    def finish_epoch(self) -> jax.stages.Wrapped:
        """(state, tally, scores, hyper, validation images) -> (state, records); the old state is
        donated.
        """

        def one(per_trial: tuple, count: jax.Array) -> tuple[TrialState, dict[str, jax.Array]]:
            state, tally, scores, values = per_trial
            return trial.finish_epoch(self.recipe, state, tally, scores, values, self.steps, count)

        mapped = self._over_trials(one, shared=1)
        return self._compiled_later(
            lambda state, tally, scores, values, count: mapped((state, tally, scores, values), count), donate=True
        )

    @functools.cached_property
    def evaluate_chunk(self) -> jax.stages.Wrapped:
        """(variables, scores, hyper, batches) -> scores, logits (trial, batches, b, K)."""

        def one(per_trial: tuple, batches: Any) -> tuple[Scores, jax.Array]:
            variables, scores, values = per_trial
            return step.scores_and_logits(
                self.network, self.recipe, variables["params"], variables["stats"], values, scores, batches
            )

        mapped = self._over_trials(one, shared=1)
        return self._compiled_later(
            lambda variables, scores, values, batches: mapped((variables, scores, values), batches)
        )

    def evaluate_chunk_of(
        self, split: str, variables: Any, scores: Scores, values: Any, batches: Any
    ) -> tuple[Scores, jax.Array]:
        """`evaluate_chunk` for 'validation' or 'test', by the executable that `prepare` made for
        the split, if it did.
        """
        return self.__dict__.get(f"evaluate_chunk_{split}", self.evaluate_chunk)(variables, scores, values, batches)

    @functools.cached_property
    def mean_scores(self) -> jax.stages.Wrapped:
        """(scores, images) -> loss (trial,), accuracy (trial,)."""
        # Mapped as in `evaluate`: XLA makes a division of a vector by one number a product with its
        # rounded inverse.
        return self._compiled_later(
            self._over_trials(lambda scores, count: (scores[0] / count, scores[1] / count), shared=1)
        )

    def place_sums(self, width: int) -> tuple[Tally, Scores]:
        """Tally and scores of nothing yet, for a wave of this width."""
        return jax.device_put(_no_sums(width), self.per_trial)

    def _compiled_later(self, function: Any, donate: bool = False) -> jax.stages.Wrapped:
        return jax.jit(
            function,
            donate_argnums=0 if donate else (),
            out_shardings=self.per_trial,
            compiler_options=self._compiler_options,
        )

    def _lower(self, values: Any, train: int, validation: int, test: int) -> dict[str, jax.stages.Lowered]:
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
            return with_sharding(batch_shapes(evaluation_grid(count, image_shape), image_shape), self.shared)

        lowered = {
            "order": self.order.lower(jax.ShapeDtypeStruct((), np.uint32), jax.ShapeDtypeStruct((), np.int32)),
            "train_chunk": self.train_chunk.lower(state, tally, values, own, with_sharding(chunk, self.shared), number),
            "validate_chunk": self.validate_chunk.lower(state, scores, values, batches(validation)),
            "finish_epoch": self.finish_epoch.lower(state, tally, scores, values, number),
            "mean_scores": self.mean_scores.lower(scores, number),
        }
        for split, count in held_out(validation, test):
            lowered[f"evaluate_chunk_{split}"] = self.evaluate_chunk.lower(state.best, scores, values, batches(count))
        return lowered


def _no_sums(width: int) -> Any:
    """`Tally.new` and `step.no_scores` for every trial, on the host."""
    loss, correct = np.zeros(width, np.float32), np.zeros(width, np.int32)
    tally: Any = {"finite": np.ones(width, bool), "loss": loss, "correct": correct}
    return Tally(**tally), (loss, correct)


def evaluation_grid(count: int, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """(batches in a chunk, images in each) for a split of `count` images."""
    batches, batch = batch_grid(count)
    return stream.chunk_size(batches, batch * math.prod(image_shape)), batch


def program_for(program: WaveProgram, train: int, streams: int) -> StreamedProgram:
    """The streamed form of a program, whose network takes pictures and holds nothing apart.

    Args:
        train: images of the training split.
        streams: most distinct seeds of a wave.
    """
    batch = program.recipe.batch_size
    size = stream.chunk_size(train // batch, streams * batch * math.prod(program.network.image_shape))
    return StreamedProgram(program.network, program.recipe, program.engine, program.devices, train, streams, size)
