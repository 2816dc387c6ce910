"""The values of a config: defaults, sweep lists, checks, JSON."""

import copy
import json
import pickle

import numpy as np
import pytest
from small_configs import message, unlocked

from fer_jax.config import fields
from fer_jax.config.values import (
    canonical,
    default_config,
    flatten,
    from_json,
    get,
    sweep_tree,
    to_json,
    validate,
    variants,
)
from fer_jax.errors import ConfigError


def test_default_config_holds_each_field_once_and_mirrors_it_in_the_sweep_trees():
    config = default_config()
    for name, field in fields.FIELDS.items():
        assert get(config, name) == field.default
        for tree in ("grid", "each", "zip"):
            block = config.sweep[tree]
            *path, last = name.split(".")
            for key in path:
                block = block.get(key, {})
            assert (last in block) == (field.kind in ("shape", "traced", "head"))
            assert block.get(last) is None
    validate(config)


def test_default_config_refuses_unknown_fields_and_other_types_at_once():
    config = default_config()
    with pytest.raises(AttributeError):
        config.train.learnin_rate = 1.0
    with pytest.raises(ConfigError, match="^train.learning_rate = 'fast': must be a number, above 0$"):
        config.train.learning_rate = "fast"


def test_default_configs_share_nothing():
    first, second = default_config(), default_config()
    first.train.l2 = 1.0
    first.sweep.grid.train.l2 = (0.0, 1.0)
    assert second.train.l2 == fields.FIELDS["train.l2"].default
    assert second.sweep.grid.train.l2 is None


def test_unknown_and_missing_fields_are_named():
    assert message(validate, unlocked(**{"train.learnin_rate": 1.0})) == (
        "no field train.learnin_rate; did you mean train.learning_rate?"
    )
    config = default_config().unlock()
    config.sweep.grid.trian = {"l2": (0.0,)}
    assert message(validate, config) == "no field sweep.grid.trian.l2; did you mean sweep.grid.train.l2?"
    config = default_config().unlock()
    del config.train.l2
    assert message(validate, config).startswith("train.l2 is missing")
    assert "not a dict" in message(validate, {})


@pytest.mark.parametrize(
    ("point", "wanted"),
    [
        ({"train.l3": 0.0}, "did you mean train.l2?"),
        ({"train.l2": -1.0}, "at least 0"),
        ({"stack.width": 2}, "run field"),
        ({"train.seed": 2}, "sweep.repeats"),
        (3, "a dict"),
    ],
)
def test_points_are_checked(point, wanted):
    config = default_config()
    config.sweep.points = ({"train.l2": 0.0}, point)
    text = message(validate, config)
    assert text.startswith("sweep.points")
    assert wanted in text


def test_zip_needs_equal_lengths_and_fields_that_the_grid_leaves_free():
    config = default_config()
    config.sweep.zip.train.l2 = (0.0, 1.0)
    config.sweep.zip.model.dropout = (0.0, 0.1, 0.2)
    text = message(validate, config)
    assert "sweep.zip.train.l2 has 2" in text and "sweep.zip.model.dropout has 3" in text
    config.sweep.zip.model.dropout = (0.0, 0.1)
    validate(config)
    config.sweep.grid.train.l2 = (0.0,)
    assert message(validate, config).startswith("sweep.zip.train.l2: train.l2 is in sweep.grid as well")


def test_variants():
    assert variants("", ("smoke", "full")) == ()
    assert variants("full, scenario5", ("scenario5", "smoke", "full")) == ("full", "scenario5")
    assert message(variants, "smok", ("smoke", "full")) == (
        "unknown variant 'smok'; did you mean smoke? (known: smoke, full)"
    )
    assert "has none" in message(variants, "smoke", ())
    assert "unknown variant ''" in message(variants, "smoke,", ("smoke",))
    assert "not both" in message(variants, "smoke,full", ("smoke", "full"))
    assert "once" in message(variants, "smoke,smoke", ("smoke", "full"))


