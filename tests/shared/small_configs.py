"""Configs built in a line, and what is said of those that are refused."""

import pytest

from fer_jax.config.values import default_config, put
from fer_jax.errors import ConfigError


def message(call, *arguments):
    """The one line of the ConfigError that a call raises."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unlocked(**values):
    """The default config with other values, whatever their type."""
    config = default_config().unlock()
    config.update_from_flattened_dict(values)
    return config


def build(grid=None, each=None, zipped=None, points=(), repeats=1, **values):
    """The default config with a sweep and other values, model__dropout for model.dropout."""
    config = default_config()
    for tree, lists in (("grid", grid), ("each", each), ("zip", zipped)):
        for name, listed in (lists or {}).items():
            put(config, f"sweep.{tree}.{name}", listed)
    config.sweep.points = tuple(points)
    config.sweep.repeats = repeats
    for name, value in values.items():
        put(config, name.replace("__", "."), value)
    return config
