"""The floor plan of docs/design.md, held against the syntax trees of fer_jax: imports go down,
files and functions stay short.
"""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fer_jax"
PROGRAMS = {"sweep", "study", "report", "export", "predict", "audit"}
# From the ground up. A room may import from the floors below it and from rooms named before it on
# its own.
FLOORS = (
    ("errors",),
    ("base",),
    ("config", "heads"),
    ("models", "data", "store"),
    ("train", "analysis"),
    ("plan", "results", "figures"),
    ("launch", "saliency", "prediction"),
    ("reports",),
    ("exports", "studies"),
    ("fer_jax", *sorted(PROGRAMS)),
)
HEIGHT = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def imports() -> dict[str, set[str]]:
    """The modules each module imports, anywhere in it, also in functions and for types only."""
    known = modules()
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        targets = set()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= {full if full in known else node.module for full in inner}
        found[name] = {target for target in targets if target in known and target != name}
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_every_room_has_a_floor():
    assert {room(name) for name in modules()} - set(HEIGHT) == set()
    assert len(FLOORS) <= 10


def test_no_import_goes_up():
    upward = {
        (name, target)
        for name, targets in imports().items()
        for target in targets
        if {room(name), room(target)} <= set(HEIGHT)
        and room(name) != room(target)
        and HEIGHT[room(target)] > HEIGHT[room(name)]
    }
    assert upward == set()


def reached_from(name: str) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        new = imports()[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def test_no_files_import_each_other_in_a_circle():
    assert {name for name in modules() if name in reached_from(name)} == set()


@pytest.mark.parametrize("path", modules().values(), ids=modules())
def test_files_and_functions_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= LONGEST_FUNCTION, node.name
