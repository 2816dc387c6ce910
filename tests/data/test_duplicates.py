"""Copies of images: exact groups as a dict of bytes has them, near pairs as all pairs held
against each other have them.
"""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy import fft, stats

from fer_jax.data import duplicates, faces
from fer_jax.data.reading import image_files

FACES = faces.draw("train", 60, seed=3, size=48)[0]


def reference_hash(grey):
    """The same bits from SciPy's transform; 64 of them, as bool."""
    low = fft.dctn(grey.astype(float))[1:9, 1:9].ravel()
    return low > np.median(low)


def reference_equalised(grey):
    """The share of each image that is darker, and half of what is as dark, by SciPy's ranks."""
    return np.array([(stats.rankdata(one).reshape(one.shape) - 0.5) / one.size for one in grey])


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())))[..., None]


def altered(image, seed=0):
    """Near copies of one image, by what was done to it."""
    wide = Image.fromarray(image[..., 0]).resize((130, 130), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(seed).normal(0, 5, image.shape)
    return {
        "JPEG of quality 50": jpeg(image, 50),
        "lighter": np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8),
        "less contrast": (40 + image * 0.6).astype(np.uint8),
        "noise": np.clip(image + noise, 0, 255).astype(np.uint8),
        "larger and small again": np.asarray(wide.resize((48, 48), Image.Resampling.LANCZOS))[..., None],
    }


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 29))
def test_exact_groups_are_those_of_equal_bytes_in_order_of_appearance(which, cut):
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), np.uint8)[which]
    known = list(dict.fromkeys(image.tobytes() for image in images))
    copies = duplicates.find([images[:cut], images[cut:]])
    assert copies.group.tolist() == [known.index(image.tobytes()) for image in images]
    assert copies.first.tolist() == [copies.group.tolist().index(group) for group in range(len(known))]
    assert copies.sizes.sum() == len(images) and not len(copies.near)


@pytest.mark.parametrize("size", [9, 24, 48, 61])
def test_hash_is_that_of_the_cosine_transform(size):
    grey = np.random.default_rng(size).integers(0, 256, (20, size, size)).astype(np.float32)
    hashes = duplicates.perceptual_hash(grey)
    bits = np.unpackbits(hashes[:, None].view(np.uint8), axis=1).astype(bool)
    np.testing.assert_array_equal(bits, [reference_hash(one) for one in grey])


@pytest.mark.parametrize("channels", [1, 3])
def test_near_pairs_are_those_of_all_pairs_held_against_each_other(channels, monkeypatch):
    monkeypatch.setattr(duplicates, "HASHES_AT_ONCE", 7)
    monkeypatch.setattr(duplicates, "CHUNK_BYTES", 4 * 48 * 48 * 5)
    images = np.concatenate([FACES[:20], *(np.stack(list(altered(FACES[at]).values())) for at in range(4)), FACES[2:3]])
    images = np.repeat(images, channels, axis=3)
    copies = duplicates.find([images[:13], images[13:]], near=True)
    grey = images[..., 0]
    wanted = {}
    looks = ((reference_equalised(grey), duplicates.CHANGED_CORRELATION), (grey, duplicates.NEAR_CORRELATION))
    for shown, least in looks:  # what the images as they are say stands
        hashes = np.array([reference_hash(one) for one in shown])
        for one in range(40):  # the last is an exact copy of another, so one of its group
            for other in range(one + 1, 40):
                bits = int((hashes[one] != hashes[other]).sum())
                correlation = np.corrcoef(shown[one].ravel(), shown[other].ravel())[0, 1]
                if bits <= duplicates.NEAR_BITS and correlation >= least:
                    wanted[one, other] = bits, correlation
    found = {tuple(pair): at for at, pair in enumerate(copies.near.tolist())}
    assert set(found) == set(wanted) and len(wanted) > 20
    for pair, (bits, correlation) in wanted.items():
        assert copies.bits[found[pair]] == bits
        assert copies.correlation[found[pair]] == pytest.approx(correlation, abs=1e-5)


def test_altered_images_are_near_copies_and_other_faces_are_not():
    for at, face in enumerate(FACES[:10]):
        made = altered(face, at)
        copies = duplicates.find([FACES, np.stack(list(made.values()))], near=True)
        rows = np.arange(60, 60 + len(made))
        missed = np.array(list(made))[~copies.found(rows, np.array([at]))].tolist()
        assert not missed, (at, missed)
    alone = duplicates.find([FACES], near=True)
    assert not len(alone.near)


