"""What makes a stack trustworthy: engines agree, neighbours do not matter, nothing recompiles."""

import re

import jax
import numpy as np
import pytest

from fer_jax.config.fields import FIELDS
from fer_jax.train.engine import batch_grid, padded_batches

TRIALS = [
    {"train.seed": 0},
    {"train.seed": 1, "train.learning_rate": 1e-2},
    {"train.seed": 0, "train.l2": 1e-2, "loss.focal_gamma": 2.0},
    {"train.seed": 3, "loss.label_smoothing": 0.2},
]


def assert_trees(actual, expected, **tolerance):
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(actual), jax.tree.leaves(expected), strict=True):
        if tolerance:
            np.testing.assert_allclose(a, b, err_msg=jax.tree_util.keystr(path), **tolerance)
        else:
            np.testing.assert_array_equal(a, b, err_msg=jax.tree_util.keystr(path))


def slot(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


# A bias before a batch norm that never meets the ReLU has a gradient of zero, of which Adam makes
# steps of rounding noise.
@pytest.mark.parametrize("network", [{}, {"batch_norm": True, "optimizer": "sgd"}])
@pytest.mark.parametrize("engine", ["vmap", "grouped"])
def test_mapped_and_vectorised_engines_agree_after_20_steps(small, engine, network):
    mapped, records = small(**network).run(TRIALS, 4)
    vectorised, other = small(engine=engine, **network).run(TRIALS, 4)
    assert_trees(vectorised.params, mapped.params, atol=1e-4)
    assert_trees(vectorised.stats, mapped.stats, atol=1e-4)
    np.testing.assert_allclose(other["val_loss"], records["val_loss"], atol=1e-4)
    np.testing.assert_array_equal(other["train_accuracy"], records["train_accuracy"])


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_a_trial_alone_equals_the_same_trial_in_a_stack(small, engine):
    together, _ = small(engine=engine).run(TRIALS, 4)
    alone, _ = small(engine=engine).run(TRIALS[2:3], 4, slots=1)
    assert_trees(slot(alone.params, 0), slot(together.params, 2), atol=1e-5)


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_sharding_over_devices_changes_no_result(small, engine):
    one, _ = small(engine=engine).run(TRIALS, 2)
    four, _ = small(engine=engine, devices=4).run(TRIALS, 2)
    assert_trees(four.params, one.params, atol=1e-5)


@pytest.mark.parametrize("parts", [{}, {"micro_batch": 2}, {"parts": 4}])
def test_a_batch_in_parts_on_several_devices_changes_no_result(small, parts):
    """Two trials have two devices each, or one has four.

    The 10 validation images are one batch, which four do not divide.
    """
    recipe = {"optional": ("model.dropout", "augment.flip", "augment.mixup"), "devices": 4, "parts": 2, **parts}
    trials = [{**trial, "augment.flip": 0.5, "augment.mixup": 0.3} for trial in TRIALS[: 4 // recipe["parts"]]]
    one, expected = small(optional=recipe["optional"]).run(trials, 3)
    shared, records = small(**recipe).run(trials, 3, slots=len(trials))
    assert_trees(shared.params, one.params, atol=1e-5)
    np.testing.assert_array_equal(records["train_accuracy"], expected["train_accuracy"])
    np.testing.assert_allclose(records["val_loss"], expected["val_loss"], rtol=1e-5)


def test_all_devices_of_a_trial_hold_the_same_bits_and_its_answers_are_whole(small):
    stack = small(devices=4, parts=2, micro_batch=2)
    hyper = stack.hyper(TRIALS[:2])
    state, _ = stack.program.epoch(stack.program.init(hyper), hyper, stack.train, stack.validation, {})
    for leaf in jax.tree.leaves(state):
        copies = {}
        for shard in leaf.addressable_shards:
            copies.setdefault(str(shard.index), []).append(np.asarray(shard.data).tobytes())
        assert [len(set(found)) for found in copies.values()] == [1, 1] and all(
            len(found) == 2 for found in copies.values()
        )
    loss, accuracy, logits = stack.program.evaluate("validation", state.best, hyper, stack.validation, {})
    labels = np.asarray(stack.validation["labels"])
    assert logits.shape == (2, *labels.shape, 3)
    np.testing.assert_allclose(accuracy, (np.asarray(logits).argmax(-1) == labels).mean((1, 2)), rtol=1e-6)
    alone = small()
    host = jax.tree.map(np.asarray, (state.best, hyper))
    both = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf]), host)
    placed = jax.device_put(both, alone.program.per_trial)
    reference = alone.program.evaluate("validation", *placed, alone.validation, {})
    np.testing.assert_allclose(logits, reference[2][:2], atol=1e-5)
    np.testing.assert_allclose(loss, reference[0][:2], rtol=1e-5)


