"""Which pixels the networks of a trial, or of all repeats of a point, stand on; see
docs/saliency.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax.analysis import comparable, statistics
from fer_jax.config.values import flatten
from fer_jax.data.names import spelled
from fer_jax.errors import RunError
from fer_jax.models import inference
from fer_jax.saliency import compute, maps, settings
from fer_jax.saliency.maps import ClassSaliency, RepeatedSaliency, Saliency

if TYPE_CHECKING:
    from fer_jax.results.run import Run
    from fer_jax.results.trial import TrialResult


@dataclasses.dataclass(frozen=True, eq=False)
class Explainer:
    """A trial's network with a saliency method and all of its settings.

    Attributes:
        trial: whose network it is.
        method: one of `settings.METHODS`.
        settings: of the method, by name, with defaults.
        variables: {'params', 'stats', 'pixels'}, the weights.
        key: what its compiled network depends on.
    """

    trial: TrialResult
    method: str
    settings: Mapping[str, Any]
    variables: Mapping[str, Any]
    key: compute.Key

    @classmethod
    def of(cls, trial: TrialResult, method: str, weights: str, given: Mapping[str, Any]) -> Explainer:
        """Checks what was asked for; RunError as `TrialResult.saliency` says."""
        if weights not in ("best", "last"):
            raise RunError(f"weights = {weights!r}: must be 'best' or 'last'")
        values, count = flatten(trial.config), len(trial.classes)
        key, shapes = inference.network_key(values, count), inference.layer_shapes(values, count)
        resolved = settings.resolve(method, given, key[1], shapes)
        return cls(trial, method, resolved, trial.variables if weights == "best" else trial.last_variables, key)

    def pictures(self, images: Any) -> np.ndarray:
        """Images in any form that `predict` takes, (n, S, S, C)."""
        size, _, channels = self.key[1]
        return inference.as_images(images, size, channels)

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Class probabilities by these weights, (n, K)."""
        return inference.apply(flatten(self.trial.config), len(self.trial.classes), self.variables, pictures)

    def batches(self, pictures: np.ndarray, targets: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """See `compute.batches`."""
        return compute.batches(self.key, self.variables, pictures, targets, self.method, self.settings)

    def explain(self, pictures: np.ndarray, targets: np.ndarray) -> Saliency:
        found = list(self.batches(pictures, targets))
        joined = {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}
        return Saliency(self.method, self.settings, targets=targets, classes=self.trial.classes, **joined)

    def class_means(self, split: str, limit: int | None, path: str | None) -> ClassSaliency:
        """See `TrialResult.class_saliency`."""
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise RunError(f"limit = {limit!r}: must be a number of pictures, at least 1, or None for all")
        found = self.trial._split(split, path)
        count, size = len(self.trial.classes), self.key[1][0]
        rows = np.concatenate([np.flatnonzero(found.labels == label)[:limit] for label in range(count)])
        labels = found.labels[rows].astype(np.int64)
        # Pictures of the training split may be many, and their maps larger than they are: only sums
        # are kept.
        totals, squares = np.zeros((2, count, size, size))
        done = 0
        for batch in self.batches(np.asarray(found.images[rows]), labels):
            shares = maps.shares(maps.over_channels(batch["values"], self.method)).astype(np.float64)
            own = labels[done : done + len(shares)]
            np.add.at(totals, own, shares)
            np.add.at(squares, own, shares**2)
            done += len(shares)
        n = np.bincount(labels, minlength=count)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = totals / n[:, None, None]
            variance = (squares - n[:, None, None] * mean**2) / (n - 1)[:, None, None]
        sd = np.where((n > 1)[:, None, None], np.sqrt(np.maximum(variance, 0)), np.nan)
        return ClassSaliency(self.method, self.settings, self.trial.classes, split, n, mean, sd)


def of_trial(
    trial: TrialResult, images: Any, method: str, target: Any, weights: str, given: Mapping[str, Any]
) -> Saliency:
    """See `TrialResult.saliency`."""
    explainer = Explainer.of(trial, method, weights, given)
    pictures = explainer.pictures(images)
    return explainer.explain(pictures, _targets(target, trial.classes, pictures, [explainer]))


def of_repeats(
    run: Run, point: Any, images: Any, method: str, target: Any, weights: str, given: Mapping[str, Any]
) -> RepeatedSaliency:
    """See `Run.saliency`."""
    trials, left_out = done_trials(run, point)
    explainers = [Explainer.of(trial, method, weights, given) for trial in trials]
    pictures = explainers[0].pictures(images)
    targets = _targets(target, trials[0].classes, pictures, explainers)
    found = tuple(explainer.explain(pictures, targets) for explainer in explainers)
    return RepeatedSaliency(found, tuple(trial.id for trial in trials), left_out)


def classes_of_repeats(
    run: Run,
    point: Any,
    split: str,
    method: str,
    limit: int | None,
    weights: str,
    path: str | None,
    given: Mapping[str, Any],
) -> ClassSaliency:
    """See `Run.class_saliency`."""
    trials, left_out = done_trials(run, point)
    explainers = [Explainer.of(trial, method, weights, given) for trial in trials]
    return maps.over_repeats([explainer.class_means(split, limit, path) for explainer in explainers], left_out)


def randomised(
    trial: TrialResult,
    images: Any,
    method: str,
    target: Any,
    seed: int,
    margin: int,
    weights: str,
    given: Mapping[str, Any],
) -> pd.DataFrame:
    """See `TrialResult.randomised_saliency`."""
    explainer = Explainer.of(trial, method, weights, given)
    size = explainer.key[1][0]
    if not isinstance(margin, int) or not 0 <= 2 * margin < size:
        raise RunError(f"margin = {margin!r}: must be a whole number of pixels, less than half of the picture's {size}")
    inside = np.s_[:, margin : size - margin, margin : size - margin]
    pictures = explainer.pictures(images)
    targets = _targets(target, trial.classes, pictures, [explainer])
    trained = explainer.explain(pictures, targets).maps[inside]
    rows = []
    for layer, variables in _drawn_anew(explainer, seed):
        found = dataclasses.replace(explainer, variables=variables).explain(pictures, targets).maps[inside]
        signed, absolute = maps.rank_correlation(trained, found), maps.rank_correlation(np.abs(trained), np.abs(found))
        undefined = int(np.isnan(signed).sum())
        rows.append((layer, _mean(signed), _mean(absolute), len(signed) - undefined, undefined))
    return pd.DataFrame(rows, columns=["layer", "correlation", "absolute", "n", "undefined"])


def _drawn_anew(explainer: Explainer, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """From the last layer with weights to the first: its name, and the variables with its weights
    and all later ones drawn anew.
    """
    import jax

    from fer_jax import models
    from fer_jax.train import hardware

    spec, image_shape, count = explainer.key
    network = models.build(dict(spec), image_shape, count)
    options = hardware.compiler_options(jax.default_backend(), once=True)
    fresh = dict(
        zip(("params", "stats"), jax.jit(network.init, compiler_options=options)(jax.random.key(seed)), strict=True)
    )
    variables = dict(explainer.variables)
    for layer in [name for name in reversed(network.layer_names) if name in fresh["params"]]:
        for kind, drawn in fresh.items():
            if layer in drawn:
                variables[kind] = {**variables[kind], layer: drawn[layer]}
        yield layer, dict(variables)


def _mean(values: np.ndarray) -> float:
    """Of those that are defined; NaN if none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def done_trials(run: Run, point: Any) -> tuple[list[TrialResult], str]:
    """The trials that a mean over the repeats of a point stands on, and in words who is left out.

    Args:
        point: see `Run.saliency`.

    Raises:
        RunError: it names no point or several, none of its trials is done, or they differ in
            classes or in the shape of a picture.
    """
    trials = _named_trials(run, run.best_point() if point is None else point)
    statuses = np.array([trial.status for trial in trials])
    done = [trial for trial in trials if trial.status == "done"]
    if not done:
        raise RunError(
            f"no trial of this point of {run.path} is done ({statistics.count_words(statuses) or 'it has none'})"
        )
    kinds = {(trial.classes, trial.config.data.image_size, trial.config.data.channels) for trial in done}
    if len(kinds) > 1:
        raise RunError(
            f"{run.path}: these {len(done)} trials differ in classes or in the shape of a picture; their maps have no mean"
        )
    return done, statistics.count_words(statuses[statuses != "done"])


def _named_trials(run: Run, point: Any) -> list[TrialResult]:
    if isinstance(point, pd.Series):
        missing = [name for name in run.swept if name not in point]
        if missing:
            raise RunError(f"this row has no {missing[0]}: a point is a row of run.summary, as run.best_point() gives")
        wanted = [statistics.hashable(point[name]) for name in run.swept]
        same = [[statistics.hashable(row[name]) for name in run.swept] == wanted for _, row in run.trials.iterrows()]
        return [run.trial(name) for name in run.trials["id"][same]]
    if isinstance(point, Mapping):
        trials = run.select(**point)
        differing = comparable.differing(pd.DataFrame([trial.row for trial in trials]), run.swept) if trials else []
        if differing:
            raise RunError(f"{dict(point)} describes several points of {run.path}: name more of {', '.join(differing)}")
        return trials
    if hasattr(point, "row"):
        return [point]
    if isinstance(point, Sequence) and not isinstance(point, str) and all(hasattr(trial, "row") for trial in point):
        return list(point)
    raise RunError(
        f"point = {point!r}: must be a row of run.summary, field values such as {{'seed': 0}}, or trials from run.select"
    )


def _targets(
    target: Any, classes: tuple[str, ...], pictures: np.ndarray, explainers: Sequence[Explainer]
) -> np.ndarray:
    """The class every picture is explained for, int64 (n,); by default the one with the highest
    mean probability.
    """
    count = len(pictures)
    if target is None:
        return np.mean([explainer.probabilities(pictures) for explainer in explainers], axis=0).argmax(axis=1)
    if isinstance(target, (str, int, np.integer)):
        target = [target] * count
    try:
        given = list(target)
    except TypeError:
        raise RunError(f"target = {target!r}: must be a class, or one for each picture") from None
    if len(given) != count:
        raise RunError(f"target: {len(given)} classes for {count} pictures; give one for each, or a single one")
    return np.array([_class_index(one, classes) for one in given], dtype=np.int64)


def _class_index(given: Any, classes: tuple[str, ...]) -> int:
    if isinstance(given, str) and spelled(given, classes) in classes:
        return classes.index(spelled(given, classes))
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and 0 <= given < len(classes):
        return int(given)
    raise RunError(
        f"target = {given!r}: must be one of {', '.join(classes)}, or its number from 0 to {len(classes) - 1}"
    )
