"""Losses against optax, and the settings that must change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fer_jax.train.losses import data_loss, l2_penalty

RNG = np.random.default_rng(0)
LOGITS = (RNG.normal(size=(20, 7)) * 5).astype(np.float32)
LABELS = RNG.integers(0, 7, 20)
ONE_HOT = np.eye(7, dtype=np.float32)[LABELS]


def test_cross_entropy_is_optax():
    expected = optax.softmax_cross_entropy_with_integer_labels(LOGITS, LABELS)
    np.testing.assert_allclose(data_loss(LOGITS, LABELS), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_optax(smoothing):
    expected = optax.softmax_cross_entropy(LOGITS, optax.smooth_labels(ONE_HOT, smoothing))
    np.testing.assert_allclose(data_loss(LOGITS, LABELS, smoothing, None), expected, rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_is_its_formula_in_double_precision(gamma):
    logits = LOGITS.astype(np.float64)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True))[np.arange(20), LABELS]
    np.testing.assert_allclose(
        data_loss(LOGITS, LABELS, None, gamma), -((1 - p) ** gamma) * np.log(p), rtol=1e-3, atol=1e-6
    )


def test_neutral_settings_give_cross_entropy_and_its_gradient_even_for_certain_predictions():
    # The first row is certain to the last bit: 1 - p is 0, where a bare power has no gradient.
    logits = jnp.asarray(np.vstack([[200.0, *[-200.0] * 6], LOGITS]), jnp.float32)
    labels = np.array([0, *LABELS])
    plain = jax.value_and_grad(lambda x: data_loss(x, labels).sum())(logits)
    for smoothing, gamma in ((0.0, 0.0), (None, 0.0), (0.0, None)):
        value, grad = jax.value_and_grad(lambda x, s=smoothing, g=gamma: data_loss(x, labels, s, g).sum())(logits)
        np.testing.assert_allclose(value, plain[0], rtol=1e-6)
        np.testing.assert_allclose(grad, plain[1], atol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_gradient_is_finite_where_the_prediction_is_certain(gamma):
    logits = jnp.asarray([[200.0, -200.0], [-200.0, 200.0]])
    grad = jax.grad(lambda x: data_loss(x, np.array([0, 0]), None, gamma).sum())(logits)
    assert np.isfinite(grad).all()


def test_l2_penalty_counts_kernels_only_and_pulls_with_twice_lambda():
    params = {"conv": {"kernel": jnp.asarray([[1.0, 2.0]]), "bias": jnp.asarray([5.0])}, "norm": {"scale": jnp.ones(3)}}
    assert l2_penalty(params, 0.1) == pytest.approx(0.5)
    grads = jax.grad(l2_penalty)(params, 0.1)
    np.testing.assert_allclose(grads["conv"]["kernel"], [[0.2, 0.4]], rtol=1e-6)
    assert not grads["conv"]["bias"].any() and not grads["norm"]["scale"].any()
