"""Points that are drawn: places in the unit cube, and the values that lie there.

What is drawn is a function of the fields' texts, search.kind, search.draws and search.seed, and of
nothing else. Of kind random, sobol or halton the first of more points are the points of fewer.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fer_jax.config.draws import Draw
from fer_jax.config.field import FieldError, in_words

# Kinds of which more draws are other draws.
WHOLE = ("latin", "grid")


def drawn(draws: Mapping[str, Draw], kind: str, number: int, seed: int) -> tuple[dict[str, Any], ...]:
    """Returns the points that are drawn, as dotted name -> value; equal ones are one.

    Args:
        draws: dotted name -> what it is drawn from, in the order of `FIELDS`.
        kind: search.kind.
        number: search.draws: the points of a draw; the most of a grid.
        seed: search.seed; a grid has none.

    Raises:
        FieldError: fewer points than the smallest grid takes.
    """
    if not draws:
        return ()
    rows: Iterable[tuple[Any, ...]]
    if kind == "grid":
        rows = itertools.product(*_levels(draws, number))
    else:
        cube = places(kind, number, len(draws), seed)
        parts = number if kind == "latin" else 1  # what is rounded stays in its part
        rows = zip(*(draw.at(column, parts) for draw, column in zip(draws.values(), cube.T, strict=True)), strict=True)
    return tuple(dict(zip(draws, row, strict=True)) for row in dict.fromkeys(rows))


@functools.lru_cache(maxsize=8)
def places(kind: str, number: int, axes: int, seed: int) -> np.ndarray:
    """Returns points in the unit cube, of shape (number, axes), each in [0, 1).

    Those of sobol, halton and latin are scrambled: Owen, 'Randomly permuted (t, m, s)-nets', 1995;
    Owen, 'A randomized Halton algorithm in R', 2017; McKay, Beckman and Conover, 1979.

    Args:
        kind: 'random', 'sobol', 'halton' or 'latin'.
        number: of points.
        axes: of the cube.
        seed: of NumPy's default generator, whose stream all four take.
    """
    generator = np.random.default_rng(seed)
    if kind == "random":
        found = generator.random((number, axes))
    else:
        from scipy.stats import qmc  # takes a second, of which --help has no need

        maker = {"sobol": qmc.Sobol, "halton": qmc.Halton, "latin": qmc.LatinHypercube}[kind]
        try:
            engine = maker(axes, rng=generator)
        except TypeError:  # SciPy before 1.15
            engine = maker(axes, seed=generator)
        if kind == "sobol":
            # Asked for another number than a power of 2, it warns.
            found = engine.random_base2(max(number - 1, 0).bit_length())[:number]
        else:
            found = engine.random(number)
    found.setflags(write=False)
    return found


def _levels(draws: Mapping[str, Draw], number: int) -> list[tuple[Any, ...]]:
    """Returns the values of each field on a grid of at most `number` points."""
    choices = math.prod(len(draw.choices) for draw in draws.values() if not draw.scale)
    scales = [name for name, draw in draws.items() if draw.scale]
    count = 2
    while scales and choices * (count + 1) ** len(scales) <= number:
        count += 1
    fewest = choices * 2 ** len(scales)
    if fewest > number:
        of = [f"2 levels of {in_words(scales)}"] if scales else []
        of += [f"every choice of {in_words(name for name in draws if name not in scales)}"] if choices > 1 else []
        raise FieldError(
            ["search.draws", "search.kind", *(f"sweep.draw.{name}" for name in draws)],
            f"search.draws = {number:,}: the smallest grid, {' x '.join(of)}, has {fewest:,} points; "
            "draw as many or set search.kind = random",
        )
    return [draw.scale.levels(count) if draw.scale else draw.choices for draw in draws.values()]
