"""Draws docs/augment.png: built-in faces under every augmentation, a row a strength, a column an
image.

python docs/augment_picture.py [FILE]
"""

import sys
from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_jax.data import faces
from fer_jax.train.augment import augment, mixup

FACES, SIZE = 5, 64  # a panel's faces and their side, pixels
LABEL, GAP = 112, 6  # width of a label and space between rows, pixels
GREYS = 20  # few enough for a small file
PANELS = (
    ({}, {"flip": 0.5}, {"shift": 0.1}, {"shift": 0.3}, {"rotate": 15.0}, {"rotate": 45.0}, {"zoom": 0.2},
     {"zoom": 0.5}, {"shear": 15.0}, {"shear": 40.0}),
    ({"brightness": 0.2}, {"brightness": 0.5}, {"contrast": 0.3}, {"contrast": 0.8}, {"noise": 0.05}, {"noise": 0.15},
     {"erase": 1.0}, {"mixup": 0.2}, {"mixup": 1.0},
     {"flip": 0.5, "shift": 0.1, "rotate": 15.0, "erase": 0.5}),
)  # fmt: skip


def strip(images: np.ndarray, strengths: dict[str, float]) -> np.ndarray:
    """The images side by side under these strengths, uint8 (h, n w)."""
    hyper = {f"augment.{name}": jax.numpy.float32(value) for name, value in strengths.items()}
    key = jax.random.key(2)
    out = augment(images, hyper, key, hyper.keys())
    if "augment.mixup" in hyper:
        out = mixup(out, np.zeros(len(images)), hyper, key)[0]
    return np.concatenate(np.asarray(out)[..., 0].round().astype(np.uint8), axis=1)


def label(strengths: dict[str, float]) -> str:
    if len(strengths) > 1:
        return "\n".join(strengths)
    return "".join(f"{name} {value:g}" for name, value in strengths.items()) or "as drawn"


def main(path: Path) -> None:
    images = faces.draw("train", FACES, size=SIZE)[0]
    panel_width, row_height = LABEL + FACES * SIZE + GAP, SIZE + GAP
    page = Image.new("L", (len(PANELS) * panel_width, len(PANELS[0]) * row_height), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for i, panel in enumerate(PANELS):
        for j, strengths in enumerate(panel):
            left, top = i * panel_width + LABEL, j * row_height + GAP // 2
            page.paste(Image.fromarray(strip(images, strengths)), (left, top))
            place = (left - GAP, top + SIZE // 2)
            pen.multiline_text(place, label(strengths), fill=0, font=font, anchor="rm", align="right", spacing=1)
    page.quantize(GREYS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("augment.png"))
