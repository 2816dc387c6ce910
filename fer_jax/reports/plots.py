"""Single figures of a run, a trial or an ensemble, for notebooks and scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from fer_jax.analysis import statistics, tuning_curve
from fer_jax.analysis.binarised import Binarised
from fer_jax.analysis.predictions import Predictions
from fer_jax.analysis.ranking import Ranking
from fer_jax.base.text import did_you_mean
from fer_jax.errors import RunError
from fer_jax.figures import (
    confusion,
    curves,
    distribution,
    effects,
    parallel,
    reliability,
    roc,
    rungs,
    scatter,
    style,
    surfaces,
    tuning_curves,
)
from fer_jax.results import points, rankings
from fer_jax.results.best_point import of_best_point
from fer_jax.results.ensemble import Ensemble
from fer_jax.results.run import Run
from fer_jax.results.trial import TrialResult
from fer_jax.search import history


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of figure of a run.

    Attributes:
        draw: from the ranking of its points; None where it has no such figure.
        why_not: a clause that says why there is none.
        takes: those of 'metric' and 'point' that change it.
    """

    draw: Callable[[Ranking], style.Drawing | None]
    why_not: Callable[[Ranking], str]
    takes: tuple[str, ...] = ("metric",)


def _surface(ranking: Ranking) -> style.Drawing | None:
    return surfaces.heat_maps(ranking, ranking.metric)


def _rungs(ranking: Ranking) -> style.Drawing | None:
    found = history.of_ranking(ranking)
    if found is None:
        return None
    best = history.best_so_far(ranking, found.halving.epochs[-1])
    return rungs.draw(ranking, best, found.halving.epochs, found.left)


def _varied(needed: int, what: str = "swept fields") -> Callable[[Ranking], str]:
    """Returns what says how many varied fields a figure needs, or that the points do not suit."""

    def why_not(ranking: Ranking) -> str:
        many = [name for name in surfaces.by_size(ranking) if "numeric" not in what or ranking.axes[name].numeric]
        if len(many) < needed:
            return f"it needs {needed} {what} of two values or more, and there are {len(many)}"
        if len(ranking.ranked) < 2:
            return f"it needs two points with a result, and {len(ranking.ranked)} has one"
        return "the points are no grid of its fields, such as those of sweep.each and sweep.draw"

    return why_not


def _fewer(ranking: Ranking) -> str:
    return str(tuning_curve.of_ranking(ranking))


KINDS: Mapping[str, _Kind] = {
    "curves": _Kind(curves.learning_curves, lambda _: "no epoch is recorded yet", ("metric", "point")),
    "surface": _Kind(_surface, _varied(2)),
    "scatter": _Kind(scatter.scatter_3d, _varied(3, "numeric swept fields"), ()),
    "effects": _Kind(effects.main_effects, _varied(1)),
    "parallel": _Kind(parallel.draw, _varied(parallel.FEWEST_FIELDS)),
    "tuning": _Kind(tuning_curves.draw, _fewer),
    "rungs": _Kind(_rungs, lambda _: "the run was no search with search.halving, or no epoch is recorded yet", ()),
    "classes": _Kind(lambda ranking: distribution.draw(ranking.data), lambda _: "its data have no counts", ()),
}
ANSWERS: Mapping[str, Callable[[Predictions], style.Drawing | None]] = {
    "confusion": confusion.draw,
    "roc": roc.draw,
    "calibration": reliability.draw,
}

# Of two answers; a network's confidence is that of more.
BINARISED = ("confusion", "roc")


