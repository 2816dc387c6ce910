"""Compares ways of searching a grid by replaying them on its recorded curves.

    python benchmarks/search.py --curves=benchmarks/results/search_curves_builtin.parquet
        [--orders=50] [--seeds=1,3,5] [--level=.05] [--markdown] [--json=FILE]

The table of curves is of `benchmarks/record_curves.py`: a full grid whose points were all trained
to their end with every seed. Nothing is trained here; each method sees of the curves what it would
have trained:

    full grid   every point to its end (with all seeds its choice is what the others are held to)
    random      so many points, drawn, to their end
    i-Epoch     all points for i epochs, the best one or three to their end (Egele, Mohr, Viering
                and Balaprakash 2024); the plain baseline
    halving     successive halving by first rung x factor; Hyperband with as many brackets as rungs
    unlikely    `search.stop`: at the rungs of halving, or alone after any epoch
    race        seeds one after another for the points that are still in it, where this tree has it

in the same orders: the points shuffled, and for each point its repeats in an order of its own. With
one seed a search sees one repeat of each point, with k seeds k of them, and compares their means.

A pass is an epoch of one trial. The regret is the validation accuracy of the grid's best point less
that of the chosen one, both means over all seeds at the end of their training, in percentage
points; on the test split it is the same two points' difference, which may be negative. The seeds a
search saw are among those it is judged by. Each method is then set against the best of those
i-Epoch rows that take no more passes, the baseline's number of epochs chosen in hindsight.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import record
import replay
from candidate import ROOT, load
from replay import Found, Grid, View

HALF_A_POINT = 0.5 + 1e-9
BASELINE = "i-Epoch"
Method = Callable[[View], Found]


def methods(grid: Grid, seeds: Sequence[int], level: float) -> Iterator[tuple[str, str, int, Method]]:
    """Yields family, name, number of seeds and the method itself."""
    size, every, end = grid.scores.shape
    for number in seeds:
        yield "full grid", "full grid", number, replay.First(size)
        for count in np.unique((size * np.arange(1, 20) / 20).round().astype(int)):
            yield "random", f"random, {count} points", number, replay.First(int(count))
        for keep in (1, 3):
            for epochs in range(1, end):
                name = f"{epochs} epoch{'s' * (epochs > 1)}, best {keep}"
                yield BASELINE, name, number, replay.Constant(epochs, keep)
        for first, factor in replay.halvings(end):
            brackets = len(replay.ladder(end, first, factor))
            yield "halving", f"halving {first} x {factor}", number, replay.Rungs(first, factor)
            yield "Hyperband", f"Hyperband {first} x {factor}", number, replay.Rungs(first, factor, brackets)
            name = f"halving {first} x {factor}, unlikely"
            yield "halving, unlikely", name, number, replay.Rungs(first, factor, level=level)
        yield "unlikely", f"unlikely at {level:.0%}", number, replay.Unlikely(level)
    if every == 1:
        return
    yield "race", "race, error 5%", every, replay.Racing(1, 0.05)
    for keep in (3, 5):
        more = f"then {every} seeds of the best {keep}"
        yield "full grid, more seeds", f"full grid, {more}", every, replay.Reseeded(replay.First(size), keep)
        for epochs in range(1, end):
            name = f"{epochs} epoch{'s' * (epochs > 1)}, best {keep}, {more}"
            yield f"{BASELINE}, more seeds", name, every, replay.Reseeded(replay.Constant(epochs, keep), keep)
        for first, factor in replay.halvings(end):
            for words, share in (("", 0.0), (", unlikely", level)):
                name, method = f"halving {first} x {factor}{words}, {more}", replay.Rungs(first, factor, level=share)
                yield f"halving{words}, more seeds", name, every, replay.Reseeded(method, keep)


def measure(grid: Grid, found: Sequence[Found]) -> dict[str, Any]:
    """Returns what a method's choices in all orders come to."""
    point, passes = (np.array(column) for column in zip(*found, strict=True))
    truth, test = grid.truth, replay.mean(grid.test, 1)
    regret = 100 * (truth.max() - truth[point])
    row = {
        "passes": record.spread(passes.tolist()),
        "share_of_grid": round(float(np.median(passes) / grid.trained[:, :, -1].sum()), 4),
        "within_half_a_point": float((regret <= HALF_A_POINT).mean()),
        "regret": {**points(regret), "worst": round(float(regret.max()), 3)},
    }
    if np.isfinite(test).all():
        row["test_regret"] = points(100 * (test[truth.argmax()] - test[point]))
    return row


def points(values: np.ndarray) -> dict[str, float]:
    """Returns mean, median and quartiles of percentage points, to three digits."""
    found = {"mean": float(values.mean()), **record.spread(values.tolist())}
    return {name: round(value, 3) for name, value in found.items()}


def order_of_merit(row: dict[str, Any]) -> tuple[float, float]:
    """More orders within half a point, then the smaller mean regret, to a tenth of a point."""
    return row["within_half_a_point"], -round(row["regret"]["mean"], 1)


def against_baseline(rows: Sequence[dict[str, Any]]) -> None:
    """Puts into each other row which i-Epoch of at most its passes is best, and which is better."""
    plain = [row for row in rows if row["family"] == BASELINE]
    for row in rows:
        cheaper = [other for other in plain if other["passes"]["median"] <= row["passes"]["median"]]
        if row["family"] == BASELINE or not cheaper:
            continue
        best = max(cheaper, key=order_of_merit)
        ours, theirs = order_of_merit(row), order_of_merit(best)
        row["baseline"] = {key: best[key] for key in ("method", "seeds")} | {"passes": best["passes"]["median"]}
        row["against_baseline"] = "better" if ours > theirs else "equal" if ours == theirs else "worse"


