"""The templates, styles and scripts of `web/`: what is filled in is escaped unless it is Markup."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from fer_jax.base import text


def render(template: str, /, **values: object) -> Markup:
    """Returns a template of web/ with its values filled in.

    Args:
        template: its file name.
        values: by the names that the template knows them by; text is escaped, Markup is not.
    """
    return Markup(_environment().get_template(template).render(values))


def macro(name: str, /, **values: object) -> Markup:
    """Returns a macro of parts.html filled in, without the line breaks around it.

    Args:
        name: of the macro.
        values: its arguments, as of `render`.
    """
    return Markup(getattr(_environment().get_template("parts.html").module, name)(**values).strip())


def paragraphs(*notes: str) -> Markup:
    """Returns texts as a paragraph each."""
    return macro("paragraphs", notes=notes)


def asset(name: str) -> Markup:
    """Returns a style sheet or a script of web/ as it stands, to be put into its element."""
    return Markup(_text(name))


def as_json(document: object) -> Markup:
    """Returns a JSON-ready document as text that can stand in a script element, whatever it holds.

    Raises:
        ValueError: it has a number that JSON has not, such as NaN.
    """
    written = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(written)


def printable(value: Any) -> Any:
    """Returns a text, or all texts of a JSON-ready document, with control characters as escapes.

    Names of classes and files may hold bytes that a page would show as nothing, or as a reversal of
    what follows. Markup is of what was made printable before.
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.printable(value.replace("\r\n", "\n"), lines=True)
    if isinstance(value, dict):
        return {name: printable(one) for name, one in value.items()}
    return [printable(one) for one in value] if isinstance(value, list) else value


def _text(name: str) -> str:
    return resources.files(__package__).joinpath("web", name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    made: Any = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        finalize=printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["as_json"] = as_json
    return made
