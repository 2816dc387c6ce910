"""What is answered to each address: pages of runs and their data, made in memory.

No address becomes a path: a run is looked up by its key among those that are served, and nothing
else is read.
"""

from __future__ import annotations

import datetime
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from markupsafe import Markup

from fer_jax.analysis.parts import part_names
from fer_jax.analysis.ranking import metric_text
from fer_jax.base.text import counted
from fer_jax.errors import FerJaxError
from fer_jax.reports import explore_data, notes, page, run_report, several_runs, templates
from fer_jax.reports.page import Section
from fer_jax.results import rankings
from fer_jax.results.run import load_run
from fer_jax.serving import runs
from fer_jax.serving.kept import InBackground, Kept
from fer_jax.serving.runs import Runs, ServedRun, State, Tables
from fer_jax.store import RunDirectory

MOST_COMPARED = 20
_DRAWING_PAUSE, _DATA_PAUSE = 10.0, 2.0  # the least seconds before pages and data are made again
_RUN = re.compile(r"/run/(?P<key>[A-Za-z0-9_-]+)(?P<name>|/[a-z.]*)")
_ONE = re.compile(r"(?P<key>)(?P<name>/[a-z.]*)")
_NO_PAGE = "There is no such page here."
_GONE = "This run is no longer in the folder: it was deleted or renamed."
_UNKNOWN = "There is no run of this name in the folder."
_ASSETS = ("live.css", "live.js")
_Tell = Callable[[str], None]
_JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What is sent: the status, the kind of content, the content; where it is instead."""

    status: HTTPStatus
    kind: str
    body: bytes
    place: str = ""


class _Asked(NamedTuple):
    """What an address asks for.

    Attributes:
        run: whose; None where it is about none.
        name: which of its pages or documents, from the slash on; '' where that is lacking.
        problem: why there is no run at an address that is one's; else ''.
    """

    run: ServedRun | None
    name: str
    problem: str


class Site:
    """The pages of some runs.

    Args:
        places: one run directory, whose page is the first one; or several, or folders with runs,
            whose list is.
        show_images: as of `run_report.write_report`.
        patience: seconds after which a page that is being drawn is answered by one that says so.

    Attributes:
        runs: those that are served.
        single: whether there is one run and no list.
    """

    def __init__(self, places: Sequence[Path], show_images: bool = False, patience: float = 1.0):
        self.runs = Runs(places)
        self.single = self.runs.is_one
        self._title = f"Runs in {', '.join(place.resolve().name for place in places)}"
        self._show_images = show_images
        # Sites that a browser has open may not write: they cannot read this from our pages.
        self._token = secrets.token_urlsafe(24)
        # Figures are drawn one at a time: matplotlib's caches are shared by all of them.
        self._kept: Kept[str] = Kept(8, _DRAWING_PAUSE)
        self._pages = InBackground(self._kept, patience)
        self._data: Kept[bytes] = Kept(8, _DATA_PAUSE)
        self._rows: Kept[dict[str, str]] = Kept(5_000, _DATA_PAUSE)
        self._tables: Kept[Tables] = Kept(5_000, 0.0)
        self._writing = threading.Lock()
        self._steps: dict[object, str] = {}

    def get(self, address: str) -> Answer:
        """Returns the answer to an address, as a browser sends it: '/run/oslo/?a=b'."""
        path, _, query = address.partition("?")
        as_json = path.endswith(".json")
        run, name, problem = self._asked(path)
        if problem:
            return _problem(HTTPStatus.NOT_FOUND, problem, as_json)
        try:
            if run is not None:
                return self._of_run(run, name)
            if path == "/" and not self.single:
                return self._list()
            if path == "/state.json" and not self.single:
                return _json({"runs": {one.key: self._row(one) for one in self.runs.all().values()}})
            if path == "/compare" and not self.single:
                return self._compare(query)
        except FerJaxError as error:
            words = str(error) if run is None else _without_path(run, error)
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, words, as_json)
        return _problem(HTTPStatus.NOT_FOUND, _NO_PAGE, as_json)

    def post(self, address: str, document: Mapping[str, Any]) -> Answer:
        """Saves notes, if they are sent by one of our pages and nobody saved others meanwhile.

        Args:
            address: '/notes' or '/run/KEY/notes'.
            document: 'token' of the page; 'version' of the text that was changed; 'text'.
        """
        run, name, problem = self._asked(address)
        if run is None or name != "/notes":
            words = f"Not saved. {problem}" if problem else "There is nothing to save there."
            return _problem(HTTPStatus.NOT_FOUND, words, True)
        token, version, text = (document.get(one) for one in ("token", "version", "text"))
        if not (isinstance(token, str) and isinstance(version, str) and isinstance(text, str)):
            return _problem(HTTPStatus.BAD_REQUEST, "Notes come as a token, a version and a text.", True)
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            problem = "Not saved: this page is of a server that has ended. Copy your text and reload the page."
            return _problem(HTTPStatus.FORBIDDEN, problem, True)
        if len(text) > notes.MOST_CHARACTERS:
            problem = f"Not saved: notes have at most {notes.MOST_CHARACTERS:,} characters, these {len(text):,}."
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, problem, True)
        directory = RunDirectory(run.path)
        try:
            with self._writing:
                found = directory.read_notes()
                if notes.version(found) != version:
                    newer = "Not saved yet: somebody has saved other notes meanwhile. Save again to replace them."
                    newer_document = {"error": newer, "text": found, "version": notes.version(found)}
                    return _json(newer_document, HTTPStatus.CONFLICT)
                directory.write_notes(text)
                saved = directory.read_notes()
        except FerJaxError as error:
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"Not saved: {_without_path(run, error)}", True)
        return _json({"text": saved, "version": notes.version(saved)})

    def _asked(self, path: str) -> _Asked:
        known = (_ONE if self.single else _RUN).fullmatch(path)
        if known is None:
            return _Asked(None, "", "")
        found, key = self.runs.all(), known["key"]
        run = next(iter(found.values()), None) if self.single else found.get(key)
        # What was found a moment ago may be gone.
        if run is not None and runs.is_there(run):
            return _Asked(run, known["name"], "")
        has_been = self.single or run is not None or self.runs.has_been(key)
        return _Asked(None, "", _GONE if has_been else _UNKNOWN)

    def _of_run(self, run: ServedRun, name: str) -> Answer:
        if name == "":
            # Addresses in a page are relative to its folder.
            return Answer(HTTPStatus.FOUND, TEXT, b"", f"{run.key}/")
        if name == "/":
            return self._page(run)
        if name == "/state.json":
            return _json(self._state(run))
        if name == "/data.json":
            return Answer(HTTPStatus.OK, _JSON, self._document(run))
        if name == "/notes.json":
            text = RunDirectory(run.path).read_notes()
            return _json({"text": text, "version": notes.version(text)})
        return _problem(HTTPStatus.NOT_FOUND, _NO_PAGE, name.endswith(".json"))

    def _document(self, run: ServedRun) -> bytes:
        return self._data.get(run.path, runs.data_version(run.path), lambda: _document(run.path))

    def _data_version(self, run: ServedRun) -> str:
        """Returns the version of the data that are given now, which may be of a moment ago."""
        return self._data.offered(run.path, runs.data_version(run.path))

    def _state(self, run: ServedRun) -> dict[str, Any]:
        """Returns what a page asks for every few seconds."""
        state = self._how_far(run)
        return {
            "state": state.word,
            "words": state.words,
            "changed": runs.changed(run.path),
            "data": self._data_version(run),
            "figures": self._kept.offered(run.path, _page_version(run, state)),
            "notes": runs.notes_version(run.path),
        }

    def _how_far(self, run: ServedRun) -> State:
        found = self._tables.get(run.path, runs.figures_version(run.path), lambda: runs.tables(run.path))
        return runs.state(run.path, found)

    def _page(self, run: ServedRun) -> Answer:
        state = self._how_far(run)
        version = _page_version(run, state)
        html = self._drawn(run.path, version, lambda tell: self._draw(run, version, state, tell))
        if html is None:
            return self._being_drawn(run.path, f"the report of {run.name}")
        # Notes are as they are now, whenever the figures were drawn.
        editor = notes.editor(RunDirectory(run.path), self._token)
        return _html(html.replace(_PLACE, editor.content, 1))

    def _drawn(self, key: object, version: str, draw: Callable[[_Tell], str]) -> str | None:
        """Returns a page; None while it is being drawn, a step after the other."""

        def make() -> str:
            try:
                return draw(lambda step: self._steps.update({key: step}))
            finally:
                self._steps.pop(key, None)

        return self._pages.get(key, version, make)

    def _being_drawn(self, key: object, what: str) -> Answer:
        step = self._steps.get(key, "another page comes first")
        return _html(templates.render("drawing.html", what=what, step=step), HTTPStatus.ACCEPTED)

    def _draw(self, run: ServedRun, version: str, state: State, tell: _Tell) -> str:
        tell("reading the run")
        found = load_run(run.path)
        # The version first: data that change in between are asked for once more, never missed.
        about = {"follows": "run", "figures": version, "data": self._data_version(run)}
        document = json.loads(self._document(run)) if len(found.trials) else None
        drawn = run_report.draw(found, self._show_images, saliency=_has_the_devices(state), tell=tell)
        tell("the tables")
        above = templates.render("served.html", home="" if self.single else "../../", about=about)
        return run_report.html(found, drawn, [Section("notes", "Notes", "Notes", _PLACE)], _ASSETS, document, above)

    def _list(self) -> Answer:
        found = self.runs.all()
        rows = [{"key": one.key, "name": one.name, **self._row(one)} for one in found.values()]
        content = templates.render("runs.html", rows=rows, most=MOST_COMPARED)
        sections = [Section("runs", "Runs", "Runs", content)]
        scope = counted(len(rows), "run")
        above = templates.render("served.html", home="", about={"follows": "runs"})
        return _html(page.assemble(self._title, scope, {}, sections, page.written_now(), assets=_ASSETS, above=above))

    def _row(self, run: ServedRun) -> dict[str, str]:
        """Returns a run's row of the list, as texts."""
        when = runs.changed(run.path)
        changed = datetime.datetime.fromtimestamp(when).isoformat("\n", "minutes") if when else ""
        try:
            state = self._how_far(run)
            version = f"{runs.figures_version(run.path)} {runs.notes_version(run.path)}"
            row = self._rows.get(run.path, version, lambda: _in_words(run.path))
        except FerJaxError as error:
            words = _without_path(run, error)
            empty = dict.fromkeys(("data", "trials", "result", "results", "notes"), "")
            return {**empty, "state": "unreadable", "best": words, "bests": words, "changed": changed}
        trials = f"{state.tables.ended:,} of {state.tables.total:,}"
        return {**row, "state": state.word, "trials": trials, "changed": changed}

    def _compare(self, query: str) -> Answer:
        found = self.runs.all()
        try:
            keys = list(dict.fromkeys(parse_qs(query, max_num_fields=200).get("run", [])))
        except ValueError:
            keys = []
        unknown = [key for key in keys if key not in found]
        if unknown or not 2 <= len(keys) <= MOST_COMPARED:
            problem = f"Choose from two to {MOST_COMPARED} runs of the list."
            return _problem(HTTPStatus.BAD_REQUEST, problem, False)
        paths, names = [found[key].path for key in keys], [found[key].name for key in keys]
        version = " ".join(runs.figures_version(path) for path in paths)
        above = templates.render("served.html", home=".", about={})

        def draw(tell: _Tell) -> str:
            tell("tables and figures")
            return several_runs.comparison(paths, names=names, assets=_ASSETS, above=above)

        html = self._drawn(tuple(paths), version, draw)
        return self._being_drawn(tuple(paths), f"{len(paths)} runs side by side") if html is None else _html(html)


