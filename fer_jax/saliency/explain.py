"""Which pixels the networks of a trial, or of all repeats of a point, stand on; see
docs/saliency.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd

from fer_jax.analysis import comparable, statistics
from fer_jax.analysis.answers import Dead, dead_words
from fer_jax.config.values import flatten
from fer_jax.data.names import spelled
from fer_jax.errors import RunError
from fer_jax.models import inference
from fer_jax.results.run import Run
from fer_jax.results.trial import TrialResult
from fer_jax.saliency import compute, maps, settings
from fer_jax.saliency.maps import ClassSaliency, RepeatedSaliency, Saliency


@dataclasses.dataclass(frozen=True, eq=False)
class Explainer:
    """A trial's network with a saliency method and all of its settings.

    Attributes:
        trial: whose network it is.
        method: one of `settings.METHODS`.
        settings: of the method, by name, with defaults.
        variables: {'params', 'stats', 'pixels'}, the weights.
        key: what its compiled network depends on.
        dead: what it answers to nearly every validation image, if it is a dead network; None also
            for the last weights, whose answers are not stored.
    """

    trial: TrialResult
    method: str
    settings: Mapping[str, Any]
    variables: Mapping[str, Any]
    key: compute.Key
    dead: Dead | None = None

    @classmethod
    def of(cls, trial: TrialResult, method: str, weights: str, given: Mapping[str, Any]) -> Explainer:
        """Checks what is asked for, and reads the weights.

        Args:
            trial: whose network is explained.
            method: see `settings.METHODS`.
            weights: 'best' or 'last'.
            given: settings of the method.

        Raises:
            RunError: an unknown method or setting, a value out of range, or no weights.
        """
        variables = trial.variables_of(weights)
        values, count = flatten(trial.config), len(trial.classes)
        key, shapes = inference.network_key(values, count), inference.layer_shapes(values, count)
        dead = trial.dead if weights == "best" else None
        return cls(trial, method, settings.resolve(method, given, key[1], shapes), variables, key, dead)

    def as_images(self, images: Any) -> np.ndarray:
        """Returns images, in any form that `TrialResult.predict` takes, as (n, S, S, C)."""
        size, _, channels = self.key[1]
        return inference.as_images(images, size, channels)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Returns class probabilities by these weights, (n, K)."""
        return inference.apply(flatten(self.trial.config), len(self.trial.classes), self.variables, images)

    def batches(self, images: np.ndarray, targets: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Yields what `compute.batches` does for this network, method and settings."""
        return compute.batches(self.key, self.variables, images, targets, self.method, self.settings)

    def explain(self, images: np.ndarray, targets: np.ndarray) -> Saliency:
        """Returns the maps of images (n, S, S, C), each for its class in `targets` (n,)."""
        found = list(self.batches(images, targets))
        joined = {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}
        return Saliency(
            self.method, self.settings, targets=targets, classes=self.trial.classes, warning=_warning([self]), **joined
        )

    def class_means(self, split: str, limit: int | None, path: str | None) -> ClassSaliency:
        """Returns the mean shares of the images of each class; `class_saliency` says of what."""
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise RunError(f"limit = {limit!r}: must be a number of pictures, at least 1, or None for all")
        found = self.trial.split(split, path)
        count, size = len(self.trial.classes), self.key[1][0]
        rows = np.concatenate([np.flatnonzero(found.labels == label)[:limit] for label in range(count)])
        labels = found.labels[rows].astype(np.int64)
        # Images of the training split may be many, and their maps larger than they are: only sums
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
        return ClassSaliency(
            self.method, self.settings, self.trial.classes, split, n, mean, sd, warning=_warning([self])
        )


@overload
def saliency_maps(
    of: TrialResult, images: Any, method: str = ..., target: Any = ..., weights: str = ..., **settings: Any
) -> Saliency: ...


@overload
def saliency_maps(
    of: Run | Sequence[TrialResult],
    images: Any,
    method: str = ...,
    target: Any = ...,
    weights: str = ...,
    point: Any = ...,
    **settings: Any,
) -> RepeatedSaliency: ...


def saliency_maps(
    of: TrialResult | Run | Sequence[TrialResult],
    images: Any,
    method: str = "gradient",
    target: Any = None,
    weights: str = "best",
    point: Any = None,
    **settings: Any,
) -> Saliency | RepeatedSaliency:
    """Shows which pixels a network's answers stand on, or those of all repeats of a point.

    docs/saliency.md has methods, units and sources.

    Args:
        of: a trial; a run, for the repeats of one of its points; or trials that are such repeats.
            Of several, only those that are done enter.
        images: as for `TrialResult.predict`.
        method: 'gradient', 'smoothgrad', 'integrated_gradients', 'grad_cam' or 'occlusion'.
        target: the class whose logit is explained, by name or index, or one for each image; None
            takes the predicted class, over repeats the one with the highest mean probability.
        weights: 'best' (of the epoch that validation chose) or 'last'.
        point: of a run: a row of `run.summary`, as `best_point` gives; field values as for
            `run.select`, such as {"learning_rate": 1e-3}, that describe one point; or None for the
            best point.
        **settings: of the method. smoothgrad: samples (50), noise (0.15 of the image's range), seed
            (0); integrated_gradients: steps (64), baseline (0, black); grad_cam: layer (the last
            with rows and columns); occlusion: patch (a sixth of the side, pixels), stride (half of
            that), baseline (127.5, grey).

    Returns:
        Of a trial, a `Saliency`, with `maps` float32 (n, S, S) and more; else a `RepeatedSaliency`,
        with `mean` and `sd` (n, S, S) over the repeats and more.

    Raises:
        RunError: images of another size, kind or range; no weights; an unknown method, setting or
            class; grad_cam of a network without rows and columns; no such point, several, or none
            of its trials done.
    """
    if isinstance(of, TrialResult):
        explainer = Explainer.of(_alone(of, point), method, weights, settings)
        given = explainer.as_images(images)
        return explainer.explain(given, _targets(target, of.classes, given, [explainer]))
    trials, left_out = done_trials(of, point)
    explainers = [Explainer.of(trial, method, weights, settings) for trial in trials]
    given = explainers[0].as_images(images)
    targets = _targets(target, trials[0].classes, given, explainers)
    found = tuple(explainer.explain(given, targets) for explainer in explainers)
    return RepeatedSaliency(found, tuple(trial.id for trial in trials), left_out, _warning(explainers))


def class_saliency(
    of: TrialResult | Run | Sequence[TrialResult],
    split: str = "validation",
    method: str = "gradient",
    limit: int | None = 100,
    weights: str = "best",
    path: str | None = None,
    point: Any = None,
    **settings: Any,
) -> ClassSaliency:
    """Shows where networks look in images of each class on average.

    What is averaged are shares (`maps.shares`), each image's for the logit of its own class.

    Args:
        of, method, weights, point, **settings: as for `saliency_maps`.
        split: 'validation' by default, since who sees maps goes on to change things; 'test' or
            'train'.
        limit: images of a class at most, the first of the split; None for all.
        path: where the data lie now, if no longer at data.path.

    Returns:
        Of a trial, means and spread over the images of each class; of several, the mean of the
        trials' means and their spread.

    Raises:
        RunError: as for `saliency_maps`, no such split, or other data than the run's.
        DataError: the data cannot be read.
    """
    if isinstance(of, TrialResult):
        return Explainer.of(_alone(of, point), method, weights, settings).class_means(split, limit, path)
    trials, left_out = done_trials(of, point)
    explainers = [Explainer.of(trial, method, weights, settings) for trial in trials]
    means = [explainer.class_means(split, limit, path) for explainer in explainers]
    return maps.over_repeats(means, left_out, _warning(explainers))


def randomised_saliency(
    trial: TrialResult,
    images: Any,
    method: str = "gradient",
    target: Any = None,
    seed: int = 0,
    margin: int = 0,
    weights: str = "best",
    **settings: Any,
) -> pd.DataFrame:
    """Measures whether maps are about what was learnt: how much of them random weights leave.

    The measure is the rank correlation of the trained network's maps with those of weights drawn
    anew (Adebayo et al. 2018, section 4, cascading randomisation). A method whose maps stay alike
    shows the image, not the network.

    Args:
        trial: whose network it is.
        seed: of the new weights.
        margin: pixels left out at every side. Few kernels reach the border of an image whatever the
            weights are, which makes the maps of any two networks alike.
        images, method, target, weights, **settings: as for `saliency_maps`; the class is the
            trained network's throughout.

    Returns:
        A row for each layer with weights, the last layer first: `layer`, which is drawn anew
        together with all in the rows before; Spearman's `correlation` of the maps with the trained
        network's, mean over images; `absolute`, the same of the maps' absolute values; `n` images
        in it; `undefined`, images left out because a map was constant.

    Raises:
        RunError: as for `saliency_maps`, something other than one trial, or a margin that leaves
            nothing.
    """
    if not isinstance(trial, TrialResult):
        raise RunError(f"randomised_saliency asks one trial, not a {type(trial).__name__}: run.best() gives one")
    explainer = Explainer.of(trial, method, weights, settings)
    size = explainer.key[1][0]
    if not isinstance(margin, int) or not 0 <= 2 * margin < size:
        raise RunError(f"margin = {margin!r}: must be a whole number of pixels, less than half of the picture's {size}")
    inside = np.s_[:, margin : size - margin, margin : size - margin]
    given = explainer.as_images(images)
    targets = _targets(target, trial.classes, given, [explainer])
    trained = explainer.explain(given, targets).maps[inside]
    rows = []
    for layer, variables in _drawn_anew(explainer, seed):
        found = dataclasses.replace(explainer, variables=variables).explain(given, targets).maps[inside]
        signed, absolute = maps.rank_correlation(trained, found), maps.rank_correlation(np.abs(trained), np.abs(found))
        undefined = int(np.isnan(signed).sum())
        rows.append((layer, _mean(signed), _mean(absolute), len(signed) - undefined, undefined))
    return pd.DataFrame(rows, columns=["layer", "correlation", "absolute", "n", "undefined"])


def _drawn_anew(explainer: Explainer, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (layer, variables), from the last layer with weights to the first.

    In the variables the weights of this layer and of all later ones are drawn anew.
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


def _warning(explainers: Sequence[Explainer]) -> str:
    """Returns what maps are worth where some of the networks are dead; '' where none is."""
    found = [one.dead for one in explainers if one.dead is not None]
    words = dead_words(found, len(explainers), "network")
    few = "its maps show" if len(found) == 1 else "their maps show"
    return f"{words}; {few} nothing that was learnt" if words else ""


def _mean(values: np.ndarray) -> float:
    """Returns the mean of those that are defined; NaN if none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _alone(trial: TrialResult, point: Any) -> TrialResult:
    """Returns the trial; raises RunError if a point is named too."""
    if point is not None:
        raise RunError(f"point = {point!r}: trial {trial.id} needs none; give its run to ask all repeats of a point")
    return trial


def done_trials(of: Run | Sequence[TrialResult], point: Any = None) -> tuple[list[TrialResult], str]:
    """Returns the trials that a mean over the repeats of a point stands on.

    Args:
        of: a run, or trials.
        point: of a run; see `saliency_maps`.

    Returns:
        The trials that are done, and in words who is left out, such as '1 diverged'.

    Raises:
        RunError: no point is meant, or several; none of its trials is done; or they differ in
            classes or in the shape of an image.
    """
    if isinstance(of, Run):
        trials, where = _trials_of_point(of, of.best_point() if point is None else point), f" of {of.path}"
    else:
        if not isinstance(of, Sequence) or not all(isinstance(one, TrialResult) for one in of):
            # A row of a table is a dozen lines long.
            given = repr(of) if isinstance(of, str) else f"a {type(of).__name__}"
            raise RunError(f"{given}: must be a trial, trials or a run")
        trials, where = [_alone(one, point) for one in of], f" of {of[0].run.path}" if of else ""
    statuses = np.array([trial.status for trial in trials])
    done = [trial for trial in trials if trial.status == "done"]
    if not done:
        raise RunError(f"no trial of this point{where} is done ({statistics.count_words(statuses) or 'it has none'})")
    kinds = {(trial.classes, trial.config.data.image_size, trial.config.data.channels) for trial in done}
    if len(kinds) > 1:
        raise RunError(
            f"{done[0].run.path}: these {len(done)} trials differ in classes or in the shape of a picture; "
            "their maps have no mean"
        )
    return done, statistics.count_words(statuses[statuses != "done"])


def _trials_of_point(run: Run, point: Any) -> list[TrialResult]:
    """Returns all trials of a point, named as `saliency_maps` says; RunError if it is not one."""
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
    raise RunError(
        f"point = {point!r}: must be a row of run.summary, field values such as {{'seed': 0}}, or None for the best one"
    )


def _targets(target: Any, classes: tuple[str, ...], images: np.ndarray, explainers: Sequence[Explainer]) -> np.ndarray:
    """Returns the class that each image is explained for, int64 (n,).

    For None it is the one with the highest mean probability.
    """
    count = len(images)
    if target is None:
        return np.mean([explainer.probabilities(images) for explainer in explainers], axis=0).argmax(axis=1)
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
