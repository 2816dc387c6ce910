"""A run directory as Python objects: its tables, and every trained network ready to classify
pictures.

Loading reads tables only and never writes; weights are read trial by trial, when they are first
asked for. A run that is still going loads as far as it has got; load it again to see what has been
added.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax.analysis import fits, points, ranking, statistics
from fer_jax.base.text import did_you_mean
from fer_jax.config import fields
from fer_jax.config.names import nearest
from fer_jax.config.values import from_json, get
from fer_jax.errors import ConfigError, RunError
from fer_jax.results import points as comparing
from fer_jax.results import stored_metrics
from fer_jax.results.ensemble import Ensemble, best_points
from fer_jax.results.trial import TrialResult
from fer_jax.saliency import explain
from fer_jax.store import RunDirectory

if TYPE_CHECKING:
    from fer_jax.data import Dataset
    from fer_jax.saliency import ClassSaliency, RepeatedSaliency

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
        record: config.json as it stands: config, command, versions, devices, data, started,
            finished, ...
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
        self.config = from_json(self.record["config"])
        self.swept = tuple(self.record["swept"])
        self.trials = self._read_trials()
        self._datasets: dict[str, Dataset] = {}
        self._stored_targets: dict[str, dict[str, np.ndarray]] = {}

    def __repr__(self) -> str:
        statuses = statistics.count_words(self.trials["status"].to_numpy()) or "no trials yet"
        return f"<Run {self.path}: {statuses}; {self.record['data'].get('label', 'unknown data')}>"

    def _read_trials(self) -> pd.DataFrame:
        if not self._directory.has("trials.csv"):
            return pd.DataFrame(columns=["id", "status", *self.swept])
        trials = self._directory.read_trials()
        for name in ("id", "status"):
            if name not in trials:
                raise RunError(
                    f"{self.path / 'trials.csv'} has no column {name!r}: it is damaged, or not of this program"
                )
        return self._typed(trials)

    def _typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """With the swept words and tuples as their fields have them."""
        for name in set(self.swept) & set(table.columns) & set(fields.FIELDS):
            if fields.FIELDS[name].type in (str, tuple):
                table[name] = [fields.FIELDS[name].parse(text) for text in table[name].astype(object).fillna("")]
        return table

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """A row a trial and epoch: id, epoch (1-based), train_loss, train_accuracy, val_loss,
        val_accuracy.
        """
        return self._directory.read_curves()

    @functools.cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json: stacks and waves in running order. Raises RunError if the run has none yet."""
        return self._directory.read_plan()

    def _targets(self, checksum: str) -> dict[str, np.ndarray]:
        """What is stored of a data set's held-out splits; see `store.predictions`."""
        if checksum not in self._stored_targets:
            found = self._directory.predictions.read_targets(checksum)
            if found is None:
                raise RunError(f"{self.path} has no stored predictions: it was trained before they were kept")
            self._stored_targets[checksum] = found
        return self._stored_targets[checksum]

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """A row a point: swept fields, n (done trials), left_out ('1 diverged'), then the
        statistics of each metric.
        """
        return statistics.summarise(self.trials, self.swept, overlap=comparing.overlap(self))

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """A row a done trial and held-out split, from the stored predictions; see
        `answers.trial_metrics`.
        """
        return stored_metrics.trial_metrics(self)

    @functools.cached_property
    def class_metrics(self) -> pd.DataFrame:
        """A row a done trial, held-out split and class, from the stored predictions; see
        `answers.class_metrics`.
        """
        return stored_metrics.class_metrics(self)

    @functools.cached_property
    def heads(self) -> pd.DataFrame:
        """A row a fit, as in heads.csv: fit, id (of its trial), swept fields, head fields (empty
        where they do not count with its kind of head), scores and their gain over the network's
        own; no rows where no head was asked for.
        """
        if not self._directory.has("heads.csv"):
            return pd.DataFrame(columns=["fit", "id", "status"])
        table = self._directory.read_heads()
        for name in fits.head_columns(table):
            if name in fields.FIELDS and fields.FIELDS[name].type is int:
                table[name] = table[name].astype("Int64")
        return self._typed(table)

    @property
    def has_failures(self) -> bool:
        """Whether a trial or a fit has failed; to diverge is a result, not a failure."""
        return any((table["status"] == "failed").any() for table in (self.trials, self.heads))

    @functools.cached_property
    def heads_summary(self) -> pd.DataFrame:
        """A row a point and head setting: n (done fits), left_out, then the statistics of each
        metric.
        """
        return fits.summarise(self.heads, self.swept, comparing.overlap(self))

    def table(self, name: str = "points", format: str = "frame", metrics: Sequence[str] | None = None) -> Any:
        """The points, trials or heads, or how the points compare with the best, as a table for a
        paper or a spreadsheet.

        Args:
            name: 'points', 'comparisons', 'trials' or 'heads'.
            format: 'frame' (pandas, full precision), or a text: 'csv' (the same), 'markdown' or
                'latex' (rounded to the spread).
            metrics: columns of trials.csv to show, such as ('val_accuracy', 'last_test_accuracy');
                None takes the usual ones. For comparisons the one to compare by.

        Raises:
            RunError: no such table, format or metric, or nothing to put into it.
        """
        from fer_jax.reports import run_tables

        if format not in run_tables.FORMATS:
            raise RunError(f"format = {format!r}: must be one of {', '.join(run_tables.FORMATS)}")
        return run_tables.FORMATS[format](run_tables.make(self, name, metrics))

    def export(self, to: str, out: str | Path | None = None) -> str:
        """Writes its curves and figures for a tracker, or its tables: `to` is 'tensorboard',
        'mlflow' or 'tables'.

        What is there already is left alone, so that calling it again, while the run goes on or
        later, adds what is new. Arguments, result and errors as for `fer_jax.export.export_run`.
        """
        from fer_jax.export import export_run

        return export_run(self, to, out)

    def best_point(self, metric: str | None = None, **wanted: Any) -> pd.Series:
        """The row of `summary` with the best mean over its done trials; losses and val_ece are
        better low, all else high.

        Equal means go to the lower validation loss, where that is the same function at every point,
        then to the earlier point. Its `n` and `left_out` say how many trials the mean stands on and
        who is missing.

        Args:
            metric: such as 'val_accuracy'; None takes the config's train.select.
            **wanted: field=value, as for `select`: only points with these values are looked at.
                Where sweep.best gave some of them more seeds, it is one of those: a mean over few
                seeds does not overtake one over many.

        Raises:
            RunError: an unknown metric, one of the test split, which may choose nothing, points
                that the metric cannot rank against each other (see `groups`), or no done trial.
        """
        metric = self._metric(metric)
        rows = self.summary[self._matching(self.summary, wanted)]
        comparing.check_ranked(self, rows, metric, "best_point")
        return self.summary.loc[self._ranked(rows, metric, "_mean", wanted)[0]]

    def indistinguishable(self, metric: str | None = None, **wanted: Any) -> pd.DataFrame:
        """The best point and every other one beside it, seed by seed: `tied` are those it cannot be
        told apart from at 5 %.

        Paired t tests over the seeds that both have done, p values by Holm over all of them; with
        one seed nothing can be told apart. The best is the luckiest of its list, so that a point
        which is in truth as good may be missing from the ties.

        Args:
            metric, **wanted: as for `best_point`, errors too.

        Returns:
            As `analysis.points.against_best`: a row a point, the best first.
        """
        metric = self._metric(metric)
        self.best_point(metric, **wanted)  # says what cannot be ranked
        among = self._matching(self.summary, wanted)
        ranked = ranking.order_points(self.summary[among], metric, self.swept, self.record["config"])
        return points.against_best(self.trials, self.swept, metric, ranked, comparing.overlap(self), among)

    def compare(
        self, point_a: comparing.Point, point_b: comparing.Point, metric: str | None = None
    ) -> points.PointComparison:
        """Two points: paired difference over their common seeds, Welch, Wilcoxon, and McNemar on
        the pictures of each seed.

        For points that were chosen beforehand or on the validation split: whoever looks for the
        best test figure among many comparisons has chosen on the test split.

        Args:
            point_a, point_b: each a row of `summary`, its number, or a dict of swept values such as
                {'train.l2': 1e-3}.
            metric: any column of measurements, such as 'test_accuracy'; None takes the config's
                train.select.

        Returns:
            Its figures and, under `words`, what they say.

        Raises:
            RunError: an unknown metric, no such point or several, twice the same one, one without a
                done trial, or points that the metric cannot measure against each other (see
                `groups`).
        """
        metric = self._known_metric(metric)
        return comparing.compare(self, point_a, point_b, metric)

    def intervals(self, metric: str | None = None) -> pd.DataFrame:
        """95 % intervals of every point's mean: swept fields, n, <metric>_mean, _low95 and _high95
        (Student), bootstrap_low95 and bootstrap_high95 (empty below ten trials, where a bootstrap
        interval is too narrow, and for folds).
        """
        return comparing.intervals(self, self._known_metric(metric))

    @functools.cached_property
    def unbiased(self) -> pd.DataFrame:
        """As `summary`, of the points that sweep.best chose, over the seeds that did not choose
        them; no rows where none were.
        """
        return statistics.unbiased(self.trials, self.swept, self.record)

    def best(self, metric: str | None = None, **wanted: Any) -> TrialResult:
        """The single best done trial. Optimistic: it is the luckiest of many seeds; report
        `best_point` instead.

        Arguments and errors as for `best_point`.
        """
        metric = self._metric(metric)
        trials = self.trials[self._matching(self.trials, wanted)]
        comparing.check_ranked(self, trials, metric, "best")
        done = trials[trials["status"] == "done"]
        return TrialResult(self, done.loc[self._ranked(done, metric, "", wanted)[0]])

    def ensemble(self, by: str | None = None, top: int = 1, **wanted: Any) -> Ensemble:
        """The done trials of the best points, chosen as `best_point` chooses one, whose
        probabilities are averaged.

        Args:
            by: the metric, None takes the config's train.select.
            top: number of points; fewer are taken where fewer have a done trial, or sweep.best gave
                fewer of them more seeds.
            **wanted: as for `best_point`.

        Raises:
            RunError: as for `best_point`, or a `top` below 1.
        """
        if top < 1:
            raise RunError(f"top = {top}: an ensemble needs the repeats of a point at least")
        metric = self._metric(by)
        rows = self.summary[self._matching(self.summary, wanted)]
        comparing.check_ranked(self, rows, metric, "ensemble")
        return best_points(self, metric, self._ranked(rows, metric, "_mean", wanted)[:top])

    def groups(self, table: pd.DataFrame, metric: str) -> list[Hashable]:
        """A key for every row of `trials` or `summary`: a metric ranks only rows of one key against
        each other.

        Figures over different classes or of different pictures are not comparable, nor are losses
        of trials that were given different losses (loss.focal_gamma, loss.label_smoothing; in
        training also the class weights).
        """
        return comparing.groups(self, table, metric)

    def data_sets(self, trials: pd.DataFrame) -> list[Mapping[str, Any]]:
        """What config.json says of every data set that rows of `trials` use, in order of first use."""
        names = [name for name in self.swept if name.startswith("data.")]
        _, firsts = statistics.point_codes(trials, [*names, "repeat"] if self.config.data.split == "kfold" else names)
        used = [TrialResult(self, trials.iloc[row]).data for row in firsts]
        return list({data.get("checksum"): data for data in used}.values())

    def _known_metric(self, metric: str | None) -> str:
        metric = metric or self.config.train.select
        known = statistics.metric_columns(self.trials, self.swept)
        if metric not in known:
            if not len(self.trials):
                raise RunError(f"{self.path} has no trials yet")
            raise RunError(f"no metric {metric!r} in {self.path}; {did_you_mean(metric, known)}")
        return metric

    def _metric(self, metric: str | None) -> str:
        metric = self._known_metric(metric)
        if "test_" in metric:
            instead = metric.replace("test_", "val_")
            raise RunError(f"{metric} may not choose: choose by {instead}, then read the {metric} of what it chose")
        return metric

    def _ranked(self, rows: pd.DataFrame, metric: str, suffix: str, wanted: Mapping[str, Any]) -> list[Any]:
        """The points of `ranking.leading_points`, or trials best first; RunError if there is none."""
        config = self.record["config"]
        points = ranking.leading_points(rows, metric, self.swept, config) if suffix else []
        found = points if suffix else ranking.best_first(rows, metric)
        if not found:
            statuses = statistics.count_words(self.trials["status"].to_numpy())
            which = f" and {', '.join(f'{name} = {value!r}' for name, value in wanted.items())}" if wanted else ""
            raise RunError(f"no trial in {self.path} is done with a {metric}{which} ({statuses})")
        return found

    def trial(self, id: str) -> TrialResult:
        """The trial with this id, or with the one id that begins so; RunError names near ones
        otherwise.
        """
        if not isinstance(id, str):
            raise RunError(
                f"trial id {id!r}: ids are text; run.trials['id'] lists them and run.select(seed=0) finds by value"
            )
        ids = self.trials["id"].to_numpy()
        matches = np.flatnonzero(ids == id)
        if id and not len(matches):
            matches = np.flatnonzero([known.startswith(id) for known in ids])
        if len(matches) > 1:
            some = ", ".join([*ids[matches[:4]], *["..."] * (len(matches) > 4)])
            raise RunError(f"trial id {id!r} is ambiguous in {self.path}: {some}")
        if not len(matches):
            raise RunError(f"no trial {id!r} in {self.path}; {did_you_mean(id, list(ids))}")
        return TrialResult(self, self.trials.iloc[matches[0]])

    def select(self, **wanted: Any) -> list[TrialResult]:
        """The trials with these values, in plan order; all of them for no argument, [] where none
        match.

        Args:
            **wanted: field=value. A field is its dotted name with '__' for '.', as in train__l2, or
                its last word where that is enough, as in learning_rate; or status, seed, repeat,
                stack or wave.

        Raises:
            RunError: an unknown or ambiguous field, or a value the field cannot have.
        """
        return [TrialResult(self, row) for _, row in self.trials[self._matching(self.trials, wanted)].iterrows()]

    def saliency(
        self,
        point: Any,
        images: Any,
        method: str = "gradient",
        target: Any = None,
        weights: str = "best",
        **settings: Any,
    ) -> RepeatedSaliency:
        """Which pixels the networks of a point stand on: mean over its repeats, spread and
        agreement.

        Args:
            point: a row of `summary`, as `best_point` gives; field values as for `select`, such as
                {"learning_rate": 1e-3}, that describe one point; trials from `select`; or None for
                the best point. Only done trials enter.
            target: as for `TrialResult.saliency`; None takes, for each picture, the class with the
                highest mean probability.
            images, method, weights, **settings: as for `TrialResult.saliency`.

        Returns:
            `mean`, `sd` (n, S, S) and more, see `analysis.saliency.RepeatedSaliency`.

        Raises:
            RunError: as for `TrialResult.saliency`; no such point, several, or no done trial.
        """
        return explain.of_repeats(self, point, images, method, target, weights, settings)

    def class_saliency(
        self,
        point: Any = None,
        split: str = "validation",
        method: str = "gradient",
        limit: int | None = 100,
        weights: str = "best",
        path: str | None = None,
        **settings: Any,
    ) -> ClassSaliency:
        """`TrialResult.class_saliency` as the mean over the repeats of a point, with the spread
        over them; `point` as for `saliency`.
        """
        return explain.classes_of_repeats(self, point, split, method, limit, weights, path, settings)

    def _matching(self, table: pd.DataFrame, wanted: Mapping[str, Any]) -> np.ndarray:
        """Which rows of `trials` or `summary` have the values that `select` describes."""
        keep = np.ones(len(table), dtype=bool)
        for keyword, value in wanted.items():
            if keyword in _SELECT_COLUMNS and keyword in self.trials:
                if keyword not in table:
                    raise RunError(
                        f"{keyword} = {value!r}: a point has no {keyword}, its trials have; run.select finds them"
                    )
                keep &= (table[keyword] == value).fillna(False).to_numpy(dtype=bool)
                continue
            name = self.field_name(keyword)
            try:
                value = fields.FIELDS[name].coerce(value)
            except ConfigError as error:
                raise RunError(str(error)) from None
            present = table[name] if name in table else [get(self.config, name)] * len(table)
            keep &= np.array([statistics.hashable(one) == value for one in present], dtype=bool)
        return keep

    def field_name(self, keyword: str) -> str:
        """The dotted name of the field that a keyword of `select` means; RunError if none or
        several.
        """
        name = keyword.replace("__", ".")
        known = [field.name for field in fields.FIELDS.values() if field.kind in fields.TRIAL_KINDS]
        if name in known:
            return name
        same = [field for field in known if field.rpartition(".")[2] == name]
        same = [field for field in same if field in self.swept] or same
        if len(same) > 1:
            raise RunError(f"{keyword!r} is ambiguous: write {' or '.join(field.replace('.', '__') for field in same)}")
        if not same:
            raise RunError(f"no field {keyword!r}; did you mean {nearest(name).replace('.', '__')}?")
        return same[0]
