"""The table of a study: what a cell says, for the terminal, as Markdown and as numbers."""

import dataclasses
import math

import pytest

from fer_jax.analysis.against_published import compare, compare_choices
from fer_jax.studies import table as study_table
from fer_jax.studies.paper import Published
from fer_jax.studies.rows import Row

JUDGED = Row(
    "scenario 5", Published("val_accuracy", 0.569, where="table 1"), data="FER-2013", split="kaggle",
    images={"train": 28709, "validation": 7178}, classes=7, epochs=50, n=3, left_out="1 diverged",
    chosen=(0.57, 0.58, 0.59), last=(0.56, 0.57, 0.58), verdict=compare((0.56, 0.57, 0.58), 0.569),
    run="runs/oslo", note="a | b",
)  # fmt: skip
ONE = Row(
    "one", Published("test_auc", 0.9, sd=0.01, n=5), split="official", n=1, chosen=(0.91,), last=(math.nan,),
    why_none=("one seed",),
)  # fmt: skip
ABSENT = Row("absent", Published("val_loss", math.nan, where="curves only"), why_none=("not run",))
ROWS = (JUDGED, ONE, ABSENT)


def cells(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_text_says_everything_in_a_row():
    text = study_table.to_text("A paper", ROWS)
    assert text.startswith("A paper\n\nexperiment ")
    judged = cells(text, "scenario 5").split("  ")
    found = [cell.strip() for cell in judged if cell.strip()]
    assert found[:7] == ["scenario 5", "val_accuracy", "FER-2013", "kaggle*", "28,709 / 7,178", "7", "50"]
    assert found[7] == "3 (1 diverged)" and found[8:11] == ["0.569", "0.5800 +- 0.0100", "0.5700 +- 0.0100"]
    assert found[11] == f"last epoch {JUDGED.verdict.words}"
    assert "* selected on the images it reports" in text
    assert "0.9 +- 0.01 (5 runs)" in text and "0.9100 (one seed)" in text and "none: one seed" in text
    assert cells(text, "absent").split() == ["absent", "val_loss", *"-----0---", "none:", "not", "run"]
    assert "selected on" not in study_table.to_text("A paper", ROWS[1:])


def test_a_narrow_terminal_has_a_row_in_some_lines():
    text = study_table.to_text("A paper", ROWS, 60)
    table = text.split("Images:")[0]
    assert max(map(len, table.splitlines())) <= 60
    judged = " ".join(table.split("one: test_auc")[0].split())
    assert "scenario 5: val_accuracy FER-2013, kaggle*, 28,709 / 7,178 images, 7 classes, 50 epochs, n = 3" in judged
    assert "published 0.569; chosen weights 0.5800 +- 0.0100; last epoch 0.5700 +- 0.0100" in judged
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
    for published, shown in (
        (Published("test_auc", 0.9, sd=0.01, n=5, digits=2), "0.90 ± 0.01 (5 runs)"),
        (Published("test_recall_sad", 0.793, sd=0.03682, n=5, digits=5), "0.79300 ± 0.03682 (5 runs)"),
        (Published("test_accuracy", 0.68, about=True), "about 0.68"),
        (Published("test_accuracy", 0.5, sd=0.00004), "0.5 ± 0.00004"),
    ):
        assert published.text == shown
        row = dataclasses.replace(ABSENT, published=published)
        printed = shown.partition(" (")[0] if "recall" in published.metric else shown.replace("±", "+-")
        assert f"  {printed}" in study_table.to_text("A paper", (row,))


def test_figures_by_class_are_a_table_of_classes_and_metrics():
    def row(metric, value, ours):
        found = Published(metric, value, where="section 1", digits=2)
        verdict = compare(ours, value, rounding=0.005)
        return dataclasses.replace(JUDGED, published=found, last=ours, verdict=verdict)

    rows = [
        row("test_precision_angry", 0.57, (0.5, 0.52, 0.54)),
        row("test_precision_happy", 0.84, (0.84, 0.85, 0.86)),
        row("test_recall_happy", 0.80, (0.60, 0.61, 0.62)),
        JUDGED,
    ]
    text = study_table.to_text("A paper", rows)
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("class "))
    assert lines[head].split() == ["class", *["precision", "ours", "difference"], *["recall", "ours", "difference"]]
    assert lines[head + 2 - 1].split() == ["angry", "0.57", "0.520", "-0.050", "-", "-", "-"]
    assert lines[head + 2].split() == ["happy", "0.84", "0.850", "+0.010", "0.80", "0.610", "-0.190"]
    assert "Of 3 figures 2 agree, ours is above 0 and below 1;" in text
    assert "scenario 5, test, by class: section 1 beside ours, last epoch, n = 3 (FER-2013, kaggle)." in text
    assert sum("precision_" in line for line in lines) == 0  # no row of 400 letters for each
    markdown = study_table.to_markdown("A paper", rows)
    assert "- scenario 5, figures by class: section 1" in markdown and "| happy | 0.84 | 0.850 | +0.010 |" in markdown
    narrow = study_table.to_text("A paper", rows, 60).splitlines()
    assert max(map(len, narrow)) <= 60 and "class  recall   ours  difference" in narrow


def test_the_spread_over_runs_stands_beside_ours():
    published = Published("test_recall_sad", 0.5, sd=0.02, n=5, low=0.48, high=0.53, variance=0.0004)
    row = dataclasses.replace(JUDGED, published=published, last=(0.4, 0.5, 0.6))
    lines = study_table.to_text("A paper", [row]).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("metric "))
    assert lines[place].split() == ["metric", "of", "mean", "sd", "variance", "min", "max"]
    assert lines[place + 1].split()[-5:] == ["0.5", "0.02", "0.0004", "0.48", "0.53"]
    assert lines[place + 2].split() == ["ours,", "3", "trials", "0.50000", "0.10000", "0.01000", "0.40000", "0.60000"]


def test_columns_that_only_some_studies_have():
    row = dataclasses.replace(
        JUDGED, clean=(0.5, 0.52, 0.54), network=(0.55, 0.55, 0.55), own_best=(0.6,), own_point="l2 0.1"
    )
    text = study_table.to_text("A paper", [row])
    assert "without copies" in text and "0.5200 +- 0.0200" in text and "0.6000 (one seed) at l2 0.1" in text
    assert "network alone" in text and "0.5500 +- 0.0000" in text
    assert "without copies" not in study_table.to_text("A paper", ROWS)


def test_what_a_paper_left_out_is_said_with_the_verdict():
    verdict = compare_choices([(0.56, 0.57, 0.58), (0.60, 0.61, 0.62)], 0.59)
    row = dataclasses.replace(JUDGED, verdict=verdict, choices="varied: epochs (25 to 50); not varied: the batch")
    text = study_table.to_text("A paper", [row])
    assert f"last epoch {verdict.words}; varied: epochs (25 to 50); not varied: the batch" in text
    assert "the verdict is on the spread over our choices of it" in text


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
