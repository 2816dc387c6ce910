"""imperial's config: both readings of its decay, its search, its CNN's parts and its sanity
checks.
"""

from pathlib import Path

import pytest

from fer_jax.config import command_line, search_space

IMPERIAL = Path(__file__).parents[1] / "configs" / "imperial.py"
SCALES = ("", "smoke", "full")


def load(*words, **overrides):
    given = {"data.path": "fer2013.zip"} if "full" in words else {}
    given |= {name.replace("__", "."): value for name, value in overrides.items()}
    return command_line.load(f"{IMPERIAL}:{','.join(filter(None, words))}", given).config


def test_imperials_decay_has_two_readings():
    trials = search_space.expand(load("full"))[::5]
    first, second = (trial.values for trial in trials)
    assert (first["train.schedule"], first["train.decay_factor"]) == ("exponential", 1e-3)
    assert (second["train.schedule"], second["train.decay"]) == ("inverse_time", 1e-3)
    alone = [search_space.expand(load(word, "full"))[0] for word in ("decay_per_epoch", "decay_keras")]
    assert [trial.values for trial in alone] == [trial.values for trial in trials]
    for values in (first, second):
        assert {
            "model.name": "mlp", "model.hidden": (1000, 1000), "train.optimizer": "sgd", "train.learning_rate": 1e-3,
            "train.momentum": 0.5, "train.batch_size": 10, "data.split": "official", "train.l2": 0.0,
        }.items() <= values.items()  # fmt: skip


def test_imperials_readings_of_the_decay_are_crossed_with_what_else_is_swept():
    config = load("full")
    config.sweep.grid.data.normalize = ("unit", "standardize", "none")
    trials = search_space.expand(config)[::5]
    assert [(trial.values["train.schedule"], trial.values["data.normalize"]) for trial in trials] == [
        (schedule, normalize)
        for schedule in ("exponential", "inverse_time")
        for normalize in ("unit", "standardize", "none")
    ]


def test_imperials_cnn():
    values = search_space.expand(load("cnn", "full"))[0].values
    assert {
        "model.name": "imperial", "model.dropout": 0.0, "model.dense_dropout": 0.5, "model.width_multiplier": 1.0,
        "train.optimizer": "sgd", "train.learning_rate": 1e-3, "train.schedule": "inverse_time", "train.decay": 1e-5,
        "train.momentum": 0.9, "train.batch_size": 32, "train.epochs": 50, "data.split": "official",
    }.items() <= values.items()  # fmt: skip


@pytest.mark.parametrize(
    ("word", "hidden", "batch", "epochs"), [("cifar10_overfit", (40, 40), 20, 20), ("cifar10", (80, 80), 10, 30)]
)
def test_imperials_sanity_checks(word, hidden, batch, epochs):
    values = search_space.expand(load(word, "full"))[0].values
    assert {
        "model.name": "mlp", "model.hidden": hidden, "model.dropout": 0.0, "train.optimizer": "sgd",
        "train.learning_rate": 1e-3, "train.schedule": "exponential", "train.decay_factor": 0.9, "train.momentum": 0.0,
        "train.batch_size": batch, "train.epochs": epochs, "data.channels": 3, "data.split": "kaggle",
    }.items() <= values.items()  # fmt: skip
    assert values["data.fraction"] == (49 / 50_000 if word == "cifar10_overfit" else 1.0)
    assert word == "cifar10" or load(word).data.train_size == 49


@pytest.mark.parametrize(
    ("word", "changed"),
    [("cnn_no_dropout", {"model.dense_dropout": 0.0}), ("cnn_no_pools", {"model.pool_size": 1}),
     ("cnn_max_pools", {"model.pooling": "max"})],
)  # fmt: skip
@pytest.mark.parametrize("scale", SCALES)
def test_imperials_parts_change_one_field_of_its_cnn(word, changed, scale):
    cnn, other = (search_space.expand(load(one, scale))[0].values for one in ("cnn", word))
    assert {name: value for name, value in other.items() if value != cnn[name]} == changed


def test_imperials_pixels_are_read_in_both_scales():
    trials = search_space.expand(load("readings", "full"))[::5]
    assert [(trial.values["train.schedule"], trial.values["data.normalize"]) for trial in trials] == [
        ("exponential", "unit"), ("exponential", "none"), ("inverse_time", "unit"), ("inverse_time", "none"),
    ]  # fmt: skip
    assert {trial.values["train.decay"] for trial in trials[2:]} == {1e-3}


@pytest.mark.parametrize(("word", "epochs"), [("coarse", 2), ("fine", 10)])
def test_imperials_search_surrounds_what_it_found(word, epochs):
    trials = search_space.expand(load(word, "full"))
    assert {trial.values["train.epochs"] for trial in trials} == {epochs}
    chosen = {"train.learning_rate": 1e-3, "train.momentum": 0.5}
    for schedule, decay in (("exponential", "train.decay_factor"), ("inverse_time", "train.decay")):
        of_one = [trial.values for trial in trials if trial.values["train.schedule"] == schedule]
        for name, value in {**chosen, decay: 1e-3}.items():
            drawn = [values[name] for values in of_one]
            assert len(set(drawn)) > 10 and min(drawn) < value < max(drawn)
        assert {10, (1000, 1000)} <= {
            values[name] for values in of_one for name in ("train.batch_size", "model.hidden")
        }


def test_imperials_cifar10_is_read_from_a_folder_of_pictures_too():
    values = search_space.expand(load("cifar10", "full", data__name="folder", data__path="cifar10_jpeg"))[0].values
    assert (values["data.name"], values["data.split"], values["data.image_size"]) == ("folder", "kaggle", 32)
