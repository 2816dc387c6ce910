"""The table of a study: what a cell says, for the terminal, as Markdown and as numbers."""

import dataclasses
import math

import pytest

from fer_jax.analysis.against_published import compare
from fer_jax.studies import table as study_table
from fer_jax.studies.table import Row

JUDGED = Row(
    "scenario 5", "val_accuracy", 0.569, None, 1, "table 1", data="FER-2013", split="kaggle",
    images={"train": 28709, "validation": 7178}, classes=7, epochs=50, n=3, left_out="1 diverged",
    chosen=(0.57, 0.58, 0.59), last=(0.56, 0.57, 0.58), verdict=compare((0.56, 0.57, 0.58), 0.569),
    run="runs/oslo", note="a | b",
)  # fmt: skip
ONE = Row(
    "one", "test_auc", 0.9, 0.01, 5, "", split="official", n=1, chosen=(0.91,), last=(math.nan,), why_none=("one seed",)
)
ABSENT = Row("absent", "val_loss", math.nan, None, 1, "curves only", why_none=("not run",))
ROWS = (JUDGED, ONE, ABSENT)


def cells(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_text_says_everything_in_a_row():
    text = study_table.to_text("A paper", ROWS)
    assert text.startswith("A paper\n\nexperiment ")
    judged = cells(text, "scenario 5").split("  ")
    found = [cell.strip() for cell in judged if cell.strip()]
    assert found[:7] == ["scenario 5", "val_accuracy", "FER-2013", "kaggle*", "28,709 / 7,178", "7", "50"]
    assert found[7] == "3 (1 diverged)" and found[8:11] == ["0.5690", "0.5800 +- 0.0100", "0.5700 +- 0.0100"]
    assert found[11] == f"last epoch {JUDGED.verdict.words}"
    assert "* selected on the images it reports" in text
    assert "0.9000 +- 0.0100 (5 runs)" in text and "0.9100 (one seed)" in text and "none: one seed" in text
    assert cells(text, "absent").split() == ["absent", "val_loss", *"-----0---", "none:", "not", "run"]
    assert "selected on" not in study_table.to_text("A paper", ROWS[1:])


def test_a_narrow_terminal_has_a_row_in_some_lines():
    text = study_table.to_text("A paper", ROWS, 60)
    table = text.split("Images:")[0]
    assert max(map(len, table.splitlines())) <= 60
    judged = " ".join(table.split("one: test_auc")[0].split())
    assert "scenario 5: val_accuracy FER-2013, kaggle*, 28,709 / 7,178 images, 7 classes, 50 epochs, n = 3" in judged
    assert "published 0.5690; chosen weights 0.5800 +- 0.0100; last epoch 0.5700 +- 0.0100" in judged
    assert f"last epoch {JUDGED.verdict.words}" in judged
    assert "absent: val_loss\n  published -; chosen weights -; last epoch -\n  none: not run" in table
    assert study_table.to_text("A paper", ROWS, 400) == study_table.to_text("A paper", ROWS)


def test_a_split_is_named_with_what_was_left_out_of_it():
    row = dataclasses.replace(
        ONE, split="stratified_80_10_10", sampling="every split undersampled", images={"train": 90, "test": 9}
    )
    assert "  stratified_80_10_10, every split undersampled  90 / 9  " in study_table.to_text("A paper", (row,))
    numbers = study_table.to_frame((row,)).iloc[0]
    assert (numbers["split"], numbers["sampling"]) == ("stratified_80_10_10", "every split undersampled")
    assert (numbers["train_images"], numbers["test_images"]) == (90, 9) and numbers["validation_images"] is None


def test_a_published_figure_shows_the_digits_it_was_printed_with():
    assert "  0.90 +- 0.0100 (5 runs)" in study_table.to_text(
        "A paper", (dataclasses.replace(ONE, published_digits=2),)
    )


def test_markdown_has_a_line_a_row_and_the_notes_once():
    lines = study_table.to_markdown("A paper", (*ROWS, JUDGED)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 4 and {line.count(" | ") for line in table} == {11}
    assert lines[0] == "# A paper" and lines.count("- scenario 5: a | b") == 1
    assert "- scenario 5, val_accuracy: table 1" in lines and "- absent, val_loss: curves only" in lines


def test_numbers_are_empty_where_there_are_none():
    frame = study_table.to_frame(ROWS).set_index("experiment")
    assert frame.loc["scenario 5", "last_mean"] == pytest.approx(0.57)
    assert frame.loc["scenario 5", "last_sd"] == pytest.approx(0.01)
    assert frame.loc["scenario 5", "interval_low"] < 0.569 < frame.loc["scenario 5", "interval_high"]
    assert frame.loc["scenario 5", "label"] == study_table.SELECTED
    empty = frame[["last_mean", "chosen_sd", "interval_low", "p"]].isna()
    assert empty.loc["one"].all() and empty.loc["absent"].all() and frame.loc["one", "chosen_mean"] == 0.91
    assert frame.loc["absent", "no_verdict_because"] == "not run" and frame.loc["absent", "verdict"] == ""
