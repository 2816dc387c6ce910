"""Words for people: counts, times, sizes, columns, and names like the one that was meant."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence

# Kinds of characters that a terminal obeys or drops instead of showing them: control and format
# characters, halves of a pair, separators of lines.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}  # letters and pictures of some languages are written with them


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

    Characters that a terminal shows twice as wide, such as Chinese ones, count as two.

    No line ends in spaces, so that a left column at the end may hold texts of any length. Cells are
    `printable`.

    Args:
        rows: of equally many cells; [] gives [].
        sides: 'l'eft or 'r'ight for each column; columns beyond the last letter follow it.
        most: the widest that the first columns become; a longer cell pushes the rest of its line.
    """
    table = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(in_columns, column)) for column in zip(*table, strict=True)]
    widths[: len(most)] = [min(pair) for pair in zip(widths, most, strict=False)]
    sides = sides.ljust(len(widths), sides[-1])
    return [
        "  ".join(padded(cell, width, side) for cell, width, side in zip(row, widths, sides, strict=True)).rstrip()
        for row in table
    ]


def in_columns(text: str) -> int:
    """Returns how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # which --help need not wait for

    return cell_len(text)


def padded(text: str, columns: int, side: str = "l") -> str:
    """Returns a text with the spaces that make it so wide, at its 'l'eft or 'r'ight side."""
    spaces = " " * (columns - in_columns(text))
    return f"{text}{spaces}" if side == "l" else f"{spaces}{text}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Returns 'did you mean a or b?', for the end of an error message about a wrong name.

    Named are up to three of `known` that are most like `name`, in any case of letters, else the
    first three; 'there are none' where none are known.
    """
    name, known = str(name), list(known)
    folded = {one.casefold(): one for one in reversed(known)}
    near = difflib.get_close_matches(name.casefold(), folded, 3, cutoff=0.5)
    close = [folded[name.casefold()]] if name.casefold() in folded else [folded[one] for one in near] or known[:3]
    return f"did you mean {' or '.join(close)}?" if close else "there are none"


def _with_prefix(count: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if count < 999.5 or prefix == "E":
            return f"{count:.{0 if count >= 99.5 or prefix == '' else 1}f} {prefix}{unit}"
        count /= 1000
    raise AssertionError("the loop returns at its last prefix")


def printable(text: str, lines: bool = False) -> str:
    """Returns a text with what a terminal would obey in place of showing it as visible escapes.

    That is ESC and other control characters, marks that turn the direction of writing, and what no
    encoding has. Names of files and classes may hold any of them.

    Args:
        text: of any alphabet.
        lines: whether newlines and tabs stay; else they become escapes as well.
    """
    if text.isprintable():
        return text
    kept = _JOINERS | ({"\n", "\t"} if lines else set())
    return "".join(
        ascii(one)[1:-1] if unicodedata.category(one) in _UNSEEN and one not in kept else one for one in text
    )


def shown(name: str, limit: int = 200) -> str:
    """Returns a name as it may stand in a one-line message.

    It is `printable`, and a name longer than `limit` characters loses its middle.
    """
    text = printable(name)
    return text if len(text) <= limit else f"{text[: limit // 2 - 2]}...{text[-(limit // 2 - 2) :]}"
