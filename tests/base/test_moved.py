"""Config and study files written before names moved: one line says where they are now."""

import importlib.util
import subprocess
import sys

import pytest

from fer_jax.base import moved
from fer_jax.config import command_line
from fer_jax.errors import ConfigError
from fer_jax.studies import sweeps


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("from fer_jax.flags import base", "fer_jax.flags is now fer_jax.config"),
        ("import fer_jax.flags", "fer_jax.flags is now fer_jax.config"),
        ("from fer_jax import flags", "fer_jax.flags is now fer_jax.config"),
        ("from fer_jax.field import Field", "fer_jax.field is now fer_jax.config.field"),
        ("from fer_jax.rules import resolve", "fer_jax.rules is now fer_jax.config.rules"),
        ("from fer_jax.search.space import expand", "fer_jax.search.space is now fer_jax.config.search_space"),
        ("from fer_jax.config import validate", "fer_jax.config.validate is now fer_jax.config.values.validate"),
        ("import fer_jax.config as c; c.FIELDS", "fer_jax.config.FIELDS is now fer_jax.config.fields.FIELDS"),
        ("from fer_jax.replication import Study", "fer_jax.replication is now fer_jax.studies.paper"),
        ("from fer_jax.data import sources", "fer_jax.data.sources is now fer_jax.data.reading.source"),
    ],
)
@pytest.mark.parametrize(("read", "kind"), [(command_line.load, "get_config"), (sweeps.read_study, "STUDY")])
def test_an_old_import_names_the_new_place(line, advice, read, kind, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(f"\n{line}\n{kind} = None\n")
    with pytest.raises(ConfigError) as caught:
        read(str(file))
    assert str(caught.value) == f"{file}, line 2: {advice}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import fer_jaxx", "ModuleNotFoundError: No module named 'fer_jaxx'"),
        ("from fer_jax.config import vaildate", "ImportError: cannot import name 'vaildate' from 'fer_jax.config'"),
        ("''.FIELDS", "AttributeError: 'str' object has no attribute 'FIELDS'"),
    ],
)
def test_what_never_was_is_told_as_it_is(line, message, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(line)
    with pytest.raises(ConfigError) as caught:
        command_line.load(str(file))
    assert str(caught.value).startswith(f"{file}, line 1: {message}")


def test_every_new_place_is_there():
    for old, new in moved.MODULES.items():
        assert importlib.util.find_spec(new), new
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(old)
    for module, names in moved.NAMES.items():
        for name, place in names.items():
            assert hasattr(importlib.import_module(place), name)
            assert not hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("from fer_jax.flags import base", "ModuleNotFoundError: fer_jax.flags is now fer_jax.config"),
        ("import fer_jax.launch.local", "ModuleNotFoundError: fer_jax.launch.local is now fer_jax.launch.loop"),
        ("import fer_jax; fer_jax.replication", "AttributeError: fer_jax.replication is now fer_jax.studies.paper"),
        (
            "from fer_jax import config; config.FIELDS",
            "AttributeError: fer_jax.config.FIELDS is now fer_jax.config.fields.FIELDS",
        ),
        ("import fer_jax.nothing", "ModuleNotFoundError: No module named 'fer_jax.nothing'"),
    ],
)
def test_a_script_ends_in_the_new_place_too(line, last):
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == last
