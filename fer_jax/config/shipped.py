"""Configs and studies that come with fer_jax, by their names: `grid3d`, `oslo`.

They lie in configs/ and sweeps/, which a checkout has at its root and an installed package inside.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

FOLDERS = {"config": "configs", "study": "sweeps"}
_NAME = re.compile(r"[\w-]+")
_PACKAGE = Path(__file__).parents[1]


def shipped(kind: str) -> dict[str, Path]:
    """Returns name -> file of the configs or studies that come with fer_jax, sorted by name.

    Args:
        kind: 'config' or 'study'.
    """
    places = (root / FOLDERS[kind] for root in (_PACKAGE, _PACKAGE.parent))
    folder = next((place for place in places if place.is_dir()), _PACKAGE)
    return {file.stem: file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")}


def is_name(given: str, kind: str) -> bool:
    """Returns whether a text is a name and no path.

    What comes with fer_jax is meant by its name, whatever files there are; another word is a name
    unless a file is called so.

    Args:
        given: without variants.
        kind: 'config' or 'study'.
    """
    return bool(_NAME.fullmatch(given)) and (given in shipped(kind) or not Path(given).is_file())


def find(given: str, kind: str) -> str:
    """Returns the path of the file that is meant: the one of that name, else what is given.

    '~' is understood, which a shell leaves in `--config=~/mine.py`.
    """
    return str(shipped(kind).get(given, given)) if is_name(given, kind) else os.path.expanduser(given)


def as_flag(given: str, kind: str) -> str:
    """Returns 'did you mean --config=grid3d:smoke?' for 'grid3d:smoke' or a path; '' for the rest.

    Args:
        given: an argument that stands beside the flags.
        kind: 'config' or 'study'.
    """
    name, colon, words = given.partition(":")
    near = difflib.get_close_matches(name.lower(), shipped(kind), 1, cutoff=0.75)
    if ".py" in given:
        return f"did you mean --{kind}={given}?"
    return f"did you mean --{kind}={near[0]}{colon}{words}?" if near else ""


def hint(given: str, kind: str) -> str:
    """Returns what to write in place of a path or name that no config or study has."""
    known = list(shipped(kind))
    near = difflib.get_close_matches(Path(given).stem.lower(), known, 1)
    suggested = f"did you mean {near[0]}? " if near else ""
    return f"{suggested}with fer_jax come {', '.join(known)}"
