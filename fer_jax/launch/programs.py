"""The compiled programs of a sweep's stacks, each made while the stack before it trains."""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from fer_jax.plan import Stack
from fer_jax.train.engine import WaveProgram


class Programs:
    """Hands out the programs of stacks that run one after another; use as a context manager.

    Args:
      stacks: in running order.
      make: makes a stack's program, ready to run; called in another thread.
    """

    def __init__(self, stacks: Sequence[Stack], make: Callable[[Stack], WaveProgram]):
        self._following = {before.name: after for before, after in itertools.pairwise(stacks)}
        self._make = make
        self._pool = ThreadPoolExecutor(1)
        self._made: dict[str, Future[tuple[WaveProgram, float]]] = {}

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_ready(self, stack: Stack) -> bool:
        """Whether `take` would return at once."""
        return stack.name in self._made and self._made[stack.name].done()

    def take(self, stack: Stack) -> tuple[WaveProgram, float]:
        """The program of a stack and the seconds its compilation took; waits for it, and begins with that of the next stack.

        Raises:
          What the compilation raised.
        """
        following = self._following.get(stack.name)
        wanted = [one for one in (stack, following) if one is not None]
        # Programs of stacks that are over hold memory; nobody asks for them again.
        self._made = {one.name: self._made.get(one.name) or self._pool.submit(self._timed, one) for one in wanted}
        return self._made[stack.name].result()

    def _timed(self, stack: Stack) -> tuple[WaveProgram, float]:
        start = time.monotonic()
        return self._make(stack), time.monotonic() - start
