"""A run directory as Python objects: its tables, and every trained network ready to classify pictures.

Loading reads tables only and never writes; weights are read trial by trial, when they are first asked for. A run
that is still going loads as far as it has got; load it again to see what has been added.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax import config as fields
from fer_jax import inference
from fer_jax.analysis import comparable, fits, statistics
from fer_jax.errors import ConfigError, RunError
from fer_jax.fitted import FitResult
from fer_jax.inference import did_you_mean
from fer_jax.search import space
from fer_jax.store import RunDirectory

if TYPE_CHECKING:
    from fer_jax.data import Dataset, Split

_SELECT_COLUMNS = ("status", "seed", "repeat", "stack", "wave")


def load_run(path: str | Path) -> Run:
    """Opens the run in the directory `path`, finished or not.

    Raises:
        RunError: there is no run, or one of its files is damaged.
        ConfigError: its config has a field or value this version does not know.
    """
    return Run(path)


class Run:
    """One sweep and what it left.

    Attributes:
        path: the run directory.
        record: config.json as it stands: config, command, versions, devices, data, started, finished, ...
        config: the sweep's config, as `fer_jax.config.default_config` makes it.
        swept: dotted names of the swept fields.
        trials: a row a trial, as in trials.csv, with swept values in their fields' types.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._directory = RunDirectory(self.path)
        self.record = self._directory.read_config()
        missing = [key for key in ("config", "data", "swept") if key not in self.record]
        if missing:
            raise RunError(f"{self.path / 'config.json'} has no {missing[0]!r}: it was not written by this program")
        self.config = fields.from_json(self.record["config"])
        self.swept = tuple(self.record["swept"])
        self.trials = self._read_trials()
        self._datasets: dict[str, Dataset] = {}

    def __repr__(self) -> str:
        statuses = statistics.count_words(self.trials["status"].to_numpy()) or "no trials yet"
        return f"<Run {self.path}: {statuses}; {self.record['data'].get('label', 'unknown data')}>"

    def _read_trials(self) -> pd.DataFrame:
        if not self._directory.has("trials.csv"):
            return pd.DataFrame(columns=["id", "status", *self.swept])
        trials = self._directory.read_trials()
        for name in ("id", "status"):
            if name not in trials:
                raise RunError(f"{self.path / 'trials.csv'} has no column {name!r}: it is damaged, or not of this program")
        return self._typed(trials)

    def _typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """With the swept words and tuples as their fields have them."""
        for name in set(self.swept) & set(table.columns) & set(fields.FIELDS):
            if fields.FIELDS[name].type in (str, tuple):
                table[name] = [fields.FIELDS[name].parse(text) for text in table[name].astype(object).fillna("")]
        return table

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """A row a trial and epoch: id, epoch (1-based), train_loss, train_accuracy, val_loss, val_accuracy."""
        return self._directory.read_curves()

    @functools.cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json: stacks and waves in running order. Raises RunError if the run has none yet."""
        return self._directory.read_plan()

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """A row a point: swept fields, n (done trials), left_out ('1 diverged'), then the statistics of each metric."""
        return statistics.summarise(self.trials, self.swept)

    @functools.cached_property
    def heads(self) -> pd.DataFrame:
        """A row a fit, as in heads.csv: fit, id (of its trial), swept fields, head fields (empty where they do not count with
        its kind of head), scores and their gain over the network's own; no rows where no head was asked for."""
        if not self._directory.has("heads.csv"):
            return pd.DataFrame(columns=["fit", "id", "status"])
        table = self._directory.read_heads()
        for name in fits.head_columns(table):
            if name in fields.FIELDS and fields.FIELDS[name].type is int:
                table[name] = table[name].astype("Int64")
        return self._typed(table)

    @functools.cached_property
    def heads_summary(self) -> pd.DataFrame:
        """A row a point and head setting: n (done fits), left_out, then the statistics of each metric."""
        return fits.summarise(self.heads, self.swept)

    def best_point(self, metric: str | None = None, **wanted: Any) -> pd.Series:
        """The row of `summary` with the best mean over its done trials; losses are better low, all else high.

        Equal means go to the lower validation loss, where that is the same function at every point, then to the earlier
        point. Its `n` and `left_out` say how many trials the mean stands on and who is missing.

        Args:
            metric: such as 'val_accuracy'; None takes the config's train.select.
            **wanted: field=value, as for `select`: only points with these values are looked at.

        Raises:
            RunError: an unknown metric, one of the test split, which may choose nothing, points that the metric cannot rank
                against each other (see `groups`), or no done trial.
        """
        metric = self._metric(metric)
        points = self.summary[self._matching(self.summary, wanted)]
        self._check_ranked(points, metric, "best_point")
        return self.summary.loc[_best(points, metric, "_mean", self._unranked(metric, wanted))]

    def best(self, metric: str | None = None, **wanted: Any) -> TrialResult:
        """The single best done trial. Optimistic: it is the luckiest of many seeds; report `best_point` instead.

        Arguments and errors as for `best_point`.
        """
        metric = self._metric(metric)
        trials = self.trials[self._matching(self.trials, wanted)]
        self._check_ranked(trials, metric, "best")
        done = trials[trials["status"] == "done"]
        return TrialResult(self, done.loc[_best(done, metric, "", self._unranked(metric, wanted))])

    def groups(self, table: pd.DataFrame, metric: str) -> list[Hashable]:
        """A key for every row of `trials` or `summary`: a metric ranks only rows of one key against each other.

        Figures over different classes are not comparable, nor are losses of trials that were given different losses
        (loss.focal_gamma, loss.label_smoothing; in training also the class weights).
        """
        losses = [name for name in comparable.loss_fields(metric) if name in self.swept and name in table]
        return list(zip(self._class_sets(table), _values(table, losses), strict=True))

    def data_sets(self, trials: pd.DataFrame) -> list[Mapping[str, Any]]:
        """What config.json says of every data set that rows of `trials` use, in order of first use."""
        _, firsts = statistics.point_codes(trials, [name for name in self.swept if name.startswith("data.")])
        used = [TrialResult(self, trials.iloc[row]).data for row in firsts]
        return list({data.get("checksum"): data for data in used}.values())

    def _class_sets(self, table: pd.DataFrame) -> list[Hashable]:
        """The classes of every row of `trials` or `summary`, after merging."""
        names = [name for name in comparable.CLASS_FIELDS if name in self.swept and name in table]
        _, firsts = statistics.point_codes(self.trials, names)
        some = self.trials.iloc[firsts]
        found = {}
        for values, (_, row) in zip(_values(some, names), some.iterrows(), strict=True):
            data = TrialResult(self, row)._own_data()
            merged = json.dumps(data.get("merged", {}), sort_keys=True) if data else ""
            found[values] = (tuple(data["classes"]), merged) if data else values
        return [found[values] for values in _values(table, names)]

    def _check_ranked(self, table: pd.DataFrame, metric: str, method: str) -> None:
        """Raises RunError for points that the metric cannot rank against each other."""
        if len(set(self.groups(table, metric))) < 2:
            return
        classes = len(set(self._class_sets(table))) > 1
        names = comparable.differing(table, comparable.CLASS_FIELDS if classes else comparable.loss_fields(metric))
        first = {name.replace(".", "__"): statistics.hashable(table[name].iloc[0]) for name in names}
        one = ", ".join(f"{name}={value!r}" for name, value in first.items())
        raise RunError(
            f"{self.path}: points with different {'classes' if classes else 'losses'} ({' and '.join(names)} swept) are not "
            f"ranked against each other by {metric}: choose among equal ones, as with run.{method}({metric!r}, {one}); "
            "run.summary has them all"
        )

    def _metric(self, metric: str | None) -> str:
        metric = metric or self.config.train.select
        known = statistics.metric_columns(self.trials, self.swept)
        if metric not in known:
            if not len(self.trials):
                raise RunError(f"{self.path} has no trials yet")
            raise RunError(f"no metric {metric!r} in {self.path}; {did_you_mean(metric, known)}")
        if "test_" in metric:
            instead = metric.replace("test_", "val_")
            raise RunError(f"{metric} may not choose: choose by {instead}, then read the {metric} of what it chose")
        return metric

    def _unranked(self, metric: str, wanted: Mapping[str, Any]) -> str:
        statuses = statistics.count_words(self.trials["status"].to_numpy())
        which = f" and {', '.join(f'{name} = {value!r}' for name, value in wanted.items())}" if wanted else ""
        return f"no trial in {self.path} is done with a {metric}{which} ({statuses})"

    def trial(self, id: str) -> TrialResult:
        """The trial with this id, or with the one id that begins so; RunError names near ones otherwise."""
        if not isinstance(id, str):
            raise RunError(f"trial id {id!r}: ids are text; run.trials['id'] lists them and run.select(seed=0) finds by value")
        matches = [known for known in self.trials["id"] if known.startswith(id)] if id else []
        if id in matches:
            matches = [id]
        if len(matches) > 1:
            some = ", ".join(matches[:4] + ["..."] * (len(matches) > 4))
            raise RunError(f"trial id {id!r} is ambiguous in {self.path}: {some}")
        if not matches:
            raise RunError(f"no trial {id!r} in {self.path}; {did_you_mean(id, list(self.trials['id']))}")
        return TrialResult(self, self.trials[self.trials["id"] == matches[0]].iloc[0])

    def select(self, **wanted: Any) -> list[TrialResult]:
        """The trials with these values, in plan order; all of them for no argument, [] where none match.

        Args:
            **wanted: field=value. A field is its dotted name with '__' for '.', as in train__l2, or its last word where
                that is enough, as in learning_rate; or status, seed, repeat, stack or wave.

        Raises:
            RunError: an unknown or ambiguous field, or a value the field cannot have.
        """
        return [TrialResult(self, row) for _, row in self.trials[self._matching(self.trials, wanted)].iterrows()]

    def _matching(self, table: pd.DataFrame, wanted: Mapping[str, Any]) -> np.ndarray:
        """Which rows of `trials` or `summary` have the values that `select` describes."""
        keep = np.ones(len(table), dtype=bool)
        for keyword, value in wanted.items():
            if keyword in _SELECT_COLUMNS and keyword in self.trials:
                if keyword not in table:
                    raise RunError(f"{keyword} = {value!r}: a point has no {keyword}, its trials have; run.select finds them")
                keep &= (table[keyword] == value).fillna(False).to_numpy(dtype=bool)
                continue
            name = self._field(keyword)
            try:
                value = fields.FIELDS[name].coerce(value)
            except ConfigError as error:
                raise RunError(str(error)) from None
            present = table[name] if name in table else [fields.get(self.config, name)] * len(table)
            keep &= np.array([statistics.hashable(one) == value for one in present], dtype=bool)
        return keep

    def _field(self, keyword: str) -> str:
        name = keyword.replace("__", ".")
        known = [field.name for field in fields.FIELDS.values() if field.kind in fields.TRIAL_KINDS]
        if name in known:
            return name
        same = [field for field in known if field.rpartition(".")[2] == name]
        same = [field for field in same if field in self.swept] or same
        if len(same) > 1:
            raise RunError(f"{keyword!r} is ambiguous: write {' or '.join(field.replace('.', '__') for field in same)}")
        if not same:
            raise RunError(f"no field {keyword!r}; did you mean {fields.nearest(name).replace('.', '__')}?")
        return same[0]