def test_equalising_gives_the_share_that_is_darker():
    found = duplicates.equalised(FACES[:3, ..., 0].astype(np.float32))
    np.testing.assert_allclose(found, 255 * reference_equalised(FACES[:3, ..., 0]), atol=1e-3)


def test_copies_under_any_rising_curve_are_found():
    curves = {
        "equalised": lambda image: np.asarray(ImageOps.equalize(Image.fromarray(image[..., 0])))[..., None],
        "gamma 3": lambda image: (255 * (image / 255.0) ** 3).astype(np.uint8),
    }
    made = np.stack([curve(face) for curve in curves.values() for face in FACES])
    copies = duplicates.find([FACES, made], near=True)
    pairs = set(map(tuple, copies.group[copies.first][copies.near].tolist()))
    found = [(at % 60, 60 + at) in pairs for at in range(len(made))]
    assert np.mean(found) >= 0.99
    assert all(high % 60 == low % 60 for low, high in pairs)  # and nothing else


def stretched(images, width, height):
    """The images stretched, as they are cut and as a whole."""
    made = [Image.fromarray(one[..., 0]).resize((width, height), Image.Resampling.BICUBIC) for one in images]
    whole = duplicates.Whole(np.arange(len(made)), np.stack([image_files.thumb(one) for one in made]))
    return np.stack([image_files.fit(one, 48, 1) for one in made]), whole


def test_stretched_copies_are_found_as_a_whole():
    cut, whole = stretched(FACES[:20], 150, 200)
    blind = duplicates.find([FACES, cut], near=True)
    assert blind.found(np.arange(60, 80), np.arange(60)).mean() < 0.5  # the square that is cut out shows less
    copies = duplicates.find([FACES, cut], near=True, wholes=[None, whole])
    assert sorted(copies.near.tolist()) == [[at, 60 + at] for at in range(20)]
    # Two that were stretched in other ways, one of them in the other part.
    wide, whole_wide = stretched(FACES[:20], 200, 90)
    both = duplicates.find([cut, wide], near=True, wholes=[whole, whole_wide])
    assert both.found(np.arange(20, 40), np.arange(20)).all()


def test_the_whole_of_some_images_is_that_of_each():
    whole = duplicates.Whole(np.array([1, 4, 6]), np.arange(3)[:, None, None] * np.ones((1, 2, 2), np.uint8))
    some = whole.of(np.array([6, 0, 1, 6, 5]))
    assert some.rows.tolist() == [0, 2, 3] and some.thumbs[:, 0, 0].tolist() == [2, 0, 2]
    none = whole.of(np.array([0, 2]))
    assert not len(none.rows) and not len(none.of(np.array([0])).rows)
    plain = duplicates.find([FACES[:4]], near=True, wholes=[none])
    assert not len(plain.near)


def test_a_copy_is_found_through_every_member_of_its_group():
    images = np.stack([FACES[0], FACES[1], FACES[0], jpeg(FACES[0], 60), FACES[5]])
    copies = duplicates.find([images], near=True)
    assert copies.near.tolist() == [[0, 2]] and copies.group.tolist() == [0, 1, 0, 2, 3]
    assert copies.found(np.array([3, 4, 1]), np.array([2])).tolist() == [True, False, False]
    assert copies.found(np.array([0, 2, 1]), np.array([3])).tolist() == [True, True, False]
    assert not copies.exact().found(np.array([3]), np.array([0, 2])).any()
    assert not copies.found(np.array([], int), np.array([0])).size


def test_flat_images_are_copies_of_nothing_but_themselves():
    rng = np.random.default_rng(0)
    flat = [
        np.full((48, 48, 1), 7, np.uint8),
        np.full((48, 48, 1), 9, np.uint8),
        rng.integers(100, 103, (48, 48, 1)).astype(np.uint8),
    ]
    images = np.stack([*flat, flat[0]])
    copies = duplicates.find([images], near=True)
    assert copies.group.tolist() == [0, 1, 2, 0] and not len(copies.near)
    constant, sd = duplicates.contrast(images)
    assert constant.tolist() == [True, True, False, True]
    np.testing.assert_allclose(sd, images.reshape(4, -1).std(1), atol=1e-5)


def test_a_image_that_varies_in_one_channel_is_not_constant():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0] = (10, 20, 30)
    images[1, 0, 0, 2] = 200
    constant, sd = duplicates.contrast(images)
    assert constant.tolist() == [True, False]
    np.testing.assert_allclose(sd, [0, images[1, ..., 2].std()], atol=1e-4)
