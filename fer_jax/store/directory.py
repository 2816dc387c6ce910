"""One run directory, with one way to write and one to read each of its files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from fer_jax.base.files import explain_write, lock_holder, locked, open_own, remove_temporary_files, write_bytes
from fer_jax.errors import DamagedError, RunError
from fer_jax.store import bounds, safety
from fer_jax.store.checkpoints import WAVE, Checkpoints
from fer_jax.store.curves import CurveFiles
from fer_jax.store.documents import Documents
from fer_jax.store.features import FeatureFiles
from fer_jax.store.predictions import PredictionFiles
from fer_jax.store.sealed import FOLDER as SEALS
from fer_jax.store.sealed import StoredTable


class RunDirectory:
    """The files of the run at `path`; nothing is made or changed before the first write.

    Reading needs no lock: every file changes by a rename, so that a reader sees the old or the new
    one. Who writes holds `lock`. Every method that writes raises RunError where the disk refuses,
    and the old file is then still there.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._checkpoints = Checkpoints(self.path / "checkpoints")
        self._documents = Documents(self.path)
        self.curves = CurveFiles(self.path / "curves")
        self.features = FeatureFiles(self.path / "features")
        self.predictions = PredictionFiles(self.path / "predictions")

    def check_ours(self) -> None:
        """Raises RunError where the folder holds files but is no run, or a link instead of a file.

        Hidden files and log.txt do not count: a run that broke off early leaves them.
        """
        safety.check_tree(self.path)
        with contextlib.suppress(OSError):
            strangers = sorted(
                entry.name
                for entry in self.path.iterdir()
                if not entry.name.startswith(".") and entry.name != "log.txt"
            )
            if strangers and not self.has("config.json"):
                raise RunError(f"{self.path} holds no run but other files ({strangers[0]}): choose an empty --workdir")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Makes this process the only writer inside the `with` block.

        On entry, leftovers of killed writers are removed; on exit, a checkpoint still being written
        is waited for.

        Raises:
            RunError: another process holds the lock; the message names its pid and host.
        """
        safety.check_tree(self.path)
        with locked(self.path / ".lock"):
            self._clean()
            try:
                yield
            except BaseException:
                # The first error is the one to show.
                with contextlib.suppress(RunError):
                    self.wait()
                raise
            self.wait()

    def import_writers(self) -> None:
        """Imports what writes checkpoints and curves; call it where a second does not matter."""
        import pyarrow.parquet  # noqa: F401

        self._checkpoints.import_orbax()

    def _clean(self) -> None:
        with explain_write(self.path):
            for folder in ("", SEALS, "curves", "figures", "features", "heads", "predictions"):
                remove_temporary_files(self.path / folder)
            self._checkpoints.clean()

    # Documents and tables

    def write_config(self, document: Mapping[str, Any]) -> None:
        """Writes config.json: resolved config, command, versions, devices, data provenance."""
        self._documents.write_json("config.json", document)

    def read_config(self) -> dict[str, Any]:
        """Returns config.json, with lists in place of tuples; RunError if there is no run here."""
        safety.check_tree(self.path)
        document = self._documents.read_json("config.json")
        safety.check_config(self.path / "config.json", document)
        return document

    def write_plan(self, document: Mapping[str, Any]) -> None:
        """Writes plan.json: the stacks and waves in running order."""
        self._documents.write_json("plan.json", document)

    def read_plan(self) -> dict[str, Any]:
        """Returns plan.json; RunError if there is none."""
        return self._documents.read_json("plan.json")

    def has(self, name: str) -> bool:
        """Returns whether the run has the file `name`, such as 'plan.json' or 'trials.csv'."""
        return (self.path / name).is_file()

    def has_table(self, name: str) -> bool:
        """Returns whether 'trials.csv' or 'heads.csv' is there, be it only as its sealed copy."""
        return self._documents.has_table(name)

    def stored_table(self, name: str) -> StoredTable:
        """Returns what may be believed of 'trials.csv' or 'heads.csv'; RunError if there is none.

        Where it is not sealed, its rows have to be judged (`results.judged_tables`).
        """
        return self._documents.stored_table(name)

    def write_trials(self, frame: pd.DataFrame) -> None:
        """Writes trials.csv, a row for each trial.

        Numbers keep their full precision, and missing ones stay empty.
        """
        self._documents.write_table("trials.csv", frame)

    def read_trials(self) -> pd.DataFrame:
        """Returns trials.csv: ids and texts as str, counts as Int64, tuples as their text.

        Raises:
            RunError: there is no such file, or it is damaged.
        """
        safety.check_tree(self.path)
        return self._documents.read_table("trials.csv")

    def write_summary(self, frame: pd.DataFrame) -> None:
        """Writes summary.csv, a row for each point."""
        self._documents.write_table("summary.csv", frame)

    # Heads

    def write_heads(self, frame: pd.DataFrame) -> None:
        """Writes heads.csv, a row for each fit."""
        self._documents.write_table("heads.csv", frame)

    def forget_heads_tables(self) -> None:
        """Deletes heads.csv and its summary, if they are there."""
        for name in ("heads_summary.csv", "heads.csv"):
            self._documents.forget_table(name)

    def write_heads_summary(self, frame: pd.DataFrame) -> None:
        """Writes heads_summary.csv, a row for each point and head setting."""
        self._documents.write_table("heads_summary.csv", frame)

    def write_head(self, fit: str, suffix: str, content: bytes) -> None:
        """Writes the fitted classifier of a fit, heads/<fit>.<suffix>."""
        write_bytes(self.path / "heads" / f"{fit}.{suffix}", content)

    def read_head(self, fit: str, suffix: str) -> bytes:
        """Returns what `write_head` wrote.

        Raises:
            RunError: it cannot be read.
            DamagedError: it is cut short, or claims more than it holds.
        """
        path = self.path / "heads" / f"{fit}.{suffix}"
        try:
            return bounds.read_whole(path)
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror}; start the sweep again to fit it") from None
        except ValueError as error:
            raise DamagedError(f"{path} is damaged ({error}); start the sweep again to fit it anew") from None

    def forget_head(self, fit: str) -> None:
        """Deletes the fitted classifier of a fit, if there is one."""
        for path in (self.path / "heads").glob(f"{fit}.*"):
            with explain_write(path):
                path.unlink()

    # Notes

    def read_notes(self) -> str:
        """Returns what people wrote about the run, notes.md; '' where there is none.

        Raises:
            RunError: it is a link, cannot be read, or is longer than `bounds.MOST_NOTES_BYTES`.
        """
        safety.check_tree(self.path)
        try:
            return bounds.read_whole(self.path / "notes.md", bounds.MOST_NOTES_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RunError(f"cannot read {self.path / 'notes.md'}: {error.strerror}") from None
        except ValueError as error:
            raise RunError(f"{self.path / 'notes.md'}: {error}; shorten it") from None

    def write_notes(self, text: str) -> None:
        """Replaces notes.md, which needs no lock: no start of a sweep reads or writes it."""
        safety.check_tree(self.path)
        write_bytes(self.path / "notes.md", text.encode(errors="backslashreplace"))

    # Other files

    def holder(self) -> dict[str, Any] | None:
        """Returns who holds the lock, see `files.lock_holder`; None where no sweep is going on."""
        return lock_holder(self.path / ".lock")

    def write_text(self, name: str, text: str) -> None:
        """Writes any other text file of the run, such as 'report.html'."""
        write_bytes(self.path / name, text.encode(errors="backslashreplace"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes any other file of the run, such as 'figures/curves.png'."""
        write_bytes(self.path / name, content)

    def open_log(self) -> TextIO:
        """Returns log.txt, opened to append; each line is handed to the system when it ends."""
        with explain_write(self.path / "log.txt"):
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = open_own(self.path / "log.txt", os.O_WRONLY | os.O_APPEND)
            return open(descriptor, "a", buffering=1, encoding="utf-8", errors="backslashreplace")

    def end_of_log(self, most: int = 16_384) -> str:
        """Returns the last bytes of log.txt as text; '' where there is none that can be read."""
        with contextlib.suppress(OSError, RunError):
            safety.check_tree(self.path)
            with open(self.path / "log.txt", "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - most))
                return file.read(most).decode(errors="replace")
        return ""

    # Checkpoints

    def save_state(self, wave: str, epoch: int, tree: Any, owned: bool = False) -> None:
        """Begins to save a wave's full state and returns once it is copied to the host.

        When it is complete, this state and the one before it stay, and older ones are deleted. It
        remembers which parts of the wave's curves are there, so write these first.

        Args:
            wave: the wave's name.
            epoch: the last epoch trained, from 1.
            tree: any pytree of arrays, trial axis first. Its buffers may be donated or changed
                once this returns.
            owned: whether the arrays are on the host and nobody will change them, so that they
                need no copy.

        Raises:
            RunError: it, or the state begun before it, cannot be written.
        """
        self._checkpoints.save(wave, "state", epoch, tree, owned, {"curves": self.curves.parts(wave)})

    def wait(self) -> None:
        """Waits until the state being saved is complete; RunError if it cannot be written."""
        self._checkpoints.wait()

    def latest_state(self, wave: str) -> int | None:
        """Returns the epoch of the wave's newest complete state, or None where there is none."""
        return self._checkpoints.latest(wave, "state")

    def resume(self, wave: str, say: Callable[[str], None] = lambda line: None) -> int:
        """Makes the wave's files agree (rule 4 of the store).

        Args:
            wave: its name.
            say: told in a line which states were deleted because they, or curves of theirs, are
                damaged, and from where the wave goes on instead.

        Returns:
            The epoch after which to go on; 0 is the start.

        Raises:
            RunError: a state or a part of the curves cannot be read for another reason than
                damage, such as a permission; nothing is deleted then.
        """
        self.wait()
        useless = {}
        for epoch in self._checkpoints.numbers(wave, "state"):
            if reason := self._damage(wave, epoch):
                useless[epoch] = reason
            else:
                break
        else:
            epoch = 0
        for number in useless:
            self._checkpoints.delete(wave, "state", number)
        self.curves.drop(wave, epoch + 1)
        if useless:
            going_on = f"going on from epoch {epoch}" if epoch else "the wave starts anew, its curves too"
            say(f"{wave}: {'; '.join(useless.values())}; {going_on}")
        return epoch

    def _damage(self, wave: str, epoch: int) -> str:
        """Returns why a state cannot be gone on from, in a line; '' if it can."""
        name = f"state-{epoch:06d}"
        if self._checkpoints.damage(wave, "state", epoch):
            return f"{name} is damaged and deleted"
        needed = self._checkpoints.about(wave, "state", epoch).get("curves", [])
        lost = self.curves.damage(wave, epoch, needed)
        return f"{lost}, so {name} is deleted" if lost else ""

    def restore_state(self, wave: str, abstract: Any) -> Any:
        """Returns the newest complete state, in the structure, shapes and dtypes of `abstract`.

        A leaf of `abstract` with a `sharding` gives a jax.Array placed so, on any number of
        devices; the others give NumPy arrays.

        Raises:
            RunError: there is no state, it is damaged, or it does not fit `abstract`.
        """
        self.wait()
        return self._checkpoints.restore(wave, "state", abstract)

    def load_state(self, wave: str) -> Any:
        """Returns the newest complete state as NumPy arrays, with lists in place of tuples.

        Raises:
            RunError: there is no state, or it is damaged.
        """
        self.wait()
        return self._checkpoints.restore(wave, "state")

    def drop_state(self, wave: str, keep_newest: bool = False) -> None:
        """Deletes the wave's full states; call it after its weights and table rows are written.

        With `keep_newest` the newest stays: its trials may go on from it for more epochs.
        """
        self._checkpoints.drop(wave, "state", int(keep_newest))

    def save_final(self, wave: str, tree: Any, trials: Sequence[str] = ()) -> None:
        """Saves the weights that the wave leaves, in place of those of an earlier end of the wave.

        They are complete when this returns.

        Args:
            wave: the wave's name.
            tree: 'best' and 'last', each {'params', 'stats'} with the trial axis first, and what
                else belongs to each trial; and 'shared', {'params', 'stats'} of the layers that
                all trials have in common, without that axis.
            trials: their ids, in the order of the slots, for who reads it with Orbax alone.
        """
        number = (self._checkpoints.latest(wave, "final") or 0) + 1
        self._checkpoints.save(wave, "final", number, tree, about={"trials": list(trials)})
        self.wait()

    def has_final(self, wave: str) -> bool:
        """Returns whether the wave's final weights are there, damaged or not."""
        return self._checkpoints.latest(wave, "final") is not None

    def forget(self, wave: str) -> None:
        """Deletes all that belongs to a wave whose place in the plan others have taken."""
        self.curves.drop(wave)
        self.predictions.forget(wave)
        self._checkpoints.forget(wave)

    def forget_others(self, waves: Collection[str]) -> list[str]:
        """Deletes what belongs to other waves (rule 6 of the store), and returns their names."""
        parts = {wave for wave in self.curves.waves() if WAVE.fullmatch(wave)}
        others = sorted({*self._checkpoints.waves(), *parts} - set(waves))
        for wave in others:
            self.forget(wave)
        return others

    def load_trial(self, wave: str, slot: int, abstract: Any = None) -> Any:
        """Returns one trial's final weights; no other trial's bytes are read.

        What `save_final` got as 'shared' is part of every trial's weights. Arguments, results and
        errors are those of `Checkpoints.load_trial`.
        """
        found = self._checkpoints.load_trial(wave, slot, abstract)
        shared = found.pop("shared", None) if isinstance(found, dict) else None
        if shared:
            for name in ("best", "last"):
                found[name] = {kind: {**shared.get(kind, {}), **layers} for kind, layers in found[name].items()}
        return found
