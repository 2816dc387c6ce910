"""The compiled programs of a sweep's stacks, made in other threads.

Each is made while the stack before it trains, or the wave that it will go on with.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor

from fer_jax.plan import Stack
from fer_jax.train.engine import WaveProgram


class Programs:
    """The programs of a sweep, compiled in other threads; use it as a context manager.

    Args:
        make: makes the program of a stack for waves of a width, ready to run.
    """

    def __init__(self, make: Callable[[Stack, int], WaveProgram]):
        self._make = make
        # Two at once: the narrower program a wave will wait for need not queue behind the next
        # stack's.
        self._pool = ThreadPoolExecutor(2)
        self._made: dict[tuple[str, int], Future[tuple[WaveProgram, float]]] = {}

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_ready(self, stack: Stack, width: int) -> bool:
        """Returns whether `take` would return at once."""
        key = stack.name, width
        return key in self._made and self._made[key].done()

    def begin(self, stack: Stack, width: int) -> None:
        """Begins to make the program that `take` will be asked for, unless it has begun."""
        if (stack.name, width) not in self._made:
            self._made[stack.name, width] = self._pool.submit(self._timed, stack, width)

    def take(self, stack: Stack, width: int) -> tuple[WaveProgram, float]:
        """Returns the program of a stack for waves of a width, and its seconds of compilation.

        It waits for the program.

        Raises:
            Exception: what the compilation raised.
        """
        self.begin(stack, width)
        return self._made[stack.name, width].result()

    def keep(self, stacks: Collection[str]) -> None:
        """Forgets the programs of all stacks but these, which frees their memory."""
        self._made = {key: made for key, made in self._made.items() if key[0] in stacks}

    def forget(self, stack: Stack, width: int) -> None:
        """Forgets one program, or the error from compiling it; `take` would compile it again."""
        self._made.pop((stack.name, width), None)

    def _timed(self, stack: Stack, width: int) -> tuple[WaveProgram, float]:
        start = time.monotonic()
        return self._make(stack, width), time.monotonic() - start
