"""Words for people: counts, times, sizes, columns, and names like the one that was meant."""

import difflib
from collections.abc import Iterable, Sequence


def counted(count: int, noun: str) -> str:
    """Returns the count with its noun: '1 trial', '1,200 trials'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sentence(words: str) -> str:
    """Returns words as a sentence: with a large first letter and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def in_time(seconds: float) -> str:
    """Returns seconds in words: '1 min 15 s', '2 h 05 min', from two days on '2.5 days'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds / 86400:.1f} days"


def in_bytes(count: float) -> str:
    """Returns bytes as '1.2 MB', in powers of 1000."""
    return _with_prefix(count, "B")


def in_flops(count: float) -> str:
    """Returns floating-point operations as '2.5 TFLOP'."""
    return _with_prefix(count, "FLOP")


def aligned(rows: Iterable[Sequence[str]], sides: str = "l", most: Sequence[int] = ()) -> list[str]:
    """Returns rows of cells as lines whose columns are of one width, two spaces apart.

    No line ends in spaces, so that a left column at the end may hold texts of any length.

    Args:
        rows: of equally many cells; [] gives [].
        sides: 'l'eft or 'r'ight for each column; columns beyond the last letter follow it.
        most: the widest that the first columns become; a longer cell pushes the rest of its line.
    """
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    widths[: len(most)] = [min(pair) for pair in zip(widths, most, strict=False)]
    sides = sides.ljust(len(widths), sides[-1])
    pad = {"l": str.ljust, "r": str.rjust}
    return [
        "  ".join(pad[side](cell, width) for cell, width, side in zip(row, widths, sides, strict=True)).rstrip()
        for row in table
    ]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns 'did you mean a or b?', for the end of an error message about a wrong name.

    Named are up to three of `known` that are most like `name`, else the first three; 'there are
    none' where none are known.
    """
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
    """Returns a name as it may stand in a one-line message.

    Control characters are escaped, and a name longer than `limit` characters loses its middle.
    """
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= limit else f"{text[: limit // 2 - 2]}...{text[-(limit // 2 - 2) :]}"
