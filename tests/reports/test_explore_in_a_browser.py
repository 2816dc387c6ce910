"""The explored page as a reader uses it, by pointer and by keys."""

from __future__ import annotations

import numpy as np
import pytest
from browser import in_browser, look
from explored import typed
from made_runs import build

from fer_jax.reports import explore, explore_data, page
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory

pytestmark = in_browser

GRID = {"train.batch_size": (8, 16), "train.learning_rate": (1e-4, 1e-3, 1e-1), "train.l2": (1e-4, 1e-3, 1e-2)}
POINTS, TRIALS = 18, 36
# What a reader does; rows and counts are what the page shows then.
READER = """
  const one = selector => document.querySelector(selector), all = selector => [...document.querySelectorAll(selector)];
  const count = () => one("#explore-count").textContent, problem = () => one("#explore-problem").textContent;
  const filter = text => {
    const box = one("#explore-filter");
    box.value = text;
    box.dispatchEvent(new Event("input"));
    return count();
  };
  const key = (target, name) => target.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
  const shown = () => all("#explore-table tbody tr[data-row]");
  const column = name => {
    const at = all("#explore-table th").findIndex(head => head.dataset.key === name);
    return shown().map(row => row.cells[at].textContent);
  };
  const kept = () => ferJax.state.kept.points.reduce((sum, value) => sum + value, 0);
  const drag = (target, ...places) => {
    const box = (target.ownerSVGElement || target).getBoundingClientRect();
    places.forEach(([x, y], at) => {
      const type = at === 0 ? "pointerdown" : at === places.length - 1 ? "pointerup" : "pointermove";
      (at ? target.ownerSVGElement || target : target).dispatchEvent(new PointerEvent(type, {
        bubbles: true, cancelable: true, pointerId: 1, clientX: box.left + x, clientY: box.top + y,
      }));
    });
  };
"""


def written(folder, **made):
    made = build(repeats=2, epochs=6, **made)
    directory = RunDirectory(folder / "run")
    directory.write_config(made.record)
    directory.write_trials(made.trials)
    directory.curves.write("stack_0-wave_0", 1, made.curves)
    return load_run(folder / "run")


