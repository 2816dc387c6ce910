"""What the paths of images tell by `data.pattern`: label, split and group.

Expressions that repeat a repeat can take longer than anyone waits, and Python cannot stop them:
another process matches, which can be ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from fer_jax.config import naming
from fer_jax.errors import DataError

_SECONDS = 30  # 100,000 names take a second
_LONGEST = 1024  # characters of a path that are looked at, from its end
_MATCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
search = re.compile(pattern).search
json.dump([found and found.groupdict() for found in map(search, names)], sys.stdout)
"""


def match(pattern: str, paths: Sequence[str]) -> list[dict[str, str] | None]:
    """Returns what an expression finds in each path, wherever it matches first in it.

    Args:
        pattern: `data.pattern`.
        paths: of images inside their source; the last 1,024 characters of each are looked at.

    Returns:
        Of each path the texts of the groups label, split and group, without empty ones; None where
        the expression does not match.

    Raises:
        FieldError: the expression cannot be used.
        DataError: matching takes longer than half a minute.
    """
    naming.pattern(pattern)
    asked = json.dumps([pattern, [path[-_LONGEST:] for path in paths]])
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCH], input=asked, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"data.pattern = {pattern!r}: takes longer than {_SECONDS} s on the names of {len(paths):,} pictures; "
            "write it without repeats inside repeats such as (a+)+"
        ) from None
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError(f"data.pattern = {pattern!r}: matching failed ({reason[:160]})")
    found = json.loads(answer.stdout)
    return [groups and {name: text for name, text in groups.items() if text} for groups in found]
