"""How far trials have come that still train: what their curves say before their results stand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from fer_jax.analysis import comparable
from fer_jax.analysis.ranking import Ranking
from fer_jax.reports.tables import Column, number

KEY, LABEL = "so_far", "validation accuracy so far"
_UNDERWAY = ("running", "paused")


def filled(ranking: Ranking) -> Ranking:
    """Returns the ranking with the trials that still train at their best epoch so far.

    Their points stay without a mean: nothing is ranked by what may still change.
    """
    reached = _reached(ranking)
    if not len(reached):
        return ranking
    trials = ranking.trials.copy()
    at = trials.index[trials["id"].isin(reached.index)]
    own = reached.loc[trials.loc[at, "id"]]
    for name in reached.columns:
        if name not in trials:
            trials[name] = np.nan
        trials.loc[at, name] = own[name].to_numpy()
    return dataclasses.replace(ranking, trials=trials)


def column(ranking: Ranking, rows: pd.DataFrame) -> list[Column]:
    """Returns the means of `of_points` as a column; none where no trial still trains."""
    means = of_points(ranking)
    if means is None:
        return []
    hint = "mean over the trials, running ones too, of the best validation accuracy until now; it ranks nothing"
    return [Column("so far", [number(value) for value in means.reindex(rows.index)], hint)]


def of_points(ranking: Ranking) -> pd.Series | None:
    """Returns the mean of each point's best validation accuracies so far, trials that are done too.

    None where no trial still trains.
    """
    reached = _reached(ranking)
    if not len(reached):
        return None
    trials = filled(ranking).trials
    known = trials[trials["status"].isin(("done", *_UNDERWAY))]
    return pd.to_numeric(known["val_accuracy"]).astype(float).groupby(known["point"]).mean()


def _reached(ranking: Ranking) -> pd.DataFrame:
    """Returns epochs, best epoch and its metrics, by the id of each trial that still trains."""
    underway = ranking.trials.loc[ranking.trials["status"].isin(_UNDERWAY), "id"]
    curves = ranking.curves[ranking.curves["id"].isin(underway)]
    if "val_accuracy" not in curves or not curves["val_accuracy"].notna().any():
        return pd.DataFrame()
    metric = ranking.metric if ranking.metric in curves else "val_accuracy"
    ordered = curves.dropna(subset=["val_accuracy", metric]).sort_values("epoch", kind="stable")
    groups = ordered.groupby("id")[metric]
    best = ordered.loc[groups.idxmin() if comparable.lower_is_better(metric) else groups.idxmax()].set_index("id")
    return best.rename(columns={"epoch": "best_epoch"}).assign(epochs=curves.groupby("id")["epoch"].max())
