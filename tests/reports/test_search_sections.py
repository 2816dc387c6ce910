"""What a report shows of a search: its sections and tables, and why where there is none."""

import re

import numpy as np
import pandas as pd
import pytest
from made_runs import build
from reported_runs import table_rows
from searched_runs import grid, halved, written

import fer_jax
from fer_jax.analysis.ranking import rank_points
from fer_jax.errors import RunError
from fer_jax.reports import run_tables, search_sections, search_tables
from fer_jax.reports.run_report import write_report


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def words(html):
    return " ".join(re.sub("<.*?>", " ", re.sub("<table.*?</table>", "", html, flags=re.DOTALL)).split())


def section(parts, name):
    return next(words(one.content) for one in parts.sections if one.id == name)


def test_a_halved_runs_report_says_who_left_when(tmp_path, words_only):
    run = halved(grid(repeats=2), 1, 3)
    path = written(run, tmp_path / "run").path
    html = write_report(path).read_text()
    assert html.count('<section id="rungs">') == 1 and (path / "figures/rungs.png").exists()
    content = html.partition('<section id="rungs">')[2].partition("</section>")[0]
    assert "Trained 86 of 360 epochs: 24 % of the full grid." in words(content)
    assert "its regret against the full grid), is not known" in words(content)
    assert "restriction of range" in words(content)
    rows = table_rows(html, "rungs-table")
    assert rows[0] == ["rung", "epochs", "points trained", "went on", "worst kept", "best that left", "passes"]
    assert [row[:4] + row[6:] for row in rows[1:]] == [
        ["1", "1", "15", "5", "30"], ["2", "3", "5", "2", "20"], ["3", "12", "2", "–", "36"],
    ]  # fmt: skip
    left = table_rows(html, "left-table")
    assert left[0][:3] == ["rung", "epochs", "val. accuracy"] and len(left) == 14
    assert [row[1] for row in left[1:]] == ["1"] * 10 + ["3"] * 3
    scores = [float(row[2]) for row in left[1:11]]
    assert scores == sorted(scores, reverse=True)
    assert "points left at a rung" in words(html.partition('<section id="fields">')[2].partition("</section>")[0])
    assert {"rungs.csv", "left.md", "rank_correlations.tex"} <= {file.name for file in (path / "tables").iterdir()}
    assert not {"fields.csv", "fewer_points.csv"} & {file.name for file in (path / "tables").iterdir()}
    found = fer_jax.load_run(path)
    assert fer_jax.table(found, "rungs")["passes"].sum() == 86
    with pytest.raises(RunError, match="no table 'fields': points left at a rung"):
        fer_jax.table(found, "fields")
    with pytest.raises(RunError, match="leave metrics out"):
        fer_jax.table(found, "rungs", metrics=("val_loss",))


def test_a_search_under_way_says_so_far():
    run = halved(grid(), 1, 3)
    run.trials.loc[run.trials["status"] == "done", ["status", "epochs"]] = ["paused", 3]
    run.curves = run.curves[run.curves["epoch"] <= 3]
    text = words(search_sections.of_ranking(gather(run)).beside["rungs"])
    assert text.startswith("Trained 25 of 180 epochs: 14 % of the full grid, so far.")


def test_without_curves_the_rungs_are_a_section_of_words():
    run = halved(grid(), 1, 3)
    run.curves = run.curves.iloc[:0]
    parts = search_sections.of_ranking(gather(run))
    assert not parts.drawings and section(parts, "rungs").startswith("Trained 43 of 180 epochs")
    assert "No rank correlation between rungs" in section(parts, "rungs")


def test_a_full_grid_says_what_halving_would_have_found_and_missed():
    run = grid(repeats=2)
    late = run.trials["id"][(run.trials["train.learning_rate"] == 1e-5) & (run.trials["train.l2"] == 1e-1)]
    blooms = run.curves["id"].isin(late) & (run.curves["epoch"] == 12)
    run.curves.loc[blooms, "val_accuracy"] = 0.95
    parts = search_sections.of_ranking(gather(run))
    text = section(parts, "halving")
    assert (
        "with search.halving = (1, 3) it would have trained 15 points to 1 epoch, 5 points to 3 and 2 points to 12"
        in text
    )
    assert "43 of 180 epochs a repeat, 24 %" in text
    best = run.curves[~run.curves["id"].isin(late)].groupby("id")["val_accuracy"].max()
    means = [best[ids].mean() for ids in np.array(run.trials["id"]).reshape(15, 2).tolist() if ids[0] not in set(late)]
    gap = f"number 2 of 15, {100 * (0.95 - max(means)):.2f} percentage points behind the best"
    assert f"{gap} (learning rate 1e-5, L2 penalty 1e-1, 0.9500)" in text
    assert "rungs" not in parts.beside and not parts.drawings
    text = section(search_sections.of_ranking(gather(grid())), "halving")
    assert text.endswith("it would have missed nothing.")


