"""Streamed data give what resident data give: the same weights, bit for bit, and records."""

import math

import jax
import numpy as np
import pytest

from fer_jax.data import Dataset, Split
from fer_jax.train import feed, stream
from fer_jax.train.streamed import StreamedProgram

TRIALS = [
    {"train.seed": 7, "model.dropout": 0.3, "augment.flip": 0.5},
    {"train.seed": 2, "train.epochs": 2},
    {"train.seed": 7, "train.learning_rate": 1e30},
    {"train.seed": 2, "augment.flip": 0.2, "train.plateau_patience": 1},
]
SHAPE = (12, 12, 1)


def assert_equal(found, expected, rtol=0.0):
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, err_msg=jax.tree_util.keystr(path))


def dataset(small):
    """The images of a small stack; those it validates on, in another order, are its test split."""
    train = Split(np.asarray(small.train["images"]), np.asarray(small.train["labels"]))
    images, labels = (np.asarray(small.validation[name]) for name in ("images", "labels"))
    held_out = images.reshape(-1, *SHAPE), labels.reshape(-1)
    validation, test = Split(*held_out), Split(*(array[::-1] for array in held_out))
    return Dataset("small", "official", ("a", "b", "c"), train, validation, test, "", {})


def stream_program(small, streams, monkeypatch):
    """Returns a compiled program for chunks of three steps and of a few validation images.

    An epoch has seven steps.
    """
    monkeypatch.setattr(stream, "CHUNK_BYTES", 3 * streams * 8 * math.prod(SHAPE))
    program = StreamedProgram(small.program, 60, streams)
    assert (program.steps, program.size) == (7, 3)
    program.trace(4, 60, 10, 10)
    program.compile()
    return program


@pytest.mark.parametrize(("engine", "devices", "streams"), [("map", 1, 2), ("vmap", 2, 3)])
def test_streamed_training_is_resident_training(small, monkeypatch, engine, devices, streams):
    """Trials of two seeds train with dropout, mirroring and micro-batches; one diverges."""
    stack = small(engine=engine, devices=devices, images=60, micro_batch=4, optional=("model.dropout", "augment.flip"))
    program, hyper = stream_program(stack, streams, monkeypatch), stack.hyper(TRIALS)
    whole, chunked = feed.place(stack.program, dataset(stack)), feed.place(program, dataset(stack))
    assert isinstance(whole, feed.ResidentData) and isinstance(chunked, feed.StreamedData)
    expected, state = stack.program.init(hyper), program.init(hyper)
    for epoch in range(3):
        with jax.transfer_guard("disallow"):
            expected, expected_record = whole.train_epoch(stack.program, expected, hyper, epoch)
        with jax.transfer_guard("disallow"):  # also of the numbers that go along with the chunks
            state, record = chunked.train_epoch(program, state, hyper, epoch)
        for name in ("params", "stats", "opt", "best", "best_epoch", "epoch", "diverged_epoch", "rate_scale"):
            assert_equal(getattr(state, name), getattr(expected, name))
        # Vectorised, XLA rounds the quotient of validation in either program as it likes.
        assert_equal(record, expected_record, rtol=0.0 if engine == "map" else 1e-6)
    assert state.epoch.tolist() == [3, 2, 1, 3] and state.diverged_epoch.tolist() == [0, 0, 1, 0]
    for found, wanted in zip(
        chunked.evaluate(program, state.best, hyper, "test"),
        whole.evaluate(stack.program, expected.best, hyper, "test"),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_evaluation_in_chunks_counts_every_image_once(small, monkeypatch):
    """40 images in batches of 32, a batch a chunk, so that the last chunk is mostly padding."""
    stack = small(images=60)
    monkeypatch.setattr(stream, "CHUNK_BYTES", 32 * math.prod(SHAPE))
    images, labels = np.asarray(stack.train["images"])[:40], np.asarray(stack.train["labels"])[:40]
    split = Split(images, labels)
    data = Dataset("small", "kaggle", ("a", "b", "c"), split, split, None, "", {})
    program, hyper = StreamedProgram(stack.program, 40, 2), stack.hyper(TRIALS)
    state = stack.program.init(hyper)
    chunked = feed.StreamedData(data)
    assert list(chunked.labels) == ["validation"] and chunked.train_images == 40
    loss, accuracy, kept = chunked.evaluate(program, state.best, hyper, "validation")
    logits = jax.vmap(lambda one: program.network.apply(one["params"], one["stats"], images / np.float32(255))[0])(
        state.best
    )
    np.testing.assert_array_equal(np.round(np.asarray(accuracy) * 40), (np.argmax(logits, -1) == labels).sum(1))
    picked = np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), np.broadcast_to(labels, (4, 40))[..., None], -1)
    np.testing.assert_allclose(kept, logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss, -picked.mean((1, 2)), rtol=1e-5)


def test_a_wave_of_more_seeds_than_its_program_has_streams_is_refused(small):
    stack = small(images=60)
    program, hyper = StreamedProgram(stack.program, 60, 1), stack.hyper(TRIALS)
    with pytest.raises(ValueError, match="2 seeds in a wave, and a program for 1"):
        feed.StreamedData(dataset(stack)).train_epoch(program, stack.program.init(hyper), hyper, 0)


@pytest.mark.parametrize("name", ["train_chunk", "validate_chunk"])
def test_side_by_side_no_trial_has_a_copy_of_a_chunk(small, name):
    stack = small(engine="vmap")
    program = StreamedProgram(stack.program, 4000, 1)

    def temporary(trials):
        shapes = program.shapes(program.value_shapes(trials), 4000, 4000, 0)[name]
        chunk = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes) if leaf.dtype == np.uint8)
        return program.lower(name, *shapes).compile().memory_analysis().temp_size_in_bytes, chunk

    (two, chunk), (four, _) = temporary(2), temporary(4)
    assert chunk > 200_000 and four - two < chunk