def test_the_sharded_program_communicates_nothing(small):
    stack = small(engine="vmap", devices=4)
    hyper = stack.hyper(TRIALS)
    state = stack.program.init(hyper)
    text = stack.program.lower("epoch", state, hyper, stack.train, stack.validation, {}).compile().as_text()
    assert not [
        word for word in ("all-gather", "all-reduce", "all-to-all", "collective", "reduce-scatter") if word in text
    ]
    assert " dot(" in text and " convolution(" not in text


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_changing_traced_values_never_recompiles(small, engine):
    stack = small(engine=engine, batch_size=10)  # a program of its own, not yet compiled
    stack.run(TRIALS, 1)
    changed = {
        "train.seed": 9,
        "train.epochs": 7,
        "train.plateau_patience": 1,
        "train.stop_patience": 3,
        "data.normalize": "standardize",
        "loss.class_weight": 1.0,
        "train.learning_rate": 0.5,
        "train.l2": 0.0,
        "train.momentum": 0.5,
        "train.beta1": 0.5,
        "model.dropout": 0.7,
        "loss.focal_gamma": 3.0,
        "loss.label_smoothing": 0.3,
    }
    compiled = []

    def note(event, seconds, **about):
        if event.startswith("/jax/core/compile"):
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        stack.run([changed] * 4, 2)
        assert not compiled
        jax.jit(lambda x: x + 1)(np.float32(1))
        assert compiled  # the listener hears a compilation
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_a_diverged_trial_is_frozen_and_moves_no_neighbour_by_a_bit(small, engine):
    calm, _ = small(engine=engine).run(TRIALS, 3)
    # A step of 1e30 takes the weights to where the next loss is not a number.
    wild = [*TRIALS[:2], {"train.learning_rate": 1e30}, TRIALS[3]]
    state, records = small(engine=engine).run(wild, 3)
    for index in (0, 1, 3):
        assert_trees(slot(state, index), slot(calm, index))
    assert state.diverged_epoch.tolist() == [0, 0, 1, 0]
    assert records["ran"][:, 2].tolist() == [True, False, False]
    assert not records["active"][:, 2].any() and np.isnan(records["train_loss"][0, 2])
    assert all(np.isfinite(leaf[2]).all() for leaf in jax.tree.leaves((state.params, state.opt, state.best)))


@pytest.mark.parametrize("engine", ["vmap", "grouped"])
def test_side_by_side_no_trial_has_a_copy_of_the_images(small, engine):
    program = small(engine=engine).program

    def temporary(images, trials):
        shapes = program.epoch_shapes(program.value_shapes(trials), images, images)
        return program.lower("epoch", *shapes).compile().memory_analysis().temp_size_in_bytes

    more = [temporary(4000, trials) - temporary(40, trials) for trials in (2, 4)]
    # The order of an epoch, a number and its key an image and some copies of both; the images of
    # both splits would take 144 bytes each.
    assert more[1] - more[0] < 2 * 3960 * 48


