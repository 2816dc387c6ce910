"""What the compiled program of a stack depends on, besides its network and the sizes of the data."""

import dataclasses


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
    """

    batch_size: int
    optimizer: str = "adam"
    schedule: str = "constant"
    select: str = "val_accuracy"
    stop_metric: str = "val_loss"
    optional: tuple[str, ...] = ()
    micro_batch: int = 0

    def __post_init__(self) -> None:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch_size {self.batch_size}")

    def uses(self, *names: str) -> bool:
        """Whether any of these optional fields is compiled in."""
        return any(name in self.optional for name in names)

    def used(self, block: str) -> tuple[str, ...]:
        """The optional fields of a block, such as 'augment', that are compiled in."""
        return tuple(name for name in self.optional if name.startswith(f"{block}."))

