"""How a start of a sweep begins: its plan, config.json and trials.csv, and what is said of them."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from fer_jax import plan as planning
from fer_jax.data import Dataset
from fer_jax.launch import config_json, longer, more_seeds, resume, rungs
from fer_jax.launch.planned import check_room, cut_again, plan_sweep
from fer_jax.launch.prepared import Prepared, describe_data, describe_heads, describe_precision, notes
from fer_jax.launch.progress import Progress
from fer_jax.launch.trial_table import TrialTable
from fer_jax.plan import Plan
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory


def recorded_ids(directory: RunDirectory) -> frozenset[str]:
    """Returns the ids of the trials and fits that a run has recorded; none where there is no plan.

    Raises:
        RunError: a damaged file.
    """
    if not directory.has("plan.json"):
        return frozenset()
    trials = Plan.from_json(directory.read_plan()).trials
    fits = judged_tables.read_heads(directory)[0]["fit"] if directory.has_table("heads.csv") else ()
    return frozenset((*trials, *fits))


def begin(
    prepared: Prepared,
    directory: RunDirectory,
    say: Callable[[str], None],
    extend: bool,
    retry_failed: bool,
    command: str,
    choice: Mapping[str, Any] | None,
) -> tuple[Plan, dict[str, Any], TrialTable]:
    """Plans what is new and writes config.json, plan.json and trials.csv.

    Args:
        prepared: the sweep's trials and their data.
        directory: its run directory, locked.
        say: told what happens.
        extend, retry_failed, command: as for `loop.run_sweep`.
        choice: what config.json is to say of points chosen for more seeds; None leaves it.

    Returns:
        The plan of all trials, what config.json says, and trials.csv.

    Raises:
        RunError: the directory holds another sweep, see `resume.check`.
    """
    old = directory.read_config() if directory.has("config.json") else {}
    successors = resume.check_directory(directory, prepared, extend)
    before = Plan.from_json(directory.read_plan()) if directory.has("plan.json") else Plan((), "")
    parts = longer.parts(directory, before, successors, prepared)
    going_on = longer.replaced_plan(before, parts, successors, prepared)
    planned = set(going_on.trials)
    new = {identity: trial for identity, trial in prepared.trials.items() if identity not in planned}
    addition = plan_sweep(prepared, new, len(before.stacks), say)
    check_room(prepared, addition, say)
    addition = rungs.with_first_rung(addition, prepared.search, lambda *which: cut_again(prepared, *which))
    plan = Plan((*going_on.stacks, *addition.stacks), addition.hardware)
    record = config_json.begin(prepared, old, command, choice)
    if successors:
        longer.hand_down(directory, before, parts, say)
        # Before config.json, by whose old lengths the trials of an old plan are known.
        directory.write_plan(plan.to_json())
    directory.write_config(record)
    directory.write_plan(plan.to_json())
    for dataset in prepared.datasets.values():
        directory.predictions.write_targets(dataset.checksum, _targets(dataset))
    table = TrialTable(prepared, plan, directory, retry_failed)
    if gone := directory.forget_others({one.name for stack in plan.stacks for one in stack.waves}):
        say(f"deleted what was left of waves that others have replaced: {', '.join(gone)}")
    longer.forget_fits(directory, planned | new.keys(), record["config"])
    for line in table.said:
        say(line)
    return plan, record, table


def describe(
    prepared: Prepared, plan: Plan, choice: Mapping[str, Any] | None = None, columns: int | None = None
) -> list[str]:
    """Returns what a person is told before a sweep trains, in lines.

    Args:
        prepared, choice: as for `begin`.
        plan: of all trials.
        columns: the width of the terminal; None where lines may be as wide as they are.
    """
    found = [
        describe_data(prepared, columns),
        more_seeds.announced(prepared.config, choice),
        describe_precision(prepared, jax.default_backend()),
        *notes(prepared),
        planning.describe(plan, columns),
        *rungs.describe(prepared.search, plan, prepared.config.sweep.repeats),
        describe_heads(prepared),
    ]
    return [line for line in found if line]


def tell(prepared: Prepared, plan: Plan, choice: Mapping[str, Any] | None, progress: Progress) -> None:
    """Says what `describe` returns, in a terminal as wide as that is, and logs what is left out."""
    narrow = describe(prepared, plan, choice, progress.columns)
    for line, folded in zip(describe(prepared, plan, choice), narrow, strict=True):
        progress.say(line, folded)
    for line in left_out(prepared):
        progress.note(line)


def left_out(prepared: Prepared) -> list[str]:
    """Returns a line for each data set that has left out broken items."""
    skipped = {
        dataset.label: dataset.provenance.get("skipped", {}).get("count") for dataset in prepared.datasets.values()
    }
    return [
        f"left out of {label}: {count} broken items, named in config.json under data.skipped"
        for label, count in skipped.items()
        if count
    ]


def _targets(dataset: Dataset) -> dict[str, np.ndarray]:
    """Returns the labels of a data set's held-out splits and which of their images are leaked."""
    labels = {f"{name}_labels": split.labels for name, split in dataset.splits().items() if name != "train"}
    return labels | {f"{name}_leaked": leaked for name, leaked in dataset.leaked.items()}
