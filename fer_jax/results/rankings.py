"""The points of a run ranked: all together, or part by part where nothing ranks them together."""

from __future__ import annotations

from fer_jax.analysis.ranking import Ranking, rank_points
from fer_jax.results.run import Run


def whole(run: Run) -> Ranking:
    """Returns the ranking of all points of a run, comparable or not."""
    return rank_points(run.record, run.trials, run.curves, run.path.resolve().name, run.validation_answers)


def parts(run: Run) -> list[Ranking]:
    """Returns the run as one ranking, or as several in the order of the sweep.

    There are several where the metric that chooses does not rank all points against each other, see
    `Run.groups`: each holds the points of one key, with the data sets that they use.
    """
    ranking = whole(run)
    keys = run.groups(run.trials, ranking.metric)
    if len(set(keys)) < 2:
        return [ranking]
    found = []
    for key in dict.fromkeys(keys):
        trials = run.trials[[other == key for other in keys]].reset_index(drop=True)
        data, *others = run.data_sets(trials)
        curves = run.curves[run.curves["id"].isin(trials["id"])]
        record = {**run.record, "data": data, "other_data": others}
        found.append(rank_points(record, trials, curves, ranking.title, run.validation_answers))
    return found
