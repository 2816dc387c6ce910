"""What the experiments of a study came to: a row a published value, from the runs there are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis import against_published, metrics, statistics
from fer_jax.analysis.fits import SPLITS, network_column, relative_gain
from fer_jax.config import fields, search_space
from fer_jax.errors import ConfigError, FerJaxError, RunError
from fer_jax.prediction.external import evaluate
from fer_jax.results.run import Run, load_run
from fer_jax.results.trial import FitResult, TrialResult
from fer_jax.store import RunDirectory
from fer_jax.studies import conditions
from fer_jax.studies.paper import Experiment, Published, Study
from fer_jax.studies.sweeps import find_point, has_head, is_meant, sweeps, wanted
from fer_jax.studies.table import Row

# The split, in the name of a metric, that is another data set.
EXTERNAL = "external"
# Of a head: its network's own accuracy on the same images and weights, and what it adds to it.
HEAD_METRICS = ("network_accuracy", "relative_gain")


def gather(study: Study, study_file: str, workdir: Path, scale: str, external: str = "") -> list[Row]:
    """Returns the rows of a study, in its order.

    An experiment whose sweep was not run gives rows that say so.

    Args:
        study_file: path of the study file.
        workdir: of the study: the runs lie below it.
        scale: one of `paper.SCALES`, or '' for the configs' default.
        external: path of the labelled data set that 'external_' metrics are of; '' for none.

    Raises:
        FerJaxError: a damaged run, or a point, metric or class that cannot be read; one line.
    """
    rows = []
    for sweep in sweeps(study.experiments, study_file, scale):
        folder = workdir / sweep.folder
        run = load_run(folder) if RunDirectory(folder).has("trials.csv") else None
        for experiment in sweep.experiments:
            rows += _rows(experiment, run, study_file, scale, external)
    order = [experiment.name for experiment in study.experiments]
    return sorted(rows, key=lambda row: order.index(row.experiment))


def split_metric(metric: str) -> tuple[str, str, bool]:
    """Returns split, metric, and whether it is one of summed probabilities.

    For 'binary_val_auc' and for 'val_binary_auc' it returns ('val', 'auc', True). The split may be
    'external', and the metric one of a class, such as 'recall_happy'.

    Raises:
        ConfigError: no metric of a study.
    """
    split, _, quantity = metric.removeprefix("binary_").partition("_")
    binary = metric.startswith("binary_") or quantity.startswith("binary_")
    quantity = quantity.removeprefix("binary_")
    kind, _, of_class = quantity.partition("_")
    one_class = bool(of_class) and kind in metrics.CLASS_METRICS and not binary
    of_head = quantity in HEAD_METRICS and split in ("val", "test") and not binary
    if not of_head and (split not in (*SPLITS, EXTERNAL) or (quantity not in metrics.METRICS and not one_class)):
        known = f"'train_', 'val_', 'test_' or 'external_' before {', '.join(metrics.METRICS)}"
        more = (
            f"'_' and a class after {', '.join(metrics.CLASS_METRICS)}; 'binary_' before that for summed "
            f"probabilities; of a head also 'val_' or 'test_' before {' and '.join(HEAD_METRICS)}"
        )
        raise ConfigError(f"metric {metric!r}: must be {known}; {more}")
    return split, quantity, binary


def _rows(experiment: Experiment, run: Run | None, study_file: str, scale: str, external: str) -> list[Row]:
    if run is None:
        return [_empty(experiment, published) for published in _published(experiment)]
    found = find_point(experiment, run.config, scale)
    trials = run.select(**{name.replace(".", "__"): found[name] for name in run.swept})
    if not trials:
        return [_empty(experiment, published) for published in _published(experiment)]
    head = search_space.counting_head(found) if has_head(experiment) else {}
    done = [trial for trial in trials if trial.status == "done"]
    left_out = statistics.count_words([trial.status for trial in trials if trial.status != "done"])
    names = trials[0].classes
    label = trials[0].data.get("label", "").partition(",")[0]
    computed = _Computed(experiment, head, external)
    elsewhere = [] if is_meant(experiment, found) else [_elsewhere(experiment, found)]
    reasons = conditions.unmet(experiment, trials[0], head, len(done), study_file)
    rows = []
    for published in _published(experiment):
        why = elsewhere + (reasons if math.isfinite(published.value) else ["no figure published"])
        before = len(why)
        chosen, last = (_values(done, published.metric, weights, computed, why) for weights in ("best", "last"))
        compared = last if published.weights == "last" else chosen
        if len(why) == before:
            if not all(math.isfinite(value) for value in compared):
                why.append(f"no {published.metric} in the run")
            elif len(compared) > 1 and (reason := against_published.obstacle(compared)):
                why.append(reason)
        rows.append(
            Row(
                *_printed(experiment, published),
                data=label,
                split=trials[0].config.data.split,
                sampling=sampling(trials[0]),
                images={name: sum(counts.values()) for name, counts in trials[0].data.get("counts", {}).items()},
                classes=len(names),
                epochs=conditions.epochs(trials[0]),
                n=len(done),
                left_out=left_out,
                chosen=chosen,
                last=last,
                against=published.weights,
                verdict=None if why else _verdict(compared, published),
                why_none=tuple(dict.fromkeys(why)),
                run=str(run.path),
                note=experiment.note,
                published_digits=published.decimals,
            )
        )
    return rows


def _verdict(ours: Sequence[float], published: Published) -> against_published.Verdict:
    return against_published.compare(ours, published.value, published.sd, published.n, published.rounding)


def _elsewhere(experiment: Experiment, found: Mapping[str, Any]) -> str:
    """Returns which point stands in for the one that the sweep at this scale lacks.

    It names every setting that is not the one meant.
    """
    meant = wanted(experiment)
    other = [f"{name} = {found[name]} (not {value})" for name, value in meant.items() if found[name] != value]
    return f"another point, which the sweep at this scale has instead: {' and '.join(other)}"


def sampling(trial: TrialResult) -> str:
    """Returns what was left out of a trial's splits or repeated in them; '' if nothing."""
    # A label is 'FER-2013, official split' and, where leaks were left out or classes balanced, how.
    changed = trial.data.get("label", "").split(", ", 2)[2:]
    fraction = trial.config.data.fraction
    return ", ".join([*changed, *([f"a share of {fraction:g}"] if fraction != 1 else [])])


