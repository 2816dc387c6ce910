"""Config fields, their values, and how a command line and a sweep set them.

What a field does lies in the room it steers.

A config file of yours imports from here: `from fer_jax.config import ConfigDict, base,
default_config, variants`.
"""

from typing import NoReturn

from ml_collections import ConfigDict

from fer_jax.base import moved
from fer_jax.config.command_line import base
from fer_jax.config.fields import add_choice, add_field
from fer_jax.config.values import default_config, get, put, variants

__all__ = ["ConfigDict", "add_choice", "add_field", "base", "default_config", "get", "put", "variants"]


def __getattr__(name: str) -> NoReturn:
    raise moved.no_attribute(__name__, name)
