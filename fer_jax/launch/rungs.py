"""The rungs of a search (`search.halving`) in a run: who leaves, and in which waves the rest go on.

A wave ends with its rung and leaves its state. Once all waves of a rung have, the points in them
are compared by their curves alone (`search/`). Then new waves take the places of the old ones:
in each stack one with the trials of an old wave that leave, whose results are to be had, and
narrower ones with the trials that go on. States and curves are handed down before plan.json names
the new waves, so that whenever the program is killed, the same command decides the same again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import jax
import numpy as np
import pandas as pd

from fer_jax.base.text import counted
from fer_jax.plan import Plan, Stack, Wave
from fer_jax.search import search as searching
from fer_jax.search.search import Search
from fer_jax.store import RunDirectory

# Makes waves of some of a stack's trials.
Cut = Callable[[Stack, Sequence[str]], Sequence[Wave]]


def with_first_rung(plan: Plan, search: Search | None, cut: Cut) -> Plan:
    """Returns a plan whose waves end with the first rung of their trials' bracket."""
    if search is None:
        return plan
    stacks = []
    for stack in plan.stacks:
        ends: dict[int, list[str]] = {}
        for trial in stack.trials:
            ends.setdefault(search.first_end(trial), []).append(trial)
        waves = [
            dataclasses.replace(wave, until=until)
            for until, trials in ends.items()
            for wave in (stack.waves if len(ends) == 1 else cut(stack, trials))
        ]
        renamed = (dataclasses.replace(wave, name=f"{stack.name}-wave_{i}") for i, wave in enumerate(waves))
        stacks.append(dataclasses.replace(stack, waves=tuple(renamed)))
    return dataclasses.replace(plan, stacks=tuple(stacks))


@dataclasses.dataclass(frozen=True)
class Moved:
    """A new wave, and where its trials were.

    Attributes:
        wave: the new one.
        places: (old wave, slot) of each of its trials.
    """

    wave: Wave
    places: tuple[tuple[Wave, int], ...]


def _waiting(plan: Plan, failed: Collection[str]) -> list[tuple[Stack, Wave]]:
    """Returns the waves that wait at the end of the first rung at which any do."""
    found = [
        (stack, wave) for stack in plan.stacks for wave in stack.waves if wave.pauses and wave.trials[0] not in failed
    ]
    first = min((wave.until for _, wave in found), default=0)
    return [(stack, wave) for stack, wave in found if wave.until == first]


def decide(
    plan: Plan,
    search: Search,
    directory: RunDirectory,
    failed: Collection[str],
    cut: Cut,
    say: Callable[[str], None],
) -> tuple[Plan, list[Wave]] | None:
    """Ends the first rung that waits, and hands down its states; all its waves must have paused.

    Args:
        plan: of the run.
        search: of the sweep.
        directory: the run's.
        failed: ids of trials that have failed, which take no part; a wave fails as a whole.
        cut: makes waves of some of a stack's trials.
        say: told who goes on.

    Returns:
        The plan with new waves, not written yet, and the old ones to forget once it is. None where
        no rung waits.
    """
    waves = _waiting(plan, failed)
    if not waves:
        return None
    epochs = waves[0][1].until
    here = [trial for _, wave in waves for trial in wave.trials]
    curves = pd.concat([directory.curves.read(wave.name) for _, wave in waves], ignore_index=True)
    leaves = _leaving(search, directory, epochs, waves, _compared_before(plan, search, epochs, failed, here), curves)
    moved = {
        stack.name: list(_moved(stack, [wave for one, wave in waves if one.name == stack.name], search, leaves, cut))
        for stack in plan.stacks
    }
    for one in (one for some in moved.values() for one in some):
        _hand_down(directory, one, epochs, curves)
    rung, points = search.halving.epochs.index(epochs) + 1, {search.points[trial] for trial in here}
    say(
        f"rung {rung} of {search.rungs}: after epoch {epochs}, {len(points) - len(leaves)} of "
        f"{counted(len(points), 'point')} go on to epoch {search.next_end(epochs) or search.halving.epochs[-1]}"
    )
    return _replaced(plan, waves, moved), [wave for _, wave in waves]


def _compared_before(
    plan: Plan, search: Search, epochs: int, failed: Collection[str], here: Collection[str]
) -> list[Wave]:
    """Returns the waves of trials that were compared at a rung when others had failed before it.

    There are none unless failed trials are trained again.
    """
    rung = search.halving.epochs.index(epochs)

    def was_compared(wave: Wave) -> bool:
        first = wave.trials[0]
        if first in failed or first in here or first not in search.points:
            return False
        reached = wave.until == epochs if wave.leaves else wave.until == 0 or wave.until > epochs
        return reached and search.halving.brackets[search.points[first]] <= rung

    return [wave for stack in plan.stacks for wave in stack.waves if was_compared(wave)]


