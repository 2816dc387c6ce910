"""The page as a reader gets it: parsed, complete, escaped, and without a link to anywhere else."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import drawings, style
from fer_jax.reports import html_tables, page, templates
from fer_jax.reports.tables import Column

CONFIG = "Config: hyperparameters and all other fields"
SMALL = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "train.l2": (1e-5, 1e-3)}
VOID = {"meta", "input", "img", "br", "link", "hr"}


class Reader(HTMLParser):
    """Checks that tags nest and collects tables, images and headings."""

    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.headings, self.tables, self.images, self.text = [], [], [], {}, [], []
        self.table, self.row = [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.attributes.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.table = self.tables[attributes["id"]] = []
        if tag == "tr":
            self.row = []
            self.table.append(self.row)
        if tag in ("td", "th"):
            self.row.append("")
        if tag == "img":
            self.images.append(attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.text.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if {"td", "th"} & set(self.open):
            self.row[-1] += data


def render(run, figures=True):
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    figures = drawings.of_sweep(ranking) if figures else []
    drawn = [(drawing, style.pictures(drawing.figure, "").webp) for drawing in figures]
    return page.render(
        ranking, [page.Part(ranking, drawn)], {"train.l2": (1e-4, "L2 penalty")}, "Written on a Tuesday."
    )


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def oslo_html(made):
    grid = {"train.batch_size": (8, 32, 128), "train.learning_rate": (1e-4, 1e-3, 1e-1), "train.l2": (1e-5, 1e-3, 1e-1)}
    return render(made(grid))


def test_page_is_whole_and_needs_nothing_else(oslo_html):
    html = oslo_html
    reader = read(html)
    assert html.startswith("<!doctype html>")
    for tag, attributes in reader.attributes:
        assert tag not in ("link", "iframe", "object")
        for name in ("src", "href", "action", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:image/webp;base64,")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp", html)
    targets = {attributes["id"] for _, attributes in reader.attributes if "id" in attributes}
    assert {a["href"][1:] for tag, a in reader.attributes if tag == "a"} <= targets
    assert len(reader.images) == 7
    for image in reader.images:
        assert base64.b64decode(image["src"].partition(",")[2])[8:12] == b"WEBP"


def test_what_all_stands_on_is_said_once_and_again_where_a_part_differs(oslo_html, oslo):
    stands_on = "synthetic faces, official split, one seed"
    assert oslo_html.lower().count(stands_on) == 1 and stands_on in oslo_html.partition("<main>")[0]
    other = rank_points(oslo.record | {"data": oslo.record["data"] | {"label": "others"}}, oslo.trials, oslo.curves, "")
    whole = rank_points(oslo.record, oslo.trials, oslo.curves, "run")
    drawn = [(drawings.of_sweep(other)[-1], b"")]
    html = page.render(whole, [page.Part(other, drawn)], {}, "Written on a Tuesday.")
    assert "Others, one seed. Trials: 115 done, 9 diverged, 1 failed.</figcaption>" in html
    assert "Others, one seed. Ranked by validation" in html


def test_pictures_of_the_same_networks_are_described_once(made, predictions):
    run = made(SMALL)
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    drawn = [(drawing, b"") for drawing in drawings.of_best_point(predictions)]
    captions = re.findall(
        r"<figcaption>(.*?)</figcaption>", page.render(ranking, [page.Part(ranking, drawn)], {}, "Today.")
    )
    assert [predictions.about in caption for caption in captions] == [True, False, False]
    assert all("Pictures and networks as in figure 1." in caption for caption in captions[1:])


def test_alternative_texts_say_what_there_is_to_see(oslo_html):
    texts = {image["alt"].partition(".")[0]: image["alt"] for image in read(oslo_html).images}
    assert "Best: batch size " in texts["Learning curves"] and "at epoch" in texts["Learning curves"]
    assert "1e-3 (0." in texts["Hyperparameters: what each field does"]
    assert re.search(r"Highest validation accuracy of \d+ points: 0\.\d+ at ", "".join(texts.values()))


def test_words_people_search_for_are_headings_and_links(oslo_html, made, predictions):
    run = made(SMALL)
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    drawn = [(drawing, b"") for drawing in drawings.of_best_point(predictions)]
    html = oslo_html + page.render(ranking, [page.Part(ranking, drawn)], {}, "Today.")
    links = " ".join(re.findall(r'<a href="#.*?">(.*?)</a>', html)).lower()
    headings = " ".join(re.findall("<h2>(.*?)</h2>", html)).lower()
    for words in (
        "confusion matrix",
        "hyperparameters",
        "parallel coordinates",
        "calibration",
        "learning curves",
        "roc",
    ):
        assert words in links and words in headings


def test_every_table_sorts_and_a_long_one_prints_its_best_rows(oslo_html):
    reader = read(oslo_html)
    tables = [attributes for tag, attributes in reader.attributes if tag == "table"]
    assert len(tables) >= 4 and all("data-sortable" in attributes for attributes in tables)
    heads = oslo_html.count('<th scope="col"')
    assert oslo_html.count('<button type="button">') == heads
    assert "Printed are" not in oslo_html.partition('id="all-points"')[0]
    style_sheet = templates.asset("page.css")
    assert f".long tbody tr:nth-child(n + {html_tables.PRINTED + 1}) {{ display: none; }}" in style_sheet


def test_long_tables_say_where_their_other_rows_are(oslo):
    text = " ".join(read(render(oslo, figures=False)).text)
    assert "Printed are the first 30 of 125 rows; tables/points.csv has all." in text
    assert "Printed are the first 30 of 125 rows; tables/trials.csv has all." in text


def test_texts_of_both_colour_schemes_have_contrast():
    light, dark = re.findall(r":root \{(.*?)\}", templates.asset("page.css"), re.DOTALL)[:2]
    for scheme in (light, dark):
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        for ink, grounds in {
            "ink": ("paper", "ground", "soft", "lead"), "muted": ("paper", "ground", "soft", "lead"),
            "accent": ("paper", "ground", "soft", "lead"), "good": ("good-ground",), "bad": ("bad-ground",),
            "wait": ("wait-ground",),
        }.items():  # fmt: skip
            for ground in grounds:
                assert style.contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)


def test_data_for_scripts_end_no_element_and_stay_what_they_are():
    data = {"a": "</script><!-- & \u2028 é", "b": [1.5, None]}
    html = page.assemble("t", "s", {}, [], "w", data=data)
    text = re.search(r'<script type="application/json" id="run-data">(.*?)</script>', html)[1]
    assert json.loads(text) == data and not set(text) & set("<>&\u2028")
    with pytest.raises(ValueError):
        page.assemble("t", "s", {}, [], "w", data=float("nan"))


def test_what_is_no_markup_is_escaped():
    html = page.assemble('"t" <b>', "<i>", {'"k': "<u>"}, [page.Section("id", "<a>", "<h>", "<p>plain text")], "<w>")
    assert not re.search("<(b|i|u|a|h|w|p)>", html.partition("<header>")[2].partition("<p>&lt;")[2])
    assert "&lt;p&gt;plain text" in html


def test_tables_hold_every_point_and_trial(oslo):
    tables = read(render(oslo, figures=False)).tables
    assert len(tables["points"]) == len(tables["trials"]) == 126
    assert len(tables["best"]) == 11
    heads, *rows = tables["points"]
    rank, accuracy = heads.index("rank"), heads.index("val. accuracy")
    shown = [float(row[accuracy]) for row in rows if row[accuracy] != "–"]
    assert shown == sorted(shown, reverse=True)
    assert [row[rank] for row in rows[:3]] == ["1", "2", "3"] and rows[-1][rank] == "–"
    assert not any(head.startswith("±") for head in heads)


def test_diverged_and_failed_trials_are_listed(oslo):
    heads, *rows = read(render(oslo, figures=False)).tables["casualties"]
    lost = oslo.trials[oslo.trials["status"].isin(("diverged", "failed"))]
    assert [row[heads.index("id")] for row in rows] == list(lost["id"])
    assert {row[heads.index("diverged at epoch")] for row in rows if "diverged" in row} == {"3"}
    assert any("<even at one trial>" in row[heads.index("error")] for row in rows)


def test_repeats_show_sd_and_interval(made):
    run = made(SMALL, repeats=3, accidents=False)
    heads, first, *_ = read(render(run, figures=False)).tables["best"]
    cells = dict(zip(heads, first, strict=True))
    done = run.trials[
        (run.trials["train.learning_rate"] == 1e-3) & (run.trials["train.l2"] == float(cells["L2 penalty"]))
    ]
    assert cells["n"] == "3"
    assert float(cells["val. accuracy"]) == pytest.approx(done["val_accuracy"].mean(), abs=5e-5)
    assert float(first[heads.index("± sd")]) == pytest.approx(done["val_accuracy"].std(), abs=5e-5)
    low, high = map(float, cells["95 % interval"].split(" to "))
    half = 4.302652729911275 * done["val_accuracy"].sem()
    assert (low, high) == pytest.approx(
        (done["val_accuracy"].mean() - half, done["val_accuracy"].mean() + half), abs=6e-4
    )


def test_a_point_with_one_done_trial_has_no_spread_beside_those_that_have(made):
    run = made(SMALL, repeats=2, accidents=False)
    run.trials.loc[1, "status"] = "diverged"
    heads, *rows = read(render(run, figures=False)).tables["points"]
    row = next(row for row in rows if row[heads.index("left out")] == "1 diverged")
    assert row[heads.index("± sd")] == row[heads.index("95 % interval")] == row[heads.index("min to max")] == "–"


def test_hostile_texts_are_escaped(made):
    bad = "</td><script>alert('x')</script>&\"'"
    run = made({"model.pool": (r"$\never$", bad)}, repeats=2, report__title=bad)
    run.record["command"] = run.record["data"]["label"] = bad
    run.record["versions"] = {bad: bad}
    run.record["data"]["classes"][0] = bad
    run.trials.loc[0, ["status", "error"]] = ["failed", bad]
    reader = read(render(run))
    assert [tag for tag, _ in reader.attributes].count("script") == 2
    assert "".join(reader.text).count("alert('x')") >= 5


def test_a_run_that_has_just_begun(made):
    run = made(SMALL, done=0)
    html = render(run)
    assert "No result yet" in html and "No trial is done yet" in html
    assert read(html).headings == ["Verdict", "All points", "All trials", CONFIG]
    run.trials = pd.DataFrame(columns=["id", "status", *SMALL])
    assert "The run has no trials yet." in render(run)


def test_one_configuration_with_repeats_is_curves_and_a_table(made):
    expected = ["Verdict", "Best points", "Learning curves", "All trials", CONFIG]
    assert read(render(made(repeats=5))).headings == expected


def test_selection_by_loss_leads_with_the_loss(made):
    html = render(made(SMALL, train__select="val_loss"), figures=False)
    assert "by mean validation loss" in html
    heads, *rows = read(html).tables["points"]
    losses = [float(row[heads.index("val. loss")]) for row in rows]
    assert losses == sorted(losses)


def test_losses_of_several_kinds_share_no_figure(made):
    grid = {"loss.focal_gamma": (0.0, 2.0), **SMALL}
    headings = read(render(made(grid))).headings
    assert any("accuracy" in heading for heading in headings) and not any("loss" in heading for heading in headings)


def test_parts_that_are_not_ranked_against_each_other(made):
    parts = []
    for classes in (["happy", "sad"], ["angry", "fear", "happy"]):
        run = made({"data.classes": (tuple(classes),), **SMALL}, accidents=False)
        run.record["data"] |= {"classes": classes, "label": f"{len(classes)} faces"}
        part = rank_points(run.record, run.trials, run.curves, "run")
        parts.append(page.Part(part, [(drawing, style.png(drawing.figure)) for drawing in drawings.of_sweep(part)]))
    html = page.render(parts[0].ranking, parts, {}, "Written on a Tuesday.")
    reader = read(html)
    names = [attributes["id"] for _, attributes in reader.attributes if "id" in attributes]
    assert len(set(names)) == len(names) and {"points-1", "points-2", "trials-2", "verdict-1", "overview"} <= set(names)
    assert {a["href"][1:] for tag, a in reader.attributes if tag == "a"} <= set(names)
    assert "Points with different classes are not ranked against each other" in html
    assert reader.headings[:2] == ["Not ranked against each other", "Verdict: 2 classes (happy, sad)"]
    assert "Best points: 3 classes (angry, fear, happy)" in reader.headings
    heads, first, second = reader.tables["overview"]
    assert first[:2] == ["2 classes (happy, sad)", "2 faces"] and second[heads.index("points")] == "6"
    figures = re.findall(r"<b>Figure (\d+)\.", html)
    assert figures == [str(number) for number in range(1, len(figures) + 1)] and len(figures) > 2


def test_kaggle_split_has_no_test_column_and_is_labelled_everywhere(made):
    html = render(made({"train.l2": (1e-5, 1e-3)}, split="kaggle"))
    assert not any(head.startswith("test") for head in read(html).tables["points"][0])
    assert "selected on the images it reports" in html.partition("<main>")[0]


def test_oddities_do_not_break_the_page(made):
    run = made(
        {**SMALL, "augment.a_field_whose_name_never_seems_to_come_to_an_end_at_all": ("x" * 300, "y")}, repeats=2
    )
    run.trials.loc[3, ["val_loss", "test_loss"]] = np.inf
    run.trials.loc[4, ["val_loss", "test_loss"]] = np.nan
    run.trials.loc[5, ["train_loss"]] = 1e30
    run.record["data"] |= {"classes": ["happy"], "majority_share": 1.0, "counts": {"validation": {"happy": 500}}}
    html = render(run)
    assert "∞" in html and "1e30" in html
    assert read(html).tables["points"]


def test_a_record_that_says_little(made):
    run = made(SMALL)
    run.record = {"config": {}, "data": {}, "swept": list(SMALL)}
    html = render(run, figures=False)
    assert "unknown data set, unknown split, one seed" in html and "not recorded" in html


def test_swept_fields_lead_the_settings(made):
    heads, first, second, third, *_ = read(render(made(SMALL), figures=False)).tables["settings"]
    assert heads == ["field", "value", "", "meaning"]
    assert first[:3] == ["train.learning_rate", "1e-4, 1e-3, 1e-2", "swept"]
    assert second == ["train.l2", "1e-5, 1e-3", "swept", "L2 penalty"]
    assert third[2] == ""


def test_paper_has_the_settings_that_are_not_the_defaults(made):
    text = " ".join(read(render(made(SMALL), figures=False)).text)
    assert "Printed are the 2 fields that are swept or set to other than their defaults; config.json has all." in text
    assert "#settings tbody tr:has(td:nth-child(3):empty) { display: none; }" in templates.asset("page.css")


def test_a_thousand_points_stay_light(made):
    rates = tuple(float(f"{v:.3g}") for v in np.logspace(-5, -1, 23))
    run = made({"train.learning_rate": rates, "train.l2": rates, "train.batch_size": (32, 64)}, epochs=2)
    html = render(run, figures=False)
    assert len(html) < 800_000
    assert html.count("The first 500 of 1,058 rows") == 2


def test_a_page_has_the_first_rows_of_a_table_of_thousands():
    number = [f"{row}" for row in range(2000)]
    made = html_tables.html([Column("row", number)], "rows", "All rows", rest="tables/rows.csv")
    assert made.count("<tr>") == 1 + html_tables.MOST and ">499<" in made and ">500<" not in made
    assert "The first 500 of 2,000 rows; tables/rows.csv has all." in made
    assert html_tables.html([Column("row", number)], "rows", "All rows").count("<tr>") == 2001
