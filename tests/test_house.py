"""The floor plan of docs/design.md, held against the syntax trees of fer_jax: imports go down,
files and functions stay short.
"""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fer_jax"
PROGRAMS = {"sweep", "study", "report", "export", "predict", "audit"}
# From the ground up. A room imports from the floors below its own, never from beside or above it.
FLOORS = (
    {"errors"},
    {"base"},
    {"config", "heads"},
    {"models", "data", "store"},
    {"train", "analysis"},
    {"plan", "results", "figures", "search"},
    {"launch", "saliency", "prediction"},
    {"reports"},
    {"exports", "serving", "studies"},
    {"fer_jax", "__main__", *PROGRAMS},  # the face, which is __init__.py, and the programs
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}
# What imports by a string: names handed on lazily, and optional packages.
BY_STRING = {"__init__.py", "__main__.py", "models/__init__.py", "base/optional.py"}
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


@pytest.mark.parametrize("path", modules().values(), ids=modules())
def test_modules_are_imported_by_their_whole_names(path):
    """What `imports` cannot see: relative imports, and names of modules in strings."""
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "relative import"
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            assert str(path.relative_to(PACKAGE)) in BY_STRING


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_the_root_holds_rooms_and_programs_only():
    assert {room(name) for name in modules()} == set(FLOOR)
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "__main__.py", "errors.py", "py.typed", *(f"{program}.py" for program in PROGRAMS)}
    assert len(FLOORS) <= 10


def test_every_room_says_what_belongs_there():
    folders = [path for path in PACKAGE.rglob("*") if path.is_dir() and list(path.glob("*.py"))]
    assert folders and all(ast.get_docstring(tree(folder / "__init__.py")) for folder in folders)


def test_imports_go_down():
    others = {
        (name, target)
        for name, targets in imports().items()
        for target in targets
        if room(name) != room(target) and FLOOR[room(target)] >= FLOOR[room(name)]
    }
    assert others == set()


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