def page_of(document, folder):
    html = page.assemble("run", "", {}, [explore.section()], "now", assets=explore.ASSETS, data=document)
    (folder / "report.html").write_text(html, encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three fields, two seeds, accidents, and answers of every network that is done."""
    made = build(GRID, repeats=2, epochs=6)
    made.record["data"]["counts"]["validation"] = made.record["data"]["counts"]["test"] = {}
    made.trials["slot"] = np.arange(len(made.trials))
    path = tmp_path_factory.mktemp("explored") / "run"
    directory = RunDirectory(path)
    directory.write_config(made.record)
    directory.write_trials(made.trials)
    directory.curves.write("stack_0-wave_0", 1, made.curves)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 60).astype(np.int32)
    logits = rng.normal(size=(TRIALS, 60, 7)).astype(np.float32)
    logits[:, range(60), labels] += 2
    kept = {}
    for split in ("validation", "test"):
        directory.predictions.write("stack_0-wave_0", split, logits)
        kept |= {f"{split}_labels": labels, f"{split}_leaked": np.zeros(60, bool)}
    directory.predictions.write_targets(made.record["data"]["checksum"], kept)
    return load_run(path)


@pytest.fixture(scope="module")
def document(run):
    return explore_data.document(run)


@pytest.fixture(scope="module")
def file(document, tmp_path_factory):
    return page_of(document, tmp_path_factory.mktemp("page"))


def asked(file, tmp_path, script, width=1200):
    return look(file, tmp_path, f"(() => {{ {READER} {script} }})()", width)


def test_the_filter_knows_fields_words_and_numbers(file, tmp_path):
    texts = {
        "8 1e-3": 5,  # rate or penalty of 1e-3, at batch size 8: not every row with an 8 in it
        "learning_rate=1e-3": 6, "learning_rate=.001": 6, "train.learning_rate=0.001": 6,
        "learning_rate = 1e-3 l2>1e-4": 4, "batch_size!=8": 9, "batch_size=8,16": 18,
        "learning_rate>=1e-3 learning_rate<.1": 6, "l2<=1e-3": 12, "l2>1e-3": 6,
        '"learning rate"=1e-3': 6, "status=diverged status=done": 0,
        # As readers write it: short names, headings, other signs, lists, percents.
        "lr=1e-3": 6, "LR == .001 bs=8": 3, "batch size>8 learning rate = 1e-3": 3, "8 learning rate=1e-3": 3,
        "learning_rate≥1e-3": 12, "lr=>1e-3": 12, "lr ≠ 1e-3": 12, "lr:1e-3": 6, "batch_size: 16": 9,
        "lr=1e-3, 1e-1": 12, "lr=1e-3, 1e-1, batch size=8": 6, "lr=1e-3, batch size=8": 3, "lr>1e-4, bs=8": 6,
        "val_acc>=0%": 18, "acc>100%": 0, "test accuracy>-1": 18,
    }  # fmt: skip
    script = f"return {list(texts)!r}.map(text => [filter(text), kept(), problem()]);"
    found = asked(file, tmp_path, script)
    assert [row[1] for row in found] == list(texts.values())
    assert all(row[2] == "" for row in found)
    assert found[0][0] == f"5 of {POINTS} points" and found[6][0] == f"{POINTS} points"


def test_what_is_wrong_is_said_beside_the_box(file, tmp_path):
    texts = [
        "learnig_rate=1", "val_accuracy>good", "val_accuracy>", "status>3", "val_acuracy>.1 batch_size=8",
        "optimizer=adam", "epoch=3", "lr=1e-3 OR lr=1e-1", "12:30",
    ]  # fmt: skip
    assert asked(file, tmp_path, f"return {texts!r}.map(text => [(filter(text), problem()), kept()]);") == [
        ["no column learnig_rate; did you mean learning_rate?", POINTS],
        ["val_accuracy>good: good is no number", POINTS],
        ["val_accuracy> what?", POINTS],
        ["status is text, which has no >: use =, != or ~", POINTS],
        ["no column val_acuracy; did you mean val_accuracy?", POINTS // 2],  # the rest of it holds
        ["optimizer is adam at every point", POINTS],
        ["no column epoch; did you mean epochs or best_epoch?", POINTS],
        ['no row has "OR"', 0],
        ['no row has "12:30"', 0],
    ]


def test_the_table_sorts_hides_and_is_walked_by_keys(file, tmp_path, document):
    script = """
      const head = name => all("#explore-table th").find(cell => cell.dataset.key === name);
      head("val_accuracy").firstElementChild.focus();
      head("val_accuracy").firstElementChild.click();
      const reached = document.activeElement === head("val_accuracy").firstElementChild;
      const down = column("val_accuracy"), sorted = head("val_accuracy").getAttribute("aria-sort");
      head("val_accuracy").firstElementChild.click();
      const up = column("val_accuracy");
      const tick = one('.explore-menu input[data-key="n"]');
      tick.checked = false; tick.dispatchEvent(new Event("change"));
      const hidden = head("n") === undefined;
      one('[data-mode="trials"]').click();
      const trials = count(), table = one("#explore-table table");
      key(table, "End"); key(table, "ArrowUp"); key(table, "Enter");
      const title = one("#explore-detail h3").textContent, last = shown().at(-1).getAttribute("aria-rowindex");
      const marked = one("#" + table.getAttribute("aria-activedescendant")).getAttribute("aria-selected");
      key(table, "Escape");
      return {down, up, sorted, reached, hidden, trials, title, last, marked, closed: one("#explore-detail").hidden};
    """
    found = asked(file, tmp_path, script)
    values = [float(text) for text in found["down"] if text != "–"]
    assert values == sorted(values, reverse=True) and found["sorted"] == "descending"
    assert [float(text) for text in found["up"] if text != "–"] == values[::-1]
    assert found["reached"] and found["hidden"] and found["trials"] == f"{TRIALS} trials"
    ids = next(entry["values"] for entry in document["trials"]["columns"] if entry["key"] == "id")
    assert found["title"].startswith(f"Trial {ids[-2]}: ")
    assert (found["last"], found["marked"], found["closed"]) == (str(TRIALS + 1), "true", True)


def test_brush_curves_surface_and_roc_hang_together(file, tmp_path, document):
    script = """
      const axis = () => one('[data-axis="train.learning_rate"]'), at = () => Number(axis().getAttribute("x")) + 20;
      const high = 338 - 18, low = 54;
      drag(axis(), [at(), low - 4], [at(), low + 20], [at(), low + 20]);
      const brushed = count(), rates = [...new Set(column("train.learning_rate"))];
      const pale = all("#explore-surface .cell.pale").length;
      const cell = one("#explore-surface .cell.pale");
      const colours = getComputedStyle(cell.querySelector("text")).fill.match(/[0-9]+/g);
      const text = "#" + colours.map(value => Number(value).toString(16).padStart(2, "0")).join("");
      const contrast = ferJax.contrast(text, cell.querySelector("rect").getAttribute("fill"));
      drag(axis(), [at(), high], [at(), high]);
      const free = count();
      key(axis(), "ArrowUp");
      const byKey = [...new Set(column("train.learning_rate"))], words = axis().getAttribute("aria-valuetext");
      one("#explore-reset").click();
      const slider = one("#explore-surface input");
      const cells = () => all("#explore-surface rect").map(cell => cell.dataset.point);
      const before = cells();
      slider.value = slider.value === "0" ? "1" : "0"; slider.dispatchEvent(new Event("input"));
      const after = cells(), level = one("#explore-surface output").textContent;
      one("#explore-surface .cell").dispatchEvent(new MouseEvent("click", {bubbles: true}));
      const title = one("#explore-detail h3").textContent;
      const curves = one("#explore-curves svg");
      key(curves, "ArrowRight"); key(curves, "ArrowDown");
      const said = one("#explore-curves .explore-said").textContent;
      const roc = one("#explore-roc svg.zoom"), whole = roc.dataset.view;
      drag(roc, [80, 20], [200, 120], [200, 120]);
      const near = roc.dataset.view.split(" ").map(Number);
      const wheel = {deltaY: -1, ctrlKey: true, bubbles: true, cancelable: true, clientX: 100, clientY: 100};
      roc.dispatchEvent(new WheelEvent("wheel", wheel));
      const nearer = roc.dataset.view.split(" ").map(Number);
      key(roc, "0");
      const back = roc.dataset.view, classes = () => all("#explore-roc polyline").length, every = classes();
      one("#explore-roc label input").click();
      const left = classes();
      return {
        contrast, brushed, rates, pale, free, byKey, words, before, after,
        level, title, said, whole, near, nearer, back,
        every, left,
      };
    """
    found = asked(file, tmp_path, script)
    assert (found["brushed"], found["rates"], found["free"]) == (f"6 of {POINTS} points", ["1e-1"], f"{POINTS} points")
    assert found["contrast"] >= 4.5
    assert found["pale"] == 6 and found["byKey"] == ["1e-4"] and found["words"] == "10⁻⁴"
    assert len(found["before"]) == len(found["after"]) == 9 and not set(found["before"]) & set(found["after"])
    assert f"batch size {found['level']}," in found["title"]
    assert (
        "epoch 6: validation accuracy ." not in found["said"] and ", epoch 6: validation accuracy 0." in found["said"]
    )
    assert found["whole"] == found["back"] == "0.0000 1.0000 0.0000 1.0000"
    widths = [(view[1] - view[0], view[3] - view[2]) for view in (found["near"], found["nearer"])]
    assert 0 < widths[1][0] < widths[0][0] < 1 and 0 < widths[1][1] < widths[0][1] < 1
    assert found["left"] == found["every"] - 1 == len(document["roc"][0]["classes"]) - 1


def test_a_brush_is_what_was_dragged_wherever_the_page_stands(file, tmp_path):
    script = """
      document.body.style.paddingBottom = "2000px";
      const axis = () => one('[data-axis="train.learning_rate"]'), scroller = one("#explore-table .scroll");
      const found = [0, 300, 700].map(to => {
        ferJax.reset();
        scrollTo({top: to, behavior: "instant"});
        const before = scroller.offsetHeight, count = () => ferJax.state.rows.length, all = count();
        filter("batch_size=8 l2=1e-3");
        const few = scroller.offsetHeight;
        const at = Number(axis().getAttribute("x")) + 20;
        // Down the axis, from above 1e-1 to between 1e-3 and it, in small steps.
        drag(axis(), [at, 50], ...Array.from({length: 12}, (_, step) => [at, 50 + 4 * step]), [at, 94]);
        const isStill = before === few && few === scroller.offsetHeight;
        return [scrollY === to, isStill, all, count(), column("train.learning_rate")];
      });
      return found;
    """
    assert asked(file, tmp_path, script) == [[True, True, POINTS, 1, ["1e-1"]]] * 3


def test_a_row_shows_its_network_and_copies_its_command(file, tmp_path, document):
    script = """
      one('[data-mode="trials"]').click();
      filter("status=diverged");
      const statuses = [...new Set(column("status"))];
      filter("");
      shown()[1].click();
      const own = one(".explore-command").textContent, same = ferJax.detail.command("trials", 1) === own;
      const cells = all(".explore-matrix td").map(cell => Number(cell.textContent));
      let pasted = "";
      document.execCommand = () => { pasted = document.activeElement.value; return true; };
      Object.defineProperty(navigator, "clipboard", {value: undefined});
      one("button#explore-copy").click();
      const config = all(".explore-config > table th").map(cell => cell.textContent);
      filter("batch_size=16");
      const detail = JSON.parse(one("#run-data").textContent);
      document.dispatchEvent(new CustomEvent("fer-jax-data", {detail}));
      const after = [count(), one("#explore-detail h3").textContent, one("#explore-filter").value];
      const curves = all("#explore-detail svg path").length;
      return {statuses, own, cells, config, after, curves, same, pasted};
    """
    found = asked(file, tmp_path, script)
    assert found["statuses"] == ["diverged"] and found["same"] and found["pasted"] == found["own"]
    assert found["own"] == typed(document, 1) and " --config.train.seed=1 " in found["own"]
    ids = next(entry["values"] for entry in document["trials"]["columns"] if entry["key"] == "id")
    assert found["cells"] == document["confusion"]["of"][ids[1]][1] and found["curves"] == 4
    assert found["config"][:3] == list(GRID)
    assert found["after"][0] == f"{TRIALS // 2} of {TRIALS} trials" and found["after"][2] == "batch_size=16"
    assert found["after"][1].startswith(f"Trial {ids[1]}: ")


def test_parts_that_are_not_ranked_together_are_drawn_one_at_a_time(tmp_path):
    grid = {"loss.focal_gamma": (0.0, 2.0), "train.learning_rate": (1e-4, 1e-3), "train.l2": (1e-4, 1e-2)}
    document = explore_data.document(written(tmp_path, grid=grid, train__select="val_loss"))
    assert len(document["parts"]) == 2 and document["metric"] == "val_loss"
    script = """
      const axes = () => all("#explore-parallel [data-axis]").map(axis => axis.dataset.axis);
      const high = () => ferJax.state.run.metric("val_loss").high;
      const said = () => one("#explore-curves .explore-legend").textContent;
      const first = [axes(), high(), said()], part = one("#explore-parallel select[aria-label^=Part]");
      part.selectedIndex = 1; part.dispatchEvent(new Event("change"));
      const second = [axes(), high(), said()];
      const others = all("select[aria-label^=Part]").map(one => one.selectedIndex);
      ferJax.brush("train.l2", [.5, 1]);
      const brushed = [count(), [...new Set(column("part"))]];
      ferJax.reset();
      shown()[0].click();
      return {first, second, others, brushed, followed: ferJax.state.part};
    """
    found = asked(page_of(document, tmp_path), tmp_path, script)
    metric = next(metric for metric in document["metrics"] if metric["name"] == "val_loss")
    for (axes, high, said), own in zip((found["first"], found["second"]), metric["of_parts"], strict=True):
        assert axes == ["train.learning_rate", "train.l2", "val_loss"] and high == own["high"]
        assert said.startswith("8 trials, coloured by the mean validation loss")
    assert set(found["others"]) == {1} and found["followed"] == 0
    assert found["brushed"] == ["2 of 8 points", [document["parts"][1]]]


def test_what_stands_below_a_command_and_left_of_an_axis(tmp_path):
    grid = {"model.kernels": ((128, 128, 128, 128, 128), (64, 64, 64, 64, 64)), "train.l2": (1e-4, 1e-2)}
    made = written(tmp_path, grid=grid)
    made.record["config"]["sweep"] = {"grid": {}, "repeats": 2}
    made.trials.loc[0, "status"] = "pruned"
    script = """
      shown()[0].click();
      const point = one(".explore-command").textContent;
      one('[data-mode="trials"]').click();
      const under = at => {
        shown()[at].click();
        return one("#explore-detail .explore-command + p")?.textContent || "";
      };
      const ticks = all("#explore-parallel .tick"), cut = ticks.filter(tick => tick.getBBox().x < 0).length;
      const words = ticks.map(tick => tick.textContent), hint = one("#explore-filter").placeholder;
      return {point, pruned: under(0), done: under(1), cut, words, hint, kept: filter(hint)};
    """
    found = asked(page_of(explore_data.document(made), tmp_path), tmp_path, script)
    assert found["point"].count("--config.sweep.repeats=") == 1 and "--config.sweep.repeats=2" in found["point"]
    assert found["pruned"].endswith("the command trains to the last epoch.") and found["done"] == ""
    assert found["cut"] == 0 and max(map(len, found["words"])) >= 15
    assert found["hint"] and not found["kept"].startswith("0 of")


def test_it_fits_a_telephone(file, tmp_path):
    script = """
      shown()[0].click();
      const over = all("#explore-app > *").filter(part => part.getBoundingClientRect().right > innerWidth + 1);
      return [document.documentElement.scrollWidth - innerWidth, over.map(part => part.id)];
    """
    wide, over = asked(file, tmp_path, script, 500)
    assert wide <= 0 and over == []
