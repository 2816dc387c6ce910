"""Writes the curves of a finished run as one small table, for `benchmarks/search.py`.

    python benchmarks/record_curves.py RUN [RUN ...] --out=FILE.parquet [--finished]

Several runs of one grid with other seeds, such as `--config.train.seed=1`, come into one table.

A row is an epoch of a trial: the swept fields, `seed`, `epoch` (from 1), `val_accuracy`, `val_loss`
(both float32, to five digits), and of the whole trial `status` and `test_accuracy` (at the epoch
that validation chose, the same in all its rows; NaN where the run has no test split). A trial that
ended early has fewer rows. Every trial has to be done or diverged: what was stopped by a search or
has failed has no end to compare with. With --finished those points are taken all of whose trials
are, and the others left out, such as the stacks that a run has not come to yet.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import fer_jax
from fer_jax.results.run import Run

METRICS = ("val_accuracy", "val_loss")


def table(run: Run, finished: bool = False) -> pd.DataFrame:
    """Returns the rows that the module's docstring describes, in the order of trials and epochs."""
    trials = run.trials
    ended = trials["status"].isin(["done", "diverged"])
    if finished:
        trials = trials[ended.groupby([trials[name] for name in run.swept], dropna=False).transform("all")]
    other = trials[~ended[trials.index]]
    if len(other):
        raise SystemExit(f"{run.path}: {len(other)} of {len(trials)} trials are {other['status'].iloc[0]}")
    about = trials[["id", *run.swept, "seed", "status"]].assign(test_accuracy=float("nan"))
    if "test_accuracy" in trials:
        about["test_accuracy"] = trials["test_accuracy"].astype("float64")
    curves = run.curves[["id", "epoch", *METRICS]]
    about["trial"] = range(len(about))
    rows = about.merge(curves, on="id", validate="one_to_many").sort_values(["trial", "epoch"])
    if rows["id"].nunique() != len(trials):
        raise SystemExit(f"{run.path}: {len(trials) - rows['id'].nunique()} trials have no curves")
    for name in (*METRICS, "test_accuracy"):
        rows[name] = rows[name].astype("float64").round(5).astype("float32")
    rows["epoch"], rows["seed"] = rows["epoch"].astype("int16"), rows["seed"].astype("int32")
    columns = [*run.swept, "seed", "epoch", *METRICS, "status", "test_accuracy"]
    return rows[columns].reset_index(drop=True)


def together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns the rows of several runs of one grid.

    Raises:
        SystemExit: they swept other fields, or one trial is in two of them.
    """
    first = tables[0]
    if any(list(one.columns) != list(first.columns) for one in tables):
        raise SystemExit("the runs swept other fields")
    rows = pd.concat(tables, ignore_index=True)
    key = list(rows.columns[: list(rows.columns).index("epoch") + 1])
    if rows.duplicated(key).any():
        raise SystemExit("a trial is in two of the runs: give each a train.seed of its own")
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--finished", action="store_true", help="leave out points with trials that have not ended")
    options = parser.parse_args(arguments)
    rows = together([table(fer_jax.load_run(path), options.finished) for path in options.runs])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(options.out, index=False, compression="zstd")
    print(f"{options.out}: {len(rows):,} epochs, {options.out.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
