"""The examples of docs/extending.md run as they stand."""

import re
from pathlib import Path

import pytest

import fer_jax
from fer_jax import config as fields
from fer_jax import data, models

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()


@pytest.fixture
def example(monkeypatch):
    """example(heading) runs the section's code; what it registers is forgotten afterwards."""
    for registry in (fields.FIELDS, models.NETWORKS, data.READERS):
        for name in list(registry):
            monkeypatch.setitem(registry, name, registry[name])
    known = {id(registry): set(registry) for registry in (fields.FIELDS, models.NETWORKS, data.READERS)}

    def run(heading):
        section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
        namespace = {}
        exec("\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL)), namespace)
        return namespace

    yield run
    for registry in (fields.FIELDS, models.NETWORKS, data.READERS):
        for name in set(registry) - known[id(registry)]:
            del registry[name]


def train(config, path):
    config.data.image_size = 16
    config.train.batch_size = 8
    return fer_jax.run_sweep(config, path)


def small():
    config = fields.default_config()
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.train.epochs = 1
    return config


def test_a_network(example, tmp_path):
    example("A network")
    config = small()
    config.model.name = "squeeze"
    config.model.kernels = (4,)
    run = train(config, tmp_path)
    trial = run.trial(run.trials["id"][0])
    images = trial.dataset().validation.images
    assert trial.features(images, layer="squeeze").reshape(len(images), -1).shape == (35, 8)


def test_a_data_set(example, tmp_path):
    example("A data set")
    config = fields.default_config()
    config.data.name, config.data.split = "stripes", "stratified_80_10_10"
    config.model.pairs, config.model.kernels, config.model.dense = 1, (4,), (8,)
    config.train.epochs = 15
    run = train(config, tmp_path)
    assert run.record["data"]["classes"] == ["lying", "upright"]
    assert run.trials["val_accuracy"][0] > 0.9


def test_a_config_field(example, tmp_path):
    example("A config field")
    config = small()
    config.model.name = "narrow"
    config.sweep.grid.model.bottleneck = (4, 16)
    assert len(train(config, tmp_path).plan["stacks"]) == 2
