"""Several runs on one page: which are ranked together, and what tells them apart."""

from __future__ import annotations

import re

from reported_runs import changed, run_directory, table_rows, with_answers

from fer_jax.reports.several_runs import write_comparison


def test_runs_on_the_same_pictures_are_ranked_together_and_others_apart(tmp_path):
    good = with_answers(run_directory(tmp_path / "good", ("done",) * 4))
    poor = with_answers(
        changed(run_directory(tmp_path / "poor", ("done", "done", "pending", "pending")), train__optimizer="sgd")
    )
    other = changed(
        run_directory(tmp_path / "other", ("done",) * 4), {"validation": "12ab", "test": "34cd"}, data__seed=1
    )
    empty = run_directory(tmp_path / "empty", ("pending",) * 4, curves=False)
    out = tmp_path / "pages" / "all.html"
    assert write_comparison([poor, good, other, empty], out) == out and not (good / "report.html").exists()
    html = out.read_text()
    assert [row[:2] for row in table_rows(html, "runs")[1:]] == [
        ["poor", "group 1"], ["good", "group 1"], ["other", "group 2"], ["empty", "no result"],
    ]  # fmt: skip
    heads, *rows = table_rows(html, "ranking-1")
    assert [row[:2] for row in rows] == [["1", "good"], ["2", "poor"]] and rows[0][
        heads.index("val. accuracy")
    ] == "0.830"
    assert [row[1] for row in table_rows(html, "ranking-2")[1:]] == ["other"]
    differences = {row[0]: row[1:] for row in table_rows(html, "differences")[1:]}
    assert differences["train.optimizer"] == ["sgd", "adam", "adam"] and "data.seed" in differences
    assert table_rows(html, "classes-of-runs-1")[0] == ["class", "good", "poor"]
    for page in (html, write_comparison([good], tmp_path / "one.html").read_text()):
        names = re.findall(r' id="(.*?)"', page)
        assert len(names) == len(set(names)) and not re.search(r"https?://", page)
        numbers = re.findall(r"<b>Figure (\d+)\.", page)
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
