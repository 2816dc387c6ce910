"""Which names, links and records of a run directory are believed, whoever wrote it.

A run directory may come from anybody. Before one of its files is opened, no link may lead out of
it (`check_tree`); before a word from one of its documents becomes part of a path, the word has the
form that this program gives it (`check_names`, `check_config`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fer_jax.base.text import shown
from fer_jax.errors import RunError

# What a plan calls its stacks and waves: no folder or file of another name is ours to delete.
STACK = re.compile(r"stack_[0-9]{1,9}")
WAVE = re.compile(r"stack_[0-9]{1,9}-wave_[0-9]{1,9}[ab]{0,64}")
# Ids of trials and fits, and checksums, are hexadecimal digests or the beginnings of some.
DIGEST = re.compile(r"[0-9a-f]{1,64}")
# A layer's name is up to whoever writes a network, but it never leads elsewhere.
LAYER = re.compile(r"[^/\\\0-\x1f.][^/\\\0-\x1f]{0,199}")
# What this program writes into; other folders of a run directory are their owner's business.
FOLDERS = (
    ".sealed",
    "checkpoints",
    "curves",
    "exports",
    "features",
    "figures",
    "heads",
    "predictions",
    "tables",
    "tensorboard",
)
MOST_CLASSES = 10_000  # a confusion matrix of which takes 800 MB

_FORMS = {"id": DIGEST, "fit": DIGEST, "stack": STACK, "wave": WAVE, "head.layer": LAYER}
_ADVICE = "restore it or start a new --workdir"
_NUMBER = (int, float, type(None))
_CONFIG = {
    "config": dict, "command": str, "versions": dict, "devices": list, "machine": str, "data": dict,
    "other_data": (list, type(None)), "checksums": list, "initial": list, "swept": list, "chosen": (dict, type(None)),
    "started": (str, type(None)), "finished": (str, type(None)), "seconds": _NUMBER, "images_per_second": _NUMBER,
    "race": (dict, type(None)),
}  # fmt: skip
_DATA = {"checksum": str, "classes": list, "split": str, "counts": dict, "majority_share": _NUMBER, "label": str}


def check_tree(run: Path) -> None:
    """Raises RunError for a link, a pipe or a device where this program reads or writes.

    Everything in the top folder is looked at, and all below `FOLDERS`; of the checkpoints only
    what has the name of a wave. The run directory itself may be reached by a link.
    """
    waiting = [run]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = folder / entry.name
                    if folder == run / "checkpoints" and not WAVE.fullmatch(entry.name):
                        continue
                    _check_entry(entry, path)
                    if entry.is_dir(follow_symlinks=False) and (folder != run or entry.name in FOLDERS):
                        waiting.append(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # no run yet, or a wave that another process has just finished with
        except OSError as error:
            raise RunError(f"cannot read {shown(str(folder))}: {error.strerror}; change its permissions") from None


def _check_entry(entry: os.DirEntry, path: Path) -> None:
    if entry.is_symlink():
        raise RunError(
            f"{shown(str(path))} is a link, and what is written through it would land outside the run: "
            "put what it names in its place, or let the whole run directory be a link"
        )
    if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)) and os.path.lexists(path):
        raise RunError(f"{shown(str(path))} is neither a file nor a folder: remove it")


def check_name(form: re.Pattern[str], what: str, name: Any, path: str | Path) -> None:
    """Raises RunError where a document's name is not of its form.

    Args:
        form: `STACK`, `WAVE`, `DIGEST` or `LAYER`.
        what: it names, such as 'wave'.
        name: as the document has it.
        path: of the document.
    """
    if not isinstance(name, str) or not form.fullmatch(name):
        said = shown(name if isinstance(name, str) else repr(name), 80)
        raise RunError(f"{shown(str(path))}: {what} {said!r} is no name that this program gives; {_ADVICE}")


def check_names(path: Path, table: pd.DataFrame) -> None:
    """Raises RunError for a table whose ids, stacks, waves or layers are not names of this program.

    Stack and wave may be empty, as those of trials that no plan knows yet; so may a layer.
    """
    for column, form in _FORMS.items():
        if column not in table:
            continue
        for name in table[column].unique():
            empty = pd.isna(name) or name == ""
            if not empty or column in ("id", "fit"):
                check_name(form, column, "" if empty else name, path)
    key = next((column for column in ("fit", "id") if column in table), None)
    if key and (twice := table[key][table[key].duplicated()]).size:
        raise RunError(f"{shown(str(path))}: {key} {twice.iloc[0]} is there twice; {_ADVICE}")
    if "slot" in table and (table["slot"] < 0).any():
        raise RunError(f"{shown(str(path))}: slot {table['slot'].min()} is below 0; {_ADVICE}")


def check_config(path: Path, document: Mapping[str, Any]) -> None:
    """Raises RunError where config.json has something of another kind than a sweep writes there.

    What it has not, which may be an older version's, is no matter here.
    """
    _check_kinds(path, "", document, _CONFIG)
    for name in document.get("swept", ()):
        if not isinstance(name, str):
            raise _other_kind(path, "swept", name)
    for checksum in document.get("checksums", ()):
        check_name(DIGEST, "checksum", checksum, path)
    for start in document.get("initial", ()):
        if not isinstance(start, dict) or {"init", "network", "checksum"} - start.keys():
            raise _other_kind(path, "initial", start)
    for data in [document.get("data", {}), *(document.get("other_data") or ())]:
        if not isinstance(data, dict):
            raise _other_kind(path, "other_data", data)
        _check_data(path, data)


def _check_data(path: Path, data: Mapping[str, Any]) -> None:
    """Checks what config.json says of one data set."""
    _check_kinds(path, "data.", data, _DATA)
    if "checksum" in data:
        check_name(DIGEST, "checksum", data["checksum"], path)
    classes = data.get("classes", ())
    if len(classes) > MOST_CLASSES or not all(isinstance(name, str) for name in classes):
        raise RunError(f"{shown(str(path))}: data.classes must be at most {MOST_CLASSES:,} names; {_ADVICE}")
    for split, counts in data.get("counts", {}).items():
        if not isinstance(counts, dict) or not all(type(count) is int and count >= 0 for count in counts.values()):
            raise _other_kind(path, f"data.counts.{split}", counts)


def _check_kinds(path: Path, prefix: str, found: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    for name, kind in kinds.items():
        if name in found and not isinstance(found[name], kind):
            raise _other_kind(path, prefix + name, found[name])


def _other_kind(path: Path, name: str, value: Any) -> RunError:
    said = shown(repr(value), 80)
    return RunError(f"{shown(str(path))}: {shown(name, 80)} is {said}, which no start of a sweep writes; {_ADVICE}")
