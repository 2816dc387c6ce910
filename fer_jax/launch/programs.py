"""The programs of a sweep's stacks, made in other threads.

Each is made while the stack before it trains, or the wave that it will go on with; what would
disturb that waits until the program is wanted.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor

from fer_jax.plan import Stack
from fer_jax.train.engine import WaveProgram

Made = Future[tuple[WaveProgram, float]]


class Programs:
    """The programs of a sweep, made in other threads; use it as a context manager.

    Args:
        make: makes the program of a stack for waves of a width, ready to run but for `finish`.
        finish: what is left to do with it while nothing trains; None where nothing is.
    """

    def __init__(self, make: Callable[[Stack, int], WaveProgram], finish: Callable[[WaveProgram], None] | None = None):
        self._make, self._finish = make, finish
        # Two at once: the narrower program a wave will wait for need not queue behind the next
        # stack's.
        self._pool = ThreadPoolExecutor(2)
        self._made: dict[tuple[str, int], Made] = {}
        self._finished: dict[tuple[str, int], Made] = {}

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_ready(self, stack: Stack, width: int) -> bool:
        """Returns whether `take` would return at once."""
        made = self._finished if self._finish else self._made
        key = stack.name, width
        return key in made and made[key].done()

    def begin(self, stack: Stack, width: int) -> None:
        """Begins to make the program that `take` will be asked for, unless it has begun."""
        if (stack.name, width) not in self._made:
            self._made[stack.name, width] = self._pool.submit(self._timed, stack, width)

    def take(self, stack: Stack, width: int) -> tuple[WaveProgram, float]:
        """Returns the program of a stack for waves of a width, and its seconds of compilation.

        It makes what is left and waits for it; nothing may train meanwhile.

        Raises:
            Exception: what the compilation raised.
        """
        self.begin(stack, width)
        key = stack.name, width
        if self._finish is None:
            return self._made[key].result()
        if key not in self._finished:
            self._finished[key] = self._pool.submit(self._timed_rest, self._finish, self._made[key])
        return self._finished[key].result()

    def keep(self, stacks: Collection[str]) -> None:
        """Forgets the programs of all stacks but these, which frees their memory."""
        for made in (self._made, self._finished):
            for key in [key for key in made if key[0] not in stacks]:
                del made[key]

    def forget(self, stack: Stack, width: int) -> None:
        """Forgets one program, or the error from compiling it; `take` would compile it again."""
        for made in (self._made, self._finished):
            made.pop((stack.name, width), None)

    def _timed(self, stack: Stack, width: int) -> tuple[WaveProgram, float]:
        start = time.monotonic()
        return self._make(stack, width), time.monotonic() - start

    @staticmethod
    def _timed_rest(finish: Callable[[WaveProgram], None], made: Made) -> tuple[WaveProgram, float]:
        program, before = made.result()
        start = time.monotonic()
        finish(program)
        return program, before + time.monotonic() - start
