"""Each seed of a trial decides its own stream of random numbers, and nothing of the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.config import repeats
from fer_jax.data import Dataset, Split
from fer_jax.train import feed, step
from fer_jax.train.streamed import StreamedProgram

OPTIONAL = ("model.dropout", "augment.flip", "augment.noise", "augment.mixup")
BASE = {"train.seed": 5, "model.dropout": 0.4, "augment.flip": 0.5, "augment.noise": 0.1, "augment.mixup": 0.4}
SEEDS = {name: tuple(5 + (name == other) for other in repeats.STREAMS) for name in repeats.STREAMS}
TRIALS = [BASE, *({**BASE, "train.seeds": seeds} for seeds in SEEDS.values())]


@pytest.fixture(scope="module")
def stack(small):
    return small(optional=OPTIONAL)


def drawn(stack, trial):
    """What a trial draws in its first step: weights, order, activations that stay, images."""
    hyper = {name: value[0] for name, value in stack.hyper([trial]).items()}
    recipe, network = stack.program.recipe, stack.program.network
    weights, _, masks, augmentation = step.keys(hyper)
    params, stats = network.init(weights)
    # One set of weights and images for all: what differs is then the masks alone.
    fixed, _ = network.init(jax.random.key(0))
    images = stack.train["images"][:8]
    logits = network.apply(
        fixed, stats, images / 255.0, train=True, dropout=hyper["model.dropout"], key=masks, rows=jnp.arange(8)
    )[0]
    batch = step._batch(recipe, hyper, images, stack.train["labels"][:8], augmentation)
    order = step.order(hyper["train.seeds"][step.ORDER], jnp.int32(0), 40, 8)
    return {"weights": params, "order": order, "dropout": logits, "augmentation": batch}


def differs(a, b):
    return any(not np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.mark.parametrize("name", repeats.STREAMS)
def test_a_seed_varies_its_own_stream_alone(stack, name):
    first, other = drawn(stack, BASE), drawn(stack, {**BASE, "train.seeds": SEEDS[name]})
    assert {stream for stream in first if differs(first[stream], other[stream])} == {name}
    whole = drawn(stack, {**BASE, "train.seed": 6})
    assert not differs(whole[name], other[name]) and all(differs(first[stream], whole[stream]) for stream in first)


def test_streams_of_one_seed_are_keyed_as_ever():
    """By hand: the seed's key, folded with the number of the stream."""
    root = jax.random.key(3)
    for number, key in enumerate(step.keys({"train.seeds": jnp.full(4, 3, jnp.uint32)})):
        assert (jax.random.key_data(key) == jax.random.key_data(jax.random.fold_in(root, number))).all()


def test_mapped_and_vectorised_engines_agree_and_every_trial_differs(small, stack):
    mapped, records = stack.run(TRIALS, 2, slots=5)
    vectorised, _ = small(engine="vmap", optional=OPTIONAL).run(TRIALS, 2, slots=5)
    for a, b in zip(jax.tree.leaves(vectorised.params), jax.tree.leaves(mapped.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert len(set(records["train_loss"][-1].tolist())) == 5
    alone, _ = stack.run(TRIALS[2:3], 2, slots=5)
    for a, b in zip(jax.tree.leaves(alone.params), jax.tree.leaves(mapped.params), strict=True):
        np.testing.assert_array_equal(a[0], b[2])


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_streamed_training_shares_batches_by_the_seed_of_the_order(small, engine):
    """Five trials of two orders need two streams, and train as with resident data."""
    stack = small(engine=engine, optional=OPTIONAL)
    train = Split(np.asarray(stack.train["images"]), np.asarray(stack.train["labels"]))
    images, labels = (np.asarray(stack.validation[name]) for name in ("images", "labels"))
    held_out = Split(images.reshape(-1, 12, 12, 1), labels.reshape(-1))
    data = Dataset("small", "official", ("a", "b", "c"), train, held_out, None, "", {})
    program, hyper = StreamedProgram(stack.program, 40, 2), stack.hyper(TRIALS)
    whole, chunked = feed.place(stack.program, data), feed.place(program, data)
    expected, state = stack.program.init(hyper), program.init(hyper)
    for epoch in range(2):
        expected, _ = whole.train_epoch(stack.program, expected, hyper, epoch)
        state, _ = chunked.train_epoch(program, state, hyper, epoch)
    for a, b in zip(jax.tree.leaves(state.params), jax.tree.leaves(expected.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert differs(jax.tree.map(lambda x: x[0], state.params), jax.tree.map(lambda x: x[2], state.params))
