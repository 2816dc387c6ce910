"""Lists of labels as people write them: separators, headers, columns, and rows that are none."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.data.reading import listing
from fer_jax.data.reading.problems import Problems
from fer_jax.errors import DataError


def read(text: str | bytes) -> tuple[list[tuple[str, str, int, str]], dict[str, int]]:
    problems = Problems()
    data = text.encode() if isinstance(text, str) else text
    found = listing.parse(data, "list.csv", problems)
    return [(one.image, one.label, one.usage, one.group) for one in found.entries], problems.counts


TWO = [("a/1.jpg", "happy", 0, "S1"), ("b/2.png", "sad", 2, "S2")]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_separators_are_found_out(separator: str) -> None:
    rows = [["image", "label", "split", "group"], ["a/1.jpg", "happy", "train", "S1"], ["b/2.png", "sad", "test", "S2"]]
    lines = [separator.join(row) for row in rows]
    for text in ("\n".join(lines), "\r\n".join(lines) + "\r\n", "\ufeff" + "\n".join(lines), "\n".join(lines[1:])):
        assert read(text) == (TWO, {})
    assert read("\n".join(lines).encode("utf-16")) == (TWO, {})


@pytest.mark.parametrize(
    "header",
    ["filename,emotion", "Image Path,Expression", "pth,label", "img_name,class", "subDirectory_filePath,expression"],
)
def test_header_words(header: str) -> None:
    assert read(f"{header}\nx.jpg,fear\n")[0] == [("x.jpg", "fear", -1, "")]
    image, label = header.split(",")
    assert read(f"age,{label},{image}\n30,fear,x.jpg\n")[0] == [("x.jpg", "fear", -1, "")]


def test_lists_of_releases() -> None:
    assert read("train_00001.jpg 5\ntest_0001.jpg 4\n")[0] == [
        ("train_00001.jpg", "5", -1, ""),
        ("test_0001.jpg", "4", -1, ""),
    ]
    # legend.csv: who labelled is no person in the picture, so that column is no group.
    text = "user.id,image,emotion\n628,dwayne_1.jpg,anger\n628,dwayne_2.jpg,HAPPINESS\n"
    assert read(text)[0] == [("dwayne_1.jpg", "anger", -1, ""), ("dwayne_2.jpg", "HAPPINESS", -1, "")]
    assert listing.parse(text.encode(), "legend.csv", Problems()).notes == [
        "takes image from 'image', label from 'emotion'; not user.id"
    ]
    assert read(",pth,label,relFCs\n0,anger/image6.jpg,surprise,0.87\n")[0] == [
        ("anger/image6.jpg", "surprise", -1, "")
    ]
    assert read("id,label\n17,3.0\n18,007\n")[0] == [("17", "3", -1, ""), ("18", "7", -1, "")]
    assert read("my face 1.jpg happy\nface.jpg sad\n")[0] == [
        ("my face 1.jpg", "happy", -1, ""),
        ("face.jpg", "sad", -1, ""),
    ]
    assert read("a\\1.jpg,happy\n")[0] == [("a/1.jpg", "happy", -1, "")]
    assert read("très.jpg,fâché\n".encode("latin-1"))[0] == [("très.jpg", "fâché", -1, "")]


def test_rows_that_cannot_be_read_are_counted_and_named() -> None:
    problems = Problems()
    text = "image,label,usage\na.jpg,1,train\n\nb.jpg\n,2,test\nc.jpg,,test\nd.jpg,3,elsewhere\ne.jpg,4,\n"
    found = listing.parse(text.encode(), "l.csv", problems)
    assert [(one.row, one.image, one.usage) for one in found.entries] == [(2, "a.jpg", 0), (8, "e.jpg", -1)]
    assert [(item["item"], item["reason"]) for item in problems.listed] == [
        ("l.csv row 4", "has 1 of 2 fields"),
        ("l.csv row 5", "names no image"),
        ("l.csv row 6", "names no label"),
        ("l.csv row 7", "split 'elsewhere' is none of train, validation, test"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('fer1.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0\n' * 2, "holds votes"),
        ("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,NF\nTraining,a.png,1,2,3,4,5,6,7,8\n",
         "holds votes for each expression"),
        ("emotion,pixels,Usage\n0,1 2 3,Training\n", "holds pixels itself: name it as data.path"),
        ("image,age\na.jpg,3\n", "row 1 of list.csv names no column label; it has image, age"),
        ("", "has no rows"),
        ("\n \n", "has no rows"),
        ("a.jpg\nb.jpg\n", "has one column"),
        ("a.jpg,x,y,z,v\n", "has 5 columns and no row that names them; make row 1 such as image,label,split,group"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "is no text"),
    ],
)  # fmt: skip
def test_what_is_no_list_says_so(text: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(text)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("data.labels: ")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab1.jpgn,;\t \"'\n\r/train", max_size=200).map(str.encode))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    problems = Problems()
    try:
        found = listing.parse(data, "l.csv", problems)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert all(one.image and one.label for one in found.entries)


cell = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(cell, cell, st.sampled_from(["train", "val", "test"]), cell), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_a_writer_writes_is_read(rows: list[tuple[str, str, str, str]], separator: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([("image", "label", "split", "group"), *((f"{name}.jpg", *rest) for name, *rest in rows)])
    usages = {"train": 0, "val": 1, "test": 2}
    wanted = [
        (f"{name}.jpg".replace("\\", "/"), listing.naming.plain(label), usages[split], group)
        for name, label, split, group in rows
    ]
    assert read(text.getvalue()) == (wanted, {})