def test_a_trial_stops_at_its_own_number_of_epochs(small):
    trials = [{"train.epochs": 1}, {"train.epochs": 3}, {"train.epochs": 3}, {"train.epochs": 0}]
    once, _ = small().run(trials, 1)
    state, records = small().run(trials, 3)
    assert records["ran"].sum(0).tolist() == [1, 3, 3, 0] and state.epoch.tolist() == [1, 3, 3, 0]
    assert_trees(slot(state, 0), slot(once, 0))
    assert_trees(slot(state, 1), slot(state, 2))


def test_micro_batches_give_the_same_step(small):
    trials = [{**trial, "model.dropout": 0.3} for trial in TRIALS]
    whole, _ = small().run(trials, 4)
    cut, _ = small(micro_batch=2).run(trials, 4)
    assert_trees(cut.params, whole.params, atol=1e-4)


def test_equal_seeds_see_the_same_start_and_the_same_order(small):
    state, records = small().run([{"train.learning_rate": 1e-9}, {"train.learning_rate": 2e-9}, {"train.seed": 5}], 1)
    np.testing.assert_allclose(records["train_loss"][0, 0], records["train_loss"][0, 1], rtol=1e-5)
    assert abs(records["train_loss"][0, 0] - records["train_loss"][0, 2]) > 1e-3


EVERYTHING = {
    "model.dropout": 0.2,
    "model.dense_dropout": 0.2,
    "model.init": "he_normal",
    "data.normalize": "symmetric",
    "loss.class_weight": 1.0,
    "loss.focal_gamma": 1.0,
    "loss.label_smoothing": 0.1,
    "train.clip_norm": 1.0,
    "train.weight_decay": 0.01,
    "train.warmup": 1.0,
    "train.plateau_patience": 1,
    "augment.flip": 0.5,
    "augment.shift": 0.1,
    "augment.rotate": 10.0,
    "augment.brightness": 0.1,
    "augment.noise": 0.05,
    "augment.erase": 0.3,
    "augment.mixup": 0.2,
}
BLOCKS = tuple(name for name, field in FIELDS.items() if field.neutral is not None)


def test_everything_at_once_agrees_between_engines_and_micro_batches(small):
    setting = {"optional": BLOCKS, "optimizer": "adamw", "schedule": "cosine"}
    trials = [EVERYTHING, {}, {**EVERYTHING, "train.seed": 3, "augment.mixup": 0.0}]
    mapped, _ = small(**setting, micro_batch=4).run(trials, 3)
    vectorised, _ = small(**setting, engine="vmap").run(trials, 3)
    assert_trees(vectorised.params, mapped.params, atol=1e-3)
    # The trial without any of it trains as in a program that has none of it.
    plain, _ = small(optional=(), optimizer="adamw", schedule="cosine").run([{}], 3)
    assert_trees(slot(plain.params, 0), slot(mapped.params, 1), atol=1e-5)


def test_a_trial_that_no_longer_improves_stops_and_costs_no_more(small):
    trials = [{"train.epochs": 9, "train.stop_patience": 2, "train.learning_rate": 1e-9}, {"train.epochs": 9}]
    trials[0]["train.stop_min_delta"] = 1.0
    state, records = small().run(trials, 9)
    assert state.epoch.tolist() == [3, 9] and records["ran"].sum(0).tolist() == [3, 9]
    assert records["active"][:, 0].tolist() == [True, True] + [False] * 7


def test_a_plateau_lowers_the_learning_rate_of_its_own_trial(small):
    stuck = {"train.learning_rate": 1e-9, "train.plateau_patience": 1, "train.plateau_factor": 0.1}
    state, _ = small().run([stuck, {}, {**stuck, "train.learning_rate_floor": 5e-10}], 4)
    # Four epochs, of which the first sets the mark.
    np.testing.assert_allclose(state.rate_scale, [1e-3, 1, 0.5], rtol=1e-5)


def test_leaving_optional_blocks_out_changes_nothing_for_trials_that_do_not_use_them(small):
    full, _ = small().run([{}], 3)
    bare, _ = small(optional=()).run([{}], 3)
    assert_trees(bare.params, full.params, atol=1e-5)


