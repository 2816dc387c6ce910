"""Words for people: counts, times, sizes, and names like the one that was meant."""

import difflib
from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """(1, 'trial') -> '1 trial', (2, 'trial') -> '2 trials'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_time(seconds: float) -> str:
    """75 -> '1 min 15 s'; from an hour on without seconds, from two days on in days."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds / 86400:.1f} days"


def in_bytes(count: float) -> str:
    """1234567 -> '1.2 MB'."""
    return _with_prefix(count, "B")


def in_flops(count: float) -> str:
    """2.5e12 -> '2.5 TFLOP'."""
    return _with_prefix(count, "FLOP")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'did you mean a or b?', of the known names most like `name`, for the end of an error message."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 3, cutoff=0.5) or known[:3]
    return f"did you mean {' or '.join(close)}?" if close else "there are none"


def _with_prefix(count: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if count < 999.5 or prefix == "E":
            return f"{count:.{0 if count >= 99.5 or prefix == '' else 1}f} {prefix}{unit}"
        count /= 1000
    raise AssertionError("the loop returns at its last prefix")


def shown(name: str, limit: int = 200) -> str:
    """A name as it may stand in a one-line message: control characters escaped, a long one without
    its middle.
    """
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= limit else f"{text[: limit // 2 - 2]}...{text[-(limit // 2 - 2) :]}"