@dataclasses.dataclass(frozen=True, eq=False)
class TrialResult:
    """One trial of a run: its settings, figures and networks.

    Attributes:
        run: the run it belongs to.
        row: its row of `run.trials`.
    """

    run: Run
    row: pd.Series

    def __repr__(self) -> str:
        return f"<trial {self.id} of {self.run.path}: {self.status}>"

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def status(self) -> str:
        """pending, running, done, pruned, diverged or failed."""
        return self.row["status"]

    @property
    def curves(self) -> pd.DataFrame:
        """Its rows of `run.curves`."""
        return self.run.curves[self.run.curves["id"] == self.id].reset_index(drop=True)

    @functools.cached_property
    def config(self) -> fields.ConfigDict:
        """The config that trains this trial alone: nothing swept, `train.seed` its own."""
        record = {name: value for name, value in self.run.record["config"].items() if name != "sweep"}
        config = fields.from_json(record)
        for name in self.run.swept:
            if name in fields.FIELDS:
                fields.put(config, name, fields.FIELDS[name].coerce(self.row[name]))
        config.train.seed = int(self.row["seed"])
        return config

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the columns `predict` returns."""
        return tuple(self.data["classes"])

    @functools.cached_property
    def data(self) -> Mapping[str, Any]:
        """What config.json says of its data set: classes, counts, split, label, checksum, ..."""
        return self._own_data() or self.run.record["data"]

    def _own_data(self) -> Mapping[str, Any] | None:
        """The record of its data set; None where several are recorded and none is its own."""
        described = [self.run.record["data"], *(self.run.record.get("other_data") or [])]
        if len(described) == 1:
            return described[0]
        # A swept data field gave several data sets; the id is a hash of the trial's own.
        trial = space.expand(self.config)[0]
        return next((data for data in described if trial.id(data["checksum"]) == self.id), None)

    @property
    def variables(self) -> dict[str, Any]:
        """{'params', 'stats', 'pixels'} of the epoch that validation chose: nested dicts of numpy arrays, without a trial axis.

        'pixels' holds scale and offset: the network's input is scale * pixel + offset.

        Raises:
            RunError: the trial has left no weights (yet).
        """
        return {**self._weights["best"], "pixels": self._weights["pixels"]}

    @property
    def last_variables(self) -> dict[str, Any]:
        """As `variables`, of the last epoch."""
        return {**self._weights["last"], "pixels": self._weights["pixels"]}

    @functools.cached_property
    def _weights(self) -> dict[str, Any]:
        wave, slot = self.row.get("wave", ""), self.row.get("slot")
        if not wave or pd.isna(slot) or self.status in ("pending", "running", "failed"):
            yet = "" if self.status == "failed" else " yet"
            raise RunError(f"trial {self.id} of {self.run.path} is {self.status}: it has no weights{yet}")
        if self.row.get("best_epoch") == 0:
            epoch = self.row["diverged_epoch"]
            raise RunError(f"trial {self.id} of {self.run.path} diverged in epoch {epoch}, its first: nothing of it was learnt")
        return self.run._directory.load_trial(wave, int(slot))

    def predict(self, images: Any, weights: str = "best") -> np.ndarray:
        """Class probabilities by the weights that validation chose, or by those of the last epoch.

        Args:
            images: uint8, or other numbers in 0..255, of shape (n, S, S, C), (n, S, S), (S, S, C) or (S, S), where S is
                data.image_size and C data.channels; grey pictures serve a network for colour.
            weights: 'best' (chosen by train.select) or 'last'.

        Returns:
            float32 (n, K), rows summing to 1, columns as `classes`.

        Raises:
            RunError: another size, kind or range of images; no weights; or other `weights` than these two.
        """
        return self._apply(images, None, weights)

    def features(self, images: Any, layer: str) -> np.ndarray:
        """The output of a named layer, float32 (n, ...), for images as `predict` takes them.

        Raises:
            RunError: as for `predict`, or an unknown layer (it names near ones).
        """
        return self._apply(images, layer)

    def _apply(self, images: Any, layer: str | None, weights: str = "best") -> np.ndarray:
        if weights not in ("best", "last"):
            raise RunError(f"weights = {weights!r}: must be 'best' or 'last'")
        values = fields.flatten(self.config)
        variables = self.variables if weights == "best" else self.last_variables
        return inference.apply(values, len(self.classes), variables, images, layer)

    @property
    def heads(self) -> pd.DataFrame:
        """Its rows of `run.heads`."""
        return self.run.heads[self.run.heads["id"] == self.id].reset_index(drop=True)

    def head(self, **wanted: Any) -> FitResult:
        """Its one fit with these values, such as `head(layer="dense_0", max_depth=6)`; all values of a single fit may be left out.

        Args:
            **wanted: head field=value; a field is what follows 'head.'.

        Raises:
            RunError: no head field of that name, a value it cannot have, no such fit, or several.
        """
        rows = self.heads
        if not len(rows):
            raise RunError(f"trial {self.id} of {self.run.path} has no fits: sweep with a head.kind, such as xgboost")
        for keyword, value in wanted.items():
            name = f"head.{keyword}"
            known = [known.removeprefix("head.") for known in fits.head_columns(rows)]
            if keyword not in known:
                raise RunError(f"no field {name}; {did_you_mean(keyword, known)}")
            try:
                value = fields.FIELDS[name].coerce(value)
            except ConfigError as error:
                raise RunError(str(error)) from None
            rows = rows[[statistics.hashable(one) == value for one in rows[name]]]
        if len(rows) == 1:
            return FitResult(self, rows.iloc[0])
        said = ", ".join(f"{name} = {value}" for name, value in wanted.items()) or "any setting"
        if not len(rows):
            raise RunError(f"trial {self.id} of {self.run.path} has no fit with {said}; trial.heads lists {len(self.heads)}")
        varied = [name for name in fits.head_columns(rows) if rows[name].astype(object).map(statistics.hashable).nunique(dropna=False) > 1]
        more = ", ".join(name.removeprefix("head.") for name in varied)
        raise RunError(f"trial {self.id} of {self.run.path} has {len(rows)} fits with {said}: name more of {more}")

    def dataset(self, path: str | None = None) -> Dataset:
        """The data it was trained on, loaded anew.

        Args:
            path: where the data lie now, if no longer at data.path.

        Raises:
            DataError: they cannot be read.
            RunError: they are not those of the run: the checksum differs.
        """
        from fer_jax import data

        block = self.config.data.copy_and_resolve_references()
        block.path = path or block.path
        key = block.to_json()
        if key not in self.run._datasets:
            self.run._datasets[key] = data.load(block)
        loaded = self.run._datasets[key]
        if any(name.startswith("data.") for name in self.run.swept):
            # The record knows one data set; the id is a hash of the trial's own.
            same = space.expand(self.config)[0].id(loaded.checksum) == self.id
        else:
            same = loaded.checksum == self.run.record["data"].get("checksum")
        if not same:
            source = block.path or "the data"
            raise RunError(f"{source}: not what {self.run.path} was trained on (checksum {loaded.checksum[:10]})")
        return loaded

    def confusion_matrix(self, split: str = "test", path: str | None = None) -> pd.DataFrame:
        """Pictures by true class (rows) and predicted class (columns), by the weights that validation chose.

        Args:
            split: 'test', 'validation' or 'train'.
            path: as for `dataset`.

        Raises:
            RunError: no such split, other data than the run's, or no weights.
            DataError: the data cannot be read.
        """
        found = self._split(split, path)
        predicted = self.predict(found.images).argmax(axis=1)
        count = len(self.classes)
        counts = np.bincount(found.labels * count + predicted, minlength=count**2).reshape(count, count)
        true, answer = pd.Index(self.classes, name="true"), pd.Index(self.classes, name="predicted")
        return pd.DataFrame(counts, index=true, columns=answer)

    def binarised(
        self,
        positive: Sequence[str],
        split: str = "test",
        threshold: float = 0.5,
        weights: str = "best",
        path: str | None = None,
    ) -> dict[str, float]:
        """Figures of 'one of the positive classes or not', from the probabilities of a network trained on more classes.

        A picture is called positive if the probabilities of the positive classes sum to `threshold` or more. Compare
        thresholds on the validation split: the test split is for the one that was chosen.

        Args:
            positive: names of some of `classes`, in any spelling `data.names.canonical` knows.
            split: 'test', 'validation' or 'train'.
            threshold: in [0, 1].
            weights: as for `predict`.
            path: as for `dataset`.

        Returns:
            accuracy, loss (nats), precision, recall, f1 (means over both answers) and auc; see `classification.binarise`.

        Raises:
            ConfigError: an unknown class, or none or all of them positive.
            RunError: no such split, a threshold out of range, other data than the run's, or no weights.
            DataError: the data cannot be read.
        """
        from fer_jax.analysis import classification

        classification.positive_columns(self.classes, positive)
        if not 0 <= threshold <= 1:
            raise RunError(f"threshold = {threshold}: must be in [0, 1], a share of the probability")
        found = self._split(split, path)
        return classification.binarise(self.predict(found.images, weights), found.labels, self.classes, positive, threshold)

    def _split(self, name: str, path: str | None) -> Split:
        splits = self.dataset(path).splits()
        if name not in splits:
            raise RunError(f"the data of {self.run.path} have no {name} split; choose one of {', '.join(splits)}")
        return splits[name]


def _values(table: pd.DataFrame, names: Sequence[str]) -> list[tuple[Hashable, ...]]:
    """What each row has in the named columns."""
    columns = [[statistics.hashable(value) for value in table[name]] for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * len(table)


def _best(table: pd.DataFrame, metric: str, suffix: str, nothing: str) -> Any:
    """Label of the row with the best `metric`; ties go to the lower validation loss, if all have one loss, then to the earlier row."""
    merit = table[f"{metric}{suffix}"].astype(float) * (1 if metric.endswith("loss") else -1)
    same_loss = not comparable.differing(table, comparable.loss_fields("val_loss"))
    tie = table[f"val_loss{suffix}"].astype(float) if same_loss and f"val_loss{suffix}" in table else merit
    order = pd.DataFrame({"merit": merit, "tie": tie})[merit.notna()].sort_values(["merit", "tie"], kind="stable")
    if order.empty:
        raise RunError(nothing)
    return order.index[0]
