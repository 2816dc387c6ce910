"""A start that ends as a kill would, at a chosen call of what writes."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Killed(BaseException):
    """Ends a start as a kill would: nobody catches it."""


@contextmanager
def killed_at(owner: type, method: str, call: int) -> Iterator[None]:
    """Ends what runs inside the `with` block at a call, counted from 1, of a method of a class."""
    calls, write = itertools.count(1), getattr(owner, method)

    def killed(self, *arguments, **options):
        if next(calls) == call:
            raise Killed
        return write(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, method, killed)
        yield
