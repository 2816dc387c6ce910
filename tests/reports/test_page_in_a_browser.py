"""The page as a browser shows it: it fits, sorts and filters, and asks for nothing."""

from __future__ import annotations

import pytest
from browser import in_browser, look
from reported_runs import run_directory

from fer_jax.reports.run_report import write_report
from fer_jax.reports.several_runs import write_comparison

# The widest thing that does not fit the window, and pictures that did not load.
FITS = """({
  wide: document.documentElement.scrollWidth - window.innerWidth,
  broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).length,
  images: document.images.length,
  asked: performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:")).length,
})"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(run_directory(tmp_path_factory.mktemp("page") / "run", ("done", "done", "done", "pending")))


@in_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_it_fits_the_window_and_asks_for_nothing(page, tmp_path, width):
    found = look(page, tmp_path, FITS, width)
    assert found["wide"] <= 0 and found["broken"] == found["asked"] == 0 and found["images"] >= 3


@in_browser
def test_it_sorts_by_a_click_and_filters_by_words(page, tmp_path):
    name = "val. accuracy"
    script = f"""(() => {{
      click("points", "{name}"); const down = cells("points", "{name}");
      click("points", "{name}"); const up = cells("points", "{name}");
      click("points", "kernels a layer"); const words = cells("points", "kernels a layer");
      const count = type("trials", "DONE 16-32"), ids = cells("trials", "id"), cleared = type("trials", "");
      return {{down, up, words, count, ids, cleared, all: rows("trials").length}};
    }})()"""
    assert look(page, tmp_path, script) == {
        # A first click shows the best first; what is no number comes last either way.
        "down": ["0.8200", "0.8100", "0.8000", "–"],
        "up": ["0.8000", "0.8100", "0.8200", "–"],
        "words": ["16-32-32", "16-32-32", "32-64-64", "32-64-64"],
        "count": "1 of 4 rows",
        "ids": ["12345e6781"],
        "cleared": "4 rows",
        "all": 4,
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    return write_comparison([run_directory(folder / name) for name in ("first", "second")], folder / "both.html")


@in_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_several_runs_side_by_side_fit_too(both, tmp_path, width):
    beside = "[...document.querySelectorAll('.beside > div')].map(block => block.getBoundingClientRect().top)"
    found = look(both, tmp_path, f"({{...{FITS}, tops: {beside}}})", width)
    assert found["wide"] <= 0 and found["broken"] == found["asked"] == 0 and found["images"] == 2
    # Beside each other on a desk, below each other on a telephone.
    assert len(found["tops"]) == 2 and (found["tops"][0] == found["tops"][1]) == (width > 1000)


@in_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_all_sections_can_be_reached_and_the_one_that_is_read_is_marked(page, tmp_path, width):
    script = """(() => {
      const list = document.querySelector("nav details"), folded = !list.open;
      list.open = true;
      const links = [...list.querySelectorAll("a")].filter(link => link.getClientRects().length);
      const sections = [...document.querySelectorAll("main > section")].filter(one => one.getClientRects().length);
      const boxes = links.map(link => link.getBoundingClientRect());
      const marked = list.querySelector("[aria-current]").textContent;
      links[1].click();
      return {
        folded, marked, closed: !list.open, count: links.length - sections.length,
        inside: boxes.every(box => box.left >= 0 && box.right <= innerWidth && box.height > 0),
      };
    })()"""
    narrow = width < 1100
    assert look(page, tmp_path, script, width) == {
        "folded": narrow, "marked": "Verdict", "closed": narrow, "count": 0, "inside": True,
    }  # fmt: skip


@in_browser
def test_every_table_sorts(page, tmp_path):
    # On a screen the explored table, which has a test of its own, stands for those of all rows.
    script = """[...document.querySelectorAll("table[data-sortable]")].filter(table => table.tBodies[0].rows.length > 1)
      .filter(table => table.getClientRects().length).map(table => {
      const head = table.tHead.rows[0].cells[1], button = head.querySelector("button");
      button.focus(); const reached = document.activeElement === button;
      button.click();
      return reached && head.hasAttribute("aria-sort");
    })"""
    found = look(page, tmp_path, script)
    assert len(found) >= 2 and all(found)