def test_fields_are_tested_against_the_seeds_or_not_at_all():
    text = section(search_sections.of_ranking(gather(grid(repeats=3))), "fields")
    assert "28 degrees of freedom, after what a seed does to all points alike was taken out" in text
    table = search_tables.fields(gather(grid(repeats=3)))
    assert [column.heading for column in table.columns] == [
        "effect", "df", "sum of squares", "share", "by chance", "F", "p",
    ]  # fmt: skip
    assert table.frame["effect"].tolist()[0] == "learning rate" and table.frame["share"].sum() == pytest.approx(1)
    assert "learning rate × L2 penalty" in table.frame["effect"].tolist()
    text = section(search_sections.of_ranking(gather(grid())), "fields")
    assert "Nothing is tested: each point has one trial" in text
    assert [column.heading for column in search_tables.fields(gather(grid())).columns][-1] == "share"
    config = {"sweep": {"seeds_of": "weights"}}
    run = grid(repeats=2)
    run.record["config"] |= config
    assert "Repeats vary only what sweep.seeds_of = weights says" in section(
        search_sections.of_ranking(gather(run)), "fields"
    )
    cut = build(points=[{"train.l2": a, "train.learning_rate": b} for a, b in ((0.0, 1e-3), (1e-3, 1e-3), (0.0, 1e-2))])
    assert "3 of the 4 combinations" in section(search_sections.of_ranking(gather(cut)), "fields")


def test_many_effects_are_cut_short_on_the_page():
    four = {name: (0.1, 0.3) for name in ("model.dropout", "train.momentum", "augment.shift", "train.clip_norm")}
    run = build({**four, "train.learning_rate": (1e-4, 1e-3)}, accidents=False)
    parts = search_sections.of_ranking(gather(run))
    content = next(one.content for one in parts.sections if one.id == "fields")
    assert len(table_rows(content, "fields-table")) == 16 and "The largest 15 of 31" in words(content)
    assert len(search_tables.fields(gather(run)).frame) == 31


def test_fewer_points():
    run = build({"train.l2": tuple(np.logspace(-6, 0, 30))}, accidents=False)
    run.trials.loc[3, ["status", "val_accuracy"]] = ["diverged", np.nan]
    run.trials.loc[4, ["status", "val_accuracy"]] = ["pending", np.nan]
    text = words(search_sections.of_ranking(gather(run)).beside["tuning_curve"])
    row = search_tables.fewer_points(gather(run)).frame.set_index("points").loc[20]
    assert f"The best of 20 of these 29 points, picked at random, has {row['expected']:.4f} in expectation" in text
    assert "1 point whose trials all diverged" in text and "1 point without a result" in text
    assert "These were not drawn but laid out" in text and "it is open on the better side" in text
    run.record["config"] |= {"search.kind": "random", "search.draws": 30}
    assert "These points were drawn so." in words(search_sections.of_ranking(gather(run)).beside["tuning_curve"])
    run.record["config"] |= {"search.kind": "sobol"}
    assert "evenly (sobol)" in words(search_sections.of_ranking(gather(run)).beside["tuning_curve"])
    assert search_sections.of_ranking(gather(grid(done=0.2))).beside["tuning_curve"] == ""


def test_only_independent_draws_are_called_so():
    def said(kind="random", draws=15, **parts):
        run = grid()
        sweep = {"draw": {"train.l2": "log 1e-5 1e-1"}, "grid": {}, "each": {}, "zip": {}, "points": [], **parts}
        run.record["config"] |= {"search.kind": kind, "search.draws": draws, "sweep": sweep}
        return words(search_sections.of_ranking(gather(run)).beside["tuning_curve"])

    assert "These points were drawn so." in said()
    assert "laid out" in said("grid") and "laid out" in said(draws=0)
    assert "fill the space evenly (sobol)" in said("sobol")
    assert "what differs among 40 draws, each once" in said(draws=40)
    for mixed in (said(grid={"train.l2": [1.0]}), said(draws=5, points=[{"train.l2": 1.0}])):
        assert "Not all of these were drawn" in mixed and "drawn so" not in mixed


def test_points_of_different_classes_have_no_such_tables(tmp_path):
    run = grid()
    run.record["config"]["train.select"] = "val_loss"
    run.trials = run.trials.rename(columns={"train.l2": "loss.label_smoothing"})
    run.record["swept"] = ["train.learning_rate", "loss.label_smoothing"]
    found = fer_jax.load_run(written(run, tmp_path / "run").path)
    names = {path.stem for path in run_tables.save(found, tmp_path / "tables")}
    assert "points" in names and not names & set(search_tables.MAKERS)
    with pytest.raises(RunError, match="no table 'fewer_points': its points are not ranked against each other"):
        fer_jax.table(found, "fewer_points")


def test_brackets_and_reasons_have_columns_where_there_are_several():
    run = halved(grid(), 1, 3)
    gone = list(run.left)[0]
    run.trials.loc[gone, ["status", "diverged_epoch"]] = ["diverged", 1]
    run.record["config"]["search.brackets"] = 2
    ranking = gather(run)
    assert [column.heading for column in search_tables.left(ranking).columns][2] == "why"
    assert [column.heading for column in search_tables.rungs(ranking).columns][0] == "bracket"
    assert isinstance(search_tables.left(ranking).frame, pd.DataFrame)
    assert "has no rungs" in search_tables.rungs(gather(grid())) and "no rungs" in search_tables.left(gather(grid()))
