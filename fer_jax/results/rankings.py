"""The points of a run ranked: all together, or part by part where nothing ranks them together."""

from __future__ import annotations

import pandas as pd

from fer_jax.analysis.ranking import Ranking, rank_points
from fer_jax.results.run import Run


def whole(run: Run) -> Ranking:
    """Returns the ranking of all points of a run, comparable or not."""
    return rank_points(run.record, run.trials, run.curves, run.path.resolve().name, run.validation_answers)


def of_trials(run: Run, trials: pd.DataFrame, metric: str | None = None) -> Ranking:
    """Returns the ranking of the points of some trials of a run, with the data sets that they use.

    Args:
        run: the run.
        trials: rows of its `trials`, one at least.
        metric: that ranks the points; None takes the config's train.select.
    """
    data, *others = run.data_sets(trials)
    own = trials.reset_index(drop=True)
    curves = run.curves[run.curves["id"].isin(own["id"])]
    config = {**run.record["config"], "train.select": metric or run.config.train.select}
    record = {**run.record, "config": config, "data": data, "other_data": others}
    return rank_points(record, own, curves, run.path.resolve().name, run.validation_answers)


def parts(run: Run) -> list[Ranking]:
    """Returns the run as one ranking, or as several in the order of the sweep.

    There are several where the metric that chooses does not rank all points against each other, see
    `Run.groups`: each holds the points of one key, with the data sets that they use.
    """
    ranking = whole(run)
    keys = run.groups(run.trials, ranking.metric)
    if len(set(keys)) < 2:
        return [ranking]
    return [of_trials(run, run.trials[[other == key for other in keys]]) for key in dict.fromkeys(keys)]
