"""How many images of each class each split has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_jax.figures import style

_COLOURS = {"train": style.BLUE, "validation": style.VERMILLION, "test": style.GREEN}


def draw(data: Mapping[str, Any]) -> style.Drawing | None:
    """Returns bars of a data set's record: the share of each class in each split, and its images.

    None without counts.
    """
    counts = {
        split: dict(of)
        for split, of in (data.get("counts") or {}).items()
        if isinstance(of, Mapping) and sum(of.values())
    }
    if not counts:
        return None
    classes = [str(name) for name in data.get("classes") or next(iter(counts.values()))]
    made = style.figure(3.6)
    ax = made.subplots()
    width = 0.8 / len(counts)
    for place, (split, of) in enumerate(counts.items()):
        images = np.array([of.get(name, 0) for name in classes])
        at = np.arange(len(classes)) + (place - (len(counts) - 1) / 2) * width
        bars = ax.bar(
            at,
            images / images.sum(),
            0.92 * width,
            color=_COLOURS.get(split, style.WINE),
            label=f"{split} ({images.sum():,})",
        )
        if len(classes) * len(counts) <= 24:
            ax.bar_label(bars, [f"{one:,}" for one in images], fontsize=style.SMALL - 2, color=style.MUTED, padding=2)
    style.tidy(ax, "y")
    style.ticks(ax.xaxis, range(len(classes)), classes)
    style.label(ax, x="class", y="share of the split")
    handles, _ = ax.get_legend_handles_labels()
    style.legend(made, handles, "upper left", len(counts))
    text = "Share of each class in each split; the figures are pictures, after balancing where the config asks for it."
    finding = " ".join(_finding(split, of) for split, of in counts.items())
    heading = "Class distribution: what the data are made of"
    return style.Drawing("class_distribution", heading, "Class distribution", text, made, finding)


def _finding(split: str, images: Mapping[str, int]) -> str:
    """Returns the largest and the smallest class of a split."""
    largest, smallest = (choose(images, key=lambda name: images[name]) for choose in (max, min))
    total = sum(images.values())
    ends = [f"{name} {images[name] / total:.1%}" for name in (largest, smallest)]
    return f"{split.capitalize()}: most {ends[0]}, fewest {ends[1]}."