def smallest(rows: Sequence[dict[str, Any]], share: float) -> dict[str, Any] | None:
    """Returns the row of fewest passes that is within half a point in such a share of orders."""
    enough = [row for row in rows if row["within_half_a_point"] >= share]
    return min(enough, key=lambda row: row["passes"]["median"]) if enough else None


def families(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns for each family the passes to be within half a point in half and nine tenths of the
    orders, and by which of its methods; None where none of them is.
    """
    found = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own: dict[str, Any] = {"family": family}
        for name, share in (("half", 0.5), ("nine_tenths", 0.9)):
            row = smallest([row for row in rows if row["family"] == family], share)
            keys = ("method", "seeds", "share_of_grid")
            own[name] = row and {"passes": row["passes"]["median"], **{key: row[key] for key in keys}}
        found.append(own)
    return found


def show(rows: Sequence[dict[str, Any]], summary: Sequence[dict[str, Any]]) -> None:
    print("seeds  passes  within .5   regret     worst on test  method")
    for row in sorted(rows, key=lambda row: row["passes"]["median"]):
        test = f"{row['test_regret']['mean']:7.2f}" if "test_regret" in row else "      -"
        against = f", {row['against_baseline']} than {row['baseline']['method']}" if "baseline" in row else ""
        against = against.replace("equal than", "equal to")
        print(
            f"{row['seeds']:5} {row['passes']['median']:7.0f} {row['within_half_a_point']:9.0%} "
            f"{row['regret']['mean']:8.2f} {row['regret']['worst']:9.2f} {test}  {row['method']}{against}"
        )
    print("\npasses to within half a point in 50 % and 90 % of the orders")
    for own in summary:
        words = [
            f"{own[name]['passes']:6.0f} ({own[name]['method']}, {own[name]['seeds']} seeds)" if own[name] else "never"
            for name in ("half", "nine_tenths")
        ]
        print(f"{own['family']:20} {words[0]:44} {words[1]}")
    for family in ("halving", "Hyperband", "halving, unlikely", "unlikely", "race"):
        own = [row for row in rows if row["family"] == family and "against_baseline" in row]
        counts = Counter(row["against_baseline"] for row in own)
        words = ", ".join(f"{verdict} in {counts[verdict]}" for verdict in ("better", "equal", "worse"))
        better = [f"{row['method']} ({row['seeds']})" for row in own if row["against_baseline"] == "better"]
        if own:
            told = f": {', '.join(better)}" if better else ""
            print(f"{family}, {len(own)} rows, against the best i-Epoch of no more passes: {words}{told}")


def markdown(rows: Sequence[dict[str, Any]], summary: Sequence[dict[str, Any]], passes: int) -> Iterator[str]:
    """Yields the lines of the tables of docs/search.md.

    Args:
        passes: of the full grid with all its seeds.
    """
    yield "| way | half the orders | nine orders in ten |"
    yield "|---|---|---|"
    for own in summary:
        cells = [own["family"]]
        for name in ("half", "nine_tenths"):
            row = own[name]
            seeds = "" if not row else f"{row['seeds']} seed{'s' * (row['seeds'] > 1)}"
            cells.append(f"{row['passes']:,.0f}: {row['method']}, {seeds}" if row else "never")
        yield f"| {' | '.join(cells)} |"
    numbers = sorted({row["seeds"] for row in rows})
    yield ""
    yield "| method | " + " | ".join(f"{number} seed{'s' * (number > 1)}" for number in numbers) + " |"
    yield "|---|" + "---|" * len(numbers)
    found = {(row["method"], row["seeds"]): row for row in rows if row["family"] != "random"}
    for method in dict.fromkeys(method for method, _ in found):
        cells = [method]
        for number in numbers:
            row = found.get((method, number))
            share = f"{row['passes']['median'] / passes:.1%}" if row else ""
            against = f", {row['against_baseline']}" if row and "against_baseline" in row else ""
            text = f"{share}: {row['within_half_a_point']:.0%}, {row['regret']['mean']:.2f}{against}" if row else ""
            cells.append(text)
        yield f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--seeds", default="", help="numbers of repeats a search sees; as it is: 1, half, all")
    parser.add_argument("--level", type=float, default=0.05, help="the probability below which is unlikely")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/search.md has them")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    results = record.Results(load(ROOT), options)
    grid = Grid.of(pd.read_parquet(options.curves))
    every = grid.scores.shape[1]
    seeds = [int(word) for word in options.seeds.split(",")] if options.seeds else sorted({1, (every + 1) // 2, every})
    if not all(1 <= number <= every for number in seeds):
        raise SystemExit(f"--seeds: from 1 to {every}, which the grid was trained with")
    seen = {number: list(replay.views(grid, options.orders, number)) for number in {*seeds, every}}
    for family, name, number, method in methods(grid, seeds, options.level):
        found = [method(view) for view in seen[number]]
        results.add({"family": family, "method": name, "seeds": number, **measure(grid, found)})
    rows = results.document["rows"]
    against_baseline(rows)
    best = int(grid.truth.argmax())
    results.document["grid"] = {
        "points": grid.scores.shape[0],
        "seeds": every,
        "epochs": grid.scores.shape[2],
        "passes": int(grid.trained[:, :, -1].sum()),
        "best": grid.points.to_dict("records")[best],
        "best_val_accuracy": float(grid.truth[best]),
        "points_within_half_a_point": int((100 * (grid.truth.max() - grid.truth) <= HALF_A_POINT).sum()),
    }
    results.document["families"] = families(rows)
    if options.markdown:
        print("\n".join(markdown(rows, results.document["families"], results.document["grid"]["passes"])))
    else:
        show(rows, results.document["families"])
    results.finish()


if __name__ == "__main__":
    main()
