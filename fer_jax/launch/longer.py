"""More epochs for the trials of a run: each of its waves goes on in new ones.

A trial's id is made of its values, train.epochs among them, so that a longer trial is another one.
Where nothing but the end of the training depends on train.epochs, its first epochs are all that the
shorter one has trained: weights, optimiser, counters and curves are handed down to it (rule 7 of
the store). What an undisturbed longer sweep gives is then what the run holds, bit for bit.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fer_jax.analysis import fits, statistics
from fer_jax.base.text import counted
from fer_jax.config import search_space
from fer_jax.config.field import in_words
from fer_jax.config.values import from_json
from fer_jax.errors import ConfigError, RunError
from fer_jax.launch import packing
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Plan, Stack, Wave
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory

ELSEWHERE = "choose another --workdir"


@dataclasses.dataclass(frozen=True)
class Successor:
    """The trial that a shorter one goes on as.

    Attributes:
        id: of the longer trial.
        before: epochs of the shorter one.
    """

    id: str
    before: int


@dataclasses.dataclass(frozen=True)
class Part:
    """A new wave in the place of an old one, or of some of its trials.

    Attributes:
        wave: the new one.
        slots: of the old wave, in the order of the new one's.
        epoch: after which the wave goes on, 0 for the start.
    """

    wave: Wave
    slots: tuple[int, ...]
    epoch: int


def depends_on_length(values: Mapping[str, Any]) -> str:
    """Returns why trials with these values cannot go on beyond their length; '' where they can."""
    if values["phases.lengths"]:
        return f"phases.lengths = {tuple(values['phases.lengths'])}: the phases say when the training ends"
    if values["train.schedule"] == "cosine":
        return "train.schedule = cosine: the learning rate falls over the whole of train.epochs"
    return ""


def keeps_state(prepared: Prepared, stack: Stack) -> bool:
    """Returns whether the waves of a stack keep their last state, to go on from it."""
    values = prepared.trials[stack.trials[0]].values
    keeps = prepared.config.checkpoint.keep_state and prepared.search is None
    return keeps and not depends_on_length(values)


def successors(
    workdir: str, prepared: Prepared, known: Collection[str], old_config: Mapping[str, Any]
) -> dict[str, Successor]:
    """Returns the trials of a run that this start names with another length, and with which.

    Args:
        workdir: named in errors.
        prepared: this start's sweep.
        known: ids of the run's trials.
        old_config: the config of the run, as `to_json` gave it.

    Returns:
        id of the run's trial -> its successor; empty where all trials of the run are trials of this
        start too.

    Raises:
        RunError: more than one trial could be meant, the new length is not longer, or what is
            trained depends on the length.
    """
    missing = set(known) - prepared.trials.keys()
    found: dict[str, Successor] = {}
    for identity, before in _shorter(prepared, known, old_config) if missing else ():
        for old, length in before.items():
            if old not in missing:
                continue
            _check(workdir, prepared.trials[identity].values, length, found.get(old), prepared)
            found[old] = Successor(identity, length["train.epochs"])
        if len(twice := [length["train.epochs"] for old, length in before.items() if old in missing]) > 1:
            raise RunError(
                f"{workdir}: its trials of {in_words(map(str, sorted(twice)))} epochs would all go on as one of "
                f"{prepared.trials[identity].values['train.epochs']}: give each another length, or {ELSEWHERE}"
            )
    return found


def _shorter(
    prepared: Prepared, known: Collection[str], old_config: Mapping[str, Any]
) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """Returns for each new trial the ids that it would have with the lengths of the run."""
    try:
        old = search_space.expand(from_json(old_config))
    except ConfigError:
        return []  # of another version: nothing of it is known
    names = ("train.epochs", "phases.lengths")
    lengths = {tuple(trial.values[name] for name in names): trial.values for trial in old}
    changes = [{name: values[name] for name in names} for values in lengths.values()]
    found = []
    for identity, trial in prepared.trials.items():
        if identity not in known:
            as_before = [(dataclasses.replace(trial, values={**trial.values, **change}), change) for change in changes]
            found.append((identity, {prepared.identity(one): change for one, change in as_before}))
    return found


def _check(
    workdir: str, values: Mapping[str, Any], before: Mapping[str, Any], other: Successor | None, prepared: Prepared
) -> None:
    """Raises RunError where a trial cannot go on to its new length, or to two of them."""
    epochs, was = values["train.epochs"], before["train.epochs"]
    if reason := depends_on_length(values):
        raise RunError(
            f"{workdir} holds trials of {was} epochs, which cannot go on to {epochs} ({reason}); {ELSEWHERE}"
        )
    if epochs < was:
        raise RunError(
            f"{workdir}: train.epochs was {was}, is {epochs}: a run goes on with more epochs, never with fewer; "
            f"{ELSEWHERE}"
        )
    if other is not None:
        first = prepared.trials[other.id].values["train.epochs"]
        raise RunError(
            f"{workdir}: its trials of {was} epochs could go on as trials of {first} or of {epochs}: "
            "name one of them, and add the other with another --extend"
        )


def parts(
    directory: RunDirectory, plan: Plan, found: Mapping[str, Successor], prepared: Prepared
) -> dict[str, tuple[Part, ...]]:
    """Returns the waves that take the place of those with trials that go on, by the old one's name.

    Usually it is one wave with the same slots. Trials of one wave that end after different numbers
    of epochs go on in one wave for each, since all trials of a wave are in the same epoch.

    Args:
        directory: the run's.
        plan: of the run.
        found: as `successors` gives them.
        prepared: this start's sweep.

    Raises:
        RunError: a wave that was trained to its end has left no state to go on from.
    """
    if not found:
        return {}
    statuses = directory.read_trials().set_index("id")["status"].to_dict() if directory.has("trials.csv") else {}
    replaced: dict[str, tuple[Part, ...]] = {}
    stateless = []
    for stack in plan.stacks:
        number = stack.next_wave
        for wave in stack.waves:
            if not any(trial in found for trial in wave.trials):
                continue
            epoch = directory.latest_state(wave.name) or 0
            if not epoch and any(statuses.get(trial) in ("done", "diverged") for trial in wave.trials):
                stateless.append(wave.name)
            replaced[wave.name] = tuple(_cut(stack, wave, epoch, number, found, prepared))
            number += len(replaced[wave.name])
    if stateless:
        raise RunError(
            f"{directory.path}: {in_words(stateless)} left no state after the last epoch, so that its trials cannot go "
            f"on: an earlier version trained it, or checkpoint.keep_state was off, or it was deleted; {ELSEWHERE}"
        )
    return replaced


def _cut(
    stack: Stack, wave: Wave, epoch: int, number: int, found: Mapping[str, Successor], prepared: Prepared
) -> list[Part]:
    groups: dict[int, list[int]] = {}
    for slot, trial in enumerate(wave.trials):
        groups.setdefault(min(epoch, _epochs(trial, found, prepared)), []).append(slot)
    return [
        Part(
            dataclasses.replace(
                wave,
                name=f"{stack.name}-wave_{number + index}",
                trials=tuple(_renamed(wave.trials[slot], found) for slot in slots),
                width=stack.width_of(wave),
            ),
            tuple(slots),
            after,
        )
        for index, (after, slots) in enumerate(sorted(groups.items()))
    ]


def _renamed(trial: str, found: Mapping[str, Successor]) -> str:
    return found[trial].id if trial in found else trial


def _epochs(trial: str, found: Mapping[str, Successor], prepared: Prepared) -> int:
    """Returns the length of a trial of the run, before it goes on."""
    return found[trial].before if trial in found else prepared.trials[trial].values["train.epochs"]


def replaced_plan(
    plan: Plan, new: Mapping[str, Sequence[Part]], found: Mapping[str, Successor], prepared: Prepared
) -> Plan:
    """Returns the plan with the new waves in the places of the old, and with the work they are."""
    if not new:
        return plan
    stacks = []
    for stack in plan.stacks:
        waves = tuple(
            one
            for wave in stack.waves
            for one in ([part.wave for part in new[wave.name]] if wave.name in new else [wave])
        )
        before = sum(_epochs(trial, found, prepared) for trial in stack.trials)
        after = sum(prepared.trials[trial].values["train.epochs"] for wave in waves for trial in wave.trials)
        more = after / before
        stacks.append(
            dataclasses.replace(
                stack,
                waves=waves,
                flops=stack.flops * more,
                images=round(stack.images * more),
                seconds=stack.seconds * more,
            )
        )
    return dataclasses.replace(plan, stacks=tuple(stacks))


def hand_down(
    directory: RunDirectory, plan: Plan, new: Mapping[str, Sequence[Part]], say: Callable[[str], None]
) -> None:
    """Gives every new wave its curves and state, on disk when this returns; the old ones stay.

    Args:
        directory: the run's.
        plan: of the run, with the old waves.
        new: as `parts` gives them.
        say: told what goes on.

    Raises:
        RunError: a state or curves are damaged, or the disk refuses. No new wave is left then.
    """
    counts: Counter[tuple[str, int]] = Counter()
    try:
        for stack in plan.stacks:
            for wave in stack.waves:
                counts += _hand_down(directory, wave, new.get(wave.name, ()))
    except RunError:
        for part in (one for some in new.values() for one in some):
            directory.forget(part.wave.name)
        raise
    epochs = [str(epoch) for kind, epoch in sorted(counts) if kind == "on"]
    words = {
        "on": f"going on from epoch {in_words(epochs or ['0'])}",
        "anew": "from the start, of which no epoch is stored",
        "stopped": "stopped early and left so",
        "diverged": "diverged and left so",
    }
    number = {kind: sum(many for (one, _), many in counts.items() if one == kind) for kind in words}
    found = [f"{counted(number[kind], 'trial')} {words[kind]}" for kind in words if number[kind]]
    say(f"more epochs: {', '.join(found)}")


def _hand_down(directory: RunDirectory, wave: Wave, new: Sequence[Part]) -> Counter[tuple[str, int]]:
    """Returns how many longer trials there are of each kind, and after which epoch.

    The kinds are 'on', 'anew', 'stopped' (early) and 'diverged'.
    """
    for part in new:
        # Of a start that was killed before its plan was written.
        directory.forget(part.wave.name)
    if not any(part.epoch for part in new):
        return Counter({("anew", 0): sum(len(part.slots) for part in new)})
    counts: Counter[tuple[str, int]] = Counter()
    curves = directory.curves.read(wave.name)
    try:
        whole = directory.load_state(wave.name)
    except RunError as error:
        raise RunError(f"{error}: its trials cannot go on without it; {ELSEWHERE}") from error
    for part in new:
        slots = list(part.slots)
        own = curves[curves["id"].isin([wave.trials[slot] for slot in slots]) & (curves["epoch"] <= part.epoch)]
        if len(own) != whole["epoch"][slots].sum():
            raise RunError(
                f"{directory.path / 'curves'} lacks epochs of {wave.name}, so that its trials cannot go on; {ELSEWHERE}"
            )
        before = [wave.trials[slot] for slot in slots]
        names = dict(zip(before, part.wave.trials, strict=True))
        directory.curves.write(part.wave.name, 1, own.assign(id=own["id"].map(names)))
        directory.save_state(part.wave.name, part.epoch, _share(whole, wave, part), owned=True)
        directory.wait()
        longer = np.array([names[trial] != trial for trial in before])
        diverged = longer & (whole["diverged_epoch"][slots] > 0)
        stopped = longer & ~diverged & (whole["epoch"][slots] < part.epoch)
        for name, which in (("on", longer & ~diverged & ~stopped), ("stopped", stopped), ("diverged", diverged)):
            counts[name, part.epoch] += int(which.sum())
    return counts


def _share(whole: Mapping[str, Any], wave: Wave, part: Part) -> dict[str, Any]:
    if len(part.slots) == len(wave.trials):
        return dict(whole)
    rows = packing.filled(part.slots, part.wave.width)
    share = jax.tree.map(lambda leaf: leaf[rows], dict(whole))
    # A trial that rested because its epochs were over has some again.
    return {**share, "slots": np.arange(part.wave.width, dtype=np.int32)}


def forget_fits(directory: RunDirectory, trials: Collection[str], config: Mapping[str, Any]) -> None:
    """Deletes features, classifiers and table rows of trials that the run no longer has.

    Those rows go last: they name the rest.

    Args:
        directory: the run's.
        trials: ids of those it has.
        config: of the run, as `to_json` gives it.
    """
    directory.features.forget_others(trials)
    if not directory.has_table("heads.csv"):
        return
    table, _ = judged_tables.read_heads(directory)
    gone = ~table["id"].isin(list(trials))
    if not gone.any():
        return
    for fit in table["fit"][gone]:
        directory.forget_head(fit)
    left = table[~gone]
    if left.empty:
        directory.forget_heads_tables()
        return
    swept = search_space.swept(from_json(config))
    table = left.set_index("fit").reindex(columns=list(dict.fromkeys((*left.columns[1:], *swept))))
    directory.write_heads_summary(fits.summarise(table, swept, statistics.fold_overlap(config)))
    directory.write_heads(left)