def _leaving(
    search: Search,
    directory: RunDirectory,
    epochs: int,
    waves: Sequence[tuple[Stack, Wave]],
    before: Sequence[Wave],
    curves: pd.DataFrame,
) -> set[int]:
    """Returns which points of waves that wait leave.

    What comes late, since it had failed, is compared with all that have come so far, of whom nobody
    is called back; a trial whose point has been decided on goes where its point went.
    """
    points = {search.points[trial] for _, wave in waves for trial in wave.trials}
    decided = {search.points[trial]: wave.leaves for wave in before for trial in wave.trials}
    known = [curves, *(directory.curves.read(wave.name) for wave in before)]
    here = [trial for wave in (*(wave for _, wave in waves), *before) for trial in wave.trials]
    leaves = search.leaving(pd.concat(known, ignore_index=True), epochs, here)
    return {point for point in points if decided.get(point, point in leaves)}


def _moved(stack: Stack, waves: Sequence[Wave], search: Search, leaves: Collection[int], cut: Cut) -> Iterator[Moved]:
    """Yields the waves that take the place of a stack's waves of a rung."""
    places = {trial: (wave, slot) for wave in waves for slot, trial in enumerate(wave.trials)}
    out = {trial for trial in places if search.points[trial] in leaves}
    # As wide as before: the program that evaluates them is there.
    new = [
        dataclasses.replace(wave, trials=trials, width=stack.width_of(wave), leaves=True)
        for wave in waves
        if (trials := tuple(trial for trial in wave.trials if trial in out))
    ]
    if going := [trial for trial in places if trial not in out]:
        until = search.next_end(waves[0].until)
        # No wider than what has fitted: waves may have been halved since the stack was planned.
        fitting = dataclasses.replace(stack, width=max(stack.width_of(wave) for wave in waves))
        new += [dataclasses.replace(wave, until=until) for wave in cut(fitting, going)]
    for index, wave in enumerate(new, stack.next_wave):
        named = dataclasses.replace(wave, name=f"{stack.name}-wave_{index}")
        yield Moved(named, tuple(places[trial] for trial in wave.trials))


def _hand_down(directory: RunDirectory, moved: Moved, epochs: int, curves: pd.DataFrame) -> None:
    """Gives a new wave its curves and state, on disk when this returns."""
    wave = moved.wave
    directory.forget(wave.name)  # of a start that was killed before its plan was written
    states = {old.name: directory.load_state(old.name) for old in dict.fromkeys(old for old, _ in moved.places)}
    rows: dict[str, list[int]] = {}
    for old, slot in moved.places:
        rows.setdefault(old.name, []).append(slot)
    # An idle slot has no epochs to run, so any state does.
    last = moved.places[-1]
    rows[last[0].name] += [last[1]] * (wave.width - len(moved.places))
    parts = [jax.tree.map(lambda leaf, own=own: leaf[own], dict(states[name])) for name, own in rows.items()]
    state = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    directory.curves.write(wave.name, 1, curves[curves["id"].isin(wave.trials)])
    state["slots"] = np.arange(wave.width, dtype=np.int32)
    directory.save_state(wave.name, epochs, state, owned=True)
    directory.wait()


def _replaced(plan: Plan, waves: Sequence[tuple[Stack, Wave]], moved: Mapping[str, Sequence[Moved]]) -> Plan:
    """Returns the plan with new waves behind those that stay."""
    gone = {wave.name for _, wave in waves}
    stacks = []
    for stack in plan.stacks:
        kept = [wave for wave in stack.waves if wave.name not in gone]
        new = [one.wave for one in moved[stack.name]]
        stacks.append(dataclasses.replace(stack, waves=(*kept, *new)))
    return dataclasses.replace(plan, stacks=tuple(stacks))


def flops_ahead(plan: Plan, search: Search | None) -> float:
    """Returns the floating-point operations of rungs for which no wave is planned yet."""
    if search is None:
        return 0.0
    epochs, trials = search.halving.epochs[-1], len(search.points)
    waves = (wave for stack in plan.stacks for wave in stack.waves)
    planned = sum(wave.end(epochs) for wave in waves for trial in wave.trials if trial in search.points)
    expected = search.halving.passes() * trials / len(search.halving.brackets)
    total = sum(stack.flops for stack in plan.stacks if stack.trials[0] in search.points)
    return total * max(0.0, expected - planned) / (trials * epochs)


def describe(search: Search | None, plan: Plan, repeats: int) -> list[str]:
    """Returns what a search comes to, in lines, see `search.describe`.

    Stacks of trials that take no part, which a later stage added, are in none of its figures.
    """
    if search is None:
        return []
    own = [stack for stack in plan.stacks if search.points.keys() & set(stack.trials)]
    known = all(stack.seconds for stack in own)
    return searching.describe(search, sum(stack.seconds for stack in own) if known else 0.0, repeats)


def words(wave: Wave, search: Search | None) -> str:
    """Returns which rung a wave is of, such as ', rung 2 of 3'; '' where it is of none."""
    if search is None or wave.leaves or wave.trials[0] not in search.points:
        return ""
    rung = search.halving.epochs.index(wave.until) if wave.until else search.rungs - 1
    return f", rung {rung + 1} of {search.rungs}"
