"""What is found of copies that were altered in one way, and what is taken for a copy that is none.

    python benchmarks/copies.py DATA [--pictures=1000] [--seed=0]

Prints docs/audit.md's table: of so many random pictures of a data set of square pictures such as
FER-2013, altered in one way each, the share that `duplicates.find` finds beside its original and,
for comparison, the share that pHash finds, the hash alone, as the package imagehash computes it:
grey, 32 x 32 pixels, DCT, the lowest 8 x 8 coefficients against their median. False alarms are
altered pictures found in the mirror images of all other pictures: these are faces like any, but
copies of none, but for near copies of the original, which do not count.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from scipy import fft

from fer_jax.data import contents, duplicates
from fer_jax.data.duplicates import Whole
from fer_jax.data.reading import image_files

PHASH_BITS = (4, 10)


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def _noise(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image)
    noise = np.random.default_rng(int(pixels.sum())).normal(0, 10, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _cropped(image: Image.Image) -> Image.Image:
    cut = 0.025 * image.width
    box = (cut, cut, image.width - cut, image.height - cut)
    return image.resize(image.size, Image.Resampling.BICUBIC, box)


def _tinted(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image, "black", (255, 235, 205))


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": lambda image: _jpeg(image, 50),
    "JPEG of quality 20": lambda image: _jpeg(image, 20),
    "enlarged to 224 pixels, JPEG of quality 90": lambda image: _jpeg(image.resize((224, 224), 3), 90),
    "shrunk to 24 pixels and back": lambda image: image.resize((24, 24), 1).resize(image.size, 3),
    "stretched to 150 x 200": lambda image: image.resize((150, 200), 3),
    "stretched to 150 x 200 and back": lambda image: image.resize((150, 200), 3).resize(image.size, 1),
    "histogram equalised": ImageOps.equalize,
    "equalised and stretched to 150 x 200": lambda image: ImageOps.equalize(image).resize((150, 200), 3),
    "brightness + 30 of 255": lambda image: image.point(lambda value: min(255, value + 30)),
    "half the contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.5),
    "twice the contrast": lambda image: ImageEnhance.Contrast(image).enhance(2.0),
    "gamma 2": lambda image: image.point(lambda value: round(255 * (value / 255) ** 2)),
    "tinted, in colour": _tinted,
    "Gaussian noise, sd 10 of 255": _noise,
    "5 % cropped and resized": _cropped,
    "rotated by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
    "mirrored": ImageOps.mirror,
}


def phash(image: Image.Image) -> int:
    """Returns the hash of the package imagehash, as a number of 64 bits."""
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), float)
    low = fft.dct(fft.dct(small, axis=0), axis=1)[:8, :8]
    return int("".join("01"[int(bit)] for bit in (low > np.median(low)).ravel()), 2)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("data")
    flags.add_argument("--pictures", type=int, default=1000)
    flags.add_argument("--seed", type=int, default=0)
    given = flags.parse_args()
    every = contents.read(given.data).images
    known = duplicates.find([every], near=True)
    varied = duplicates.contrast(every)[1] >= duplicates.FLAT_SD
    firsts = known.first[varied[known.first]]
    asked = np.sort(np.random.default_rng(given.seed).choice(firsts, given.pictures, replace=False))
    originals, mirrored = every[asked], np.ascontiguousarray(every[firsts][:, :, ::-1])
    like = _near_of(known, asked, firsts)
    hashes = [
        np.array([phash(Image.fromarray(one[..., 0])) for one in some], np.uint64) for some in (originals, mirrored)
    ]
    print(f"{len(asked):,} of {len(firsts):,} distinct pictures\n")
    print(
        "| altered by | found | pHash, 10 bits | 4 bits | false alarms | pHash, 10 bits | 4 bits |\n|---|" + "---|" * 6
    )
    for name, alter in ALTERED.items():
        made = [alter(Image.fromarray(one[..., 0])) for one in originals]
        images = np.stack([image_files.fit(one, every.shape[1], 1) for one in made])
        whole = None
        if made[0].width != made[0].height:
            whole = Whole(np.arange(len(made)), np.stack([image_files.thumb(one) for one in made]))
        row = [_recall(originals, images, whole), _alarms(mirrored, images, whole, like)]
        theirs = np.array([phash(one) for one in made], np.uint64)
        own, other = np.bitwise_count(hashes[0] ^ theirs), np.bitwise_count(hashes[1] ^ theirs[:, None])
        other[like] = 64
        row[1:1] = [float((own <= bits).mean()) for bits in PHASH_BITS[::-1]]
        row += [float((other <= bits).any(1).mean()) for bits in PHASH_BITS[::-1]]
        print(f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for share in row) + " |", flush=True)


def _near_of(known: duplicates.Copies, asked: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Returns which pictures are the same or a near copy of each that is asked, bool (n, m)."""
    place_asked, place = (
        {group: at for at, group in enumerate(known.group[rows].tolist())} for rows in (asked, firsts)
    )
    like = np.zeros((len(asked), len(firsts)), bool)
    same = ((group, group) for group in place_asked)
    for one, other in (*same, *known.near.tolist(), *known.near[:, ::-1].tolist()):
        if one in place_asked:
            like[place_asked[one], place[other]] = True
    return like


def _recall(originals: np.ndarray, images: np.ndarray, whole: Whole | None) -> float:
    copies = duplicates.find([originals, images], near=True, wholes=[None, whole])
    count = len(images)
    found = copies.group[:count] == copies.group[count:]
    pairs = {tuple(pair) for pair in copies.near.tolist()}
    for row in np.flatnonzero(~found).tolist():
        found[row] = tuple(sorted(copies.group[[row, count + row]].tolist())) in pairs
    return float(found.mean())


def _alarms(mirrored: np.ndarray, images: np.ndarray, whole: Whole | None, like: np.ndarray) -> float:
    copies = duplicates.find([mirrored, images], near=True, wholes=[None, whole])
    start, of_group = len(mirrored), {}
    for row, group in enumerate(copies.group.tolist()):
        of_group.setdefault(group, []).append(row)
    wrong = np.zeros(len(images), bool)
    for one, other in copies.near.tolist():
        for mirror in of_group[one]:
            for row in of_group[other]:
                if mirror < start <= row and not like[row - start, mirror]:
                    wrong[row - start] = True
    return float(wrong.mean())


if __name__ == "__main__":
    main()