def _published(experiment: Experiment) -> tuple[Published, ...]:
    """Returns what is to be compared.

    That is the validation accuracy, with nothing beside it, where a paper printed nothing. Of a
    head its network's accuracy and the gain over it are always shown.
    """
    if has_head(experiment):
        known = {published.metric for published in experiment.published}
        missing = ("val_accuracy",) * (not known) + tuple(f"val_{name}" for name in HEAD_METRICS)
        weights = wanted(experiment).get("head.weights", fields.FIELDS["head.weights"].default)
        more = (Published(name, math.nan, where="not published", weights=weights) for name in missing)
        return (*experiment.published, *(one for one in more if one.metric not in known))
    return experiment.published or (Published("val_accuracy", math.nan, where="curves only"),)


def _empty(experiment: Experiment, published: Published) -> Row:
    split_metric(published.metric)
    printed, digits = _printed(experiment, published), published.decimals
    return Row(
        *printed, against=published.weights, why_none=("not run",), note=experiment.note, published_digits=digits
    )


def _printed(experiment: Experiment, published: Published) -> tuple[str, str, float, float | None, int, str]:
    return experiment.name, published.metric, published.value, published.sd, published.n, published.where


class _Computed:
    """Metrics that need the network or its head, each computed once for an experiment."""

    def __init__(self, experiment: Experiment, head: Mapping[str, Any], external: str):
        self.positive = experiment.positive
        self.head = head
        self.external, self.external_name = external, experiment.external
        self.known: dict[tuple[str, str, str, bool], dict[str, float]] = {}

    def metrics(self, trial: TrialResult, weights: str, split: str, binary: bool) -> dict[str, float]:
        """Returns all metrics of a trial on a split, name -> value, computed at the first call."""
        key = (trial.id, weights, split, binary)
        if key not in self.known:
            found, labels = self._external(trial, weights) if split == EXTERNAL else self._own(trial, weights, split)
            if binary:
                self.known[key] = metrics.binarise(found, labels, trial.classes, self.positive)
            else:
                by_class = metrics.measure_classes(found, labels, trial.classes)
                self.known[key] = {**metrics.measure(found, labels), **by_class}
        return self.known[key]

    def _own(self, trial: TrialResult, weights: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities and labels of a split of the trial's data."""
        splits = trial.dataset().splits()
        if SPLITS[split] not in splits:
            raise RunError(f"no {SPLITS[split]} split")
        images, labels = splits[SPLITS[split]].images, splits[SPLITS[split]].labels
        return self.fit(trial).predict(images) if self.head else trial.predict(images, weights=weights), labels

    def _external(self, trial: TrialResult, weights: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities and labels of the external data set."""
        if self.head:
            raise RunError("fits are not asked about other data sets")
        if not self.external:
            raise RunError(f"no external data set: name {self.external_name or 'it'} with --external")
        found = evaluate(trial, self.external, copies=False, weights=weights)
        return found.probabilities, found.labels

    def fit(self, trial: TrialResult) -> FitResult:
        """Returns the fit of the trial that the experiment means; RunError if there is none."""
        return trial.head(**{name.removeprefix("head."): value for name, value in self.head.items()})


def _values(
    trials: Sequence[TrialResult], metric: str, weights: str, computed: _Computed, why: list[str]
) -> tuple[float, ...]:
    """Returns one value a trial, NaN where there is none; adds what stands in the way to `why`."""
    split, quantity, binary = split_metric(metric)
    if computed.head and weights != computed.head.get("head.weights", weights):
        return (math.nan,) * len(trials)  # the head was fitted on features of the other ones
    if quantity in ("accuracy", "loss") and not binary and not computed.head and split != EXTERNAL:
        column = metric if weights == "best" else f"last_{metric}"
        return tuple(_number(trial.row, column) for trial in trials)
    try:
        if quantity in HEAD_METRICS:
            return _beside_network(trials, quantity, split, weights, computed)
        if computed.head and quantity in ("accuracy", "loss") and not binary and split != EXTERNAL:
            return tuple(_number(computed.fit(trial).row, metric) for trial in trials)
        return tuple(computed.metrics(trial, weights, split, binary).get(quantity, math.nan) for trial in trials)
    except FerJaxError as error:
        why.append(str(error))
        return (math.nan,) * len(trials)


def _beside_network(
    trials: Sequence[TrialResult], quantity: str, split: str, weights: str, computed: _Computed
) -> tuple[float, ...]:
    """Returns one of `HEAD_METRICS` of each trial: a gain is of a head over its own network."""
    if not computed.head:
        raise RunError(f"{quantity} is of a head: name a head field in the experiment's point")
    networks = [_number(trial.row, network_column(split, weights)) for trial in trials]
    if quantity == "network_accuracy":
        return tuple(networks)
    fits = [_number(computed.fit(trial).row, f"{split}_accuracy") for trial in trials]
    return tuple(relative_gain(fit, network) for fit, network in zip(fits, networks, strict=True))


def _number(row: pd.Series, column: str) -> float:
    """Returns a cell of a table; NaN where there is none."""
    return math.nan if row.get(column) is None else float(row[column])
