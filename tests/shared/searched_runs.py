"""Runs that were never trained, some points of which left at rungs: halving as one would write it
down, and run directories of such tables.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
from made_runs import build

from fer_jax.config.values import default_config, to_json
from fer_jax.store import RunDirectory

METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


def best_until(run: SimpleNamespace, ids: list[str], epochs: int, metric: str = "val_accuracy") -> float:
    """The mean over some trials of their best value of a metric up to an epoch."""
    sign = -1 if metric == "val_loss" else 1
    best = []
    for id in ids:
        seen = [
            sign * row[metric] for _, row in run.curves[run.curves["id"] == id].iterrows() if row["epoch"] <= epochs
        ]
        best.append(max(seen))
    return sum(best) / len(best)


def halved(run: SimpleNamespace, first: int, factor: int) -> SimpleNamespace:
    """A full run as it would stand had halving been asked for, in one bracket.

    `left` of what it returns: point -> epochs.
    """
    epochs = run.record["config"]["train.epochs"]
    swept = run.record["swept"]
    groups = [list(rows["id"]) for _, rows in run.trials.groupby(list(swept), sort=False)]
    alive, length, left = list(range(len(groups))), first, {}
    while length * factor <= epochs:
        scores = {point: best_until(run, groups[point], length) for point in alive}
        ranked = sorted(alive, key=lambda point: (-scores[point], point))
        kept = ranked[: math.ceil(len(alive) / factor)]
        left |= {point: length for point in alive if point not in kept}
        alive, length = sorted(kept), length * factor
    trials, curves = run.trials.copy().set_index("id"), run.curves
    for point, end in left.items():
        for id in groups[point]:
            own = curves[(curves["id"] == id) & (curves["epoch"] <= end)]
            best = own["val_accuracy"].idxmax()
            trials.loc[id, ["status", "epochs", "best_epoch"]] = ["pruned", end, own.loc[best, "epoch"]]
            for name in METRICS:
                trials.loc[id, name], trials.loc[id, f"last_{name}"] = own.loc[best, name], own[name].iloc[-1]
            curves = curves[(curves["id"] != id) | (curves["epoch"] <= end)]
    record = {**run.record, "config": {**run.record["config"], "search.halving": [first, factor]}}
    return SimpleNamespace(
        record=record, trials=trials.reset_index(), curves=curves.reset_index(drop=True), left=left, groups=groups
    )


def written(run: SimpleNamespace, path) -> RunDirectory:
    """The run as the store leaves it."""
    directory = RunDirectory(path)
    config = {**to_json(default_config()), **run.record["config"]}
    config["sweep"] = {**config["sweep"], "repeats": int(run.trials["seed"].max()) + 1}
    directory.write_config({**run.record, "config": config})
    trials = run.trials.copy()
    trials["error"] = ""
    directory.write_trials(trials)
    for end, rows in run.curves.groupby(np.zeros(len(run.curves), int)):
        directory.curves.write("stack_0-wave_0", int(end) + 1, rows)
    return directory


def grid(repeats: int = 1, epochs: int = 12, **more) -> SimpleNamespace:
    """Five learning rates by three penalties, all trained to the end."""
    fields = {"train.learning_rate": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1), "train.l2": (1e-5, 1e-3, 1e-1)}
    return build(fields, repeats=repeats, epochs=epochs, accidents=False, **more)
