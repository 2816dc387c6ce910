"""JSON documents and CSV tables in the top folder of a run, and the types of their columns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fer_jax.base.files import explain_write, write_bytes
from fer_jax.config.fields import FIELDS
from fer_jax.errors import RunError
from fer_jax.store import bounds, safety, sealed
from fer_jax.store.sealed import StoredTable

# What a later start believes, see `store.sealed`; the other tables are made from these.
_SEALED = ("trials.csv", "heads.csv")

_TEXT_COLUMNS = ("fit", "id", "status", "stack", "wave", "error", "left_out")
# Counts, which pandas would turn into floats where a pending trial has none yet.
COUNT_COLUMNS = (
    "seed",
    "repeat",
    "slot",
    "epochs",
    "best_epoch",
    "diverged_epoch",
    "pruned_epoch",
    "n",
    "features",
    "threads",
    "rounds",
)
# From version 3.1 on pandas reads every float exactly, and warns whoever asks for it.
_EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)


class Documents:
    """The documents and tables of the run at `path`, by the names of their files."""

    def __init__(self, path: Path):
        self.path = path

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Writes a document; RunError where the disk refuses."""
        # What is no number, which a reader of data may have put into its provenance, is no JSON.
        plain = json.loads(json.dumps(document), parse_constant=lambda word: None)
        write_bytes(self.path / name, (json.dumps(plain, indent=1) + "\n").encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """Returns a document; RunError where there is none, or it is damaged."""
        try:
            return bounds.read_json(self.path / name)
        except ValueError as error:
            raise damaged(self.path / name, error, "restore it or start a new --workdir") from None
        except OSError as error:
            raise _read_error(self.path / name, error) from None

    def write_table(self, name: str, frame: pd.DataFrame) -> None:
        """Writes a table: numbers in full precision, counts as integers, what is missing empty."""
        counts = dict.fromkeys(_counts(frame.columns), "Int64")
        content = frame.astype(counts).to_csv(index=False).encode()
        if name in _SEALED:
            sealed.write(self.path / name, content)
        else:
            write_bytes(self.path / name, content)

    def forget_table(self, name: str) -> None:
        """Deletes a table with its sealed copy, if they are there."""
        with explain_write(self.path / name):
            sealed.forget(self.path / name)

    def has_table(self, name: str) -> bool:
        """Returns whether a table that is sealed is there, be it only as its sealed copy."""
        return sealed.exists(self.path / name)

    def stored_table(self, name: str) -> StoredTable:
        """Returns what may be believed of a sealed table; RunError if there is none or too much."""
        path = self.path / name
        try:
            if path.exists():
                bounds.check_table(path)
            return sealed.read(path)
        except OSError as error:
            raise _read_error(path, error) from None
        except ValueError as error:
            raise damaged(path, error, "restore it or start a new --workdir") from None

    def read_table(self, name: str) -> pd.DataFrame:
        """Returns a sealed table: ids and texts as str, counts as Int64, tuples as their text.

        Raises:
            RunError: there is no such file, or it is damaged.
        """
        try:
            frame = typed(self.stored_table(name).content)
        except ValueError as error:
            raise damaged(self.path / name, error, "restore it or start a new --workdir") from None
        safety.check_names(self.path / name, frame)
        return frame


def typed(content: bytes) -> pd.DataFrame:
    """Returns the table that CSV holds, as `Documents.read_table`; ValueError where it does not."""
    # Ids are hexadecimal: read as a number, 12345e6789 would be infinite.
    header = pd.read_csv(io.BytesIO(content), nrows=0).columns
    types = {column: "str" for column in _TEXT_COLUMNS if column in header}
    types |= dict.fromkeys(_counts(header), "Int64")
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype=types, **_EXACT)
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from None
    return frame.fillna({column: "" for column in _TEXT_COLUMNS if column in frame})


def _counts(columns: Iterable[str]) -> list[str]:
    """Returns the columns that hold whole numbers: counts, and such fields of heads.

    A head field is empty where another kind of head has no use for it.
    """
    heads = {name for name, field in FIELDS.items() if field.kind == "head" and field.type is int}
    return [column for column in columns if column in COUNT_COLUMNS or column in heads]


def damaged(path: Path, error: Exception, advice: str) -> RunError:
    """Returns the one-line error to show where a file cannot be understood."""
    return RunError(f"{path} is damaged ({str(error).splitlines()[0]}); {advice}")


def _read_error(path: Path, error: OSError) -> RunError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return RunError(f"no run at {path.parent}: it has no {path.name}")
    return RunError(f"cannot read {path}: {error.strerror}")
