"""A run in an MLflow store: one experiment a run, one MLflow run a trial, with its swept values,
curves and results.

What a store has already is left as it is, so that a second call adds only what is new. The curves
have no clock: every metric carries the time at which the run was started, and its step is the
epoch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax.analysis import statistics
from fer_jax.base.optional import need
from fer_jax.errors import RunError
from fer_jax.exports.tensorboard import hyperparameters, started

if TYPE_CHECKING:
    from fer_jax.results.run import Run

EXTRA = "mlflow"
# The tags by which trials are found again and seen to have changed.
TRIAL, STATUS = "fer_jax.trial", "fer_jax.status"
_ENDS = {"done": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
_MOST_METRICS = 1000  # in one request, by MLflow's own limit


def save(run: Run, store: str | Path) -> int:
    """Writes what the run has and the store has not yet.

    Args:
        run: the run, finished or not.
        store: an SQLite file, made if it is not there, or an MLflow tracking URI such as
            'http://localhost:5000'.

    Returns:
        Number of trials of which something was written.

    Raises:
        RunError: the store cannot be opened or written.
        FerJaxError: mlflow is not installed.
    """
    # Who trains on faces decides for themselves what is told to whom.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    library, refused = need("mlflow", EXTRA), need("mlflow.exceptions", EXTRA).MlflowException
    unreadable = need("sqlalchemy.exc", EXTRA).SQLAlchemyError
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    uri = str(store)
    if "://" not in uri:
        Path(store).resolve().parent.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{Path(store).resolve()}"
    try:
        client = library.MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, run)
        known = _runs(client, experiment)
        curves = dict(list(run.curves.groupby("id")))
        begun = run.trials[run.trials["status"] != "pending"]
        return sum(
            _trial(client, experiment, run, row, curves.get(row["id"]), known.get(row["id"]))
            for _, row in begun.iterrows()
        )
    except (refused, unreadable) as error:
        raise RunError(f"the MLflow store {store} cannot be used: {str(error).splitlines()[0]}") from None


def _experiment(client: Any, run: Run) -> str:
    """Returns the id of a run's experiment, which is called by its folder and start; makes it."""
    name = f"{run.path.resolve().name} ({run.record.get('started') or 'no date'})"
    if found := client.get_experiment_by_name(name):
        return found.experiment_id
    data = str(run.record["data"].get("label", ""))
    return client.create_experiment(
        name, tags={"fer_jax.data": data, "fer_jax.command": str(run.record.get("command", ""))}
    )


def _runs(client: Any, experiment: str) -> dict[str, Any]:
    """Returns the MLflow runs of an experiment by trial."""
    found: dict[str, Any] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        found |= {one.data.tags[TRIAL]: one for one in page if TRIAL in one.data.tags}
        if not (token := page.token):
            return found


def _trial(client: Any, experiment: str, run: Run, row: pd.Series, curves: pd.DataFrame | None, known: Any) -> bool:
    """Writes what is new of one trial; returns whether anything was."""
    from mlflow.entities import Metric, Param, RunTag

    time = round(started(run.record) * 1000)
    if known is None:
        known = client.create_run(experiment, start_time=time, run_name=row["id"], tags={TRIAL: row["id"]})
        params = [Param(name, str(value)) for name, value in hyperparameters(row, run.swept).items()]
        client.log_batch(known.info.run_id, params=params)
    elif known.data.tags.get(STATUS) == row["status"] and row["status"] in _ENDS:
        return False
    id = known.info.run_id
    new = []
    for name, steps, values in _series(run, row, curves):
        logged = (
            {metric.step for metric in client.get_metric_history(id, name)} if name in known.data.metrics else set()
        )
        new += [
            Metric(name, value, time, step) for step, value in zip(steps, values, strict=True) if step not in logged
        ]
    for start in range(0, len(new), _MOST_METRICS):
        client.log_batch(id, metrics=new[start : start + _MOST_METRICS])
    if known.data.tags.get(STATUS) == row["status"]:
        return bool(new)
    # Last: what ends here in the middle is done again.
    if row["status"] in _ENDS:
        client.set_terminated(id, _ENDS[row["status"]], end_time=time)
    else:
        client.update_run(id, "RUNNING")
    client.log_batch(id, tags=[RunTag(STATUS, row["status"])])
    return True


def _series(run: Run, row: pd.Series, curves: pd.DataFrame | None) -> list[tuple[str, Sequence[int], Sequence[float]]]:
    """Returns (name, steps, values) of each of a trial's curves and results.

    The results are those at the epoch that validation chose, once the trial has ended.
    """
    found: list[tuple[str, Sequence[int], Sequence[float]]] = []
    if curves is not None:
        for name in curves.columns.drop(["id", "epoch"]):
            finite = curves[np.isfinite(curves[name].astype(float))]
            found.append((name, finite["epoch"].astype(int).tolist(), finite[name].astype(float).tolist()))
    if row["status"] in _ENDS:
        step = 0 if pd.isna(row.get("best_epoch")) else int(row["best_epoch"])
        for name in statistics.metric_columns(run.trials, run.swept):
            if not pd.isna(row[name]) and np.isfinite(float(row[name])):
                found.append((f"result/{name}", [step], [float(row[name])]))
    return found
