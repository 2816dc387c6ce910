"""Files that claim more than they hold are refused before memory is taken for them."""

import io
import os
import zipfile

import numpy as np
import pandas as pd
import pytest

from fer_jax.store import bounds


def header(shape, kind="<f4"):
    found = io.BytesIO()
    np.lib.format.write_array_header_1_0(found, {"descr": kind, "fortran_order": False, "shape": shape})
    return found.getvalue()


def zipped(path, data, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("test_labels.npy", data)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64 levels"),
        ("[1]", "it holds no object but \\[1\\]"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": ' + "9" * 100_000 + "}", "digits"),
        ("{", "Expecting property name"),
    ],
)
def test_a_document_that_is_refused(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        bounds.read_json(tmp_path / "x.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_document_that_is_read(tmp_path):
    (tmp_path / "x.json").write_text('{"a": [1, 2.5, null, "é"], "b": ' + "[" * 60 + "]" * 60 + "}")
    assert bounds.read_json(tmp_path / "x.json")["a"] == [1, 2.5, None, "é"]


def test_files_of_a_terabyte_are_not_read(tmp_path):
    path = tmp_path / "x"
    path.touch()
    os.truncate(path, 1 << 40)
    for check in (bounds.read_whole, bounds.read_json, bounds.check_table, bounds.check_curves, bounds.check_zip):
        with pytest.raises(ValueError):
            check(path)


def test_a_table_of_a_million_columns_is_refused(tmp_path):
    for count in (bounds.MOST_COLUMNS + 1, 10**6):
        (tmp_path / "x.csv").write_text(",".join(f"c{number}" for number in range(count)) + "\n1\n")
        with pytest.raises(ValueError, match="more than 10,000 columns"):
            bounds.check_table(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("id,status\na,done\n")
    bounds.check_table(tmp_path / "x.csv")


def test_arrays_come_back_as_numpy_wrote_them(tmp_path):
    arrays = {"test_labels": np.arange(5, dtype=np.int32), "test_leaked": np.arange(5) > 2, "none": np.zeros((0, 3))}
    np.savez(tmp_path / "x.npz", **arrays)
    found = bounds.read_npz(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("data", "how", "said"),
    [
        (header((10**12,)) + b"1234", zipfile.ZIP_STORED, "claims 1,000,000,000,000 of float32"),
        (header((10**12, 10**12)), zipfile.ZIP_STORED, "claims"),
        (header((1,), "|O") + b"cos\nsystem\n", zipfile.ZIP_STORED, "of object"),
        (header((1 << 20,), "|i1") + bytes(1 << 20), zipfile.ZIP_DEFLATED, "more room than the file"),
        (b"no array", zipfile.ZIP_STORED, "magic string"),
    ],
)
def test_arrays_that_claim_more_than_they_hold(tmp_path, data, how, said):
    with pytest.raises(ValueError, match=said):
        bounds.read_npz(zipped(tmp_path / "x.npz", data, how))


def test_curves_whose_columns_would_grow_are_refused(tmp_path):
    good = pd.DataFrame({"id": ["a", "b"], "epoch": [1, 1], "val_loss": [0.5, np.nan]})
    good.to_parquet(tmp_path / "x.parquet", index=False)
    bounds.check_curves(tmp_path / "x.parquet")
    for column, value, said in (
        ("id", "x" * 100_000, "an id of it has more than 64"),
        ("val_loss", "y" * 100_000, "val_loss holds no numbers"),
    ):
        pd.concat([good] * 50).assign(**{column: value}).to_parquet(tmp_path / "x.parquet", index=False)
        with pytest.raises(ValueError, match=said):
            bounds.check_curves(tmp_path / "x.parquet")


def test_curves_of_more_rows_than_there_ever_are_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_FILE_BYTES", 1 << 20)
    zeros = pd.DataFrame({"id": "a", "epoch": np.zeros(100_000, np.int64)})
    zeros.to_parquet(tmp_path / "x.parquet", index=False)
    assert (tmp_path / "x.parquet").stat().st_size < 1 << 14
    with pytest.raises(ValueError, match="it claims 100,000 rows of 2 columns"):
        bounds.check_curves(tmp_path / "x.parquet")


def test_arrays_of_a_checkpoint_take_no_more_than_is_stored(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "data").write_bytes(bytes(1000))
    # Zeros need not be stored.
    bounds.check_arrays(tmp_path, {"kernel": ((1000, 1000), 4)})
    with pytest.raises(ValueError, match="kernel claims 1,000,000,000,000, and 1.0 kB are stored"):
        bounds.check_arrays(tmp_path, {"kernel": ((10**12,), 4)})
    with pytest.raises(ValueError, match="and 1.0 kB are stored"):
        bounds.check_arrays(tmp_path, {f"kernel_{number}": ((1 << 24,), 4) for number in range(17)})
