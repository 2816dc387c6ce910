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
from collections.abc import Mapping, Sequence
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
_RUN = re.compile(r"/run/([A-Za-z0-9_-]+)/([a-z.]*)")
_ASSETS = ("live.css", "live.js")
_JSON = "application/json"


class Answer(NamedTuple):
    """What is sent: the status, the kind of content, the content."""

    status: HTTPStatus
    kind: str
    body: bytes


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
        self.single = len(places) == 1 and (places[0] / "config.json").is_file()
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

    def get(self, address: str) -> Answer:
        """Returns the answer to an address, as a browser sends it: '/run/oslo/?a=b'."""
        path, _, query = address.partition("?")
        run, name = self._run(path)
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
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error), path.endswith(".json"))
        return _problem(HTTPStatus.NOT_FOUND, "There is no such page here.", path.endswith(".json"))

    def post(self, address: str, document: Mapping[str, Any]) -> Answer:
        """Saves notes, if they are sent by one of our pages and nobody saved others meanwhile.

        Args:
            address: '/notes' or '/run/KEY/notes'.
            document: 'token' of the page; 'version' of the text that was changed; 'text'.
        """
        run, name = self._run(address)
        if run is None or name != "notes":
            return _problem(HTTPStatus.NOT_FOUND, "There is nothing to save there.", True)
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
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"Not saved: {error}", True)
        return _json({"text": saved, "version": notes.version(saved)})

    def _run(self, path: str) -> tuple[ServedRun | None, str]:
        """Returns the run that an address is about and what of it is asked for."""
        found = self.runs.all()
        if self.single:
            known = re.fullmatch(r"/([a-z.]*)", path)
            return (next(iter(found.values()), None), known[1]) if known else (None, "")
        known = _RUN.fullmatch(path)
        return (found.get(known[1]), known[2]) if known else (None, "")

    def _of_run(self, run: ServedRun, name: str) -> Answer:
        if name == "":
            return self._page(run)
        if name == "state.json":
            return _json(self._state(run))
        if name == "data.json":
            body = self._data.get(run.path, runs.data_version(run.path), lambda: _document(run.path))
            return Answer(HTTPStatus.OK, _JSON, body)
        if name == "notes.json":
            text = RunDirectory(run.path).read_notes()
            return _json({"text": text, "version": notes.version(text)})
        return _problem(HTTPStatus.NOT_FOUND, "There is no such page here.", name.endswith(".json"))

    def _state(self, run: ServedRun) -> dict[str, Any]:
        """Returns what a page asks for every few seconds."""
        state = self._how_far(run)
        return {
            "state": state.word,
            "words": state.words,
            "changed": runs.changed(run.path),
            "data": runs.data_version(run.path),
            "figures": self._kept.offered(run.path, _page_version(run, state)),
            "notes": runs.notes_version(run.path),
        }

    def _how_far(self, run: ServedRun) -> State:
        found = self._tables.get(run.path, runs.figures_version(run.path), lambda: runs.tables(run.path))
        return runs.state(run.path, found)

    def _page(self, run: ServedRun) -> Answer:
        state = self._how_far(run)
        version = _page_version(run, state)
        html = self._pages.get(run.path, version, lambda: self._draw(run, version, state))
        if html is None:
            return _being_drawn(f"the report of {run.name}")
        # Notes are as they are now, whenever the figures were drawn.
        editor = notes.editor(RunDirectory(run.path), self._token)
        return _html(html.replace(_PLACE, editor.content, 1))

    def _draw(self, run: ServedRun, version: str, state: State) -> str:
        made_of = {"data": runs.data_version(run.path), "figures": version}
        found = load_run(run.path)
        drawn = run_report.draw(found, self._show_images, saliency=_has_the_devices(state))
        home = "" if self.single else "../../"
        served = templates.render("served.html", home=home, **made_of) + _PLACE
        return run_report.html(found, drawn, [Section("notes", "Notes", "Notes", served)], _ASSETS)

    def _list(self) -> Answer:
        found = self.runs.all()
        rows = [{"key": one.key, "name": one.name, **self._row(one)} for one in found.values()]
        content = templates.render("runs.html", rows=rows, most=MOST_COMPARED)
        sections = [Section("runs", "Runs", "Runs", content)]
        scope = counted(len(rows), "run")
        return _html(page.assemble(self._title, scope, {}, sections, page.written_now(), assets=_ASSETS))

    def _row(self, run: ServedRun) -> dict[str, str]:
        """Returns a run's row of the list, as texts."""
        when = runs.changed(run.path)
        changed = datetime.datetime.fromtimestamp(when).isoformat(" ", "minutes") if when else ""
        try:
            state = self._how_far(run)
            version = f"{runs.figures_version(run.path)} {runs.notes_version(run.path)}"
            row = self._rows.get(run.path, version, lambda: _in_words(run.path))
        except FerJaxError as error:
            empty = dict.fromkeys(("data", "trials", "result", "notes"), "")
            return {**empty, "state": "unreadable", "best": str(error), "changed": changed}
        trials = f"{state.ended:,} of {state.total:,}"
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
        paths = [found[key].path for key in keys]
        version = " ".join(runs.figures_version(path) for path in paths)
        html = self._pages.get(tuple(paths), version, lambda: several_runs.comparison(paths))
        return _being_drawn(f"{len(paths)} runs side by side") if html is None else _html(html)


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
    return {
        "data": str(parts[0].data.get("label", "unknown data")),
        "best": "; ".join(f"{name}: {part.best_words}" if name else part.best_words for name, part in ranked),
        "notes": RunDirectory(path).read_notes().strip().partition("\n")[0][:200],
        "result": "; ".join(metric_text(part, part.best, part.metric) for _, part in ranked),
    }


def _document(path: Path) -> bytes:
    run = load_run(path)
    document = explore_data.document(run, rankings.whole(run), rankings.parts(run))
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def _html(html: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, "text/html; charset=utf-8", html.encode(errors="backslashreplace"))


def _being_drawn(what: str) -> Answer:
    return _html(templates.render("drawing.html", what=what), HTTPStatus.ACCEPTED)


def _json(document: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, _JSON, json.dumps(document).encode())


def _problem(status: HTTPStatus, words: str, as_json: bool) -> Answer:
    if as_json:
        return _json({"error": words}, status)
    return _html(templates.render("problem.html", words=words), status)
