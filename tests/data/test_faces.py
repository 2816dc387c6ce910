"""Built-in faces: the same bytes everywhere, FER-2013's proportions, and neither too easy nor too
hard.
"""

import hashlib

import numpy as np
import pytest

from fer_jax.data import faces


def test_shape_and_types():
    images, labels = faces.draw("train", 5, size=20, channels=3)
    assert images.shape == (5, 20, 20, 3) and images.dtype == np.uint8
    assert labels.shape == (5,) and labels.dtype == np.int32


def test_same_bytes_on_every_machine():
    digest = hashlib.sha256()
    for size, channels in ((24, 1), (48, 3)):
        images, labels = faces.draw("train", 200, seed=7, size=size, channels=channels)
        digest.update(images.tobytes() + labels.astype("<i4").tobytes())
    assert digest.hexdigest() == "8524119ac43f549181432292d1f40a5457eaeb1f8b3ebcf48e170bd6147528b1"


@pytest.mark.parametrize("size", (16, 90))
def test_image_does_not_depend_on_the_number_drawn(size):
    many, many_labels = faces.draw("validation", 40, size=size)
    few, few_labels = faces.draw("validation", 17, size=size)
    np.testing.assert_array_equal(many[:17], few)
    np.testing.assert_array_equal(many_labels[:17], few_labels)


def test_splits_and_seeds_show_other_people():
    drawn = [faces.draw(split, 30, seed=seed)[0] for split in ("train", "validation", "test") for seed in (0, 1)]
    seen = {image.tobytes() for images in drawn for image in images}
    assert len(seen) == 6 * 30


def test_same_face_at_every_size_and_colour():
    small, labels = faces.draw("train", 60, size=24)
    large, large_labels = faces.draw("train", 60, size=48, channels=3)
    np.testing.assert_array_equal(labels, large_labels)
    grey = large @ np.array([0.299, 0.587, 0.114])
    shrunk = grey.reshape(60, 24, 2, 24, 2).mean((2, 4))
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small, shrunk, strict=True)]
    others = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small, shrunk[::-1], strict=True)]
    assert np.median(correlation) > 0.9 > np.median(others) + 0.3


def test_class_frequencies_are_those_of_fer2013():
    _, labels = faces.draw("train", 2000, size=8, label_noise=0)
    shares = np.bincount(labels, minlength=7) / 2000
    np.testing.assert_allclose(shares, np.array(faces.FREQUENCIES) / 35887, atol=0.002)
    _, labels = faces.draw("test", 70, size=8, label_noise=0)
    assert np.bincount(labels, minlength=7).min() >= 1


def test_chosen_classes_keep_their_ratio():
    _, labels = faces.draw("train", 1000, size=8, classes=("disgust", "happy"), label_noise=0)
    assert abs((labels == 0).mean() - 547 / (547 + 8989)) < 0.003


def test_label_noise_replaces_its_share_and_no_pixel():
    clean_images, clean = faces.draw("train", 4000, size=8, label_noise=0)
    noisy_images, noisy = faces.draw("train", 4000, size=8, label_noise=0.05)
    np.testing.assert_array_equal(clean_images, noisy_images)
    assert 0.035 < (clean != noisy).mean() < 0.065
    # Every other class gets its part of what is replaced.
    assert np.bincount((noisy - clean)[clean != noisy] % 7, minlength=7)[1:].min() > 10


def test_expressions_show_in_the_image():
    # In the middle of the lower third: a gaping dark mouth, and white teeth.
    images, labels = faces.draw("train", 1500, size=48, label_noise=0)
    mouth = images[:, 32:46, 16:32, 0].astype(float)
    by_class = {name: mouth[labels == i] for i, name in enumerate(faces.CLASSES)}
    assert by_class["surprise"].mean() < by_class["neutral"].mean() - 15
    brightest = {name: np.quantile(values, 0.95, axis=(1, 2)).mean() for name, values in by_class.items()}
    assert min(brightest[name] for name in ("happy", "fear", "disgust")) > brightest["neutral"] + 10


def test_linear_classifier_stays_below_65_percent():
    pixels, answers = {}, {}
    for split, count in (("train", 2000), ("validation", 500)):
        images, answers[split] = faces.draw(split, count)
        pixels[split] = np.column_stack([images.reshape(count, -1) / 255 - 0.4, np.full(count, 1.0)])
    # Ridge regression on one-hot answers, its penalty the best of a wide range.
    gram, targets = pixels["train"].T @ pixels["train"], pixels["train"].T @ np.eye(7)[answers["train"]]
    accuracies = []
    for penalty in (1, 10, 100):
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), targets)
        accuracies.append(((pixels["validation"] @ weights).argmax(1) == answers["validation"]).mean())
    assert 0.4 < max(accuracies) < 0.65


def test_what_faces_show_is_their_label_without_noise():
    for classes in (faces.CLASSES, ("sad", "happy", "fear")):
        _, clean = faces.draw("test", 500, seed=3, size=8, classes=classes, label_noise=0)
        np.testing.assert_array_equal(faces.drawn_classes("test", 500, 3, classes), clean)
