"""Learning curves on disk: Parquet, a part for each wave and checkpoint.

Each part holds a CRC-32 of its columns' names, types and values among its own metadata.
"""

from __future__ import annotations

import contextlib
import io
import re
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fer_jax.base.files import explain_write, write_bytes
from fer_jax.errors import RunError
from fer_jax.store import bounds
from fer_jax.store.documents import damaged

if TYPE_CHECKING:
    import pyarrow as pa

CURVE_COLUMNS = ("id", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
_CHECKSUM = b"fer_jax.crc32"
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
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.Table.from_pandas(frame, preserve_index=False)
        marked = table.replace_schema_metadata({**(table.schema.metadata or {}), _CHECKSUM: _checksum(table)})
        buffer = io.BytesIO()
        parquet.write_table(marked, buffer)
        write_bytes(self._path(wave, first_epoch), buffer.getvalue())

    def read(self, wave: str | None = None) -> pd.DataFrame:
        """Returns the curves of one wave or of all, in order of wave and epoch.

        There are no rows where nothing is written yet.

        Raises:
            RunError: a part is damaged or cannot be read.
        """
        found, damages = self.read_whole(wave)
        for line in damages:
            raise RunError(line)
        return found

    def read_whole(self, wave: str | None = None) -> tuple[pd.DataFrame, list[str]]:
        """Returns the curves without the parts that are damaged, and a line for each of these.

        Raises:
            RunError: a part cannot be read for another reason.
        """
        frames, damages = [], []
        for path, _ in self._parts(wave):
            # A run that resumes meanwhile may have dropped a part since the parts were listed.
            with contextlib.suppress(FileNotFoundError):
                try:
                    frames.append(_read_parquet(path))
                except _DamagedPart as error:
                    damages.append(str(error))
        if not frames:
            return pd.DataFrame(columns=list(CURVE_COLUMNS)), damages
        found = pd.concat(frames, ignore_index=True)
        # A wave and those in its place are both there for a moment, or after a kill in between.
        return (found if wave else found.drop_duplicates(["id", "epoch"], ignore_index=True)), damages

    def parts(self, wave: str) -> list[int]:
        """Returns the first epochs of the wave's parts, in order."""
        return [first for _, first in self._parts(wave)]

    def damage(self, wave: str, epoch: int, needed: Collection[int]) -> str:
        """Returns which part of a wave's curves up to an epoch is lost, '' if none is.

        Args:
            wave, epoch: up to where.
            needed: first epochs of parts that have to be there.

        Raises:
            RunError: a part cannot be read for another reason than damage.
        """
        present = {first: path for path, first in self._parts(wave)}
        for first in sorted({*needed, *(first for first in present if first <= epoch)}):
            path = self._path(wave, first)
            try:
                _read_parquet(present.get(first, path))
            except FileNotFoundError:
                return f"curves/{path.name} is missing"
            except _DamagedPart:
                return f"curves/{path.name} is damaged"
        return ""

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

    def _path(self, wave: str, first_epoch: int) -> Path:
        return self.folder / f"{wave}-{first_epoch:06d}.parquet"

    def _parts(self, wave: str | None) -> list[tuple[Path, int]]:
        parts = [part for part in self._all_parts() if wave in (None, part[1])]
        return [(path, first) for path, _, first in sorted(parts, key=lambda part: part[1:])]

    def _all_parts(self) -> list[tuple[Path, str, int]]:
        """Returns (file, wave, first epoch) of all parts, in no order."""
        found = ((path, _PART.fullmatch(path.name)) for path in self.folder.glob("*.parquet"))
        return [(path, match["wave"], int(match["first"])) for path, match in found if match]


class _DamagedPart(RunError):
    """A part of the curves whose content is not what was written."""


def _read_parquet(path: Path) -> pd.DataFrame:
    """Returns a part of the curves, held to its checksum.

    Raises:
        FileNotFoundError: there is none.
        RunError: it is damaged (_DamagedPart), or cannot be read.
    """
    from pyarrow import parquet

    try:
        content = bounds.read_whole(path)
    except FileNotFoundError:
        raise
    except ValueError as error:
        raise _damaged_part(path, error) from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}; mend that and start again") from None
    try:
        bounds.check_curves(path)
        table = parquet.read_table(io.BytesIO(content))
        # Parts that an earlier version wrote have no checksum.
        if (table.schema.metadata or {}).get(_CHECKSUM, _checksum(table)) != _checksum(table):
            raise ValueError("its content is not what was written")
        frame = table.to_pandas(ignore_metadata=True)
        if missing := {"id", "epoch"} - set(frame.columns):
            raise ValueError(f"it has no column {min(missing)}")
    except Exception as error:  # what a damaged file makes Arrow raise has no class in common
        raise _damaged_part(path, error) from None
    return frame


def _damaged_part(path: Path, error: Exception) -> _DamagedPart:
    return _DamagedPart(str(damaged(path, error, "delete it, and with it those epochs' curves")))


def _checksum(table: pa.Table) -> bytes:
    """Returns the CRC-32 of a table's names, types and values, whatever their encoding."""
    found = 0
    for name, column in zip(table.column_names, table.columns, strict=True):
        found = zlib.crc32(f"{name} {column.type} {column.null_count}".encode(), found)
        values = column.to_numpy()
        texts = values.dtype == object
        found = zlib.crc32(repr(values.tolist()).encode() if texts else np.ascontiguousarray(values).data, found)
    return f"{found:08x}".encode()
