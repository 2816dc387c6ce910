"""What the compiled program of a stack depends on, besides its network and the data's sizes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

# train.precision -> how exact a float32 matrix product is, in jax.default_matmul_precision's words.
# Left to itself, JAX takes TensorFloat-32 (10 bits instead of 23) where a GPU has it. Its word
# 'tensorfloat32' means HIGH, for which XLA may compile plain float32 multiplications instead.
PRECISIONS = {"float32": "highest", "tf32": "default", "bfloat16": "highest"}


@dataclasses.dataclass(frozen=True)
class Phase:
    """Some consecutive epochs with the same layers trained.

    Attributes:
        epochs: of the phase; 0 for as many as train.epochs says, where there is one phase.
        frozen: layers whose weights stay as they are and that run as outside training.
    """

    epochs: int = 0
    frozen: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The choices that are compiled in.

    Attributes:
        batch_size: images a step.
        optimizer: see `optim.OPTIMIZERS`.
        schedule: see `schedules.SCHEDULES`.
        select: 'val_accuracy' (highest) or 'val_loss' (lowest) chooses the weights to keep; the
            earliest epoch wins ties.
        stop_metric: the same for early stopping.
        optional: traced fields with a block of computation of their own (`Field.neutral`) that some
            trial of the stack uses; the others are left out of the program.
        micro_batch: images a forward and backward pass; divides batch_size. 0 is the whole batch.
            Exact, since gradients add up (a network with batch statistics needs the whole batch).
        parts: devices that each take an equal part of every batch, see `batch_parts`; 1 where
            there are batch statistics.
        precision: see `PRECISIONS`.
        native_convolution: see `models.convolution.convolve`.
        side_by_side: whether a device computes its trials at once instead of one after another.
        phases: of the training, in order; the program of one phase has `phase`. Together they are
            the trial's epochs.
        phase: the one the steps belong to.
    """

    batch_size: int
    optimizer: str = "adam"
    schedule: str = "constant"
    select: str = "val_accuracy"
    stop_metric: str = "val_loss"
    optional: tuple[str, ...] = ()
    micro_batch: int = 0
    parts: int = 1
    precision: str = "float32"
    native_convolution: bool = False
    side_by_side: bool = False
    phases: tuple["Phase", ...] = (Phase(),)
    phase: int = 0

    def __post_init__(self) -> None:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch_size {self.batch_size}")
        if self.batch_size % self.parts:
            raise ValueError(f"parts {self.parts} does not divide batch_size {self.batch_size}")

    @property
    def dtype(self) -> jnp.dtype:
        """The element type of activations.

        Weights, sums over a batch, the loss and the optimiser are float32 always.
        """
        return jnp.dtype(jnp.bfloat16 if self.precision == "bfloat16" else jnp.float32)

    def uses(self, *names: str) -> bool:
        """Returns whether any of these optional fields is compiled in."""
        return any(name in self.optional for name in names)

    def used(self, block: str) -> tuple[str, ...]:
        """Returns the optional fields of a block, such as 'augment', that are compiled in."""
        return tuple(name for name in self.optional if name.startswith(f"{block}."))

    def of_phase(self, phase: int) -> "Recipe":
        """Returns the recipe for the steps of another phase."""
        return dataclasses.replace(self, phase=phase)

    @property
    def frozen(self) -> tuple[str, ...]:
        """Layers that this phase does not train."""
        return self.phases[self.phase].frozen

    @property
    def always_frozen(self) -> tuple[str, ...]:
        """Layers that no phase trains: they need no optimiser memory."""
        return tuple(name for name in self.phases[0].frozen if all(name in phase.frozen for phase in self.phases))

    @property
    def first_epoch(self) -> int:
        """The number of epochs before this phase."""
        return sum(phase.epochs for phase in self.phases[: self.phase])

    @property
    def ends(self) -> tuple[int, ...]:
        """The last epoch of each phase but the last, which ends with train.epochs."""
        return tuple(sum(phase.epochs for phase in self.phases[: number + 1]) for number in range(len(self.phases) - 1))

    def phase_after(self, epoch: int) -> int:
        """Returns the phase of the epoch that follows so many epochs."""
        return sum(end <= epoch for end in self.ends)

    def learning(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the layers that this phase trains."""
        return {name: leaves for name, leaves in params.items() if name not in self.frozen}

    def remembered(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the layers that some phase trains: what the optimiser keeps a state for."""
        return {name: leaves for name, leaves in params.items() if name not in self.always_frozen}
