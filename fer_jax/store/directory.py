"""One run directory, with one way to write and one to read each of its files."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from fer_jax.base.files import explain_write, locked, remove_temporary_files, write_bytes
from fer_jax.errors import RunError
from fer_jax.store.checkpoints import WAVE, Checkpoints
from fer_jax.store.features import FeatureFiles
from fer_jax.store.predictions import PredictionFiles

CURVE_COLUMNS = ("id", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
_TEXT_COLUMNS = ("fit", "id", "status", "stack", "wave", "error", "left_out")
# Counts, which pandas would turn into floats where a pending trial has none yet.
_COUNT_COLUMNS = ("seed", "repeat", "slot", "epochs", "best_epoch", "diverged_epoch", "n", "features", "threads")
# From version 3.1 on pandas reads every float exactly, and warns whoever asks for it.
_EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)
_PART = re.compile(r"(?P<wave>.+)-(?P<first>\d+)\.parquet")


class RunDirectory:
    """The files of the run at `path`; nothing is made or changed before the first write.

    Reading needs no lock: every file changes by a rename, so that a reader sees the old or the new
    one. Who writes holds `lock`. Every method that writes raises RunError where the disk refuses,
    and the old file is then still there.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._checkpoints = Checkpoints(self.path / "checkpoints")
        self.features = FeatureFiles(self.path / "features")
        self.predictions = PredictionFiles(self.path / "predictions")

    def check_ours(self) -> None:
        """Raises RunError where the folder holds files but is no run.

        Hidden files and log.txt do not count: a run that broke off early leaves them.
        """
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
            for folder in ("", "curves", "figures", "features", "heads", "predictions"):
                remove_temporary_files(self.path / folder)
            self._checkpoints.clean()

    # Documents and tables

    def write_config(self, document: Mapping[str, Any]) -> None:
        """Writes config.json: resolved config, command, versions, devices, data provenance."""
        self._write_json("config.json", document)

    def read_config(self) -> dict[str, Any]:
        """Returns config.json, with lists in place of tuples; RunError if there is no run here."""
        return self._read_json("config.json")

    def write_plan(self, document: Mapping[str, Any]) -> None:
        """Writes plan.json: the stacks and waves in running order."""
        self._write_json("plan.json", document)

    def read_plan(self) -> dict[str, Any]:
        """Returns plan.json; RunError if there is none."""
        return self._read_json("plan.json")

    def has(self, name: str) -> bool:
        """Returns whether the run has the file `name`, such as 'plan.json' or 'trials.csv'."""
        return (self.path / name).is_file()

    def write_trials(self, frame: pd.DataFrame) -> None:
        """Writes trials.csv, a row for each trial.

        Numbers keep their full precision, and missing ones stay empty.
        """
        self._write_table("trials.csv", frame)

    def read_trials(self) -> pd.DataFrame:
        """Returns trials.csv: ids and texts as str, counts as Int64, tuples as their text.

        Raises:
            RunError: there is no such file, or it is damaged.
        """
        return self._read_table("trials.csv")

    def write_summary(self, frame: pd.DataFrame) -> None:
        """Writes summary.csv, a row for each point."""
        self._write_table("summary.csv", frame)

    # Heads

    def write_heads(self, frame: pd.DataFrame) -> None:
        """Writes heads.csv, a row for each fit."""
        self._write_table("heads.csv", frame)

    def read_heads(self) -> pd.DataFrame:
        """Returns heads.csv with the types of `read_trials`; RunError if it is no table of fits."""
        table = self._read_table("heads.csv")
        for name in ("fit", "id", "status"):
            if name not in table:
                path = self.path / "heads.csv"
                raise RunError(
                    f"{path} has no column {name!r}: it is damaged; delete it, and the same command does its fits again"
                )
        return table

    def write_heads_summary(self, frame: pd.DataFrame) -> None:
        """Writes heads_summary.csv, a row for each point and head setting."""
        self._write_table("heads_summary.csv", frame)

    def write_head(self, fit: str, suffix: str, content: bytes) -> None:
        """Writes the fitted classifier of a fit, heads/<fit>.<suffix>."""
        write_bytes(self.path / "heads" / f"{fit}.{suffix}", content)

    def has_head(self, fit: str, suffix: str) -> bool:
        """Returns whether the file of a fit's classifier is there, damaged or not."""
        return self.has(f"heads/{fit}.{suffix}")

    def read_head(self, fit: str, suffix: str) -> bytes:
        """Returns what `write_head` wrote; RunError if it is not there."""
        path = self.path / "heads" / f"{fit}.{suffix}"
        try:
            return path.read_bytes()
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror}; start the sweep again to fit it") from None

    # Other files

    def write_text(self, name: str, text: str) -> None:
        """Writes any other text file of the run, such as 'report.html'."""
        write_bytes(self.path / name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes any other file of the run, such as 'figures/curves.png'."""
        write_bytes(self.path / name, content)

    def open_log(self) -> TextIO:
        """Returns log.txt, opened to append; each line is handed to the system when it ends."""
        with explain_write(self.path / "log.txt"):
            self.path.mkdir(parents=True, exist_ok=True)
            return open(self.path / "log.txt", "a", buffering=1, encoding="utf-8")

    # Curves

    def write_curves(self, wave: str, first_epoch: int, frame: pd.DataFrame) -> None:
        """Writes a part of a wave's curves; one that begins at the same epoch is replaced.

        Args:
            wave: the wave's name.
            first_epoch: the first epoch of the part, counted from 1.
            frame: a row for each trial and epoch, with CURVE_COLUMNS and any other columns. An
                empty one is not written.
        """
        if frame.empty:
            return
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_bytes(self.path / "curves" / f"{wave}-{first_epoch:06d}.parquet", buffer.getvalue())

    def read_curves(self, wave: str | None = None) -> pd.DataFrame:
        """Returns the curves of one wave or of all, in order of wave and epoch.

        There are no rows where nothing is written yet.

        Raises:
            RunError: a part is damaged.
        """
        frames = []
        for path, _ in self._parts(wave):
            # A run that resumes meanwhile may have dropped a part since the parts were listed.
            with contextlib.suppress(FileNotFoundError):
                frames.append(_read_parquet(path))
        if not frames:
            return pd.DataFrame(columns=list(CURVE_COLUMNS))
        found = pd.concat(frames, ignore_index=True)
        # A wave and those in its place are both there for a moment, or after a kill in between.
        return found if wave else found.drop_duplicates(["id", "epoch"], ignore_index=True)

    def drop_curves(self, wave: str, from_epoch: int = 1) -> None:
        """Deletes the wave's rows with epoch >= from_epoch, which is counted from 1."""
        for path, first in reversed(self._parts(wave)):
            if first >= from_epoch:
                with explain_write(path):
                    path.unlink()
                continue
            frame = _read_parquet(path)
            kept = frame[frame["epoch"] < from_epoch]
            if len(kept) < len(frame):
                self.write_curves(wave, first, kept)

    def _parts(self, wave: str | None) -> list[tuple[Path, int]]:
        parts = [part for part in self._all_parts() if wave in (None, part[1])]
        return [(path, first) for path, _, first in sorted(parts, key=lambda part: part[1:])]

    def _all_parts(self) -> list[tuple[Path, str, int]]:
        """Returns (file, wave, first epoch) of all parts, in no order."""
        found = ((path, _PART.fullmatch(path.name)) for path in self.path.glob("curves/*.parquet"))
        return [(path, match["wave"], int(match["first"])) for path, match in found if match]

    # Checkpoints

    def save_state(self, wave: str, epoch: int, tree: Any, owned: bool = False) -> None:
        """Begins to save a wave's full state and returns once it is copied to the host.

        The state before it is deleted when this one is complete.

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
        self._checkpoints.save(wave, "state", epoch, tree, owned)

    def wait(self) -> None:
        """Waits until the state being saved is complete; RunError if it cannot be written."""
        self._checkpoints.wait()

    def latest_state(self, wave: str) -> int | None:
        """Returns the epoch of the wave's newest complete state, or None where there is none."""
        return self._checkpoints.latest(wave, "state")

    def resume(self, wave: str) -> int:
        """Makes the wave's files agree (rule 4 of the store).

        Returns:
            The epoch after which to go on; 0 is the start.
        """
        self.wait()
        epoch = self.latest_state(wave) or 0
        self.drop_curves(wave, epoch + 1)
        return epoch

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

    def drop_state(self, wave: str) -> None:
        """Deletes the wave's full state; call it after its weights and table rows are written."""
        self._checkpoints.drop(wave, "state")

    def save_final(self, wave: str, tree: Any) -> None:
        """Saves the weights that the wave leaves, in place of those of an earlier end of the wave.

        They are complete when this returns.

        Args:
            wave: the wave's name.
            tree: 'best' and 'last', each {'params', 'stats'} with the trial axis first, and what
                else belongs to each trial; and 'shared', {'params', 'stats'} of the layers that
                all trials have in common, without that axis.
        """
        self._checkpoints.save(wave, "final", (self._checkpoints.latest(wave, "final") or 0) + 1, tree)
        self.wait()

    def forget(self, wave: str) -> None:
        """Deletes all that belongs to a wave whose place in the plan others have taken."""
        self.drop_curves(wave)
        self.predictions.forget(wave)
        self._checkpoints.forget(wave)

    def forget_others(self, waves: Collection[str]) -> list[str]:
        """Deletes what belongs to other waves (rule 6 of the store), and returns their names."""
        parts = {wave for _, wave, _ in self._all_parts() if WAVE.fullmatch(wave)}
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

    # Formats

    def _write_json(self, name: str, document: Mapping[str, Any]) -> None:
        write_bytes(self.path / name, (json.dumps(document, indent=1) + "\n").encode())

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(self.path / name, error, "restore it or start a new --workdir") from None
        except OSError as error:
            raise _read_error(self.path / name, error) from None

    def _write_table(self, name: str, frame: pd.DataFrame) -> None:
        counts = {column: "Int64" for column in _COUNT_COLUMNS if column in frame}
        write_bytes(self.path / name, frame.astype(counts).to_csv(index=False).encode())

    def _read_table(self, name: str) -> pd.DataFrame:
        path = self.path / name
        try:
            # Ids are hexadecimal: read as a number, 12345e6789 would be infinite.
            header = pd.read_csv(path, nrows=0).columns
            types = {column: "str" for column in _TEXT_COLUMNS if column in header}
            types |= {column: "Int64" for column in _COUNT_COLUMNS if column in header}
            frame = pd.read_csv(path, dtype=types, **_EXACT)
        except OSError as error:
            raise _read_error(path, error) from None
        except ValueError as error:
            raise _damaged(path, error, "restore it or start a new --workdir") from None
        return frame.fillna({column: "" for column in _TEXT_COLUMNS if column in frame})


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _damaged(path, error, "delete it, and with it those epochs' curves") from None


def _damaged(path: Path, error: Exception, advice: str) -> RunError:
    return RunError(f"{path} is damaged ({str(error).splitlines()[0]}); {advice}")


def _read_error(path: Path, error: OSError) -> RunError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return RunError(f"no run at {path.parent}: it has no {path.name}")
    return RunError(f"cannot read {path}: {error.strerror}")
