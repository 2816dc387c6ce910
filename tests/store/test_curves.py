"""Parts of learning curves on disk: in order, cut at an epoch, damaged, of earlier versions."""

import tempfile

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.errors import RunError
from fer_jax.store import CURVE_COLUMNS, RunDirectory
from tests.store.conftest import curve_rows


def test_curves_are_read_in_order_of_wave_and_epoch(run):
    assert run.curves.read().columns.tolist() == list(CURVE_COLUMNS) and run.curves.read().empty
    run.curves.write("stack_0-wave_1", 1, curve_rows(1, 2, "c"))
    run.curves.write("stack_0-wave_0", 11, curve_rows(11, 12))
    run.curves.write("stack_0-wave_0", 1, curve_rows(1, 10))
    run.curves.write("stack_0-wave_0", 13, curve_rows(13, 12))
    expected = pd.concat([curve_rows(1, 12), curve_rows(1, 2, "c")], ignore_index=True)
    pd.testing.assert_frame_equal(run.curves.read(), expected)
    pd.testing.assert_frame_equal(run.curves.read("stack_0-wave_0"), curve_rows(1, 12))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=5), st.integers(1, 22))
def test_dropping_curves_is_a_filter_on_the_epoch(lengths, from_epoch):
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(folder)
        first = 1
        for length in lengths:
            run.curves.write("w", first, curve_rows(first, first + length - 1))
            first += length
        run.curves.write("v-000001", 1, curve_rows(1, 3))
        run.curves.drop("w", from_epoch)
        assert run.curves.read("w")["epoch"].tolist() == curve_rows(1, min(first, from_epoch) - 1)["epoch"].tolist()
        assert len(run.curves.read("v-000001")) == 6


def test_no_flipped_bit_of_a_part_is_believed(run):
    frame = curve_rows(1, 3).astype({"val_loss": "float32"}).assign(epochs=[1, 2, 3, 4, None, 6], ok=True)
    run.curves.write("w", 1, frame)
    written, path = run.curves.read(), run.path / "curves" / "w-000001.parquet"
    content, told = path.read_bytes(), 0
    for place in range(0, len(content), 31):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        found, damages = run.curves.read_whole()
        if damages:
            assert len(damages) == 1 and "\n" not in damages[0] and found.empty
            assert "w-000001.parquet is damaged" in damages[0]
            told += 1
        else:
            pd.testing.assert_frame_equal(found, written)
    assert told > 50


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1" * 4])
def test_a_damaged_part_is_named_and_the_others_are_read(run, content):
    for first in (1, 3, 5):
        run.curves.write("stack_0-wave_0", first, curve_rows(first, first + 1))
    (run.path / "curves" / "stack_0-wave_0-000003.parquet").write_bytes(content)
    with pytest.raises(RunError, match="^.*stack_0-wave_0-000003.parquet is damaged .*; delete it, and .* curves$"):
        run.curves.read()
    found, damages = run.curves.read_whole()
    assert found["epoch"].unique().tolist() == [1, 2, 5, 6] and len(damages) == 1
    run.curves.drop("stack_0-wave_0", 3)
    assert run.curves.read()["epoch"].unique().tolist() == [1, 2]


def test_a_part_that_cannot_be_opened_is_no_damage(run):
    path = run.path / "curves" / "w-000001.parquet"
    path.parent.mkdir(parents=True)
    path.symlink_to(path)
    for read in (run.curves.read, run.curves.read_whole, lambda: run.curves.damage("w", 1, ())):
        with pytest.raises(RunError, match="^cannot read .*w-000001.parquet: Too many levels of symbolic links; "):
            read()


def test_parts_of_earlier_versions_are_read(run):
    (run.path / "curves").mkdir(parents=True)
    curve_rows(1, 2).to_parquet(run.path / "curves" / "w-000001.parquet", index=False)
    pd.testing.assert_frame_equal(run.curves.read(), curve_rows(1, 2))