_PLACE = Markup("<!-- notes -->")


def _has_the_devices(state: State) -> bool:
    """Whether what the networks look at may be computed, which needs what the sweep trains on."""
    return state.word != "running"


def _page_version(run: ServedRun, state: State) -> str:
    return f"{runs.figures_version(run.path)}{'' if _has_the_devices(state) else '-running'}"


def _in_words(path: Path) -> dict[str, str]:
    """Returns a run's data, notes and best point; each part's where several are ranked apart."""
    parts = rankings.parts(load_run(path))
    names = part_names(parts) if len(parts) > 1 else [""]
    ranked = [(name, part) for name, part in zip(names, parts, strict=True) if len(part.ranked)]
    best = [f"{name}: {part.best_words}" if name else part.best_words for name, part in ranked]
    results = [metric_text(part, part.best, part.metric) for _, part in ranked]
    return {
        "data": str(parts[0].data.get("label", "unknown data")),
        "best": _unbroken(_first(best)),
        "bests": "; ".join(best),
        "notes": RunDirectory(path).read_notes().strip().partition("\n")[0][:200],
        "result": _first([_unbroken(one) for one in results]),
        "results": "; ".join(results),
    }


def _first(texts: Sequence[str]) -> str:
    """Returns the first of some texts, and how many more there are; '' for none."""
    return "; ".join([*texts[:1], *([f"and {len(texts) - 1} more"] if len(texts) > 1 else [])])


def _unbroken(text: str) -> str:
    """Returns a text in which no line breaks inside '1e-4', '0.9 ± 0.1' or 'n = 3'."""
    return re.sub(r"(?<=\de)-(?=\d)", "-\u2060", text).replace(" ± ", "\u00a0±\u00a0").replace("n = ", "n\u00a0=\u00a0")


def _without_path(run: ServedRun, error: FerJaxError) -> str:
    """Returns an error about a run with its name instead of where it lies on this machine."""
    text = str(error)
    for path in {str(run.path.resolve()), str(run.path)} - {"."}:
        text = re.sub(
            rf"(?<![\w./-]){re.escape(path)}(?P<below>/?)", lambda found: "" if found["below"] else run.name, text
        )
    return text


def _document(path: Path) -> bytes:
    document = explore_data.document(load_run(path))
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def _html(html: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, "text/html; charset=utf-8", html.encode(errors="backslashreplace"))


def _json(document: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, _JSON, json.dumps(document).encode())


def _problem(status: HTTPStatus, words: str, as_json: bool) -> Answer:
    if as_json:
        return _json({"error": words}, status)
    return _html(templates.render("problem.html", words=words), status)
