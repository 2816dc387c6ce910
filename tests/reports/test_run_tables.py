"""The tables of a run: the same rows in every format, full precision in one and figures to their
spread in the others.
"""

import io
import json
import re
import shutil
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fer_jax
from fer_jax import load_run
from fer_jax.errors import RunError
from fer_jax.store import RunDirectory


def body(latex):
    """The cells of every row between \\midrule and \\bottomrule."""
    lines = latex.split("\\midrule\n")[1].split("\\bottomrule")[0].strip().splitlines()
    return [[cell.strip() for cell in line.removesuffix("\\\\").split(" & ")] for line in lines]


def test_csv_is_exact_and_in_order_of_merit(run):
    table = pd.read_csv(io.StringIO(fer_jax.table(run, "points", "csv"))).fillna({"left_out": ""})
    assert table["model.name"].tolist() == ["imperial", "mlp", "cnn", "silvestro"]
    assert table["rank"].dropna().tolist() == [1, 2, 3] and table["n"].tolist() == [2, 2, 2, 0]
    assert table["val_accuracy_sd"][0] == pytest.approx(statistics.stdev([0.7, 0.72]), rel=1e-12)
    pd.testing.assert_frame_equal(fer_jax.table(run, "points"), table, check_dtype=False)


def test_markdown_rounds_to_the_spread(run):
    lines = fer_jax.table(run, "points", "markdown").splitlines()
    assert (
        "mean ± sample standard deviation over n trials" in lines[0]
        and "synthetic faces, official split, 2 seeds a point" in lines[0]
    )
    assert lines[2] == "| rank | name | n | left out | val. accuracy | val. loss | test accuracy |"
    assert lines[3] == "| ---: | --- | ---: | --- | ---: | ---: | ---: |"
    # 0.70 and 0.72: sd .01414; 0.40 and 0.41: sd .00707; twice the same loss: no spread.
    assert lines[4] == "| 1 | imperial | 2 |  | 0.710 ± 0.014 | 1.2500 ± 0 | 0.405 ± 0.007 |"
    assert lines[7] == "| – | silvestro | 0 | 1 diverged, 1 pending | – | – | – |"


def test_latex_has_the_cells_of_markdown(run):
    latex = fer_jax.table(run, "points", "latex")
    assert (
        latex.startswith("% \\usepackage{booktabs}\n\\begin{table}") and latex.count("\\begin{tabular}{rlrlrrr}") == 1
    )
    assert [
        latex.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}", "\\end{table}")
    ] == [1] * 5
    assert body(latex)[0] == ["1", "imperial", "2", "", "0.710 $\\pm$ 0.014", "1.2500 $\\pm$ 0", "0.405 $\\pm$ 0.007"]
    assert {len(cells) for cells in body(latex)} == {7}
    assert latex.count("{") == latex.count("}")


def test_trials_and_other_metrics(run):
    assert fer_jax.table(run, "trials")["id"].tolist() == run.trials["id"].tolist()
    lines = fer_jax.table(run, "trials", "markdown", metrics=("last_val_accuracy",)).splitlines()
    assert lines[2] == "| trial | status | name | seed | epochs | best epoch | last val. accuracy |"
    assert lines[4] == "| 00ab | done | cnn | 5 | 3 | 2 | 0.4500 |"
    with pytest.raises(RunError, match="no metric 'val_acuracy' for this table; did you mean val_accuracy"):
        fer_jax.table(run, metrics=("val_acuracy",))


def test_points_that_nothing_ranks_have_no_rank(path, tmp_path):
    shutil.copytree(path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    record = json.loads((tmp_path / "run/config.json").read_text())
    record["swept"], record["config"]["train.select"] = ["model.name", "loss.focal_gamma"], "val_loss"
    (tmp_path / "run/config.json").write_text(json.dumps(record))
    trials = pd.read_csv(tmp_path / "run/trials.csv", dtype={"id": str})
    trials.insert(3, "loss.focal_gamma", [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 2.0])
    RunDirectory(tmp_path / "run").write_trials(trials)
    table = fer_jax.table(load_run(tmp_path / "run"))
    assert "rank" not in table and table["model.name"].tolist() == ["cnn", "mlp", "imperial", "silvestro"]


def test_heads_show_the_paired_gain(path, tmp_path):
    shutil.copytree(path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    rows = [
        {
            "fit": f"{id}{int(kind == 'svm')}",
            "id": id,
            "status": "done",
            "model.name": "cnn",
            "head.kind": kind,
            "seed": 5,
            "val_accuracy": at + more,
        }
        | {"val_accuracy_gain": more, "test_accuracy": 0.4, "test_accuracy_gain": 0.0, "seconds": 1.0, "error": ""}
        for id, at in (("00ab", 0.5), ("01ab", 0.52))
        for kind, more in (("xgboost", 0.1), ("svm", -0.1))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "run/heads.csv", index=False)
    lines = fer_jax.table(load_run(tmp_path / "run"), "heads", "markdown").splitlines()
    found = [re.split(r" \| ", line.strip("| ")) for line in lines[4:]]
    assert [cells[0] for cells in found] == ["1", "2"] and ["xgboost" in line for line in lines[4:]] == [True, False]
    assert "0.610 ± 0.014" in found[0] and "0.1000 ± 0" in found[0] and "-0.1000 ± 0" in found[1]


def test_unknown_tables_and_formats(run):
    with pytest.raises(RunError, match="no table 'point'; did you mean points"):
        fer_jax.table(run, "point")
    with pytest.raises(RunError, match="has no heads"):
        fer_jax.table(run, "heads")
    with pytest.raises(RunError, match="format = 'html': must be one of frame, csv, markdown, latex"):
        fer_jax.table(run, "points", "html")


def test_comparisons_are_paired_by_seed(growing, tmp_path):
    growing(tmp_path / "run", (1,))
    trials = pd.read_csv(tmp_path / "run/trials.csv", dtype={"id": str})
    trials["val_accuracy"] = [0.50, 0.56, 0.61, 0.60, 0.70, 0.74, None, None]
    RunDirectory(tmp_path / "run").write_trials(trials)
    run = load_run(tmp_path / "run")
    lines = fer_jax.table(run, "comparisons", "markdown").splitlines()
    assert "paired differences over common seeds" in lines[0] and "by mean val_accuracy" in lines[0]
    assert lines[2] == "| name | n | val. accuracy | common seeds | difference | 95 % interval | p |"
    assert lines[4] == "| imperial | 2 | 0.7200 | 2 | – | – | – |"
    p = [stats.ttest_rel(other, [0.70, 0.74]).pvalue for other in ([0.61, 0.60], [0.50, 0.56])]
    corrected = np.maximum.accumulate(np.sort(p) * [2, 1])[np.argsort(np.argsort(p))]
    assert lines[5].startswith("| mlp | 2 | 0.6050 | 2 | -0.1150 |") and lines[5].endswith(f"| {corrected[0]:.3f} |")
    assert lines[6].startswith("| cnn | 2 | 0.5300 | 2 | -0.1900 |") and lines[6].endswith(f"| {corrected[1]:.3f} |")
    assert fer_jax.table(run, "comparisons")["difference"].tolist() == pytest.approx([0, -0.115, -0.19])
    with pytest.raises(RunError, match="test_accuracy may not choose"):
        fer_jax.table(run, "comparisons", metrics=("test_accuracy",))
