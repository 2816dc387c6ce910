"""Learning curves on disk: Parquet, a part for each wave and checkpoint."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pandas as pd

from fer_jax.base.files import explain_write, write_bytes
from fer_jax.store.documents import damaged

CURVE_COLUMNS = ("id", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
_PART = re.compile(r"(?P<wave>.+)-(?P<first>\d+)\.parquet")


class CurveFiles:
    """The folder `curves/` of a run, with files `<wave>-<first epoch>.parquet`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, wave: str, first_epoch: int, frame: pd.DataFrame) -> None:
        """Writes a part of a wave's curves; one that begins at the same epoch is replaced.

        Args:
            wave: the wave's name.
            first_epoch: the first epoch of the part, counted from 1.
            frame: a row for each trial and epoch, with CURVE_COLUMNS and any other columns. An
                empty one is not written.

        Raises:
            RunError: the disk refuses.
        """
        if frame.empty:
            return
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_bytes(self.folder / f"{wave}-{first_epoch:06d}.parquet", buffer.getvalue())

    def read(self, wave: str | None = None) -> pd.DataFrame:
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

    def rows(self, wave: str) -> int:
        """Returns how many rows the wave's parts hold; only their ends are read.

        A damaged part counts as one without rows.
        """
        import pyarrow.parquet as parquet

        total = 0
        for path, _ in self._parts(wave):
            with contextlib.suppress(OSError, ValueError):
                total += parquet.read_metadata(path).num_rows
        return total

    def drop(self, wave: str, from_epoch: int = 1) -> None:
        """Deletes the wave's rows with epoch >= from_epoch, which is counted from 1."""
        for path, first in reversed(self._parts(wave)):
            if first >= from_epoch:
                with explain_write(path):
                    path.unlink()
                continue
            frame = _read_parquet(path)
            kept = frame[frame["epoch"] < from_epoch]
            if len(kept) < len(frame):
                self.write(wave, first, kept)

    def waves(self) -> set[str]:
        """Returns the names of the waves that have a part here."""
        return {wave for _, wave, _ in self._all_parts()}

    def _parts(self, wave: str | None) -> list[tuple[Path, int]]:
        parts = [part for part in self._all_parts() if wave in (None, part[1])]
        return [(path, first) for path, _, first in sorted(parts, key=lambda part: part[1:])]

    def _all_parts(self) -> list[tuple[Path, str, int]]:
        """Returns (file, wave, first epoch) of all parts, in no order."""
        found = ((path, _PART.fullmatch(path.name)) for path in self.folder.glob("*.parquet"))
        return [(path, match["wave"], int(match["first"])) for path, match in found if match]


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise damaged(path, error, "delete it, and with it those epochs' curves") from None
