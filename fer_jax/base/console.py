"""What a person sees while a data set is prepared: bars in a terminal, a plain line elsewhere,
always on stderr.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


def say(text: str) -> None:
    """One line on stderr."""
    print(f"fer_jax: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def bar(title: str, total: int | None) -> Iterator[Callable[[], object]]:
    """A bar in a terminal, nothing elsewhere; what it yields is called once a picture.

    Args:
        title: one word.
        total: number of pictures, if it is known.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, unit=" pictures", file=sys.stderr, leave=False) as shown:
        yield shown.update
