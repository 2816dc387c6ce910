"""Which features the trees of a head use: how few carry how much, or which class's output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_jax.figures import style

HALF = 0.5


def draw(shares: Sequence[np.ndarray], layer: str, classes: Sequence[str], setting: str) -> style.Drawing:
    """Returns the importances of one head setting, a line or a row of bars for all its repeats.

    Features of a hidden layer have no names, and the third feature of one network is not the third
    of another: their shares are sorted and added up. Where a feature is a class (the output layer),
    the classes are named.

    Args:
        shares: of every repeat, float (F,), summing to 1.
        layer: whose output the features are.
        classes: names of the K classes.
        setting: the head setting in words.
    """
    named = layer in ("output", "probabilities") and len(shares[0]) == len(classes)
    made = style.figure(3.4)
    ax = made.subplots()
    style.tidy(ax, "y")
    together = np.stack(list(shares))
    repeats = f"{len(shares)} repeats" if len(shares) > 1 else "one fit"
    if named:
        spread = together.std(axis=0, ddof=1) if len(shares) > 1 else None
        ax.bar(range(len(classes)), together.mean(axis=0), yerr=spread, color=style.BLUE, capsize=3)
        style.ticks(ax.xaxis, range(len(classes)), list(classes))
        style.label(ax, x="class whose output is the feature", y="share of the gain")
        mean = "mean ± sd" if len(shares) > 1 else "mean"
        text = f"Share of the loss saved by splits on each class's output; {mean} of {repeats}."
    else:
        together = np.cumsum(-np.sort(-together, axis=1), axis=1)
        count = together.shape[1]
        for line in together:
            ax.plot(range(1, count + 1), line, color=style.BLUE, linewidth=1.3, alpha=0.7)
        ax.axhline(HALF, color=style.INK, linewidth=0.9, linestyle=":")
        ax.set_xlim(1, max(count, 2))
        ax.set_ylim(0, 1.02)
        style.label(ax, x="features, the most useful first", y="cumulative share of the gain")
        need = [int(np.searchsorted(line, HALF) + 1) for line in together]
        few = f"{min(need)}" if min(need) == max(need) else f"{min(need)} to {max(need)}"
        text = (
            f"Share of the loss saved by splits on the most useful features of {layer}, a line a network ({repeats}); "
            f"half of it (dotted) comes from {few} of {count}."
        )
    heading = "Feature importance: what the trees look at"
    return style.Drawing("head_importances", heading, "Feature importance", f"{text} Head: {setting}.", made)
