"""Tables beside their sealed copies: kills are silent, damage and edits are said, looks are not."""

import pytest

from fer_jax.store import sealed

TABLE = b"id,status,rate,slot,val_accuracy,error\n12345e6789,done,1e-05,0,0.2571428571428571,\nbb,done,0.01,1,0.5,\n"
NEXT = TABLE.replace(b"0.5", b"0.6")


@pytest.fixture
def path(tmp_path):
    sealed.write(tmp_path / "trials.csv", TABLE)
    return tmp_path / "trials.csv"


def test_what_was_written_is_read_without_a_word(path):
    found = sealed.read(path)
    assert found == sealed.StoredTable(TABLE, True) and not path.with_name("trials.csv.changed").exists()


def test_after_a_kill_between_the_two_writes_the_sealed_copy_counts_silently(path):
    sealed.write(path, NEXT)
    path.write_bytes(TABLE)
    assert sealed.read(path) == sealed.StoredTable(NEXT, True)


def test_a_kill_before_the_first_table_leaves_the_sealed_copy(path):
    path.unlink()
    assert sealed.exists(path) and sealed.read(path) == sealed.StoredTable(TABLE, True)


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + TABLE,
        TABLE.replace(b"1e-05", b"1E-05").replace(b"bb", b'"bb"'),
        TABLE.replace(b",", b";").replace(b"0.5", b"0,5"),
        b"\n".join([TABLE.splitlines()[0], *reversed(TABLE.splitlines()[1:])]) + b"\n",
        b"".join(line + b",a note of mine\n" for line in TABLE.splitlines()),
        TABLE.decode().encode("utf-16"),
    ],
    ids=["line ends", "byte order mark", "quotes", "semicolons", "order", "another column", "utf-16"],
)
def test_what_only_looks_different_is_no_change(path, content):
    path.write_bytes(content)
    found = sealed.read(path)
    assert found.content == TABLE and found.said == () and not found.is_file_whole


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TABLE[:70], "it is cut in line 2 of 3"),
        (b"", "it is cut in line 1 of 3"),
        (TABLE.replace(b"0.5", b"0.25"), "val_accuracy of bb is 0.25 for 0.5"),
        (TABLE.replace(b"0.5,", b","), "val_accuracy of bb is empty for 0.5"),
        (TABLE.replace(b"0.2571428571428571", b"0.257142857142857"), "1 number rounded"),
        (TABLE.replace(b"12345e6789", b"INF"), "1 row gone (12345e6789), 1 row of no known id (INF)"),
        (TABLE + b"bb,done,0.01,1,0.5,\n", "1 row doubled (bb)"),
        (TABLE.replace(b"val_accuracy", b"accuracy"), "no column val_accuracy"),
        (b"\x00\xff" * 9, "it has no column 'id'"),
    ],
)
def test_what_was_changed_is_named_and_does_not_count(path, content, words):
    path.write_bytes(content)
    found = sealed.read(path)
    assert found.content == TABLE and found.is_sealed and not found.is_file_whole
    assert found.said == (f"{path} is not as it was written: {words}; the written values count",)


def test_a_changed_file_is_kept_when_the_table_is_written_again(path):
    edited = TABLE.replace(b"0.5", b"0.25")
    path.write_bytes(edited)
    sealed.write(path, NEXT)
    assert path.read_bytes() == NEXT and path.with_name("trials.csv.changed").read_bytes() == edited


def test_a_deleted_table_is_told_from_one_never_written(path):
    sealed.write(path, NEXT)
    path.unlink()
    found = sealed.read(path)
    assert found.content == NEXT and "is gone: its sealed copy" in found.said[0]


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"sha256": "0", "before": "", "table": "id"}'])
def test_a_damaged_seal_is_named_and_ignored(path, content):
    (path.parent / ".sealed" / "trials.json").write_bytes(content)
    found = sealed.read(path)
    assert found.content == TABLE and not found.is_sealed
    assert found.said == (
        f"{path.parent / '.sealed' / 'trials.json'} is damaged: trials.csv is judged by what else the run holds",
    )