@pytest.mark.parametrize(("precision", "word"), [("float32", "HIGHEST"), ("tf32", "DEFAULT")])
@pytest.mark.parametrize("engine", ["map", "vmap", "grouped"])
def test_every_product_of_the_step_is_as_exact_as_the_precision_says(small, engine, precision, word):
    stack = small(engine=engine, precision=precision)
    hyper = stack.hyper(TRIALS)
    text = stack.program.lower(
        "epoch", stack.program.state_shapes(hyper), hyper, stack.train, stack.validation, {}
    ).as_text()
    products = re.findall(r"stablehlo\.dot_general.*precision = \[(\w+), (\w+)\]", text)
    products += re.findall(r"stablehlo\.convolution.*<precision (\w+)>, #stablehlo<precision (\w+)>\]", text)
    assert len(products) == text.count("stablehlo.dot_general") + text.count("stablehlo.convolution") >= 10
    assert {*products} == {(word, word)}


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_bfloat16_computes_in_16_bits_around_float32_weights(small, engine):
    exact, records = small(engine=engine).run(TRIALS, 4)
    stack = small(engine=engine, precision="bfloat16")
    rounded, other = stack.run(TRIALS, 4)
    assert {leaf.dtype for leaf in jax.tree.leaves((rounded.params, rounded.opt)) if leaf.dtype.kind == "f"} == {
        np.dtype("float32")
    }
    # 8 bits of mantissa: two to three digits of a loss, after 20 steps; which of the trials strays
    # furthest is chance.
    np.testing.assert_allclose(other["val_loss"], records["val_loss"], rtol=0.1)
    assert np.abs(other["val_loss"] / records["val_loss"] - 1).mean() < 0.02
    assert not np.array_equal(other["val_loss"], records["val_loss"])
    hyper = stack.hyper(TRIALS)
    text = stack.program.lower(
        "epoch", stack.program.state_shapes(hyper), hyper, stack.train, stack.validation, {}
    ).as_text()
    forward = [line for line in text.splitlines() if "stablehlo.dot_general" in line and "xbf16>, tensor" in line]
    assert len(forward) >= 5


def test_batch_normalisation_sums_in_float32_whatever_the_precision(small):
    exact, _ = small(batch_norm=True, optimizer="sgd").run(TRIALS, 1)
    rounded, _ = small(batch_norm=True, optimizer="sgd", precision="bfloat16").run(TRIALS, 1)
    assert {leaf.dtype for leaf in jax.tree.leaves(rounded.stats)} == {np.dtype("float32")}
    assert_trees(rounded.stats, exact.stats, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize(("engine", "devices"), [("map", 1), ("map", 4), ("vmap", 1), ("vmap", 4), ("grouped", 1)])
def test_an_epoch_moves_nothing_between_host_and_devices(small, engine, devices):
    stack = small(engine=engine, devices=devices)
    hyper = stack.hyper(TRIALS)
    with jax.transfer_guard("disallow"):
        state, record = stack.program.epoch(stack.program.init(hyper), hyper, stack.train, stack.validation, {})
    assert record["ran"].all() and (state.epoch == 1).all()
    # The guard does see what the host would have to hand over.
    on_host = jax.device_get(stack.validation)
    with jax.transfer_guard("disallow"), pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device"):
        stack.program.epoch(state, hyper, stack.train, on_host, {})


def test_evaluation_ignores_padding():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (37, 4, 4, 1)).astype(np.uint8), rng.integers(0, 3, 37)
    batches = padded_batches(images, labels, batch_grid(37, 16))
    assert batches["images"].shape == (3, 16, 4, 4, 1) and batches["valid"].sum() == 37
    np.testing.assert_array_equal(batches["images"].reshape(-1, 4, 4, 1)[:37], images)
    np.testing.assert_array_equal(batches["labels"].reshape(-1)[:37], labels)