def test_json_round_trip_keeps_types():
    config = default_config()
    config.model.kernels = (8, 16, 16)
    config.train.l2 = 0
    config.sweep.grid.model.dense = ((), (64, 7))
    config.sweep.each.train.learning_rate = [1, 0.1]
    config.sweep.zip.train.epochs = (1, 2)
    config.sweep.points = ({"data.classes": ("happy", "sad")},)
    config.sweep.repeats = 3
    record = json.loads(json.dumps(to_json(config)))
    again = from_json(record)
    assert again.to_json() == canonical(config).to_json()
    assert repr(flatten(again)) == repr(flatten(config))
    assert sweep_tree(again, "grid") == {"model.dense": ((), (64, 7))}
    assert again.sweep.points == ({"data.classes": ("happy", "sad")},)
    assert again.is_locked


def test_a_record_of_fewer_fields_gets_defaults_and_of_other_fields_is_refused():
    assert from_json({"train.l2": 0.5}).train.epochs == fields.FIELDS["train.epochs"].default
    assert "did you mean" in message(from_json, {"train.l9": 0.5})


def test_canonical_leaves_its_argument_alone():
    config = default_config()
    config.sweep.grid.train.l2 = [0, 1]
    assert canonical(config).sweep.grid.train.l2 == (0.0, 1.0)
    assert config.sweep.grid.train.l2 == [0, 1]


def test_a_run_that_was_trained_with_a_number_beyond_float32_can_still_be_read():
    config = default_config()
    config.train.beta2 = 0.99999999
    assert from_json(to_json(config)).train.beta2 == 0.99999999
    assert "becomes 1" in message(validate, config)


def test_a_wrong_name_is_answered_with_the_field_that_is_near():
    config = default_config()
    for wrong in (
        lambda: config.train.lr,
        lambda: config.train["lr"],
        lambda: setattr(config.train, "lr", 0.1),
    ):
        assert message(wrong) == "no field train.lr; did you mean train.learning_rate?"
    with pytest.raises(
        AttributeError, match="no field sweep.grid.train.lr; did you mean sweep.grid.train.learning_rate"
    ):
        config.sweep.grid.train.lr = (0.1,)
    assert not hasattr(config, "trian") and config.train.get("lr", 3) == 3


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda config: setattr(config, "train", 3), "train is a block of fields: set one of them, such as train."),
        (lambda config: setattr(config, "train", {"l2": 3.0}), "train is a block of fields: set one of them"),
        (lambda config: setattr(config.sweep, "grid", 3), "sweep.grid is a block of fields: set one of them"),
        (lambda config: config.train.update({"epochs": 1.5}), "train.epochs = 1.5: must be a whole number"),
        (lambda config: config.__setitem__("train.lr", 1), "no field train.lr; did you mean train.learning_rate?"),
        (lambda config: delattr(config, "train"), "train cannot be deleted: a config has every field"),
        (lambda config: delattr(config.train, "l2"), "train.l2 cannot be deleted: a config has every field"),
        (lambda config: config.__delitem__("train.l2"), "train.l2 cannot be deleted: a config has every field"),
        (lambda config: delattr(config, "trian"), "no block trian; did you mean train?"),
    ],
)
def test_what_a_locked_config_refuses_names_the_field_and_what_to_do(do, words):
    config = default_config()
    text = message(do, config)
    assert text.startswith(words) and "\n" not in text
    assert config == default_config()


def test_values_that_mean_one_of_the_fields_type_are_taken():
    config = default_config()
    config["train.l2"], config.train.epochs, config.model.kernels = np.float32(0.5), np.int64(3), 32
    assert (config.train.l2, config.train.epochs, config.model.kernels) == (0.5, 3, (32,))
    assert [type(value) for value in (config.train.l2, config.train.epochs)] == [float, int]


def test_copies_of_a_config_are_configs():
    config = default_config()
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert copied == config and message(lambda copied=copied: copied.train.lr).startswith("no field train.lr;")
        copied.train.epochs = 3
        assert config.train.epochs != 3
