"""A run's curves and results as event files of TensorBoard, and its swept values for HParams.

A folder a trial, named by its id. It gets a file with the trial's values as soon as the trial has
begun, one more with every call that finds new epochs, and one with its results when it has ended.
Files are never appended to or replaced by others, so that TensorBoard may look on; and as
TensorBoard reads a folder's files in the order of their names, the names are in that order. The
curves have no clock: every event carries the time at which the run was started, and the axis that
means something is the step, which is the epoch.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax.analysis import axes, statistics
from fer_jax.base.files import write_bytes
from fer_jax.base.optional import need

if TYPE_CHECKING:
    from fer_jax.results.run import Run

EXTRA = "tensorboard"
_STEM = "events.out.tfevents."
_PART = re.compile(r"events\.out\.tfevents\.\d+-(?P<last>\d+)\.fer_jax")


def save(run: Run, folder: str | Path) -> int:
    """Writes what the run has and the folder has not yet.

    Args:
        run: the run, finished or not.
        folder: of the event files, made if it is not there.

    Returns:
        Number of files written; 0 if there is nothing new.

    Raises:
        RunError: the folder cannot be written.
        FerJaxError: tensorboard is not installed.
    """
    hparams = need("tensorboard.plugins.hparams.summary_v2", EXTRA)
    folder, time = Path(folder), started(run.record)
    results = statistics.metric_columns(run.trials, run.swept)
    known = [hparams.HParam(name) for name in (*run.swept, "seed")]
    metrics = [hparams.Metric(f"result/{name}", display_name=name) for name in results]
    config = hparams.hparams_config_pb(known, metrics, time_created_secs=time)
    written = _write(folder / f"{_STEM}experiment.fer_jax", [_event(time, 0, config)])
    curves = dict(list(run.curves.groupby("id")))
    for _, row in run.trials.iterrows():
        if row["status"] != "pending":
            written += _trial(folder / row["id"], row, curves.get(row["id"], run.curves[:0]), run.swept, results, time)
    return written


def started(record: Mapping[str, Any]) -> float:
    """Returns when a run was started, in seconds since 1970; 0 where config.json does not say."""
    text = record.get("started")
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0


def hyperparameters(row: pd.Series, swept: Iterable[str]) -> dict[str, Any]:
    """Returns the swept values and the seed of a trial as numbers, truth values and texts.

    Empty values are left out.
    """
    values = {name: statistics.hashable(row[name]) for name in (*swept, "seed")}
    return {
        name: value if isinstance(value, (bool, int, float)) else axes.value_text(value)
        for name, value in values.items()
        if value is not None
    }


def _trial(
    folder: Path, row: pd.Series, curves: pd.DataFrame, swept: Iterable[str], results: list[str], time: float
) -> int:
    """Writes what is new of one trial; returns the number of files."""
    hparams = need("tensorboard.plugins.hparams.summary_v2", EXTRA)
    values = hparams.hparams_pb(hyperparameters(row, swept), trial_id=row["id"], start_time_secs=time)
    in_one_order(values)
    written = _write(folder / f"{_STEM}000000.fer_jax", [_event(time, 0, values)])
    last = max((int(match["last"]) for path in folder.iterdir() if (match := _PART.fullmatch(path.name))), default=0)
    new = curves[curves["epoch"] > last].sort_values("epoch")
    if len(new):
        events = [
            _event(time, int(epoch["epoch"]), _scalars(epoch, new.columns.drop(["id", "epoch"])))
            for _, epoch in new.iterrows()
        ]
        name = f"{_STEM}{int(new['epoch'].iloc[0]):06d}-{int(new['epoch'].iloc[-1]):06d}.fer_jax"
        written += _write(folder / name, events)
    end = folder / f"{_STEM}end.fer_jax"
    if row["status"] == "running":
        # A failed trial that is trained again.
        end.unlink(missing_ok=True)
        return written
    step = row.get("best_epoch")
    scalars = _event(time, 0 if pd.isna(step) else int(step), _scalars(row, results, "result/"))
    return written + _write(end, [scalars, _event(time, 0, _session_end(row["status"]))])


def in_one_order(summary: Any) -> None:
    """Puts the fields of a summary's plugin data into one order.

    Equal fields are then written as equal bytes; within the message they are in any order.
    """
    data = need("tensorboard.plugins.hparams.plugin_data_pb2", EXTRA)
    for value in summary.value:
        about = value.metadata.plugin_data
        about.content = data.HParamsPluginData.FromString(about.content).SerializeToString(deterministic=True)


def _scalars(row: pd.Series, names: Iterable[str], prefix: str = "") -> Any:
    """Returns the finite ones among some columns of a row, as a Summary."""
    summary = need("tensorboard.compat.proto.summary_pb2", EXTRA).Summary()
    for name in names:
        if not pd.isna(row[name]) and np.isfinite(float(row[name])):
            summary.value.add(tag=f"{prefix}{name}", simple_value=float(row[name]))
    return summary


def _session_end(status: str) -> Any:
    """Returns how a trial ended, as the HParams page shows it."""
    api, metadata, data = (
        need(f"tensorboard.plugins.hparams.{name}", EXTRA) for name in ("api_pb2", "metadata", "plugin_data_pb2")
    )
    ended = {"done": api.STATUS_SUCCESS, "pruned": api.STATUS_SUCCESS}.get(status, api.STATUS_FAILURE)
    content = data.HParamsPluginData(session_end_info=data.SessionEndInfo(status=ended))
    summary = need("tensorboard.compat.proto.summary_pb2", EXTRA).Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def _event(time: float, step: int, summary: Any) -> Any:
    return need("tensorboard.compat.proto.event_pb2", EXTRA).Event(wall_time=time, step=step, summary=summary)


def _write(path: Path, events: list[Any]) -> int:
    """Writes an event file unless it is there with the same content; returns 1 if written, or 0."""
    module = need("tensorboard.compat.proto.event_pb2", EXTRA)
    buffer = io.BytesIO()
    writer = need("tensorboard.summary.writer.record_writer", EXTRA).RecordWriter(buffer)
    for event in (module.Event(wall_time=events[0].wall_time, file_version="brain.Event:2"), *events):
        writer.write(event.SerializeToString(deterministic=True))
    if path.is_file() and path.read_bytes() == buffer.getvalue():
        return 0
    write_bytes(path, buffer.getvalue())
    return 1
