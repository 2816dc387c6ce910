"""Arrays of images and labels: names, shapes, ranges of values, and what is refused."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.data.reading import opening
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError
from tests.data.conftest import Found, one_line

X = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
X[0, 0, :2] = 0, 255
Y = np.array([0, 1, 2, 0, 1, 2])


def read(collect, path: Path, *names_: str, **arrays):
    np.savez(path, **arrays)
    return collect(path, Wanted(names=names_))


def by_row(found, name: str = "X") -> list[str]:
    return [found.labels[f"{name}[{at}]"] for at in range(6)]


@pytest.mark.parametrize(
    "labels",
    [Y, Y.astype(float), Y.astype(np.uint8)[:, None], np.eye(3)[Y], np.array(["a", "b", "c"])[Y],
     np.array([b"A", b"B", b"C"])[Y]],
)  # fmt: skip
def test_labels_are_numbers_one_hot_rows_or_texts(labels: np.ndarray, make, collect, tmp_path: Path) -> None:
    names_ = () if labels.dtype.kind in "US" else ("0=a", "1=b", "2=c")
    found = read(collect, tmp_path / "a.npz", *names_, X=X, y=labels)
    assert by_row(found) == ["a", "b", "c"] * 2
    assert all(np.array_equal(make.pixels(found.data[f"X[{at}]"]), X[at]) for at in range(6))


@pytest.mark.parametrize(
    ("images", "white"),
    [
        (X, None), (X[..., None], None), (X[:, None], None), (X.reshape(6, 64), None),
        (X.astype(">i4"), "0 black to 255"), (X / 255.0, "0 black to 1"),
        ((X / 255).astype(np.float16)[:, None], "0 black to 1"),
        (X / 127.5 - 1, "-1 black to 1"), (X.astype(np.float32), "0 black to 255"),
        (X.astype(np.uint16) * 257, "0 black to 65535"),
    ],
)  # fmt: skip
def test_shapes_and_ranges_are_judged_over_the_data_set(images, white, make, collect, tmp_path: Path) -> None:
    found = read(collect, tmp_path / "a.npz", images=images, labels=Y)
    pixels = np.stack([make.pixels(found.data[f"images[{at}]"]) for at in range(6)]).astype(int)
    assert np.abs(pixels - X).max() <= (1 if images.dtype == np.float16 else 0)
    said = [note for note in found.notes if "are taken as" in note]
    assert [f" {white} white" in note for note in said] == [True] * (white is not None)


def test_colours_first_or_last(make, collect, tmp_path: Path) -> None:
    coloured = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3), np.uint8)
    for images in (coloured, coloured.transpose(0, 3, 1, 2)):
        found = read(collect, tmp_path / "a.npz", X=np.ascontiguousarray(images), y=Y)
        assert all(np.array_equal(make.pixels(found.data[f"X[{at}]"]), coloured[at]) for at in range(6))


def test_names_tell_splits_and_groups(collect, tmp_path: Path) -> None:
    parts = {"x_train": X, "y_train": Y, "x_test": X[:3], "y_test": Y[:3], "groups_train": np.array(list("ppqqrr"))}
    found = read(collect, tmp_path / "a.npz", **parts)
    assert [found.usage[name] for name in ("x_train[0]", "x_test[2]")] == [0, 2]
    assert [found.groups[name] for name in ("x_train[3]", "x_test[2]")] == ["q", ""]
    usage = np.array(["train", "val", "test"] * 2)
    found = read(collect, tmp_path / "a.npz", faces=X, emotion=Y, usage=usage)
    assert [found.usage[f"faces[{at}]"] for at in range(3)] == [0, 1, 2]
    found = read(collect, tmp_path / "a.npz", some=X, thing=Y)  # the only ones that can be
    assert by_row(found, "some") == list("012012")


def test_npy_files_beside_each_other(collect, tmp_path: Path) -> None:
    for name, array in {"X": X, "y": Y, "X_test": X, "y_test": Y[::-1]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    found = collect(tmp_path / "X.npy", Wanted())
    assert by_row(found) == list("012012") and set(found.usage.values()) == {-1}
    found = collect(tmp_path / "X_test.npy", Wanted(fer=True))
    assert by_row(found, "X_test") == ["fear", "disgust", "angry"] * 2 and set(found.usage.values()) == {2}


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"X": X}, "needs images X and their labels y .*; has X \\(6, 8, 8\\)"),
        ({"X": X, "y": Y[:5]}, "X holds 6 images, but y has shape \\(5,\\)"),
        ({"X": X, "y": np.array([0, 1, None, 2, 3, 4], object)}, "array y holds Python objects, which could run any"),
        ({"X": X, "y": Y + 0.5}, "y of float64 holds neither whole numbers nor texts"),
        ({"X": X / 64 - 2, "y": Y}, "values from -2 to 1.98438, none of 0 to 1, -1 to 1, 0 to 255; save them as uint8"),
        ({"X": np.where(X > 9, np.nan, X), "y": Y}, "no numbers \\(NaN\\)"),
        ({"X": np.zeros((6, 8, 8, 5)), "y": Y}, "images have shape \\(n, h, w\\)"),
        ({"X": np.asfortranarray(X), "y": Y}, "stored column by column"),
        ({"X": X, "images": X, "y": Y}, "both X and images may be the images"),
        (
            {"X": X, "y": Y, "split": np.array(["train"] * 5 + ["x"])},
            "split holds 'x', none of train, validation, test",
        ),
    ],
)
def test_arrays_that_are_no_data_set(arrays, says: str, collect, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(collect, tmp_path / "a.npz", **arrays)
    one_line(caught)


def test_pickles_are_never_loaded(collect, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps((X, Y)))
    with pytest.raises(DataError, match="is a pickle, which could run any program and is never loaded"):
        collect(tmp_path / "a.pkl", Wanted())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_in_one_line(data) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        np.savez_compressed(path, X=X, y=Y)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content[: data.draw(st.integers(at, len(content)))])
        try:
            found = Found(path, Wanted())
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert len(found.items) == 6


def test_a_header_that_lies_asks_for_no_memory(collect, tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "X.npy", X)
    head = (tmp_path / "X.npy").read_bytes()
    for shape in (b"(6, 90000, 90000)  ", b"(600000000, 8, 8)  "):
        lie = head.replace(b"(6, 8, 8), }" + b" " * 13, shape[:-2] + b", }" + b" " * (23 - len(shape)))
        (tmp_path / "X.npy").write_bytes(lie[: len(head)])
        with pytest.raises(DataError, match="megapixels|holds 600,000,000 images|cannot be read"):
            collect(tmp_path / "X.npy", Wanted())
    assert opening.open_container(str(tmp_path / "X.npy")).kind == "npy"
