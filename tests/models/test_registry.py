"""Networks by name, and where their names are kept."""

import subprocess
import sys

import pytest

import fer_jax.models
from fer_jax import models
from fer_jax.config import fields
from fer_jax.errors import ConfigError
from fer_jax.models import registry
from fer_jax.models.mlp import build_mlp
from tests.models.conftest import values


def test_an_unknown_network_is_named():
    with pytest.raises(ConfigError, match="model.name: 'vit' is none of cnn, efficientnet_b0, imperial, mlp"):
        models.build(values(model__name="vit"), (24, 24, 1), 7)


def test_a_network_of_ones_own_is_built_by_its_name(monkeypatch):
    monkeypatch.setitem(registry.NETWORKS, "own", None)
    for name, field in list(fields.FIELDS.items()):
        monkeypatch.setitem(fields.FIELDS, name, field)  # so that each is put back
    models.register("own", build_mlp)
    network = models.build(values(model__name="own", model__hidden=(5,)), (4, 4, 1), 3)
    assert network.layer_names == ("flatten", "dense_0", "dropout_0", "output")
    assert "own" in fields.FIELDS["model.name"].choices


def test_the_room_hands_on_its_names_and_imports_no_jax_before():
    assert models.NETWORKS is registry.NETWORKS and models.build is registry.build
    assert all(hasattr(models, name) for name in models.__all__)
    with pytest.raises(AttributeError, match="module 'fer_jax.models' has no attribute 'Chains'"):
        _ = fer_jax.models.Chains
    code = "import sys, fer_jax.models, fer_jax.models.test_time; print('jax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
