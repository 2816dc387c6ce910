"""What the compiled program of a stack depends on, besides its network and the sizes of the data."""

import dataclasses

import jax.numpy as jnp

# train.precision -> how exact a float32 matrix product is, in jax.default_matmul_precision's words. Left to itself, JAX takes
# TensorFloat-32 (10 bits instead of 23) where a GPU has it.
PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "highest"}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The choices that are compiled in.

    Attributes:
      batch_size: images a step.
      optimizer: see `optim.OPTIMIZERS`.
      schedule: see `schedules.SCHEDULES`.
      select: 'val_accuracy' (highest) or 'val_loss' (lowest) chooses the weights to keep; the earliest epoch wins ties.
      stop_metric: the same for early stopping.
      optional: traced fields with a block of computation of their own (`Field.neutral`) that some trial of the stack uses; the
        others are left out of the program.
      micro_batch: images a forward and backward pass; divides batch_size. 0 is the whole batch. Exact, since gradients add up
        (a network with batch statistics needs the whole batch).
      precision: see `PRECISIONS`.
      native_convolution: see `models.convolution.convolve`.
    """

    batch_size: int
    optimizer: str = "adam"
    schedule: str = "constant"
    select: str = "val_accuracy"
    stop_metric: str = "val_loss"
    optional: tuple[str, ...] = ()
    micro_batch: int = 0
    precision: str = "float32"
    native_convolution: bool = False

    def __post_init__(self) -> None:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch_size {self.batch_size}")

    @property
    def dtype(self) -> jnp.dtype:
        """What activations are; weights, sums over a batch, the loss and the optimiser are float32 always."""
        return jnp.dtype(jnp.bfloat16 if self.precision == "bfloat16" else jnp.float32)

    def uses(self, *names: str) -> bool:
        """Whether any of these optional fields is compiled in."""
        return any(name in self.optional for name in names)

    def used(self, block: str) -> tuple[str, ...]:
        """The optional fields of a block, such as 'augment', that are compiled in."""
        return tuple(name for name in self.optional if name.startswith(f"{block}."))

