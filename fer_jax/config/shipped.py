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


def is_name(given: str) -> bool:
    """Returns whether a text is a name and no path: no file of the user's is called so."""
    return bool(_NAME.fullmatch(given)) and not Path(given).is_file()


def find(given: str, kind: str) -> str:
    """Returns the path of the file that is meant: the one of that name, else what is given.

    '~' is understood, which a shell leaves in `--config=~/mine.py`.
    """
    return str(shipped(kind).get(given, given)) if is_name(given) else os.path.expanduser(given)


def hint(given: str, kind: str) -> str:
    """Returns what to write in place of a path or name that no config or study has."""
    known = list(shipped(kind))
    near = difflib.get_close_matches(Path(given).stem.lower(), known, 1)
    suggested = f"did you mean {near[0]}? " if near else ""
    return f"{suggested}with fer_jax come {', '.join(known)}"
