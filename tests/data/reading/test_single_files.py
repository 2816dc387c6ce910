"""Tables in one file, compressed or not, and archives of one: all the same images."""

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pandas as pd
import pytest

from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError
from tests.data.conftest import one_line


def test_forms_of_one_table_give_the_same_images(sample, make, collect, tmp_path: Path) -> None:
    text = sample.table()
    table = pd.read_csv(io.BytesIO(text))
    (tmp_path / "fer2013.csv").write_bytes(text)
    wanted = collect(tmp_path / "fer2013.csv", True).key
    tabbed, semicolons = (table.to_csv(sep=separator, index=False).encode() for separator in "\t;")
    files = {
        "a.csv.gz": gzip.compress(text), "a.csv.xz": lzma.compress(text), "a.csv.bz2": bz2.compress(text),
        "unnamed.gz": gzip.compress(text), "a.tsv": tabbed, "a.tsv.gz": gzip.compress(tabbed), "b.csv": semicolons,
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    table.to_parquet(tmp_path / "a.parquet")
    table.assign(pixels=[list(map(int, one.split())) for one in table.pixels]).to_parquet(tmp_path / "lists.parquet")
    paths = [tmp_path / name for name in (*files, "a.parquet", "lists.parquet")]
    paths += [make.zip(tmp_path / "c.zip", {"fer2013.csv": text}), make.zip(tmp_path / "d.zip", {"x/any.tsv": tabbed})]
    kaggle = {
        "fer2013.csv": text,
        "icml_face_data.csv": table[["emotion", "Usage", "pixels"]].to_csv(index=False).encode(),
    }
    kaggle |= {"train.csv": table[["emotion", "pixels"]].to_csv(index=False).encode(), "test.csv": b"pixels\n1 2\n"}
    paths.append(make.folder(tmp_path / "kaggle", kaggle))
    for at, path in enumerate(paths):
        assert collect(path, at % 2 == 0).key == wanted, path
    assert "icml_face_data.csv holds the same as fer2013.csv" in collect(tmp_path / "kaggle", True).notes[0]


def test_two_tables_that_differ_are_named(sample, make, collect, tmp_path: Path) -> None:
    text = sample.table()
    path = make.folder(tmp_path / "f", {"fer2013.csv": text, "icml_face_data.csv": text.replace(b"\n0,", b"\n1,")})
    with pytest.raises(
        DataError, match="several data sets .*which differ.*data.path, such as .*f/fer2013.csv"
    ) as caught:
        collect(path, True)
    one_line(caught)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.csv.gz", gzip.compress(b"emotion,pixels\n" + b"x" * 3000, mtime=0)[:-9], "damaged or cut off"),
        ("a.parquet", b"PAR1" + bytes(50), "the parquet file is damaged"),
        ("a.rar", b"Rar!\x1a\x07\x01\0" + bytes(50), "is a RAR archive: unpack it and name the folder"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50), "is a 7z archive: unpack it and name the folder"),
        ("a.csv", b"path,label\na/1.png,up\n", "lists pictures with their labels: name it as --config.data.labels="),
        ("a.txt", b"train_1.jpg 5\n", "lists pictures with their labels"),
    ],
)
def test_files_that_are_no_data_set(name: str, data: bytes, says: str, collect, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    for fer in (True, False):
        with pytest.raises(DataError, match=says) as caught:
            collect(tmp_path / name, Wanted(fer=fer))
        one_line(caught)


def test_parquet_of_whole_files_says_what_to_do(make, collect, tmp_path: Path) -> None:
    pd.DataFrame({"image": [{"bytes": make.jpeg(1), "path": "1.jpg"}], "label": [3]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match="column image keeps files of pictures.*write them into class folders"
    ) as caught:
        collect(tmp_path / "a.parquet", Wanted())
    one_line(caught)
