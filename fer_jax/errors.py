"""Errors meant for people: one line that names the field, file or row and says what to do.

Programs catch `FerJaxError`, print it without a traceback and exit with status 2; anything else is
a bug and keeps its traceback.
"""

from typing import Any


class FerJaxError(Exception):
    """Base of every error a user can cause and mend."""

    def _render_traceback_(self, *where: Any) -> list[str]:
        """Returns what a notebook and IPython show: the line itself, without a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(FerJaxError):
    """A config field, flag or sweep that cannot be used as it stands."""


class DataError(FerJaxError):
    """A data source that is missing, broken or does not hold what was asked for."""


class RunError(FerJaxError):
    """A run directory that is locked, damaged or belongs to another sweep."""


class DamagedError(RunError):
    """A file of a run that is damaged, where the rest of the run can be used without it."""
