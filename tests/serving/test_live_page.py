"""A page in a browser while its run goes on."""

from __future__ import annotations

import re
import subprocess

import pytest
from browser import BROWSER, QUIET, in_browser
from reported_runs import run_directory
from served_pages import served

from fer_jax.figures import distribution, drawings
from fer_jax.serving import kept, site
from fer_jax.serving import server as pages
from fer_jax.store import RunDirectory


def look(address, tmp_path, seconds):
    """The page after seconds of a clock that waits for answers, and what the console said."""
    command = [
        BROWSER,
        *QUIET,
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--virtual-time-budget={seconds * 1000}",
    ]
    done = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line and "favicon" not in line]


def text(html, pattern):
    return re.sub("<.*?>", "", re.search(pattern, html, re.DOTALL)[1])


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Everything is made anew as soon as it has changed, and no figures are drawn."""
    for place, name in ((site, "_DRAWING_PAUSE"), (site, "_DATA_PAUSE"), (kept, "SHARE")):
        monkeypatch.setattr(place, name, 0.0)
    monkeypatch.setattr(drawings, "of_sweep", lambda ranking: [])
    monkeypatch.setattr(distribution, "draw", lambda data: None)


@in_browser
def test_a_page_follows_its_run(tmp_path):
    run = run_directory(tmp_path / "run", ("done", "done", "running", "pending"))
    asked = []
    with served(run) as server, RunDirectory(run).lock():
        answer = server.site.get

        def get(address):
            asked.append(address)
            if asked.count("/state.json") == 2 and address == "/state.json":
                run_directory(run, ("done", "done", "done", "pending"))
                RunDirectory(run).write_notes("written meanwhile")
            return answer(address)

        server.site.get = get
        html, said = look(f"http://127.0.0.1:{server.port}/", tmp_path, 15)
    assert said == []  # no script was refused by the page's policy, none failed
    assert asked.count("/data.json") == 1 and asked.count("/state.json") > 2
    bar = text(html, r'<div id="live-bar"(.*?)</div>')
    assert "live, 3 of 4 trials done, updated" in bar and "newer figures: reload" in bar
    # The linked table has the new trial's accuracy; the figures are those of before.
    assert "0.8200" in text(html, r'<div id="explore-table"(.*?)<div id="explore-detail"')
    assert "2 done" in text(html, r'<div class="chips"(.*?)</div>')


def followed_list(tmp_path, shown=lambda address, found: found):
    """A list of one run, whose second trial ends while it is looked at, and what the console said.

    `shown` changes the answer to an address.
    """
    runs = tmp_path / "runs"
    run = run_directory(runs / "run", ("done", "running", "pending", "pending"))
    asked = []
    with served(runs) as server, RunDirectory(run).lock():
        answer = server.site.get

        def get(address):
            asked.append(address)
            if len(asked) == 3:
                run_directory(run, ("done", "done", "running", "pending"))
            return shown(address, answer(address))

        server.site.get = get
        return look(f"http://127.0.0.1:{server.port}/", tmp_path, 15)


@in_browser
def test_a_list_follows_its_runs(tmp_path):
    html, said = followed_list(tmp_path)
    assert said == [] and "live, 1 of 1 runs going on" in text(html, r'<div id="live-bar"(.*?)</div>')
    row = text(html, r'<tr data-key="run">(.*?)</tr>')
    assert "2 of 4" in row and "running" in row and "0.810" in row


@in_browser
def test_a_filtered_list_shows_rows_that_have_come_to_match(tmp_path, monkeypatch):
    typed = (
        b'<script>const box = document.querySelector("input[type=search]"); box.value = "0.810";'
        b'box.dispatchEvent(new Event("input")); document.title = box.nextElementSibling.textContent;</script></body>'
    )
    monkeypatch.setattr(pages, "_policy", lambda: "default-src 'self' 'unsafe-inline'")

    def shown(address, found):
        return found._replace(body=found.body.replace(b"</body>", typed)) if address == "/" else found

    html, _ = followed_list(tmp_path, shown)
    assert "<title>0 of 1 rows</title>" in html and "1 of 1 rows" in html
    assert '<tr data-key="run">' in html  # not hidden any more
