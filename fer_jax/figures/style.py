"""The look of every figure, and how one becomes a PNG.

Figures are plain `matplotlib.figure.Figure` objects on the Agg canvas: no pyplot, no global state,
so that reports can be drawn from several threads and without a display. Colours of lines have a
contrast of 3 : 1 against white or more (WCAG 2), and stay apart for colour-blind readers; those of
areas are viridis.
"""

from __future__ import annotations

import dataclasses
import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageChops, ImageStat

from fer_jax.base.text import printable
from fer_jax.figures import glyphs

DPI = 200
SCREEN_DPI = 96  # of a notebook
WIDTH = 10.0  # inches; a page shows it about 1,050 pixels wide, so that 9 points read as 13 pixels
TEXT = 9.5
SMALL = 8.5
# Characters of tick labels that fit under a panel, by the number of panels in a row.
# Of a figure that stands alone: inches for what it stands on, and letters in a line of that.
_FOOT, _FOOT_ROOM = 0.34, 165
# Of a WebP without loss: colours, the mean difference of 255 that they may make, and the encoder's
# effort (0 to 100), where more takes longer and saves little; of one with loss its quality.
_COLOURS, _UNSEEN, _EFFORT, _QUALITY = 192, 0.7, 50, 90
ROOM = {1: 110, 2: 50, 3: 31}
# The first three are Okabe and Ito's; the others lie farthest from them and from each other as all
# and as red-green-blind readers see them (OKLab), among those with enough contrast.
BLUE, VERMILLION, GREEN, WINE, SKY, INDIGO = "#0072B2", "#D55E00", "#009E73", "#882255", "#4A98CF", "#332288"
CYCLE = (BLUE, VERMILLION, GREEN, WINE, SKY, INDIGO)
# INK and MUTED are for texts, GREY for lines of lesser weight; the others only part areas.
INK, MUTED, GREY, FAINT, EMPTY = "#1b1f24", "#5b6470", "#868e99", "#d9dde2", "#eef0f2"


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure and the words that go with it.

    Attributes:
        name: stem of its file, such as learning_curves.
        heading: a few words.
        short: one or two words, for a link.
        caption: what is shown and how to read it, the same for every run of its kind.
        figure: the matplotlib figure.
        finding: what there is to see in it, for those who cannot.
        about: the pictures and networks it is of, where they are not all of the run; a sentence.
    """

    name: str
    heading: str
    short: str
    caption: str
    figure: Figure
    finding: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        """Makes texts printable, as names of classes need not be, and completes their fonts."""
        for text in self.figure.findobj(Text):
            text.set_text(printable(text.get_text(), lines=True))
        glyphs.complete(self.figure)


class Pictures(NamedTuple):
    """A figure as files: a PNG that stands alone, and a WebP for a page, which says the rest."""

    png: bytes
    webp: bytes


class ShownFigure(Figure):
    """A figure that a notebook shows by itself, whether or not pyplot is there."""

    def savefig(self, *args: Any, **options: Any) -> None:
        """Keeps the figure in a file, as matplotlib does; what no font writes was said before."""
        with glyphs.no_warnings():
            super().savefig(*args, **options)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Returns a PNG, sharp on fine screens too, and the width that it is shown at."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue(), {"width": round(self.get_figwidth() * SCREEN_DPI)}


def figure(height: float) -> Figure:
    """Returns an empty figure of the page's width and `height` inches; nothing in it overlaps."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.03, hspace=0.04)
    made = ShownFigure(figsize=(WIDTH, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(made)  # attaches itself
    return made


def tidy(ax: Any, grid: str = "both") -> None:
    """Leaves two spines, small ticks, and a faint grid ('both', 'x', 'y' or 'none')."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.7)
    ax.tick_params(labelsize=SMALL, color=MUTED, labelcolor=INK, width=0.7, length=3)
    if grid != "none":
        ax.grid(axis=grid, color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)


def open_up(ax: Any, least: float = 0.02) -> None:
    """Widens the y axis to `least` where all that is drawn is nearly one value.

    Rounding would fill it otherwise.
    """
    low, high = ax.get_ylim()
    if high - low < least:
        ax.set_ylim((low + high - least) / 2, (low + high + least) / 2)


def title(ax: Any, text: str) -> None:
    """Sets a panel's heading, flush left."""
    ax.set_title(text, fontsize=TEXT, fontweight="bold", color=INK, loc="left")


def label(ax: Any, x: str | None = None, y: str | None = None) -> None:
    """Sets the names of the axes, broken into lines where they are long."""
    if x is not None:
        ax.set_xlabel(textwrap.fill(x, 56), fontsize=TEXT, color=INK)
    if y is not None:
        ax.set_ylabel(textwrap.fill(y, 26), fontsize=TEXT, color=INK)


def value_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Returns round numbers between two values, with as many decimals as tell them apart."""
    places = [
        float(t) for t in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low - 1e-12 <= t <= high + 1e-12
    ]
    step = places[1] - places[0] if len(places) > 1 else 1.0
    return places, [f"{t:.{max(1, math.ceil(-math.log10(step) - 1e-9))}f}" for t in places]


def legend(made: Figure, handles: Sequence[Any], where: str, columns: int, **more: Any) -> None:
    """Adds a legend outside the panels; `where` is upper left, lower left or lower center."""
    options = {"fontsize": SMALL, "frameon": False, "labelcolor": INK, "alignment": "left", **more}
    made.legend(handles=list(handles), loc=f"outside {where}", ncols=columns, **options)  # type: ignore[call-overload]


def bold(size: float) -> FontProperties:
    return FontProperties(size=size, weight="bold")


def ticks(axis: Any, places: Sequence[float] | np.ndarray, texts: Sequence[str]) -> None:
    """Sets major ticks with their texts and drops minor ones, of `ax.xaxis` or `ax.yaxis`."""
    axis.set_ticks(list(places), labels=[printable(text, lines=True) for text in texts])
    axis.set_ticks([], minor=True)


def ink_on(rgba: Any) -> str:
    """Returns black or white, whichever reads on this colour (relative luminance, WCAG 2)."""
    return "#000000" if _luminance(rgba) > 0.18 else "#ffffff"


def png(made: Figure) -> bytes:
    """Returns the figure as an opaque PNG of DPI dots an inch, the same for the same figure."""
    return _png(_drawn(made))


def pictures(made: Figure, foot: str) -> Pictures:
    """Returns the figure as files, the same for the same figure.

    Args:
        made: a figure, drawn once for both.
        foot: what it stands on (data set, split, repeats), below the PNG.
    """
    image, below = _drawn(made), Figure(figsize=(WIDTH, _FOOT), dpi=DPI, facecolor="white")
    words = textwrap.fill(foot, _FOOT_ROOM, max_lines=2, placeholder=" …")
    below.text(0.008, 0.9, words, ha="left", va="top", fontsize=SMALL - 1.5, color=MUTED, parse_math=False)
    glyphs.complete(below)
    strip = _drawn(below)
    whole = Image.new("RGB", (image.width, image.height + strip.height), "white")
    whole.paste(image, (0, 0))
    whole.paste(strip, (0, image.height))
    return Pictures(_png(whole), _webp(image))


def webp(made: Figure) -> bytes:
    """Returns the figure for a page alone."""
    return _webp(_drawn(made))


def pdf(made: Figure) -> bytes:
    """Returns the figure as a PDF with TrueType fonts, the same for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}), glyphs.no_warnings():
        made.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def _drawn(made: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(made)
    with glyphs.no_warnings():
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _webp(image: Image.Image) -> bytes:
    """Returns a picture as a WebP without loss, in few colours.

    Lines, areas and letters are sharper and smaller so than in pictures of the lossy kind, and
    smaller than as SVG where there are many. Photographs, and hundreds of lines across each other,
    have too many colours for it and become one of the lossy kind.
    """
    few = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    difference = ImageStat.Stat(ImageChops.difference(image, few)).mean
    buffer = io.BytesIO()
    if max(difference) < _UNSEEN:
        few.save(buffer, "webp", lossless=True, quality=_EFFORT, method=4)
    else:
        image.save(buffer, "webp", quality=_QUALITY, method=4)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=6, dpi=(DPI, DPI))
    return buffer.getvalue()


def contrast(one: str, other: str = "#ffffff") -> float:
    """Returns the contrast of two colours, from 1 to 21 (WCAG 2)."""
    lighter, darker = sorted((_luminance(to_rgb(one)), _luminance(to_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
