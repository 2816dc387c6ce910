"""Whether a run is what a paper ran: why no verdict is possible, or only a weak one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fer_jax.config import fields, rules
from fer_jax.config.repeats import SOURCES, WHOLE
from fer_jax.config.rules import resolve
from fer_jax.config.values import flatten
from fer_jax.data.faces import FREQUENCIES
from fer_jax.data.names import CLASSES, canonical
from fer_jax.results.trial import TrialResult
from fer_jax.studies.paper import Conditions, Experiment
from fer_jax.studies.sweeps import paper_values

# What `Conditions` speaks of, or what changes no result that is compared.
_CONDITIONS = ("data.name", "data.split", "data.seed", "data.fraction", "train.epochs", "train.seed", "train.seeds")


def unmet(experiment: Experiment, trial: TrialResult, head: Mapping[str, Any], done: int, study_file: str) -> list[str]:
    """Returns why nothing may be concluded from a run about a paper; [] if something may."""
    conditions, ours = experiment.conditions, trial.config
    found = other_data(conditions, trial)
    same_data = not found
    if ours.data.split != conditions.split:
        found.append(f"other split: {ours.data.split}, published {conditions.split}")
    if {canonical(name) for name in trial.classes} != {canonical(name) for name in conditions.classes}:
        found.append("other classes")
    if conditions.epochs is not None and epochs(trial) != conditions.epochs:
        found.append(f"other epochs: {epochs(trial)}, published {conditions.epochs}")
    if same_data and (changed := other_settings(paper_values(experiment, study_file), trial, head)):
        found.append(f"other settings: {', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''}")
    if (of := trial.run.config.sweep.seeds_of) not in WHOLE and done > 1:
        found.append(f"repeats vary the seed {SOURCES[of]} alone")
    if not done:
        found.append("no trial ended")
    return found


class Choices(NamedTuple):
    """What a paper left unpublished, so that ours is a choice.

    Attributes:
        varied: choices that our trials vary, in words.
        fixed: those that they do not.
    """

    varied: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = (("varied", self.varied), ("not varied", self.fixed))
        return "; ".join(f"{word}: {', '.join(choices)}" for word, choices in named if choices)


def choices(conditions: Conditions, trials: Sequence[TrialResult], epochs_seen: Sequence[int]) -> Choices:
    """Returns what the paper left open, by whether our values vary it.

    Args:
        conditions: the paper's.
        trials: ours that ended.
        epochs_seen: after which epochs our values are known besides the last; () for none.
    """
    varied: list[str] = []
    fixed: list[str] = []
    if conditions.epochs is None:
        known = f"epochs ({min(epochs_seen)} to {max(epochs_seen)})" if epochs_seen else "epochs (chosen and last)"
        varied.append(known)
    if not conditions.exact:
        draws = len({trial.config.data.seed for trial in trials})
        (varied if draws > 1 else fixed).append(f"the draw of the split ({draws})" if draws > 1 else "the split's draw")
    return Choices(tuple(varied), (*fixed, *conditions.unpublished))


def other_data(conditions: Conditions, trial: TrialResult) -> list[str]:
    """Returns why a trial's data are not the paper's, one reason at most; [] where they are."""
    ours = trial.config.data
    if ours.name != conditions.data:
        return ["other data"]
    if ours.fraction != 1:
        return [f"other data: a share of {ours.fraction:g}"]
    counts = trial.data.get("counts", {}).values()
    images = sum(sum(split.values()) for split in counts)
    whole = _fer2013_images(trial)
    if whole and images != whole:
        return [f"other data: {images:,} images, FER-2013 has {whole:,}"]
    return []


def _fer2013_images(trial: TrialResult) -> int:
    """Returns the images FER-2013 has of the trial's classes; 0 where that cannot be told."""
    block = trial.config.data
    if block.name != "fer2013" or block.balance != "none" or any(name.startswith("data.") for name in trial.run.swept):
        return 0
    merged = rules.merges({"data.merge": block.merge})
    names = [part for name in trial.classes for part in merged.get(name, (name,))]
    size = dict(zip(CLASSES, FREQUENCIES, strict=True))
    return sum(size.get(canonical(name), 0) for name in names)


def other_settings(paper: dict[str, object], trial: TrialResult, head: Mapping[str, Any]) -> list[str]:
    """Returns the fields in which a trial, or its head, differs from the paper's own setting.

    Those that `Conditions` speaks of do not count.
    """
    ours = {**resolve(flatten(trial.config)), **head}
    changed = []
    for name, value in paper.items():
        if fields.FIELDS[name].has_effect(paper) and name not in _CONDITIONS and ours[name] != value:
            changed.append(name)
    return changed


def epochs(trial: TrialResult) -> int:
    """Returns the epochs of a trial, at most, those of all its phases together."""
    return int(resolve(flatten(trial.config))["train.epochs"])
