"""From a command line to a checked config: `--config=NAME[:variant,...] --config.a.b=value ...`.

NAME is that of a config which comes with fer_jax, or the path of a file: a Python file with
`get_config(variants: str = "") -> ConfigDict` that starts from `fer_jax.config.default_config()`,
or from another config file through `base`. Whatever is wrong in the file or on the command line
becomes a ConfigError of one line that says where the trouble came from.
"""

from __future__ import annotations

import difflib
import re
import shlex
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.base.moved import new_place
from fer_jax.base.text import aligned
from fer_jax.config import draws, fields, search_space, shipped
from fer_jax.config.field import FieldError, UnknownField, in_words
from fer_jax.config.names import locate, unknown
from fer_jax.config.values import canonical, flatten, get, put, sweep_draws, sweep_tree
from fer_jax.errors import ConfigError

COMMAND_LINE = "command line"
_EXAMPLES = {"config": "configs/grid3d.py", "study": "sweeps/oslo.py"}
_FLAG = re.compile(r"--?(?:config|(?P<no>no)?config\.(?P<name>[^=]*))(?:=(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Loaded:
    """A checked config and where it came from.

    Attributes:
        config: locked ConfigDict.
        file: path or name of the config as given.
        variants: words after the colon.
        command: the command line, quoted for a shell; empty when loaded from Python.
        unused: dotted name -> why, in one line, of the overrides that change nothing; empty unless
            `load` kept them.
    """

    config: ConfigDict
    file: str
    variants: tuple[str, ...] = ()
    command: str = ""
    unused: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The default name of a run: file name and variants, `grid3d-smoke`."""
        return re.sub(r"[^\w.=+-]+", "_", "-".join((Path(self.file).stem, *self.variants)))


def split_argv(argv: Sequence[str]) -> tuple[str | None, dict[str, str], list[str]]:
    """Separates config flags from the others without loading anything.

    So `--help` works without a config.

    A flag is `--config.a.b=value`, `--config.a.b value`, or for true and false `--config.a.b` and
    `--noconfig.a.b`. The last of several values for a name counts. Nothing after a lone `--` is a
    flag.

    Returns:
        The value of `--config` (None if absent), dotted name -> text of each override, and the
        remaining arguments.
    """
    file: str | None = None
    overrides: dict[str, str] = {}
    rest: list[str] = list(argv[:1])
    at = 1
    while at < len(argv):
        match = _FLAG.fullmatch(argv[at])
        if argv[at] == "--":
            rest.extend(argv[at:])
            break
        at += 1
        if match is None:
            rest.append(argv[at - 1])
            continue
        name, value = match["name"], match["value"]
        if value is None:
            if match["no"] or (name in fields.FIELDS and fields.FIELDS[name].type is bool):
                value = "false" if match["no"] else "true"
            elif at < len(argv):
                value = argv[at]
                at += 1
            else:
                raise ConfigError(f"{COMMAND_LINE}: {argv[at - 1]} has no value")
        if name is None:
            file = value
        else:
            overrides.pop(name, None)
            overrides[name] = value
    return file, overrides, rest


def load(file: str, overrides: Mapping[str, Any] | None = None, command: str = "", keep_unused: bool = False) -> Loaded:
    """Loads a config file, applies overrides, and checks every field and every point of its sweep.

    Args:
        file: path of a config file, or the name of one that comes with fer_jax, with its variants
            after a colon; what ends in '.py' is a path.
        overrides: dotted name -> value; text is read as on a command line.
        command: what to record as the command line.
        keep_unused: whether an override that changes nothing is named in `Loaded.unused` instead of
            refused; for overrides that are meant for several files.

    Raises:
        ConfigError: one line that names the file or `command line`, the field, and what is wanted.
    """
    overrides = dict(overrides or {})
    path, words = split_variants(file)
    origin = COMMAND_LINE if command else "overrides"
    try:
        config = canonical(read_file(path, words))
    except FieldError as error:
        raise ConfigError(f"{path}: {error}") from None
    override(config, overrides, origin)
    try:
        config = canonical(config)
        unused = _unused(config, search_space.settings(config), overrides)
        if unused and not keep_unused:
            raise FieldError(list(unused), next(iter(unused.values())))
    except FieldError as error:
        blamed = {name.partition("[")[0] for name in error.names}  # sweep.points[3] is set by sweep.points
        raise ConfigError(f"{origin if blamed & set(overrides) else path}: {error}") from None
    return Loaded(
        config,
        path,
        tuple(word.strip() for word in words.split(",") if word.strip()),
        command,
        unused,
    )


def load_config(config: str | Path, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """Returns a checked config for `fer_jax.run_sweep`: `load_config("grid3d:smoke")`.

    Args:
        config: what `--config` takes: the name of a config that comes with fer_jax or the path of a
            file, with variants after a colon.
        overrides: dotted name -> value, as {'train.epochs': 3}.

    Raises:
        ConfigError: as for `load`.
    """
    return load(str(config), overrides).config


def base(file: str, name: str) -> ConfigDict:
    """Returns the config of a neighbouring config file: `base(__file__, "oslo.py:full")`.

    Args:
        file: `__file__` of the config file that builds on the other.
        name: path of the other, relative to the first, with variants after a colon.
    """
    path, words = split_variants(name)
    return read_file(str(Path(file).parent / path), words)


def read_file(path: str, words: str = "") -> ConfigDict:
    """Runs the `get_config` of a config file.

    Raises:
        ConfigError: the file does not exist, cannot be read, or raises; names file and line.
    """

    def config_of(module: types.ModuleType) -> Any:
        if not callable(getattr(module, "get_config", None)):
            raise ConfigError("no function get_config(variants)")
        return module.get_config(words) if words else module.get_config()

    config = execute_file(path, config_of, "config")
    if not isinstance(config, ConfigDict):
        given = type(config).__name__
        raise _FileError(f"{path}: get_config returns a {given}, not the ConfigDict that default_config() gives")
    return config


def execute_file(path: str, take: Callable[[types.ModuleType], Any], kind: str) -> Any:
    """Executes a Python file and returns what `take` makes of its module.

    Args:
        path: of the file, or the name of one that comes with fer_jax.
        take: from the executed module to the result; a ConfigError it raises is completed by the
            file's name.
        kind: 'config' or 'study', for messages: the files lie in configs/ and sweeps/.

    Raises:
        ConfigError: the file does not exist, cannot be read, or raises; names file and line.
    """
    path = shipped.find(path, kind)
    if Path(path).suffix not in ("", ".py"):
        raise ConfigError(f"{path}: is no Python file; a {kind} is one, such as {_EXAMPLES[kind]}")
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(_unreadable(path, error, kind)) from None
    module = types.ModuleType(Path(path).stem)
    module.__file__ = path
    try:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
        return take(module)
    except _FileError:
        raise
    except Exception as error:
        raise _FileError(_describe_failure(path, source, error)) from None


def describe(config: ConfigDict) -> str:
    """Returns a config as lines for people: one for each field, then the sweep.

    A field's line has its name, value (`*`: not the default), kind, meaning and range.
    """
    rows = []
    for name, value in flatten(config).items():
        declared = fields.FIELDS[name]
        limits = f"; {declared.allowed}" if declared.allowed else ""
        needs = f"; only with {declared.needed}" if declared.needs else ""
        text = f"{'*' if value != declared.default else ' '}{value if value != '' else repr(value)}"
        rows.append((name, text, declared.kind, declared.comment + limits + needs))
    for tree in fields.TREES:
        for name, listed in sweep_tree(config, tree).items():
            rows.append((f"sweep.{tree}.{name}", f"*{listed}", "sweep", f"{len(listed)} values of {name}"))
    for name, draw in sweep_draws(config).items():
        rows.append((f"sweep.draw.{name}", f"*{draw.text}", "sweep", f"what {name} is drawn from"))
    for name in (name for name, declared in fields.FIELDS.items() if declared.kind == "sweep"):
        declared, value = fields.FIELDS[name], get(config, name)
        rows.append((name, f"{'*' if value != declared.default else ' '}{value}", "sweep", declared.comment))
    lines: list[str] = []
    block = ""
    for (name, *_), line in zip(rows, aligned(rows, most=(40, 30, 6)), strict=True):
        if name.partition(".")[0] != block and lines:
            lines.append("")
        block = name.partition(".")[0]
        lines.append(line)
    of_points = [trials for trials, _ in search_space.expand_points(config)]
    trials = [trial for of_point in of_points for trial in of_point]
    stacks = len({trial.shape_key() for trial in trials})
    counts = f"points {len(of_points)} x repeats {config.sweep.repeats} = trials {len(trials)}, of shapes {stacks}"
    return "\n".join([*lines, "", counts])


class _FileError(ConfigError):
    """An error that already names its config file.

    It passes unchanged through the files that build on that one.
    """


def split_variants(file: str) -> tuple[str, str]:
    """Splits 'hust:focal,smoke' into 'hust' and 'focal,smoke', or '' if there is none.

    What stands before the colon is a name, or a path that ends in '.py'.
    """
    path, dot_py, words = file.partition(".py:")
    if dot_py:
        return path + ".py", words
    name, _, words = file.partition(":")
    return (name, words) if name and not file.endswith(".py") else (file, "")


def override(config: ConfigDict, overrides: Mapping[str, Any], origin: str = COMMAND_LINE) -> None:
    """Sets fields of a config, in place; text is read as on a command line.

    Args:
        config: checked.
        overrides: dotted name -> value.
        origin: where the values come from, for the error.

    Raises:
        ConfigError: an unknown field, or a value that it may not have.
    """
    for name, value in overrides.items():
        try:
            _apply(config, name, value)
        except FieldError as error:
            raise ConfigError(f"{origin}: {error}") from None


def _apply(config: ConfigDict, name: str, value: Any) -> None:
    declared, tree = locate(name)
    if tree == "draw":
        value = None if value in (None, "None") else draws.parse(declared, value, name).text
    elif tree:
        value = draws.spelled_out(declared, value, name)
        value = declared.parse_list(value, name) if isinstance(value, str) else value
        value = value if value is None else declared.coerce_list(value, name)
    else:
        value = declared.parse(value) if isinstance(value, str) else declared.coerce(value)
    put(config, name, value)


def _unused(config: ConfigDict, settings: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any]) -> dict[str, str]:
    """Returns the overrides that change nothing, and why.

    The sweep sets the field in every point, or no trial uses it.
    """
    found = {}
    without_effect = search_space.without_effect(settings)
    for name in overrides:
        if name not in fields.FIELDS or fields.FIELDS[name].kind not in fields.SWEPT_KINDS:
            continue
        value = get(config, name)
        if sources := search_space.sources(config, name):
            hidden = f"{name} = {value} is never used: every trial has it from {in_words(sources)}"
            found[name] = f"{hidden}; {_instead(sources, value)}"
        elif name in without_effect and not fields.FIELDS[name].is_unset(value):
            found[name] = f"{name} = {value} has no effect: {search_space.describe_unmet(name, settings)}"
    return found


def _instead(sources: Sequence[str], value: Any) -> str:
    """Returns what to write to have `value` in place of what `sources` give.

    Sources are parts of the sweep, such as 'sweep.grid.train.l2'.
    """
    first, *others = sources
    if not others and first.startswith(("sweep.grid.", "sweep.each.")):
        quoted = f"({value!r},)".replace("'", '"')
        return f"override that instead: --config.{first}='{quoted}'"
    # A list of one does not fit the other lists of sweep.zip, and points are many.
    flags = (f"--config.{source}={'()' if source == 'sweep.points' else None}" for source in sources)
    return f"to have it so, add {shlex.join(flags)}"


def _unreadable(path: str, error: Exception, kind: str) -> str:
    if Path(path).is_dir():
        found = sorted(each.name for each in Path(path).glob("*.py"))
        return f"{path}: is a folder, not a {kind} file" + (f"; it holds {', '.join(found[:8])}" if found else "")
    if not isinstance(error, FileNotFoundError):
        return f"{path}: cannot be read as a {kind} file: {getattr(error, 'strerror', None) or error}"
    if shipped.is_name(path, kind):
        return f"{path}: no such {kind}: {shipped.hint(path, kind)}; or give the path of a file"
    folder = Path(path).parent
    near = difflib.get_close_matches(Path(path).name, [found.name for found in folder.glob("*.py")], 1)
    hint = f"did you mean {folder / near[0]}?" if near else shipped.hint(path, kind)
    return f"{path}: no such {kind} file; {hint}"


def _describe_failure(path: str, source: str, error: Exception) -> str:
    """Returns a line about an exception that a config file raised, with the place in the file."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == path]
    place = f"{path}, line {lines[-1]}" if lines else path
    code = source.splitlines()[lines[-1] - 1] if lines else ""
    if isinstance(error, UnknownField):
        name = _name_in(code, error.key) or error.names[0]
        return f"{place}: {unknown(name)}"
    if isinstance(error, ConfigError):
        return f"{place if isinstance(error, FieldError) else path}: {error}"
    if isinstance(error, (ImportError, AttributeError)) and (moved := new_place(error)):
        return f"{place}: {moved}"
    return f"{place}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _name_in(code: str, key: str) -> str:
    """Returns the dotted name with `key` in a line such as `config.train.l3 = 0`; '' for none."""
    match = re.search(rf"\b\w+\.((?:\w+\.)*{key}\b(?:\.\w+)*)", code)
    return match[1] if match else ""
