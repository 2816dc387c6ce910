"""A run directory as Python objects: its tables, what it found best, and every trained network
ready to classify images.

Loading reads tables only and never writes; weights are read trial by trial, when they are first
asked for. A run that is still going loads as far as it has got; load it again to see what has been
added.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fer_jax.analysis import ranking, statistics
from fer_jax.analysis.answers import Answers
from fer_jax.analysis.points import PointComparison, against_best
from fer_jax.base.text import printable
from fer_jax.config.repeats import NEW_SPLITS
from fer_jax.errors import RunError
from fer_jax.results import points, shown, stored_metrics, trial, validation_answers
from fer_jax.results.ensemble import Ensemble, best_points
from fer_jax.results.record import RunRecord
from fer_jax.results.trial import TrialResult


def load_run(path: str | Path) -> Run:
    """Opens the run in the directory `path`, finished or not.

    Raises:
        RunError: there is no run, or one of its files is damaged.
        ConfigError: its config has a field or value this version does not know.
    """
    return Run(path)


class Run(RunRecord):
    """One sweep and what it left: tables, points, trials and their networks.

    Its attributes are those of `RunRecord`, such as `trials`, `summary`, `curves` and `config`.
    """

    def __repr__(self) -> str:
        statuses = statistics.count_words(self.trials["status"].to_numpy()) or "no trials yet"
        return printable(f"<Run {self.path}: {statuses}; {self.record['data'].get('label', 'unknown data')}>")

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """A row for each done trial and held-out split; see `stored_metrics.trial_metrics`."""
        return stored_metrics.trial_metrics(self)

    @functools.cached_property
    def class_metrics(self) -> pd.DataFrame:
        """A row a done trial, held-out split and class; see `stored_metrics.class_metrics`."""
        return stored_metrics.class_metrics(self)

    @functools.cached_property
    def validation_answers(self) -> dict[str, Answers]:
        """What done trials answer on their validation images; see `validation_answers.read`."""
        return validation_answers.read(self)

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: how far the run is, and its best points."""
        metric = self.config.train.select
        if not len(self.trials):
            return shown.of_run(self, metric, [], 0)
        keys, config = points.groups(self, self.summary, metric), self.record["config"]
        groups = [self.summary[[other == key for other in keys]] for key in dict.fromkeys(keys)]
        ordered = [ranking.order_points(rows, metric, self.swept, config) for rows in groups]
        most = shown.MOST_ROWS if len(groups) == 1 else 1
        return shown.of_run(self, metric, [label for labels in ordered for label in labels[:most]], len(groups))

    def best_point(self, metric: str | None = None, **wanted: Any) -> pd.Series:
        """Returns the point with the best mean over its done trials, in what one asks of it first.

        Losses and val_ece are better low, all else high. Equal means go to the lower validation
        loss, where that is the same function at every point, then to the earlier point: such points
        are best together, and `indistinguishable` names them.

        Args:
            metric: such as 'val_accuracy'; None takes the config's train.select.
            **wanted: field=value, as for `select`: only points with these values are looked at.
                Where sweep.best gave some of them more seeds, or a race threw others out, it is one
                of those: a mean over few seeds does not overtake one over many.

        Returns:
            Its swept values, `n` and `left_out` (how many trials its means stand on, and who is
            missing), then `_mean` and `_sd` of the metric, of the same on the test split, and of
            the accuracies, where images have copies also without these. `name` is its row of
            `summary`; `best_row` gives that row whole.

        Raises:
            RunError: an unknown metric, one of the test split, which may choose nothing, points
                that the metric cannot rank against each other (see `groups`), or no done trial.
        """
        row, chooses = self.best_row(metric, **wanted), self.choosing_metric(metric)
        metrics = dict.fromkeys((chooses, chooses.replace("val_", "test_"), "val_accuracy", "test_accuracy"))
        metrics |= dict.fromkeys(
            clean
            for name in ("val_accuracy", "test_accuracy")
            if pd.notna(row.get(f"{(clean := f'{name}_clean')}_mean"))
        )
        columns = [f"{name}_{what}" for name in metrics for what in ("mean", "sd")]
        return row[[name for name in (*self.swept, "n", "left_out", *columns) if name in row]]

    def best_row(self, metric: str | None = None, **wanted: Any) -> pd.Series:
        """Returns the whole row of `summary` of the point that `best_point` returns.

        Arguments and errors are as there.
        """
        metric = self.choosing_metric(metric)
        rows = self.summary[self.matching(self.summary, wanted)]
        points.check_ranked(self, rows, metric, f"run.best_point({metric!r}")
        return self.summary.loc[self._ranked(rows, metric, "_mean", wanted)[0]]

    def indistinguishable(self, metric: str | None = None, **wanted: Any) -> pd.DataFrame:
        """Holds the best point against every other one, seed by seed or image by image.

        `tied` are those it cannot be told apart from at 5 %, p values corrected by Holm over all of
        them. With several seeds these are of paired t tests over the seeds that both have done.
        With one seed a point they are of McNemar's tests on the stored validation predictions, by
        val_accuracy only: these tell two trained networks apart, not two settings, and another
        seed may turn it round. The best is the luckiest of its list, so that a point which is in
        truth as good may be missing from the ties.

        Args:
            metric, **wanted: as for `best_point`, errors too.

        Returns:
            A row a point, the best first; see `analysis.points.against_best`. `best_together` is
            True where the mean is that of the best, so that only a tie-break tells them apart.
        """
        metric = self.choosing_metric(metric)
        self.best_row(metric, **wanted)  # says what cannot be ranked
        among = self.matching(self.summary, wanted)
        some, config = self.summary[among], self.record["config"]
        ranked = ranking.order_points(some, metric, self.swept, config)
        answers = self.validation_answers
        found = against_best(self.trials, self.swept, metric, ranked, self.overlap, among, answers)
        together = ranking.best_together(some, metric, self.swept, config)
        return found.assign(best_together=found["point"].isin(together))

    def compare(self, point_a: points.Point, point_b: points.Point, metric: str | None = None) -> PointComparison:
        """Compares two points by their values over seeds and by their answers to single images.

        The tests are a paired one over common seeds, Welch's, Wilcoxon's, and McNemar's on the
        images of each seed.

        It is for points that were chosen beforehand or on the validation split: whoever looks for
        the best test metric among many comparisons has chosen on the test split.

        Args:
            point_a, point_b: each a row of `summary`, its number, or a dict of swept values such as
                {'train.l2': 1e-3}.
            metric: any metric of trials.csv, such as 'test_accuracy'; None takes the config's
                train.select.

        Returns:
            The numbers of the comparison and, under `words`, what they say.

        Raises:
            RunError: an unknown metric, no such point or several, twice the same one, one without a
                done trial, or points that the metric cannot measure against each other (see
                `groups`).
        """
        return points.compare(self, point_a, point_b, self.known_metric(metric))

    def intervals(self, metric: str | None = None) -> pd.DataFrame:
        """Returns 95 % intervals of every point's mean.

        Args:
            metric: any metric of trials.csv; None takes the config's train.select.

        Returns:
            A row a point: swept fields, n, <metric>_mean, _low95 and _high95 (Student),
            bootstrap_low95 and bootstrap_high95 (empty below ten trials, where a bootstrap interval
            is too narrow, and for folds).

        Raises:
            RunError: an unknown metric.
        """
        return points.intervals(self, self.known_metric(metric))

    @functools.cached_property
    def unbiased(self) -> pd.DataFrame:
        """The table `summary` of the points that sweep.best chose; no rows where it chose none.

        Its statistics are over the seeds that did not choose the points.
        """
        return statistics.unbiased(self.trials, self.swept, self.record)

    def best(self, metric: str | None = None, **wanted: Any) -> TrialResult:
        """Returns the single best done trial; arguments and errors as for `best_point`.

        It is the luckiest of many seeds and its metric optimistic: report `best_point` instead.
        """
        metric = self.choosing_metric(metric)
        trials = self.trials[self.matching(self.trials, wanted)]
        points.check_ranked(self, trials, metric, f"run.best({metric!r}")
        done = trials[trials["status"] == "done"]
        return TrialResult(self, done.loc[self._ranked(done, metric, "", wanted)[0]])

    def ensemble(self, by: str | None = None, top: int = 1, **wanted: Any) -> Ensemble:
        """Returns the done trials of the best points, chosen as `best_point` chooses one.

        Args:
            by: the metric that chooses; None takes the config's train.select.
            top: number of points; fewer are taken where fewer have a done trial, or sweep.best gave
                fewer of them more seeds.
            **wanted: as for `best_point`.

        Raises:
            RunError: as for `best_point`, or a `top` that is no whole number of 1 or more.
        """
        if not isinstance(top, numbers.Integral) or top < 1:
            raise RunError(f"top = {top!r}: must be the number of points whose repeats are asked, 1 or more")
        metric = self.choosing_metric(by)
        rows = self.summary[self.matching(self.summary, wanted)]
        points.check_ranked(self, rows, metric, f"run.ensemble({metric!r}")
        labels = self._ranked(rows, metric, "_mean", wanted)[:top]
        together = ranking.best_together(rows, metric, self.swept, self.record["config"])
        return best_points(self, metric, labels, len(together))

    def groups(self, table: pd.DataFrame, metric: str) -> list[Hashable]:
        """Returns a key for each row of `trials` or `summary`; a metric ranks rows of one key only.

        Metrics over different classes or of different images are not comparable, nor are losses of
        trials that were given different losses (loss.focal_gamma, loss.label_smoothing; in training
        also the class weights).

        Args:
            table: `trials`, `summary` or some of their rows.
            metric: such as 'val_accuracy'.
        """
        return points.groups(self, table, metric)

    def data_sets(self, trials: pd.DataFrame) -> list[Mapping[str, Any]]:
        """Returns what config.json says of the data sets that rows of `trials` use, in order."""
        names = [name for name in self.swept if name.startswith("data.")]
        drawn = self.config.data.split == "kfold" or self.config.sweep.seeds_of in NEW_SPLITS
        _, firsts = statistics.point_codes(trials, [*names, "repeat"] if drawn else names)
        used = [TrialResult(self, trials.iloc[row]).data for row in firsts]
        return list({data.get("checksum"): data for data in used}.values())

    def _ranked(self, rows: pd.DataFrame, metric: str, suffix: str, wanted: Mapping[str, Any]) -> list[Any]:
        """Returns labels of rows, best first; RunError if none is done, with what was `wanted`.

        Of points these are `ranking.leading_points`, of trials all.
        """
        config = self.record["config"]
        points = ranking.leading_points(rows, metric, self.swept, config) if suffix else []
        found = points if suffix else ranking.best_first(rows, metric)
        if not found:
            statuses = statistics.count_words(self.trials["status"].to_numpy())
            which = f" and {', '.join(f'{name} = {value!r}' for name, value in wanted.items())}" if wanted else ""
            raise RunError(f"no trial in {self.path} is done with a {metric}{which} ({statuses})")
        return found

    def trial(self, id: str) -> TrialResult:
        """Returns the trial with this id, or with the one id that begins so.

        Raises:
            RunError: no such trial (it names near ones), or several.
        """
        return trial.find(self, id)

    def select(self, **wanted: Any) -> list[TrialResult]:
        """Returns the trials with these values, in plan order: all of them for no argument.

        Args:
            **wanted: field=value. A field is its dotted name with '__' for '.', as in train__l2, or
                its last word where that is enough, as in learning_rate; or status, seed, repeat,
                stack or wave.

        Raises:
            RunError: an unknown or ambiguous field, or a value the field cannot have.
        """
        return trial.select(self, **wanted)
