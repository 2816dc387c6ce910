"""Paths in the user's home folder as files show them: with '~' in place of the folder's name."""

from __future__ import annotations

import os
import re
from typing import Any


def hidden(found: Any) -> Any:
    """Returns a text, or what JSON can hold, with '~' for the home folder in every path in it.

    Who opens files expands '~' again; a run directory that is sent then says nothing of whose it
    was.
    """
    if isinstance(found, str):
        home = os.path.expanduser("~").rstrip("/")
        inside = rf"(?<![\w.~/-]){re.escape(home)}(?=/|\W|$)(?![.-])"
        return re.sub(inside, "~", found) if os.path.isabs(home) else found
    if isinstance(found, dict):
        return {name: hidden(value) for name, value in found.items()}
    return [hidden(value) for value in found] if isinstance(found, list) else found