def plot(
    of: Run | TrialResult | Ensemble | Binarised,
    kind: str,
    *,
    metric: str | None = None,
    point: points.Point | None = None,
    **wanted: Any,
) -> Figure:
    """Draws one figure of a report.

    Args:
        of: a run; of a trial or an ensemble there are 'confusion', 'roc' and 'calibration', of a
            trial also 'curves', of `Trial.binarised` 'confusion' and 'roc'.
        kind: 'curves' by epoch, 'surface' (a metric over a grid), 'scatter' (three fields),
            'effects' of each field, 'parallel' coordinates, 'tuning' (what fewer points would have
            found), 'rungs' (who left a search when), 'classes' of the data; of what the best point
            answered, on the test split where there is one: 'confusion' matrix (of a run beside
            that on validation), 'roc' and 'calibration'.
        metric: that ranks the points, as for `Run.best_point`; None takes train.select.
        point: of a run, for curves and answers: a row of `summary`, its number, or a dict of swept
            values, instead of the best points.
        **wanted: of a run, field=value, as for `Run.select`: only trials with these values.

    Returns:
        A figure that a notebook shows by itself; `figure.savefig("name.pdf")` keeps it.

    Raises:
        RunError: another kind, or one that what is given does not have: the line says why.
    """
    if kind not in (*KINDS, *ANSWERS):
        known = [*KINDS, *ANSWERS]
        raise RunError(f"no plot {kind!r}; {did_you_mean(kind, known)} There are {', '.join(known)}")
    if isinstance(of, Run):
        return _of_run(of, kind, metric, point, wanted)
    if not isinstance(of, (TrialResult, Ensemble, Binarised)):
        raise RunError(f"plot draws a run, a trial or an ensemble, not a {type(of).__name__}; load_run opens a run")
    if metric is not None or point is not None or wanted:
        raise RunError("plot takes metric, point and field values for a run only; this is one of its trials, or some")
    if isinstance(of, Binarised) and kind not in BINARISED:
        raise RunError(f"plot {kind!r} is not of what trial.binarised gives: there are {', '.join(BINARISED)}")
    if kind in ANSWERS:
        predictions = of.predictions(kind == "confusion") if isinstance(of, Binarised) else _answers_of(of)
        about = f"{predictions.split.capitalize()} pictures ({len(predictions.labels):,}), {predictions.setting}."
        return _drawn_answers(kind, predictions, about)
    there = [*ANSWERS]
    if isinstance(of, TrialResult) and isinstance(of.run, Run):
        if kind == "curves":
            return _drawn(kind, rankings.of_trials(of.run, of.run.trials[of.run.trials["id"] == of.id]), repr(of))
        there = ["curves", *there]
    raise RunError(f"plot {kind!r} is of a run; of {of!r} there are {', '.join(there)}")


def _of_run(run: Run, kind: str, metric: str | None, point: points.Point | None, wanted: Mapping[str, Any]) -> Figure:
    takes = KINDS[kind].takes if kind in KINDS else ("metric", "point")
    for name, given in (("metric", metric), ("point", point)):
        if given is not None and name not in takes:
            raise RunError(f"plot {kind!r} takes no {name}: it would be the same")
    chooses = run.choosing_metric(metric)
    keep = run.matching(run.trials, wanted)
    if point is not None:
        codes, _ = statistics.point_codes(run.trials, run.swept)
        keep &= codes == points.label(run, point)
    trials = run.trials[keep]
    if not len(trials):
        raise RunError(f"{run.path}: no trial has {', '.join(f'{name} = {value!r}' for name, value in wanted.items())}")
    points.check_ranked(run, trials, chooses, f"fer_jax.plot(run, {kind!r}")
    ranking = rankings.of_trials(run, trials, chooses)
    if kind in KINDS:
        return _drawn(kind, ranking, str(run.path))
    if not len(ranking.ranked):
        raise RunError(
            f"{run.path} has no plot {kind!r}: no trial is done ({statistics.count_words(trials['status'])})"
        )
    predictions = of_best_point(run, ranking)
    if predictions is None:
        raise RunError(f"{run.path} has no plot {kind!r}: no predictions of {ranking.best_words} are stored")
    if kind == "confusion" and predictions.split == "test":
        return _headed(confusion.draw(predictions, of_best_point(run, ranking, ("validation",))), predictions.about)
    return _drawn_answers(kind, predictions, predictions.about)


def _drawn(kind: str, ranking: Ranking, whose: str) -> Figure:
    drawing = KINDS[kind].draw(ranking)
    if drawing is None:
        raise RunError(f"{whose} has no plot {kind!r}: {KINDS[kind].why_not(ranking)}")
    return drawing.figure


def _drawn_answers(kind: str, predictions: Predictions, about: str) -> Figure:
    """Returns a figure of answers, headed by whose they are and of which images."""
    drawing = ANSWERS[kind](predictions)
    if drawing is None:
        raise RunError(f"no plot {kind!r} of {predictions.setting}: its pictures have no class and rest to tell apart")
    return _headed(drawing, about)


def _headed(drawing: style.Drawing, about: str) -> Figure:
    drawing.figure.suptitle(about, fontsize=style.TEXT, color=style.INK, ha="left", x=0.01)
    return drawing.figure


def _answers_of(of: TrialResult | Ensemble) -> Predictions:
    """Returns what a trial, or the mean of an ensemble, answered on the test split.

    It is the validation split where there is no test split.

    Raises:
        RunError: no answers are stored.
    """
    members = of.members if isinstance(of, Ensemble) else (of,)
    split = "test" if all(member.has_split("test") for member in members) else "validation"
    setting = f"trial {of.id}" if isinstance(of, TrialResult) else f"mean answer of {of.label or 'an ensemble'}"
    return Predictions(setting, split, of.classes, of.probabilities(split)[None], of.labels(split))
