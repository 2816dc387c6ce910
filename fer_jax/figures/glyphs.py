"""Fonts for texts that a figure's own font cannot write, such as Chinese and Japanese classes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from fer_jax.base import console

# What names of fonts with many scripts begin with, on Linux, macOS and Windows.
_FAMILIES = (
    "Noto Sans CJK", "Source Han Sans", "WenQuanYi", "IPAGothic", "IPAexGothic", "Takao", "Droid Sans Fallback",
    "Hiragino Sans", "PingFang", "Heiti", "Apple SD Gothic", "Yu Gothic", "Meiryo", "Microsoft YaHei", "SimHei",
    "MS Gothic", "Malgun Gothic", "NanumGothic", "Noto Sans", "Arial Unicode", "Unifont",
)  # fmt: skip
_FILES = ("cjk", "sourcehan", "wqy", "ipag", "ipaexg", "takao", "hiragino", "notosans", "nanum")
_NAMED = 3  # texts of a warning


def complete(made: Figure) -> None:
    """Gives every text of a figure the installed fonts that it needs, beside the figure's own.

    One line on stderr names texts that no installed font can write in full.
    """
    texts = [text for text in made.findobj(Text) if not text.get_text().isascii()]
    own = font_manager.findfont(font_manager.FontProperties())
    needed = [text for text in texts if _lacking(own, text.get_text())]
    unwritten: dict[str, None] = {}
    for text in needed:
        families, left = _families(own, _lacking(own, text.get_text()))
        text.set_fontfamily(families)
        if left:
            unwritten[text.get_text().strip()] = None
    if unwritten:
        names = list(unwritten)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.say_once(
            f"figures cannot write {', '.join(map(repr, names[:_NAMED]))}{more}: no installed font has all of these "
            "characters; install one, such as fonts-noto-cjk"
        )


@contextmanager
def no_warnings() -> Iterator[None]:
    """Silences matplotlib on characters that no font has: `complete` has named the texts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _families(own: str, characters: str) -> tuple[list[str], str]:
    """Returns the families for a text, the own one first, and the characters that none has."""
    families = [font_manager.get_font(own).family_name]
    for family, path in _installed():
        found = _lacking(path, characters)
        if found != characters:
            families.append(family)
            characters = found
        if not characters:
            break
    return families, characters


def _lacking(path: str, text: str) -> str:
    """Returns the characters of a text that a font has no glyph for, each once."""
    known = font_manager.get_font(path)
    return "".join(one for one in dict.fromkeys(text) if not one.isspace() and not known.get_char_index(ord(one)))


@functools.cache
def _installed() -> Sequence[tuple[str, str]]:
    """Returns family and file of the fonts with many scripts, the preferred first."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    # matplotlib keeps a list of fonts, which does not know those installed since it was made.
    for path in font_manager.findSystemFonts():
        if path not in known and any(word in path.lower().rpartition("/")[2] for word in _FILES):
            try:
                manager.addfont(path)
            except (OSError, RuntimeError):
                continue  # not a font that matplotlib reads
    regular = [one for one in manager.ttflist if one.style == "normal" and one.weight in (400, "normal", "regular")]
    found = {one.name: one.fname for family in _FAMILIES for one in regular if one.name.startswith(family)}
    return list(found.items())
