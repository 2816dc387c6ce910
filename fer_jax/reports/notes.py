"""What people wrote about a run, as a section of its page: to read, and to edit where served."""

from __future__ import annotations

import hashlib

from fer_jax.errors import RunError
from fer_jax.reports import templates
from fer_jax.reports.page import Section
from fer_jax.store import RunDirectory, bounds

MOST_CHARACTERS = bounds.MOST_NOTES_BYTES // 4  # as many fit whatever they are


def sections(directory: RunDirectory) -> list[Section]:
    """Returns the notes as a section to read; none where there are none.

    Notes that cannot be read are a sentence that says why: the report is worth more than they are.
    """
    text, problem = _read(directory)
    return [_section(text, problem)] if text.strip() or problem else []


def editor(directory: RunDirectory, token: str) -> Section:
    """Returns the notes as a section with a box to write in.

    Args:
        directory: of the run.
        token: what the page has to send with a new text.
    """
    text, problem = _read(directory)
    return _section(text, problem, editable=not problem, token=token, version=version(text))


def version(text: str) -> str:
    """Returns what tells a text from every other, so that nobody's is overwritten unseen."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def _read(directory: RunDirectory) -> tuple[str, str]:
    try:
        return directory.read_notes(), ""
    except RunError as error:
        return "", str(error)


def _section(text: str, problem: str, editable: bool = False, token: str = "", version: str = "") -> Section:
    content = templates.render(
        "notes.html",
        text=text,
        problem=problem,
        editable=editable,
        token=token,
        version=version,
        most=MOST_CHARACTERS,
    )
    return Section("notes", "Notes", "Notes", content)
