"""What the experiments of a study came to: a row a published value, from the runs there are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax.analysis import against_published, statistics
from fer_jax.config import fields, search_space
from fer_jax.errors import FerJaxError
from fer_jax.results.run import Run, load_run
from fer_jax.results.trial import TrialResult
from fer_jax.store import RunDirectory
from fer_jax.studies import conditions
from fer_jax.studies.paper import Experiment, Published, PublishedMatrix
from fer_jax.studies.sweeps import StudySweep, find_point, has_head, wanted
from fer_jax.studies.values import EXTERNAL, RELATIVE_GAIN, Values, read_metric


@dataclasses.dataclass(frozen=True)
class Row:
    """A published value beside ours; the fields about our run are empty where there is no run.

    Attributes:
        experiment: its name.
        published: what was printed; its value is NaN where nothing was.
        data, split: data set and `data.split` of our run; of an 'external_' metric the data set
            that was named, without a split.
        sampling: what was left out of the split or repeated in it, such as 'every split
            undersampled'; empty if nothing.
        images: images by split, in the order train, validation, test, external.
        classes, epochs: of our run; 0 without one.
        n: our done trials.
        left_out: our others, such as '1 diverged'.
        chosen, last: the value of each done trial at the weights validation chose and at the last
            epoch's.
        clean: accuracy of those that are compared on images without an exact copy in what was
            trained on or chosen by; () where there is no such image or for other metrics.
        network: accuracy of the network that each head is fitted on; () without heads.
        own_best, own_point: our best point's value of each trial, and its settings, where
            `Experiment.own_best` asks for them.
        verdict: None where there can be none.
        choices: what the paper left open, in words, where it did.
        why_none: reasons why there is no verdict.
        run: folder of our run.
        note: what a reader must know of the experiment.
    """

    experiment: str
    published: Published
    data: str = ""
    split: str = ""
    sampling: str = ""
    images: Mapping[str, int] = dataclasses.field(default_factory=dict)
    classes: int = 0
    epochs: int = 0
    n: int = 0
    left_out: str = ""
    chosen: tuple[float, ...] = ()
    last: tuple[float, ...] = ()
    clean: tuple[float, ...] = ()
    network: tuple[float, ...] = ()
    own_best: tuple[float, ...] = ()
    own_point: str = ""
    verdict: against_published.Verdict | None = None
    choices: str = ""
    why_none: tuple[str, ...] = ()
    run: str = ""
    note: str = ""

    @property
    def compared(self) -> tuple[float, ...]:
        """The values that the verdict is about."""
        return self.last if self.published.weights == "last" else self.chosen


@dataclasses.dataclass(frozen=True)
class Matrix:
    """A published confusion matrix and ours, the mean over our done trials.

    Attributes:
        experiment: its name.
        published: as printed.
        ours: images by true class and answer, float64 (K, K), in the order of its classes.
        n: our done trials.
        data: data set and split that ours is of.
        run: folder of our run.
    """

    experiment: str
    published: PublishedMatrix
    ours: np.ndarray
    n: int
    data: str
    run: str


def gather(
    sweep: StudySweep, study_file: str, workdir: Path, scale: str, external: str = ""
) -> tuple[list[Row], list[Matrix]]:
    """Returns the rows and the confusion matrices of one sweep's experiments, in their order.

    Without a run of the sweep its rows say so.

    Args:
        sweep: one of `sweeps.sweeps`.
        study_file: path of the study file.
        workdir: of the study: the runs lie below it.
        scale: one of `paper.SCALES`, or '' for the configs' default.
        external: path of the labelled data set that 'external_' metrics are of; '' for none.

    Raises:
        FerJaxError: a damaged run, or a point, metric or class that cannot be read; one line.
    """
    folder = workdir / sweep.folder
    run = load_run(folder) if RunDirectory(folder).has("trials.csv") else None
    rows: list[Row] = []
    matrices: list[Matrix] = []
    for experiment in sweep.experiments:
        found = _Found.of(experiment, run, study_file, scale, external)
        rows += [_row(experiment, published, found) for published in _published(experiment)]
        matrices += _matrices(experiment, found)
    return rows, matrices


@dataclasses.dataclass(frozen=True)
class _Found:
    """What an experiment's rows share.

    Attributes:
        run: None where the sweep was not run.
        trials: all of the experiment's point; none where the sweep lacks it.
        done: those that ended.
        values: what they came to.
        why: why nothing may be concluded.
        study_file, external: as of `gather`.
    """

    run: Run | None
    trials: Sequence[TrialResult] = ()
    done: Sequence[TrialResult] = ()
    values: Values | None = None
    why: tuple[str, ...] = ()

    @classmethod
    def of(cls, experiment: Experiment, run: Run | None, study_file: str, scale: str, external: str) -> _Found:
        if run is None:
            return cls(None, why=("not run",))
        point = find_point(experiment, run.config, scale)
        if point is None:
            return cls(run, why=("the sweep at this scale lacks the point",))
        trials = _trials(run, point, experiment.best)
        if not trials:
            return cls(run, why=("not run",))
        head = search_space.counting_head(point) if has_head(experiment) else {}
        done = [trial for trial in trials if trial.status == "done"]
        why = conditions.unmet(experiment, trials[0], head, len(done), study_file)
        return cls(run, trials, done, Values(experiment, head, external), tuple(why))


def _trials(run: Run, point: Mapping[str, Any], best: bool) -> Sequence[TrialResult]:
    """Returns the trials of a point, or of the best of all points that have its values."""
    chosen = {name.replace(".", "__"): point[name] for name in run.swept if name in point}
    if best and (run.trials["status"] == "done").any():
        found = run.best_point(**chosen)
        chosen = {name.replace(".", "__"): found[name] for name in run.swept}
    return run.select(**chosen)


def _row(experiment: Experiment, published: Published, found: _Found) -> Row:
    asked = read_metric(published.metric)
    run = str(found.run.path) if found.run else ""
    empty = Row(experiment.name, published, why_none=found.why, run=run, note=experiment.note)
    if found.values is None or found.run is None:
        return empty
    trials, done, values = found.trials, found.done, found.values
    why = list(found.why) if math.isfinite(published.value) else ["no figure published"]
    before = len(why)
    chosen, last = (values.of(done, published.metric, weights, why) for weights in ("best", "last"))
    row = dataclasses.replace(
        empty,
        **_images(experiment, published, found),
        classes=len(trials[0].classes),
        epochs=conditions.epochs(trials[0]),
        n=len(done),
        left_out=statistics.count_words([trial.status for trial in trials if trial.status != "done"]),
        chosen=chosen,
        last=last,
        clean=values.clean(done, published.metric, published.weights),
        network=values.network(done, published.metric),
    )
    if experiment.own_best and asked.stored:
        row = dataclasses.replace(row, **_own_best(found.run, published.metric, values))
    if len(why) == before and not all(map(math.isfinite, row.compared)):
        why.append(f"no {published.metric} in the run")
    if why:
        return dataclasses.replace(row, why_none=tuple(dict.fromkeys(why)))
    return _judged(row, experiment, found)


def _judged(row: Row, experiment: Experiment, found: _Found) -> Row:
    """Returns a row that nothing forbids a verdict on, with the verdict or why there is none."""
    published, values = row.published, found.values
    figure = (published.value, published.sd, published.n, published.rounding)
    assert values is not None
    by_epoch = values.by_epoch(found.done, published.metric) if experiment.conditions.epochs is None else {}
    open_choices = conditions.choices(experiment.conditions, found.done, tuple(by_epoch))
    row = dataclasses.replace(row, choices=str(open_choices))
    if row.n == 1:
        return _judged_by_images(row, experiment)
    if not row.choices:
        if reason := against_published.obstacle(row.compared):
            return dataclasses.replace(row, why_none=(reason,))
        return dataclasses.replace(row, verdict=against_published.compare(row.compared, *figure))
    both = [one for one in (row.chosen, row.last) if all(map(math.isfinite, one))]
    options = [*both, *by_epoch.values()] if experiment.conditions.epochs is None else [row.compared]
    verdict = against_published.compare_choices(options, *figure)
    if math.isnan(verdict.low):
        return dataclasses.replace(row, why_none=(verdict.words,))
    return dataclasses.replace(row, verdict=verdict)


def _judged_by_images(row: Row, experiment: Experiment) -> Row:
    """Returns a row of one seed, which can only be found not to differ, on other images."""
    asked = read_metric(row.published.metric)
    if asked.quantity == "accuracy" and not experiment.conditions.exact and asked.split in ("val", "test"):
        images = row.images["validation" if asked.split == "val" else "test"]
        verdict = against_published.compare_one(row.compared[0], images, row.published.value, row.published.rounding)
        if verdict.words:
            return dataclasses.replace(row, verdict=verdict)
        return dataclasses.replace(row, why_none=("one seed, and more apart than the images alone explain",))
    return dataclasses.replace(row, why_none=("one seed",))


def _images(experiment: Experiment, published: Published, found: _Found) -> dict[str, Any]:
    """Returns data set, split, sampling and images that a value of ours is of."""
    trial, values = found.trials[0], found.values
    label = trial.data.get("label", "").partition(",")[0]
    counts = {name: sum(each.values()) for name, each in trial.data.get("counts", {}).items()}
    if read_metric(published.metric).split != EXTERNAL:
        return {"data": label, "split": trial.config.data.split, "sampling": sampling(trial), "images": counts}
    try:
        assert values is not None
        there = values.evaluated(found.done[0], published.weights) if found.done else None
    except FerJaxError:
        there = None
    if there is None:
        return {"data": experiment.external or EXTERNAL}
    return {"data": there.path, "images": {EXTERNAL: len(there.labels)}}


def _own_best(run: Run, metric: str, values: Values) -> dict[str, Any]:
    """Returns the values at our best point by a metric of validation, and its settings."""
    best = run.best_point(metric if read_metric(metric).split == "val" else "val_accuracy")
    point = {name.replace(".", "__"): best[name] for name in run.swept}
    trials = [trial for trial in run.select(**point) if trial.status == "done"]
    words = ", ".join(f"{name.rpartition('.')[2]} {best[name]}" for name in run.swept)
    return {"own_best": values.of(trials, metric, "best", []), "own_point": words}


def _matrices(experiment: Experiment, found: _Found) -> list[Matrix]:
    """Returns the experiment's matrices beside ours; none where ours cannot be had."""
    if found.values is None or found.run is None or not found.done:
        return []
    gathered = []
    for published in experiment.matrices:
        try:
            ours = found.values.ordered_matrix(found.done, published)
        except FerJaxError:
            continue
        trial = found.trials[0]
        label = trial.data.get("label", "").partition(",")[0]
        where = f"{label}, {trial.config.data.split} split"
        gathered.append(Matrix(experiment.name, published, ours, len(found.done), where, str(found.run.path)))
    return gathered


def sampling(trial: TrialResult) -> str:
    """Returns what was left out of a trial's splits or repeated in them; '' if nothing."""
    # A label is 'FER-2013, official split' and, where leaks were left out or classes balanced, how.
    changed = trial.data.get("label", "").split(", ", 2)[2:]
    fraction = trial.config.data.fraction
    return ", ".join([*changed, *([f"a share of {fraction:g}"] if fraction != 1 else [])])


def _published(experiment: Experiment) -> tuple[Published, ...]:
    """Returns what is to be compared.

    That is the validation accuracy, with nothing beside it, where a paper printed nothing. Of a
    head the gain over its network is always shown.
    """
    nothing = "nothing printed"
    if not has_head(experiment):
        return experiment.published or (Published("val_accuracy", math.nan, where=nothing),)
    weights = wanted(experiment).get("head.weights", fields.FIELDS["head.weights"].default)
    known = {published.metric for published in experiment.published}
    missing = [*(() if known else ("val_accuracy",)), *({f"val_{RELATIVE_GAIN}"} - known)]
    return (*experiment.published, *(Published(name, math.nan, where=nothing, weights=weights) for name in missing))
