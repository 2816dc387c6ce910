"""What is not trained: no gradient, no update, no optimiser memory; phases; rates of blocks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from fer_jax import models
from fer_jax.config import fields
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.train import step, trial
from fer_jax.train.engine import WaveProgram
from fer_jax.train.recipe import Phase, Recipe

OPTIMIZERS = ("adam", "sgd", "rmsprop")


def values(**changed):
    traced = {name: field.default for name, field in fields.FIELDS.items() if field.kind == "traced"}
    return {**traced, "train.epochs": 4, "train.learning_rate": 3e-3, "train.l2": 0.01, **changed}


def network(**changed):
    flat = flatten(default_config()) | {"model.pairs": 2, "model.kernels": (4, 6), "model.dense": (10,), **changed}
    return models.build(flat, (16, 16, 1), 3)


def data(count=24):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 16, 16, 1)).astype(np.uint8), rng.integers(0, 3, count).astype(np.int32)


def program(recipe, net=None, engine="map"):
    return WaveProgram(net or network(), recipe, engine, tuple(jax.devices()[:1]))


def placed(made, *trials):
    images, labels = data()
    hyper = made.place_values([values(**one) for one in trials or ({},)])
    return hyper, made.place_train(images[:16], labels[:16]), made.place_batches(images[16:], labels[16:])


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_layers_keep_their_bits_and_the_others_move_as_optax_moves_them_alone(optimizer):
    recipe = Recipe(8, optimizer, phases=(Phase(0, ("conv_0", "dense_0")),))
    made = program(recipe)
    hyper, train, validation = placed(made, {"train.momentum": 0.5})
    state = made.init(hyper)
    before = jax.device_get(state.params)
    moments = {"adam": 2, "sgd": 1, "rmsprop": 2}[optimizer]
    sizes = sorted(leaf.size for leaf in jax.tree.leaves(state.opt) if leaf.ndim > 1)
    learning = [leaf.size for name in ("conv_1", "output") for leaf in jax.tree.leaves(before[name])]
    assert sizes == sorted(learning * moments)
    state, _ = made.epoch(state, hyper, train, validation, {})
    after = jax.device_get(state.params)
    for name in before:
        assert (bits(before[name]) == bits(after[name])) == (name in ("conv_0", "dense_0"))
    expected = by_hand(optimizer, recipe, before, hyper, train)
    for name, leaves in expected.items():
        for leaf, array in leaves.items():
            np.testing.assert_allclose(after[name][leaf][0], array, atol=2e-6)


def by_hand(optimizer, recipe, params, hyper, train):
    """Trains the layers that learn for an epoch, with Optax' own rules.

    The gradient is taken of the whole network.
    """
    net, one = network(), {name: value[0] for name, value in jax.device_get(hyper).items()}
    rules = {
        "sgd": lambda: optax.sgd(one["train.learning_rate"], momentum=one["train.momentum"]),
        "rmsprop": lambda: optax.rmsprop(
            one["train.learning_rate"], decay=one["train.rho"], eps=1e-7, momentum=one["train.momentum"]
        ),
    }
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), params)
    learning = {name: params[name] for name in ("conv_1", "output")}
    if optimizer == "adam":
        moments = {name: jax.tree.map(jnp.zeros_like, learning) for name in ("m", "v")}
    else:
        rule = rules[optimizer]()
        state = rule.init(learning)
    for number, rows in enumerate(step.order(one["train.seed"], jnp.int32(0), 16, 8)):
        images, labels = train["images"][rows] / 255.0, train["labels"][rows]

        def objective(learning, images=images, labels=labels):
            logits, _, _ = net.apply({**params, **learning}, {}, images)
            kernels = sum((leaves["kernel"] ** 2).sum() for leaves in learning.values())
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean() + one["train.l2"] * kernels

        grads = jax.grad(objective)(learning)
        if optimizer == "adam":  # Keras' rule
            moments["m"] = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments["m"], grads)
            moments["v"] = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments["v"], grads)
            rate = one["train.learning_rate"] * np.sqrt(1 - 0.999 ** (number + 1)) / (1 - 0.9 ** (number + 1))
            learning = jax.tree.map(
                lambda w, m, v, r=rate: w - r * m / (jnp.sqrt(v) + 1e-7), learning, moments["m"], moments["v"]
            )
        else:
            updates, state = rule.update(grads, state, learning)
            learning = optax.apply_updates(learning, updates)
    return jax.device_get(learning)


def test_batch_norm_of_a_frozen_layer_stays_in_inference_mode():
    net = network(**{"model.batch_norm": True})
    frozen = tuple(name for name in net.layer_names if name.startswith(("conv_0", "batch_norm_0", "norm_0", "bn_0")))
    assert len(frozen) == 2, net.layer_names
    params, stats = net.init(jax.random.key(0))
    norm = frozen[1]
    stats[norm] = {"mean": jnp.full(4, 0.3), "var": jnp.full(4, 2.0)}
    images = jnp.asarray(data()[0][:8] / 255.0, jnp.float32)
    _, _, inference = net.apply(params, stats, images, capture=(norm,))
    _, kept, training = net.apply(params, stats, images, train=True, frozen=frozen, capture=(norm,))
    np.testing.assert_array_equal(inference[norm], training[norm])
    assert bits(kept[norm]) == bits(stats[norm])
    moved = [name for name in stats if name != norm]
    assert moved and all(bits(kept[name]) != bits(stats[name]) for name in moved)


def test_phases_train_one_after_another_with_an_optimiser_each():
    phases = (Phase(2, ("conv_0", "conv_1")), Phase(2, ("conv_0",)))
    made = program(Recipe(8, phases=phases))
    rates = {"phases.rates": (1e-2, 1e-3), "phases.patience": (0, 0)}
    hyper, train, validation = placed(made, rates)
    state = made.init(hyper)
    states = [jax.device_get(state)]
    for _ in range(3):  # the third finds the phase over
        state, record = made.epoch(state, hyper, train, validation, {})
        states.append(jax.device_get(state))
    assert bits(states[2].params) == bits(states[3].params) and not record["ran"][0]
    assert bits(states[0].params["conv_1"]) == bits(states[2].params["conv_1"])
    state = made.next_phase(state, hyper, 1)
    assert all(not leaf.any() for leaf in jax.tree.leaves(jax.device_get(state.opt)))
    for _ in range(2):
        state, record = made.epoch(state, hyper, train, validation, {}, phase=1)
    last = jax.device_get(state)
    assert last.epoch[0] == 4 and not record["active"][0]
    assert bits(states[0].params["conv_0"]) == bits(last.params["conv_0"])
    assert bits(states[0].params["conv_1"]) != bits(last.params["conv_1"])
    # The second phase alone, from the weights of the first, with its learning rate.
    alone = program(Recipe(8, phases=(Phase(0, ("conv_0",)),)))
    hyper, train, validation = placed(alone, {"train.learning_rate": 1e-3})
    fresh = alone.init(hyper)
    begun = dataclasses.replace(states[2], opt=jax.device_get(fresh.opt), plateau=jax.device_get(fresh.plateau))
    state = jax.device_put(begun, alone.per_trial)
    for _ in range(2):
        state, _ = alone.epoch(state, hyper, train, validation, {})
    for ours, theirs in zip(jax.tree.leaves(last.params), jax.tree.leaves(jax.device_get(state.params)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_trial_stopped_in_one_phase_joins_the_next_and_a_diverged_one_does_not():
    made = program(Recipe(8, phases=(Phase(3), Phase(2))))
    patient = {"phases.rates": (1e-3, 1e-3), "phases.patience": (0, 0)}
    hasty = {**patient, "phases.patience": (1, 0), "train.stop_min_delta": 10.0}
    hyper, train, validation = placed(made, patient, hasty, {**patient, "phases.rates": (1e30, 1e-3)})
    state = made.init(hyper)
    for _ in range(3):
        state, _ = made.epoch(state, hyper, train, validation, {})
    assert state.epoch.tolist()[:2] == [3, 2]
    diverged = jax.device_get(jax.tree.map(lambda leaf: leaf[2], state))
    state = made.next_phase(state, hyper, 1)
    assert state.epoch.tolist()[:2] == [3, 3]
    assert bits(diverged) == bits(jax.device_get(jax.tree.map(lambda leaf: leaf[2], state)))
    one = jax.tree.map(lambda leaf: jax.device_get(leaf), (state, hyper))
    active = jax.vmap(lambda state, hyper: trial.is_active(made.recipe.of_phase(1), state, hyper))(*one)
    assert active.tolist() == [True, True, False]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_block_rates_multiply_the_learning_rate_of_their_block(optimizer):
    flat = {"model.name": "vgg19", "model.width_multiplier": 1 / 64, "model.dense": (), "data.image_size": 32}
    net = models.build(resolve({**flatten(default_config()), **flat}), (32, 32, 1), 3)
    params, _ = net.init(jax.random.key(0))
    grads = jax.tree.map(jnp.ones_like, params)
    factors = (0.0, 0.5, 1.0, 2.0, 4.0)
    padded = jnp.asarray([*factors, *[1.0] * 27])
    hyper = {name: jnp.float32(value) for name, value in values().items() if isinstance(value, float)} | {
        "train.block_rates": padded
    }
    recipe = Recipe(8, optimizer)
    opt = step.optim.build(recipe, hyper).init(params)
    plain, _ = step.apply_gradients(net, recipe, hyper, jnp.float32(1), params, grads, opt)
    rated, _ = step.apply_gradients(
        net, dataclasses.replace(recipe, optional=("train.block_rates",)), hyper, jnp.float32(1), params, grads, opt
    )
    for name, leaves in params.items():
        factor = factors[int(name[5]) - 1] if name.startswith("block") else 1.0
        moved, own = (np.asarray(new[name]["kernel"] - leaves["kernel"]) for new in (plain, rated))
        np.testing.assert_allclose(own, factor * moved, rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_frozen_layers_held_apart_give_what_they_give_in_every_trial(engine):
    frozen = ("conv_0", "dense_0")
    recipe = Recipe(8, phases=(Phase(0, frozen),))
    whole = program(recipe, engine=engine)
    hyper, train, validation = placed(whole, {}, {"train.learning_rate": 1e-2})
    state = whole.init(hyper)
    # The same frozen layers in both trials.
    begun = {
        **state.params,
        **{name: jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 2), state.params[name]) for name in frozen},
    }
    arrays = {
        "params": {name: jax.tree.map(lambda leaf: np.asarray(leaf[0]), state.params[name]) for name in frozen},
        "stats": {},
    }
    state = dataclasses.replace(state, params=jax.device_put(begun, whole.per_trial))
    apart = program(recipe, network().without(frozen), engine)
    other = apart.init(hyper)
    assert set(other.params) == {"conv_1", "output"} == set(other.best["params"])
    held = apart.place_frozen(arrays)
    for _ in range(2):
        state, expected = whole.epoch(state, hyper, train, validation, {})
        other, found = apart.epoch(other, hyper, train, validation, held)
    for name in ("train_loss", "val_loss"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_a_chain_of_layers_is_merged_whole_by_nnx():
    """Parts of a chain share its layers; a part's arrays are those of the whole."""
    net = network()
    params, _ = net.init(jax.random.key(3))
    for cut in net.chain.cuts:
        before, after = net.before(cut).init(jax.random.key(3))[0], net.after(cut).init(jax.random.key(3))[0]
        assert bits({**before, **after}) == bits(params) and not set(before) & set(after)
    assert isinstance(net.chain, nnx.Module)
