"""Bars and messages in a notebook, with a stand-in for IPython that keeps what is displayed."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from fer_jax.base import console
from fer_jax.launch.progress import Progress


class Handle:
    def __init__(self, html):
        self.shown = [html]

    def update(self, html):
        self.shown.append(html)


@pytest.fixture
def displays(monkeypatch):
    """The displays of a notebook's cell, each with all that it has shown."""
    made = []

    def display(html, display_id):
        assert display_id is True
        made.append(Handle(html))
        return made[-1]

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    module.display, module.HTML = display, str
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return made


def test_a_sweep_has_one_display_that_is_empty_in_the_end(displays, capsys):
    with Progress(None) as progress:
        progress.count_work(10.0)
        progress.say("a <message> of a sweep")
        with progress.wave("stack_0-wave_0 (4 trials)", 40, 0, 10.0, 2, 0, "stack 1 of 1") as follower:
            follower.epoch(1, 20, 0.5, "learning rate <1e-3>")
            progress._bars.live.refresh()
    (only,) = displays
    assert any("stack 1 of 1" in one and "epoch 2 of 2" in one and "sweep" in one for one in only.shown)
    assert any("best val 0.500 (learning rate &lt;1e-3&gt;)" in one for one in only.shown)
    assert only.shown[-1] == "" and len(set(only.shown)) > 2
    said = capsys.readouterr()
    assert said.out == "a <message> of a sweep\n" and said.err == ""


def test_remarks_and_counts_are_plain_too(displays, capsys):
    console.say("a remark")
    with console.bar("reading", 3) as done, console.working("planning"):
        done()
        console._bars.live.refresh()
    assert capsys.readouterr() == ("fer_jax: a remark\n", "")
    assert len(displays) == 1 and any("reading" in one and "1 of 3 pictures" in one for one in displays[0].shown)


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not console.in_notebook() and console.lines() is sys.stderr
    monkeypatch.delitem(sys.modules, "IPython")
    assert not console.in_notebook()
