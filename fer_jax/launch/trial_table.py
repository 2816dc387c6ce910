"""trials.csv as a start of a sweep fills it.

It has a row for each trial: its place in the plan, its status and its results.
"""

from collections.abc import Sequence

import pandas as pd

from fer_jax.config import search_space
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Plan, Wave
from fer_jax.results import judged_tables
from fer_jax.results.row_checks import CLEAN, RESULTS, SPLITS
from fer_jax.store import RunDirectory
from fer_jax.store.sealed import CHANGED

PLACE = ("stack", "wave", "slot")


class TrialTable:
    """The table of one start, with the results of earlier ones.

    Args:
        prepared: the sweep.
        plan: names every trial of it.
        directory: its run directory, where trials.csv is written at once.
        retry_failed: whether trials that failed are to be trained again.

    Attributes:
        rows: indexed by id, in the order of the sweep.
        said: lines on what of an earlier table was not believed.
    """

    def __init__(self, prepared: Prepared, plan: Plan, directory: RunDirectory, retry_failed: bool):
        self.directory = directory
        trials = prepared.trials.items()
        rows = [
            {"id": id, "status": "pending", **one.point, "seed": one.seed, "repeat": one.repeat} for id, one in trials
        ]
        columns = ["status", *search_space.swept(prepared.config), "seed", "repeat", *PLACE]
        columns += [name for name in RESULTS if name != "status"]
        self.rows = pd.DataFrame(rows).set_index("id").reindex(columns=columns).astype(object)
        self.rows["error"] = ""
        self.said: list[str] = []
        if directory.has_table("trials.csv"):
            old, self.said = judged_tables.read_trials(directory, directory.read_config())
            old = old[old["id"].isin(self.rows.index)].set_index("id")
            self.said += kept_aside(directory, "trials.csv")
            ended = ["done", "pruned", "diverged"]
            kept = old["status"].isin(ended if retry_failed else [*ended, "failed"])
            # What a wave has left counts while the plan still has the trial there.
            places = _places(plan)
            waves = old.index.map({identity: place[1] for identity, place in places.items()})
            kept &= (waves == old["wave"]).to_numpy()
            # A run that an earlier version began lacks the columns that were added since.
            for name in (name for name in RESULTS if name in old):
                self.rows.loc[old.index[kept], name] = old.loc[kept, name].astype(object)
        self.all_clean = _all_clean(prepared)
        self.place(plan)

    def place(self, plan: Plan, pending: Sequence[Wave] = ()) -> None:
        """Writes down where the plan has the trials; those of some earlier waves go on."""
        for wave in pending:
            self.rows.loc[list(wave.trials), "status"] = "pending"
        places = _places(plan)
        self.rows[list(PLACE)] = [places[identity] for identity in self.rows.index]
        self._write()

    def has_pending(self, wave: Wave) -> bool:
        """Returns whether some trial of a wave has no result yet."""
        return bool((self.rows.loc[list(wave.trials), "status"] == "pending").any())

    def has_failed(self, wave: Wave) -> bool:
        """Returns whether some trial of a wave has failed."""
        return bool((self.rows.loc[list(wave.trials), "status"] == "failed").any())

    def best(self) -> tuple[str, float] | None:
        """Returns the done trial of the best validation accuracy and that; None without any."""
        accuracies = pd.to_numeric(self.rows["val_accuracy"], errors="coerce")
        accuracies = accuracies[self.rows["status"] == "done"].dropna()
        return (str(accuracies.idxmax()), float(accuracies.max())) if len(accuracies) else None

    def mark(self, wave: Wave, status: str) -> None:
        """Gives all trials of a wave a status."""
        trials = list(wave.trials)
        if (self.rows.loc[trials, "status"] != status).any():
            self.rows.loc[trials, "status"] = status
            self._write()

    def enter(self, results: pd.DataFrame, following: Wave | None = None) -> None:
        """Enters results, and with them that the following wave is running: one file to write.

        Args:
            results: a row a trial, indexed by id.
            following: None where no wave follows.
        """
        for column in results:
            self.rows.loc[results.index, column] = results[column].astype(object)
        if following is not None:
            self.rows.loc[list(following.trials), "status"] = "running"
        self._write()

    def _write(self) -> None:
        for split, trials in self.all_clean.items():
            for of in (split, f"last_{split}"):
                self.rows.loc[trials, f"{of}_{CLEAN}"] = self.rows.loc[trials, f"{of}_accuracy"]
        self.directory.write_trials(self.rows.reset_index())


def _all_clean(prepared: Prepared) -> dict[str, list[str]]:
    """Returns 'val' or 'test' -> ids of the trials whose data have no leaked image in that split.

    Only of splits in which other data of the sweep have some: there the accuracy of these trials is
    theirs without leaked images too, so that a mean over folds has all of them.
    """
    found = {}
    for short, split in SPLITS.items():
        if split in prepared.with_copies:
            leaked = {id: prepared.dataset(trial).leaked.get(split) for id, trial in prepared.trials.items()}
            found[short] = [id for id, one in leaked.items() if one is not None and not one.any()]
    return found


def _places(plan: Plan) -> dict[str, tuple[str, str, int]]:
    """Returns (stack, wave, slot) of each trial, by its id."""
    return {
        identity: (stack.name, wave.name, slot)
        for stack in plan.stacks
        for wave in stack.waves
        for slot, identity in enumerate(wave.trials)
    }


def kept_aside(directory: RunDirectory, name: str) -> list[str]:
    """Returns a line where writing a table anew puts aside what another program made of it."""
    if not directory.has(name):
        return []
    stored = directory.stored_table(name)
    if not stored.is_sealed or stored.is_file_whole:
        return []
    return [f"{name} is written back as it was; the file that was there is kept as {name}{CHANGED}"]
