"""How a person started this program, so that every command it shows is one they can type.

`python -m fer_jax.sweep`, `python -m fer_jax sweep` and `fer-jax sweep` are one program.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

MODULES = "python -m fer_jax."

_typed = MODULES


@contextlib.contextmanager
def by(typed: str) -> Iterator[None]:
    """Says, while the context lasts, what stands before a program's name: 'fer-jax '."""
    global _typed
    outer, _typed = _typed, typed
    try:
        yield
    finally:
        _typed = outer


def command(program: str) -> str:
    """Returns what to type for a program such as 'report': 'fer-jax report'.

    It is `python -m fer_jax.report` from Python and where programs are started so.
    """
    return _typed + program


def worded(text: str) -> str:
    """Returns a text with its commands, `python -m fer_jax.PROGRAM`, as the person types them."""
    return text.replace(MODULES, _typed)
