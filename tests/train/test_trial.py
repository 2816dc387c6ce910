"""One trial's training against a plain loop, its best epoch, and evaluation with padding."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from fer_jax.train import trial


def test_an_epoch_is_the_textbook_loop(small):
    """Same images in the same order, loss + L2 through jax.grad, Keras' Adam: the same weights."""
    stack = small()
    state, records = stack.run([{"train.seed": 4, "train.l2": 1e-2}], 2)
    network, count = stack.program.network, 40
    hyper = jax.tree.map(lambda x: x[0], stack.hyper([{"train.seed": 4, "train.l2": 1e-2}]))
    start = trial.init(network, stack.program.recipe, hyper)
    params, optimizer = start.params, keras.optimizers.Adam(3e-3)
    leaves, structure = jax.tree.flatten(params)
    optimizer.build([keras.Variable(leaf) for leaf in leaves])
    opt = [variable.value for variable in optimizer.variables]
    apply = jax.jit(optimizer.stateless_apply)
    images, labels = np.asarray(stack.train["images"]), np.asarray(stack.train["labels"])
    order_key = jax.random.fold_in(jax.random.key(4), 1)

    @jax.jit
    def objective_grad(params, x, y):
        def objective(params):
            logits, _, _ = network.apply(params, start.stats, x / 255.0)
            penalty = sum(jnp.sum(layer["kernel"] ** 2) for layer in params.values())
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
            return loss + 1e-2 * penalty, loss

        return jax.value_and_grad(objective, has_aux=True)(params)

    losses = []
    for epoch in range(2):
        order = np.asarray(jax.random.permutation(jax.random.fold_in(order_key, epoch), count)).reshape(-1, 8)
        for indices in order:
            (_, loss), grads = objective_grad(params, images[indices].astype(np.float32), labels[indices])
            leaves, opt = apply(opt, jax.tree.leaves(grads), jax.tree.leaves(params))
            params = jax.tree.unflatten(structure, leaves)
            losses.append(float(loss))
    np.testing.assert_allclose(records["train_loss"][:, 0], np.reshape(losses, (2, -1)).mean(1), rtol=1e-4)
    for ours, expected in zip(jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(ours[0], expected, atol=1e-4)


def test_the_small_task_is_learned(small):
    _, records = small().run([{"train.epochs": 30}], 30)
    assert records["val_accuracy"][-1, 0] >= 0.9 and records["train_loss"][-1, 0] < records["train_loss"][0, 0] / 2


@pytest.mark.parametrize(
    ("select", "column", "pick"), [("val_accuracy", "val_accuracy", np.argmax), ("val_loss", "val_loss", np.argmin)]
)
def test_best_weights_are_those_of_the_earliest_best_epoch(small, select, column, pick):
    trials = [{"train.epochs": 8, "train.learning_rate": 3e-2, "train.seed": seed} for seed in range(3)]
    stack = small(select=select)
    state, records = stack.run(trials, 8)
    assert state.best_epoch.tolist() == (pick(records[column], axis=0) + 1).tolist()
    loss, accuracy, _ = stack.program.evaluate("validation", state.best, stack.hyper(trials), stack.validation, {})
    best = state.best_epoch - 1
    np.testing.assert_allclose(accuracy, records["val_accuracy"][best, range(3)], rtol=1e-6)
    np.testing.assert_allclose(loss, records["val_loss"][best, range(3)], rtol=1e-5)
