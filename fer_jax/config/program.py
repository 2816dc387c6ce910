"""The head that every program a person starts has in common: flags, help, errors, exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from absl import flags

from fer_jax.base import console, started
from fer_jax.base.text import printable
from fer_jax.base.version import __version__
from fer_jax.config.command_line import split_argv
from fer_jax.errors import ConfigError, FerJaxError

# What a program returns to the shell, besides 0 for done and 1 for done in part.
MISUSED, STOPPED = 2, 130


@dataclass(frozen=True)
class Command:
    """A command line that has been read.

    Attributes:
        argv: the whole of it, program name first.
        flags: the values of the program's own flags.
        arguments: what stands beside the flags, in order.
        config: the value of --config; None where it is absent, or the program takes none.
        overrides: dotted name -> text of each --config.a.b=text.
    """

    argv: Sequence[str]
    flags: flags.FlagValues
    arguments: Sequence[str]
    config: str | None
    overrides: Mapping[str, str]


def run_program(
    argv: Sequence[str],
    about: str,
    usage: str,
    declare: Callable[[flags.FlagValues], None],
    check: Callable[[Command], str],
    run: Callable[[Command], int],
    takes_config: bool = False,
    note: str = "",
) -> int:
    """Runs a program, or says on stderr, in one line, what is wrong with its command line.

    Args:
        argv: like `sys.argv`.
        about, usage, note: the help, before the flags and after them; `usage` also ends the line
            about a command line that `check` refuses. Commands in them are shown as they are typed
            (see `base.started`).
        declare: defines the program's own flags in the values it is given; --help and --version are
            added.
        check: returns what is wrong with the command line, '' if nothing. It need not import what
            takes long.
        run: returns the exit status.
        takes_config: whether --config and --config.a.b are read (see `split_argv`).

    Returns:
        The exit status: that of `run`; 0 after --help and --version; 2 where the command line or
        what it names cannot be used, which is every `FerJaxError`; 130 where the user stopped it.
    """
    console.spell_out()
    # XLA's own lines, such as "Very slow compile?" after two minutes, would end up among ours. What
    # goes wrong in it comes as an exception, and what ends the process (level 3) is still shown.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    about, usage, note = map(started.worded, (about, usage, note))
    try:
        command = _read(argv, declare, takes_config)
        if command.flags.help:
            texts = about.strip(), f"{usage}\n{command.flags.get_help()}".rstrip(), note
            return console.until_closed(lambda: print("\n\n".join(filter(None, texts))) or 0)
        if command.flags.version:
            print(f"fer-jax {__version__}")
            return 0
        if problem := check(command):
            raise ConfigError(f"{problem}; {usage}")
        with console.program():
            return console.until_closed(lambda: run(command))
    except FerJaxError as error:
        print(error_line(error), file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return STOPPED


def error_line(error: object) -> str:
    """Returns how a program says an error: one line, whatever stands in the names it has."""
    return f"error: {printable(str(error))}"


def _read(argv: Sequence[str], declare: Callable[[flags.FlagValues], None], takes_config: bool) -> Command:
    config, overrides, rest = split_argv(argv) if takes_config else (None, {}, list(argv))
    # Flags of its own, not absl's global ones: several programs may run in one process.
    values = flags.FlagValues()
    declare(values)
    module = next(iter(values.flags_by_module_dict()))
    flags.DEFINE_bool("version", False, "Show the version of fer_jax.", flag_values=values, module_name=module)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values, module_name=module)
    try:
        arguments = values(rest)[1:]
    except (flags.Error, ValueError) as error:  # absl raises the latter for --no<flag>=value
        raise ConfigError(" ".join(str(error).split())) from None
    return Command(argv, values, arguments, config, overrides)
