"""What a run directory's tables and records say, before any of it is a trial.

Loading reads tables only and never writes. A run that is still going loads as far as it has got;
load it again to see what has been added.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax.analysis import axes, fits, statistics
from fer_jax.base import console
from fer_jax.base.text import did_you_mean, shown
from fer_jax.config import fields
from fer_jax.config.names import nearest
from fer_jax.config.values import from_json, get
from fer_jax.errors import ConfigError, RunError
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory

if TYPE_CHECKING:
    from fer_jax.data import Dataset

_SELECT_COLUMNS = ("status", "seed", "repeat", "stack", "wave")


class RunRecord:
    """The config, tables and files that one sweep left.

    Attributes:
        path: the run directory.
        directory: its files.
        record: config.json as it stands: config, command, versions, devices, data, started,
            finished, ...
        config: the sweep's config, as `fer_jax.config.default_config` makes it.
        swept: dotted names of the swept fields.
        trials: a row a trial, as in trials.csv, with swept values in their fields' types.
        datasets: the data sets that its trials have loaded, by their config as JSON.
    """

    def __init__(self, path: str | Path):
        """Reads the run at `path`.

        Raises:
            RunError: there is no run, or one of its files is damaged.
            ConfigError: its config has a field or value that this version does not know.
        """
        self.path = Path(path)
        self.directory = RunDirectory(self.path)
        self.record = self.directory.read_config()
        missing = [key for key in ("config", "data", "swept") if key not in self.record]
        if missing:
            raise RunError(f"{self.path / 'config.json'} has no {missing[0]!r}: it was not written by this program")
        try:
            self.config = from_json(self.record["config"])
        except ConfigError as error:
            raise ConfigError(f"{self.path / 'config.json'}: {error}") from None
        self.swept = tuple(self.record["swept"])
        self.trials = self._read_trials()
        self.datasets: dict[str, Dataset] = {}
        self._stored_targets: dict[str, dict[str, np.ndarray]] = {}

    def _read_trials(self) -> pd.DataFrame:
        if not self.directory.has_table("trials.csv"):
            return pd.DataFrame(columns=["id", "status", *self.swept])
        trials, said = judged_tables.read_trials(self.directory, self.record)
        for line in said:
            console.say_once(line)
        for name in self.swept:
            if name not in trials:
                raise RunError(
                    f"{self.path / 'trials.csv'} has no column {name!r}: it is damaged, or not of this program"
                )
        return self._typed(trials)

    def _typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Puts swept words and tuples into the types of their fields; returns the same table."""
        for name in set(self.swept) & set(table.columns) & set(fields.FIELDS):
            if fields.FIELDS[name].type in (str, tuple):
                table[name] = [fields.FIELDS[name].parse(text) for text in table[name].astype(object).fillna("")]
        return table

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """The learning curves as a table with a row for each trial and epoch.

        Its columns: id, epoch (1-based), train_loss, train_accuracy, val_loss, val_accuracy, and
        learning_rate, that of the epoch's last step: the rate of the phase times schedule, warm-up
        and plateaus. It is NaN, or no column, for epochs that an earlier version trained. Files
        that are damaged are left out: each is named in a line on stderr and in the table's
        `attrs["left_out"]`.
        """
        found, damages = self.directory.curves.read_whole()
        for line in damages:
            console.say(f"{line}; until then they are left out")
        # While trials go on as longer ones, both have curves.
        known = found[found["id"].isin(self.trials["id"])].reset_index(drop=True)
        known.attrs["left_out"] = damages
        return known

    @functools.cached_property
    def plan(self) -> dict[str, Any]:
        """The content of plan.json, stacks and waves in order; RunError if there is none."""
        return self.directory.read_plan()

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """The table of points, a row for each.

        Its columns: swept fields, n (done trials), left_out ('1 diverged'), then the statistics of
        each metric.
        """
        return statistics.summarise(self.trials, self.swept, overlap=self.overlap)

    @functools.cached_property
    def axes(self) -> dict[str, axes.Axis]:
        """The swept fields, laid out as in the report, so that a value has one text."""
        draws = (self.record["config"].get("sweep") or {}).get("draw") or {}
        return {name: axes.axis(name, self.summary[name], draws.get(name) or "") for name in self.swept}

    @functools.cached_property
    def heads(self) -> pd.DataFrame:
        """The table of fits, a row for each, as in heads.csv; no rows where no head was asked for.

        Its columns: fit, id (of its trial), swept fields, head fields (empty where they do not
        count with its kind of head), scores and their gain over the network's own.
        """
        if not self.directory.has_table("heads.csv"):
            return pd.DataFrame(columns=["fit", "id", "status"])
        table, said = judged_tables.read_heads(self.directory)
        for line in said:
            console.say_once(line)
        return self._typed(table)

    @functools.cached_property
    def heads_summary(self) -> pd.DataFrame:
        """The table with a row for each point and head setting.

        Its columns: swept fields, n (done fits), left_out, then the statistics of each metric.
        """
        return fits.summarise(self.heads, self.swept, self.overlap)

    @property
    def has_failures(self) -> bool:
        """Whether a trial or a fit has failed; to diverge is a result, not a failure."""
        return any((table["status"] == "failed").any() for table in (self.trials, self.heads))

    @property
    def overlap(self) -> float:
        """How much the training data of two folds overlap, see `statistics.fold_overlap`."""
        return statistics.fold_overlap(self.record["config"])

    def has_targets(self, checksum: str) -> bool:
        """Tells whether anything is stored of a data set's held-out splits; see `targets`."""
        return checksum in self._stored_targets or self.directory.predictions.has_targets(checksum)

    def targets(self, checksum: str) -> dict[str, np.ndarray]:
        """Returns what is stored of a data set's held-out splits; see `store.predictions`.

        Raises:
            RunError: nothing is stored, since the run was trained before predictions were kept.
        """
        if checksum not in self._stored_targets:
            found = self.directory.predictions.read_targets(checksum)
            if found is None:
                raise RunError(f"{self.path} has no stored predictions: it was trained before they were kept")
            self._check_targets(checksum, found)
            self._stored_targets[checksum] = found
        return self._stored_targets[checksum]

    def _check_targets(self, checksum: str, found: Mapping[str, np.ndarray]) -> None:
        """Raises RunError for labels that are none of the data's classes, or unlike `leaked`."""
        described = [self.record["data"], *(self.record.get("other_data") or ())]
        classes = max((len(data["classes"]) for data in described if data.get("checksum") == checksum), default=0)
        for name, array in found.items():
            split, _, kind = name.rpartition("_")
            labels = found.get(f"{split}_labels")
            good = array.ndim == 1 and labels is not None and array.shape == labels.shape
            good &= array.dtype == bool if kind == "leaked" else kind == "labels" and array.dtype.kind in "iu"
            if not good or (kind == "labels" and len(array) and not 0 <= array.min() <= array.max() < classes):
                raise RunError(
                    f"{self.path / 'predictions'}: {shown(name, 80)} of the data {checksum[:10]} are damaged: "
                    "delete the file data-*.npz, and what needs it is left out"
                )

    def known_metric(self, metric: str | None) -> str:
        """Returns the metric, train.select for None; raises RunError if no trial has it."""
        return self._metric_of(metric, statistics.metric_columns(self.trials, self.swept))

    def choosing_metric(self, metric: str | None) -> str:
        """Returns what `known_metric` does; RunError also for what may choose no point.

        That is a metric of the test split, and a number that is none of a split, as best_epoch.
        """
        known = statistics.metric_columns(self.trials, self.swept)
        choosing = [name for name in known if name.removeprefix("last_").startswith(("val_", "train_"))]
        if metric in known and "test_" in metric:
            instead = metric.replace("test_", "val_")
            raise RunError(f"{metric} may not choose: choose by {instead}, then read the {metric} of what it chose")
        # Of names that are like none, the first are suggested: those by which one should choose.
        return self._metric_of(metric, sorted(choosing, key=lambda name: not name.startswith("val_")))

    def _metric_of(self, metric: str | None, known: Sequence[str]) -> str:
        metric = metric or self.config.train.select
        if metric not in known:
            if not len(self.trials):
                raise RunError(f"{self.path} has no trials yet")
            raise RunError(f"no metric {metric!r} in {self.path}; {did_you_mean(metric, known)}")
        return metric

    def matching(self, table: pd.DataFrame, wanted: Mapping[str, Any]) -> np.ndarray:
        """Tells which rows of `trials` or `summary` have some values, bool (rows,).

        Args:
            table: `trials`, `summary` or some of their rows.
            wanted: field -> value, as `Run.select` takes them.

        Raises:
            RunError: an unknown or ambiguous field, a value the field cannot have, or a column that
                the table lacks.
        """
        keep = np.ones(len(table), dtype=bool)
        for keyword, value in wanted.items():
            if keyword in _SELECT_COLUMNS and keyword in self.trials:
                if keyword not in table:
                    raise RunError(
                        f"{keyword} = {value!r}: a point has no {keyword}, its trials have; run.select finds them"
                    )
                keep &= (table[keyword] == value).fillna(False).to_numpy(dtype=bool)
                continue
            name = self.field_name(keyword, _SELECT_COLUMNS)
            try:
                value = fields.FIELDS[name].coerce(value)
            except ConfigError as error:
                raise RunError(str(error)) from None
            present = table[name] if name in table else [get(self.config, name)] * len(table)
            keep &= np.array([statistics.hashable(one) == value for one in present], dtype=bool)
        return keep

    def field_name(self, keyword: str, columns: Sequence[str] = ()) -> str:
        """Returns the dotted name of the field that a keyword of `Run.select` means.

        Args:
            keyword: as it was given.
            columns: what may be meant besides fields, for the error.

        Raises:
            RunError: the keyword means no field, or several.
        """
        keyword = str(keyword)  # in a dict of a point it may be anything
        name = keyword.replace("__", ".")
        known = [field.name for field in fields.FIELDS.values() if field.kind in fields.TRIAL_KINDS]
        if name in known:
            return name
        same = [field for field in known if field.rpartition(".")[2] == name]
        same = [field for field in same if field in self.swept] or same
        if len(same) > 1:
            raise RunError(f"{keyword!r} is ambiguous: write {' or '.join(field.replace('.', '__') for field in same)}")
        if not same:
            column = difflib.get_close_matches(keyword.casefold(), columns, 1, cutoff=0.75)
            meant = column[0] if column else _as_spelt(keyword, nearest(name), known)
            raise RunError(f"no field {keyword!r}; did you mean {meant}?")
        return same[0]


def _as_spelt(keyword: str, name: str, known: Sequence[str]) -> str:
    """Returns a field's name in the way that a keyword is spelt: a word, with dots or with '__'."""
    last = name.rpartition(".")[2]
    if "." in keyword:
        return name
    if "__" in keyword or [one.rpartition(".")[2] for one in known].count(last) != 1:
        return name.replace(".", "__")
    return last
