"""docs/networks.md: its commands mean something, its parameters, layers and blocks are counted, its
addresses are those used.
"""

import re
import shlex
from pathlib import Path

import jax
import pytest

from fer_jax import models
from fer_jax.config import command_line, fields, search_space
from fer_jax.config.rules import DISTRIBUTIONS
from fer_jax.config.values import default_config, flatten
from fer_jax.models import freezing, pretrained
from fer_jax.models.backbones import BACKBONES, backbone_layers

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "networks.md").read_text()
COMMANDS = [
    shlex.split(command)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in block.replace("\\\n", " ").splitlines()
]


def network(name):
    return models.build(flatten(default_config()) | {"model.name": name}, (48, 48, 1), 7)


def of_networks():
    """(name, what, layers, parameters) of the first table, and (name, layers, blocks, parameters)
    of the second.
    """
    tables = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            tables.setdefault(cells[0].strip("`"), []).append(cells[1:])
    return tables


@pytest.mark.parametrize("name", models.NETWORKS)
def test_numbers(name):
    net, (first, *second) = network(name), of_networks()[name]
    assert first[-1] == f"{sum(leaf.size for leaf in jax.tree.leaves(net.shapes[0])):,}"
    if name in BACKBONES:
        names = backbone_layers(net.layer_names)
        below = sum(leaf.size for layer in names for leaf in jax.tree.leaves(net.shapes[0].get(layer, {})))
        ((layers, blocks, parameters),) = second
        assert (int(layers), parameters) == (len(names), f"{below:,}")
        assert int(blocks.split(":")[0]) == 1 + max(freezing.blocks(net.layer_names).values())
    else:
        # Names on the page stand in the network's order; those with a condition are not in the
        # default one.
        named = [layer for layer in re.findall(r"`(\w+)`", first[1]) if layer in net.layer_names]
        assert len(named) > 3 and named == sorted(named, key=net.layer_names.index) and named[-1] == net.layer_names[-1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_means_something(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert words[:2] == ["fer-jax", "sweep"]
    file, overrides, rest = command_line.split_argv(["sweep", *words[2:]])
    assert rest == ["sweep"]
    loaded = command_line.load(file, overrides)
    for trial in search_space.expand(loaded.config):
        layers = network(trial.values["model.name"]).layer_names
        phases = trial.values["phases.frozen"] or ("none",)
        assert all(
            len(freezing.frozen(layers, (*trial.values["model.freeze"], words))) < len(layers) for words in phases
        )
        assert len(trial.values["train.block_rates"]) in (0, 5)


def test_published_files_and_initialisers():
    for one in pretrained.FILES.values():
        assert f"[{one.file}]({one.url})" in PAGE
    assert all(f"`{name}`" in PAGE for name in DISTRIBUTIONS)
    named = set(re.findall(r"\b(?:train|phases|data|model|head)\.[a-z_0-9]+", PAGE)) - {
        "model.layers",
        "model.save_weights",
    }
    assert named <= set(fields.FIELDS)
    assert {
        name
        for name in fields.FIELDS
        if name in ("model.freeze", "model.init", "model.top", "model.pooling", "model.preprocess")
    } <= named
