"""Draws how many times as fast fer_jax is as each candidate of `peers.py`, by batch size.

    python benchmarks/plot.py RESULTS.json [RESULTS.json ...] --png=docs/performance.png

Files of the same networks and batch sizes are shown as one: a later one counts. A bar ends at the
median of the turns' ratios and its whisker spans their quartiles.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import FixedLocator, NullLocator

from fer_jax.figures import style

COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY)
ROUND = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def gather(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[int, Mapping[str, Any]]]]:
    """Returns network -> candidate -> batch size -> its row.

    The reference, and what was left out, have no row.
    """
    found: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for document in documents:
        for row in document["rows"]:
            if row.get("ratio") and row["candidate"] != "fer_jax: a stack":
                found.setdefault(row["network"], {}).setdefault(row["candidate"], {})[row["batch"]] = row
    return found


def draw(found: Mapping[str, Mapping[str, Mapping[int, Mapping[str, Any]]]]) -> Any:
    """Draws a panel a network, a group of bars a candidate, a bar a batch size.

    The axis is logarithmic.
    """
    bars = sum(1 + len(rows) for candidates in found.values() for rows in candidates.values())
    made = style.figure(1.5 + 0.17 * bars)
    heights = [sum(1 + len(rows) for rows in candidates.values()) for candidates in found.values()]
    panels = made.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    batches = sorted({batch for candidates in found.values() for rows in candidates.values() for batch in rows})
    colour = dict(zip(batches, COLOURS, strict=False))
    ratios = [row["ratio"] for candidates in found.values() for rows in candidates.values() for row in rows.values()]
    low, high = min(0.8, min(ratios) / 1.2), max(1.25, max(ratios) * 1.5)
    for ax, (network, candidates) in zip(panels, found.items(), strict=True):
        ordered = sorted(candidates, key=lambda name: min(row["ratio"] for row in candidates[name].values()))
        places, top = [], 0
        for name in ordered:
            own = sorted(candidates[name])
            places.append(top + (len(own) - 1) / 2)
            for y, batch in enumerate(own, top):
                row = candidates[name][batch]
                # From 1, not from 0, which a logarithmic axis does not have: level with fer_jax is
                # no bar.
                ax.barh(y, row["ratio"] - 1, 0.92, left=1, color=colour[batch])
                ax.plot(
                    [row["ratios"]["lower_quartile"], row["ratios"]["upper_quartile"]],
                    [y, y],
                    color=style.INK,
                    linewidth=1,
                )
                end = max(1, row["ratio"], row["ratios"]["upper_quartile"])
                text = {"va": "center", "fontsize": style.SMALL - 1, "color": style.INK}
                ax.annotate(f"{row['ratio']:.3g}", (end, y), (4, 0), textcoords="offset points", **text)
            top += len(own) + 1
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        ticks = [tick for tick in ROUND if low <= tick <= high]
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(ticks, [f"{tick:g} x" for tick in ticks])
        ax.set_yticks(places, ordered)
        ax.invert_yaxis()
        style.tidy(ax, "x")
        ax.axvline(1, color=style.INK, linewidth=1)
        style.title(ax, f"{network}'s network")
    style.label(panels[-1], "fer_jax's images a second over the candidate's")
    handles = [panels[0].barh(0, 0, color=colour[batch], label=f"batch {batch}") for batch in batches]
    style.legend(made, handles, "lower center", len(batches))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--png", type=Path, required=True)
    options = parser.parse_args()
    found = gather([json.loads(path.read_text()) for path in options.results])
    if not found:
        raise SystemExit("no ratios in these files: are they results of benchmarks/peers.py?")
    options.png.parent.mkdir(parents=True, exist_ok=True)
    options.png.write_bytes(style.png(draw(found)))


if __name__ == "__main__":
    main()
