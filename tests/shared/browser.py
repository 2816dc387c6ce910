"""Pages in headless Chromium: what a script finds there; tests are skipped where there is none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
# What a reader does, and what the page is then; the answer is left where --dump-dom shows it.
ACTIONS = """
const shown = row => !row.hidden && getComputedStyle(row).display !== "none";
const rows = id => [...document.getElementById(id).tBodies[0].rows].filter(shown);
const heads = id => [...document.getElementById(id).tHead.rows[0].cells];
const column = (id, name) => heads(id).findIndex(cell => cell.textContent.trim() === name);
const cells = (id, name) => rows(id).map(row => row.cells[column(id, name)].textContent);
const click = (id, name) => heads(id)[column(id, name)].firstElementChild.click();
const type = (id, text) => {
  const box = document.querySelector(`input[data-for="${id}"]`);
  box.value = text; box.dispatchEvent(new Event("input"));
  return box.nextElementSibling.textContent;
};
"""


def look(page, tmp_path, script, width=1200):
    """What `script`, an expression, is in a window of this width, as JSON gives it; JavaScript's
    errors are raised.
    """
    html = page.read_text(encoding="utf-8")
    answer = f"""<script>"use strict"; {ACTIONS}
      let outcome; try {{ outcome = {{value: {script}}}; }} catch (error) {{ outcome = {{error: String(error)}}; }}
      const left = document.createElement("pre"); left.id = "outcome"; left.textContent = JSON.stringify(outcome);
      document.body.append(left);
    </script>"""
    early = (
        "<script>window.addEventListener('error', event => { document.documentElement.dataset.error = event.message; "
        "});</script>"
    )
    copy = tmp_path / f"looked-at-{width}.html"
    copy.write_text(
        html.replace("<head>", f"<head>{early}", 1).replace("</body>", f"{answer}</body>"), encoding="utf-8"
    )
    profile = tmp_path / f"profile-{width}"
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", f"--window-size={width},900", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "data-error=" not in done.stdout
    outcome = json.loads(_unescaped(re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
    assert "error" not in outcome, outcome
    return outcome["value"]


def _unescaped(text):
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
