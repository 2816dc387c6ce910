"""Fields, their checks, and the config built from them."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.config import fields
from fer_jax.config.field import FieldError
from fer_jax.config.names import nearest
from fer_jax.config.rules import resolve
from fer_jax.config.values import (
    canonical,
    default_config,
    flatten,
    from_json,
    get,
    put,
    sweep_tree,
    to_json,
    validate,
    variants,
)
from fer_jax.errors import ConfigError
from fer_jax.models.layers import widened


def message(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unlocked(**values):
    config = default_config().unlock()
    config.update_from_flattened_dict(values)
    return config


def test_every_field_is_declared_soundly():
    for name, field in fields.FIELDS.items():
        assert field.name == name
        assert field.coerce(field.default) == field.default
        assert type(field.coerce(field.default)) is type(field.default)
        assert field.comment and "\n" not in field.comment
        assert field.kind in ("shape", "traced", "head", "run", "sweep")
        for need in field.needs:
            other = fields.FIELDS[need.name]
            assert all(other.coerce(value) == value for value in need.values)
            assert [bool(need.values), need.above is not None, need.longer is not None].count(True) == 1
            assert need.longer is None or other.type is tuple
            assert need.above is None or other.item_type in (int, float)


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
    with pytest.raises(TypeError):
        config.train.learning_rate = "fast"


def test_default_configs_share_nothing():
    first, second = default_config(), default_config()
    first.train.l2 = 1.0
    first.sweep.grid.train.l2 = (0.0, 1.0)
    assert second.train.l2 == fields.FIELDS["train.l2"].default
    assert second.sweep.grid.train.l2 is None


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        ("train.learning_rate", 1, 1.0),
        ("train.learning_rate", np.float32(0.5), 0.5),
        ("train.l2", -0.0, 0.0),
        ("train.epochs", np.int64(7), 7),
        ("model.kernels", [8, 16, 16], (8, 16, 16)),
        ("model.kernels", 32, (32,)),
        ("model.dense", (), ()),
        ("model.batch_norm", np.True_, True),
        ("data.classes", ["happy", "sad"], ("happy", "sad")),
        ("data.fraction", 1, 1.0),
        ("data.image_size", 8, 8),
        ("data.label_noise", 0.05, 0.05),
    ],
)
def test_values_become_the_fields_own_type(name, value, canonical):
    given_value = fields.FIELDS[name].coerce(value)
    assert given_value == canonical
    assert type(given_value) is type(canonical)
    assert repr(given_value) == repr(canonical)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("train.learning_rate", 0.0, "above 0"),
        ("train.l2", -1e-9, "at least 0"),
        ("train.l2", math.nan, "finite"),
        ("train.l2", math.inf, "finite"),
        ("train.l2", 10**400, "finite"),
        ("train.l2", "1e-3", "a number"),
        ("train.l2", True, "a number"),
        ("train.l2", None, "a number"),
        ("train.momentum", 1.0, "below 1"),
        ("model.dropout", 1.0, "below 1"),
        ("data.fraction", 0.0, "above 0"),
        ("data.fraction", 1.01, "at most 1"),
        ("data.label_noise", 0.051, "at most 0.05"),
        ("data.image_size", 7, "at least 8"),
        ("data.image_size", 513, "at most 512"),
        ("data.channels", 2, "1 or 3"),
        ("train.epochs", 2.0, "a whole number"),
        ("train.epochs", True, "a whole number"),
        ("train.epochs", 0, "at least 1"),
        ("train.optimizer", "adma", "did you mean adam?"),
        ("model.batch_norm", 1, "true or false"),
        ("model.kernels", (8, 0, 8), "at least 1"),
        ("model.kernels", (8, 8.5, 8), "a whole number"),
        ("data.classes", (1, 2), "a word"),
        ("stack.engine", "gpu", "auto or map or vmap"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wanted(name, value, wanted):
    text = message(fields.FIELDS[name].coerce, value)
    assert text.startswith(f"{name} = ")
    assert wanted in text


@pytest.mark.parametrize("name", [name for name, field in fields.FIELDS.items() if field.item_type in (int, float)])
def test_ends_of_a_range_are_open_or_closed_as_declared(name):
    field = fields.FIELDS[name]
    step = 1 if field.item_type is int else 1e-12
    for end, is_open, inward in ((field.low, field.low_open, step), (field.high, field.high_open, -step)):
        if end is None or field.choices:
            continue
        outside = (end - inward, end) if is_open else (end - inward,)
        for value in outside:
            with pytest.raises(FieldError):
                field.coerce(field.item_type(value))
        field.coerce(field.item_type(end + inward if is_open else end))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("train.l2", "1e-3", 1e-3),
        ("train.l2", "0", 0.0),
        ("train.epochs", "12", 12),
        ("model.batch_norm", "true", True),
        ("model.batch_norm", "False", False),
        ("model.kernels", "(8,16,16)", (8, 16, 16)),
        ("model.kernels", "[8, 16, 16]", (8, 16, 16)),
        ("model.kernels", "8,16,16", (8, 16, 16)),
        ("model.kernels", "32", (32,)),
        ("model.dense", "()", ()),
        ("data.classes", "happy,sad", ("happy", "sad")),
        ("data.classes", "('happy', 'sad')", ("happy", "sad")),
        ("data.path", "a b/(1,2).zip", "a b/(1,2).zip"),
        ("data.path", "1e-3", "1e-3"),
        ("report.title", "[draft]", "[draft]"),
    ],
)
def test_text_is_read_as_the_fields_type(name, text, value):
    assert fields.FIELDS[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("train.l2", "(0.,1e-3)", (0.0, 1e-3)),
        ("train.l2", "[0.,1e-3]", (0.0, 1e-3)),
        ("train.l2", "0,1e-3", (0.0, 1e-3)),
        ("train.l2", "1e-3", (1e-3,)),
        ("train.l2", "None", None),
        ("train.optimizer", "adam,sgd", ("adam", "sgd")),
        ("train.optimizer", "(adam, sgd)", ("adam", "sgd")),
        ("train.optimizer", "('adam',)", ("adam",)),
        ("train.optimizer", "sgd", ("sgd",)),
        ("model.batch_norm", "true,false", (True, False)),
        ("model.batch_norm", "(True, False)", (True, False)),
        ("model.kernels", "((32,64,64),(16,))", ((32, 64, 64), (16,))),
        ("model.dense", "((),(64,))", ((), (64,))),
        ("data.classes", "(('happy','sad'),())", (("happy", "sad"), ())),
    ],
)
def test_text_is_read_as_a_list_to_sweep(name, text, values):
    assert fields.FIELDS[name].parse_list(text, f"sweep.grid.{name}") == values


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("train.l2", (), "empty"),
        ("train.l2", (0.0, math.nan), "finite"),
        ("train.l2", (0.0, "x"), "a number"),
        ("train.l2", {0.0, 1.0}, "a list of values"),
        ("train.l2", {"a": 1}, "a list of values"),
        ("train.l2", ((0.0, 1.0),), "a number"),
        ("model.kernels", (16, 32), "a list of tuples"),
        ("model.kernels", 16, "a list of values"),
        ("train.batch_size", (8, 16.0), "a whole number"),
    ],
)
def test_a_wrong_list_is_named_with_its_tree(name, value, wanted):
    config = default_config()
    put(config, f"sweep.grid.{name}", value)
    text = message(validate, config)
    assert text.startswith(f"sweep.grid.{name} ")
    assert wanted in text


def test_lists_may_be_arrays_ranges_or_single_values():
    config = default_config()
    config.sweep.grid.train.learning_rate = np.logspace(-3, -1, 3)
    config.sweep.grid.train.batch_size = range(8, 11)
    config.sweep.grid.train.l2 = 1
    assert sweep_tree(config, "grid") == {
        "train.batch_size": (8, 9, 10),
        "train.learning_rate": pytest.approx((1e-3, 1e-2, 1e-1)),
        "train.l2": (1.0,),
    }


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("train.learnin_rate", "train.learning_rate"),
        ("learning_rate", "train.learning_rate"),
        ("optimizer.learning_rate", "train.learning_rate"),
        ("train.l3", "train.l2"),
        ("learningrate", "train.learning_rate"),
        ("loss.gamma", "loss.focal_gamma"),
        ("sweep.grid.train.batchsize", "sweep.grid.train.batch_size"),
        ("sweep.repeat", "sweep.repeats"),
        ("train.lr", "train.learning_rate"),
        ("optimizer.lr", "train.learning_rate"),
        ("sweep.grid.train.lr", "sweep.grid.train.learning_rate"),
        ("bs", "train.batch_size"),
    ],
)
def test_nearest_name(wrong, right):
    assert nearest(wrong) == right


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_nearest_always_names_something(name):
    assert nearest(name).split(".")[0] in default_config()


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
    ("name", "why"),
    [("train.seed", "sweep.repeats"), ("data.seed", "one split")],
)
@pytest.mark.parametrize("tree", ["grid", "each", "zip"])
def test_seeds_are_not_swept(tree, name, why):
    config = default_config()
    put(config, f"sweep.{tree}.{name}", (0, 1))
    text = message(validate, config)
    assert text.startswith(f"sweep.{tree}.{name}: {name} cannot be swept")
    assert why in text


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


def test_a_path_that_built_in_faces_would_not_read_is_refused():
    text = message(validate, unlocked(**{"data.path": "fer2013.zip"}))
    assert text.startswith("data.path") and "--config.data.name=fer2013" in text


@pytest.mark.parametrize("path", ["data.path", "model.kernels", "data.classes", "data.balance_splits"])
def test_fields_that_must_fit_each_other(path):
    values = {
        "data.path": {"data.name": "fer2013"},
        "model.kernels": {"model.kernels": (8, 16)},
        "data.classes": {"data.classes": ("happy",)},
        "data.balance_splits": {"data.balance": "augment", "data.balance_splits": "all"},
    }[path]
    assert message(validate, unlocked(**values)).startswith(path)
    assert message(validate, unlocked(**{"data.classes": ("sad", "sad")})).startswith("data.classes")


def test_equal_settings_get_equal_values():
    base = flatten(default_config())
    assert resolve({**base, "model.kernels": (8,)})["model.kernels"] == (8, 8, 8)
    assert resolve({**base, "data.classes": ("sad", "happy")})["data.classes"] == ("happy", "sad")


def reference_sizes(size, pairs, kernel, pool, padding, pool_padding):
    """Height after each convolution and pool as XLA computes it."""

    sizes = []

    def network(x):
        for _ in range(pairs):
            x = jax.lax.conv_general_dilated(
                x,
                jnp.zeros((kernel, kernel, 1, 1)),
                (1, 1),
                padding.upper(),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            sizes.append(x.shape[1])
            window = (1, pool, pool, 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, pool_padding.upper())
            sizes.append(x.shape[1])

    jax.eval_shape(network, jnp.zeros((1, size, size, 1)))
    return sizes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.integers(8, 40),
    pairs=st.integers(1, 5),
    kernel=st.integers(1, 7),
    pool=st.integers(1, 4),
    padding=st.sampled_from(("valid", "same")),
    pool_padding=st.sampled_from(("valid", "same")),
)
def test_a_network_is_refused_exactly_where_its_feature_map_vanishes(size, pairs, kernel, pool, padding, pool_padding):
    values = {
        **flatten(default_config()),
        **{"data.image_size": size, "model.pairs": pairs, "model.kernels": (8,), "model.kernel_size": kernel},
        **{"model.pool_size": pool, "model.padding": padding, "model.pool_padding": pool_padding},
    }
    try:
        left = min(reference_sizes(size, pairs, kernel, pool, padding, pool_padding))
    except (TypeError, ValueError):  # XLA refuses a window on nothing
        left = 0
    if left >= 1:
        resolve(values)
    else:
        text = message(resolve, values)
        assert text.startswith(f"model.pairs = {pairs}: ")
        assert "conv_" in text or "pool_" in text


def test_a_vanished_feature_map_names_the_layer_and_the_way_out():
    text = message(validate, unlocked(**{"data.image_size": 20}))
    assert "pool_2 leaves nothing of its 1x1 input" in text
    assert "use fewer pairs, a larger image or model.pool_padding = same" in text


def test_mlp_has_no_feature_map_to_lose():
    validate(unlocked(**{"data.image_size": 8, "model.name": "mlp"}))


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({}, False),
        ({"train.schedule": "cosine"}, True),
        ({"train.schedule": "step"}, False),
        ({"train.plateau_patience": 1}, True),
        ({"train.schedule": "cosine", "train.plateau_patience": 1}, True),
    ],
)
def test_a_field_with_several_needs_has_effect_where_one_is_met(values, met):
    floor = fields.FIELDS["train.learning_rate_floor"]
    assert floor.has_effect({**flatten(default_config()), **values}) is met
    assert floor.needed == "train.schedule = cosine or train.plateau_patience above 0"


def test_a_choice_of_ones_own_meets_every_need_of_its_field(monkeypatch):
    for name, field in fields.FIELDS.items():
        monkeypatch.setitem(fields.FIELDS, name, field)  # so that each is put back
    for _ in range(2):
        fields.add_choice("model.name", "mine")
    assert fields.FIELDS["model.name"].choices.count("mine") == 1
    assert (
        fields.FIELDS["model.dense"].needed
        == "model.name = cnn or imperial or vgg19 or mobilenet_v2 or efficientnet_b0 or resnet50_v2 or mine"
    )
    assert fields.FIELDS["train.momentum"].needed == "train.optimizer = sgd or nesterov or rmsprop"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"train.warmup": 50.5}, "train.warmup = 50.5: train.epochs = 50 end before it does"),
        (
            {"train.learning_rate_floor": 0.01, "train.schedule": "cosine"},
            "train.learning_rate_floor = 0.01: is above train.learning_rate = 0.001",
        ),
        (
            {"train.learning_rate_floor": 0.01, "train.plateau_patience": 3},
            "train.learning_rate_floor = 0.01: is above",
        ),
        (
            {"model.width_multiplier": 0.07},
            "model.width_multiplier = 0.07: leaves nothing of a layer of 7 (model.dense = (64, 7))",
        ),
        (
            {"model.width_multiplier": 0.01, "model.dense": ()},
            "model.width_multiplier = 0.01: leaves nothing of a layer of 32",
        ),
        (
            {"model.width_multiplier": 0.0005, "model.name": "mlp"},
            "model.width_multiplier = 0.0005: leaves nothing of a layer of 1000",
        ),
        (
            {"model.width_multiplier": 0.015, "model.name": "silvestro"},
            "a layer of 32 (model.name = silvestro); use more than 0.015625",
        ),
        (
            {"model.width_multiplier": 0.013, "model.name": "imperial", "model.dense": ()},
            "a layer of 36 (model.name = imperial)",
        ),
    ],
)
def test_nonsense_is_refused(values, wanted):
    assert wanted in message(validate, unlocked(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"train.warmup": 50.0},
        {"train.learning_rate_floor": 0.001, "train.schedule": "cosine"},
        {"train.learning_rate_floor": 0.01},
        {"model.width_multiplier": 0.072},
        {"model.width_multiplier": 0.01, "model.name": "mlp"},
        {"model.width_multiplier": 0.01, "model.name": "mlp", "model.hidden": ()},
        {"model.width_multiplier": 0.016, "model.name": "silvestro"},
    ],
)
def test_what_is_just_not_nonsense_is_taken(values):
    validate(unlocked(**values))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.floats(1e-3, 2.0))
def test_a_width_is_refused_exactly_where_the_network_would_be_clamped(units, width):
    config = unlocked(**{"model.name": "mlp", "model.hidden": (units, 400), "model.width_multiplier": width})
    if round(units * width) >= 1:
        validate(config)
        assert widened(units, width) == round(units * width)
    else:
        assert message(validate, config).startswith("model.width_multiplier")


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
