"""Every shipped config and variant loads, validates and expands to what it says."""

import re
import shlex
from pathlib import Path

import pytest

from fer_jax import flags
from fer_jax.search import space

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.name for path in CONFIGS.glob("*.py"))
TRIALS = {
    "grid3d.py": {"": 125, "smoke": 8, "full": 125},
    "mlp.py": {"": 3, "smoke": 2, "full": 5},
    "oslo_ablations.py": {"": 23, "smoke": 14, "full": 115},
    "oslo.py": {"": 3, "smoke": 2, "full": 5},
}
ALL = [(file, variant, trials) for file, counts in TRIALS.items() for variant, trials in counts.items()]


def load(file, variant=""):
    overrides = {"data.path": "fer2013.zip"} if variant == "full" else {}
    return flags.load(f"{CONFIGS / file}:{variant}", overrides)


@pytest.mark.parametrize(("file", "variant", "trials"), ALL)
def test_expands_to_its_number_of_trials(file, variant, trials):
    loaded = load(file, variant)
    assert len(space.expand(loaded.config)) == trials
    assert loaded.name == "-".join(filter(None, (Path(file).stem, variant)))
    flags.describe(loaded.config)


@pytest.mark.parametrize("file", FILES)
def test_loads_from_another_directory(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load(file)


@pytest.mark.parametrize(("file", "variant", "trials"), ALL)
def test_uses_built_in_data_unless_full(file, variant, trials):
    data = load(file, variant).config.data
    assert data.name == ("fer2013" if variant == "full" else "synthetic")
    assert data.image_size == 48 or variant != "full"


@pytest.mark.parametrize("file", FILES)
def test_smoke_is_small(file):
    config = load(file, "smoke").config
    images = len(space.expand(config)) * config.train.epochs * config.data.train_size
    assert images <= 5_000
    assert config.train.epochs >= 2
    assert config.train.batch_size <= config.data.train_size


@pytest.mark.parametrize("file", FILES)
def test_docstring_says_what_it_reproduces_and_its_commands_load(file):
    text = re.match(r'"""(.*?)"""', (CONFIGS / file).read_text(), re.DOTALL)[1]
    assert "Published" in text
    for word in ("(none)", "smoke", "full"):
        assert f"\n    {word} " in text
    commands = re.findall(r"^    (python -m fer_jax\.sweep .*)$", text, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        arguments = [part.replace("=configs/", f"={CONFIGS}/") for part in shlex.split(command)[2:]]
        loaded, rest = flags.config_from_argv(arguments)
        assert rest == ["fer_jax.sweep"]
        assert Path(loaded.file).name == file


def test_oslo_is_the_published_point():
    values = space.expand(load("oslo.py", "full").config)[0].values
    assert {
        "model.pairs": 3, "model.kernels": (32, 64, 64), "model.kernel_size": 3, "model.dropout": 0.4,
        "model.dense": (64, 7), "train.optimizer": "adam", "train.learning_rate": 1e-3, "train.l2": 1e-4,
        "train.batch_size": 64, "train.epochs": 50, "data.split": "kaggle", "data.image_size": 48,
    }.items() <= values.items()  # fmt: skip


def test_grid3d_is_oslos_grid():
    trials = space.expand(load("grid3d.py", "full").config)
    decades = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}
    expected = {(batch, rate, l2) for batch in (8, 16, 32, 64, 128) for rate in decades for l2 in decades}
    assert {tuple(trial.point.values()) for trial in trials} == expected
    assert tuple(trials[0].point) == ("train.batch_size", "train.learning_rate", "train.l2")
    assert len({trial.shape_key() for trial in trials}) == 5
    assert {trial.values["train.epochs"] for trial in trials} == {300}
    oslo, point = load("oslo.py", "full").config, trials[0].values
    assert (point["model.kernels"], point["data.split"]) == (oslo.model.kernels, oslo.data.split)


WORDS = {
    "pairs": 3, "pairs_no_dropout": 3, "kernels": 3, "kernel_size": 2, "kernel_size_padded": 3, "dropout": 4, "pool_size": 3,
    "dense_1": 3, "dense_2": 4,
}  # fmt: skip


@pytest.mark.parametrize(("word", "points"), WORDS.items())
def test_oslos_ablations_vary_one_part_each(word, points):
    full = flags.load(f"{CONFIGS / 'oslo_ablations.py'}:{word},full", {"data.path": "fer2013.zip"}).config
    trials = [trial for trial in space.expand(full) if trial.repeat == 0]
    assert len(trials) == points and {trial.values["train.epochs"] for trial in trials} == {50}
    part = {"pairs_no_dropout": "pairs", "kernel_size_padded": "kernel_size", "dense_1": "dense", "dense_2": "dense"}.get(word, word)
    changed = {name for name in trials[0].values if len({trial.values[name] for trial in trials}) > 1}
    assert changed - {"model.kernels"} == {f"model.{part}"} - {"model.kernels"} and trials[0].values["data.split"] == "kaggle"
    assert len(space.expand(flags.load(f"{CONFIGS / 'oslo_ablations.py'}:{word},smoke").config)) == 2


def test_mlp_is_imperials_network():
    values = space.expand(load("mlp.py", "full").config)[0].values
    assert (values["model.name"], values["model.hidden"], values["train.optimizer"]) == ("mlp", (1000, 1000), "sgd")
    assert (values["train.learning_rate"], values["train.momentum"], values["train.batch_size"]) == (1e-3, 0.5, 10)
