"""Data losses of a classifier, per example, with every setting traced per trial."""

import jax
import jax.numpy as jnp


def data_loss(
    logits: jax.Array,
    labels: jax.Array,
    label_smoothing: jax.Array | float | None = None,
    focal_gamma: jax.Array | float | None = None,
) -> jax.Array:
    """Returns the cross-entropy of every example, optionally smoothed and focal.

    With targets t_k = (1 - s) [k = y] + s / K (Szegedy et al. 2016, eq. 7) and probabilities p_k =
    softmax(logits)_k the loss is -sum_k t_k (1 - p_k)^gamma log p_k (Lin et al. 2017, eq. 4,
    without alpha). At s = 0 and gamma = 0 value and gradient are those of plain cross-entropy.

    Args:
        logits: float (n, classes).
        labels: int (n,), in 0..classes-1.
        label_smoothing: s in [0, 1); None leaves it out of the compiled program.
        focal_gamma: gamma >= 0; None leaves it out.

    Returns:
        float (n,), in nats.
    """
    log_p = jax.nn.log_softmax(logits)
    classes = logits.shape[-1]
    targets = jax.nn.one_hot(labels, classes, dtype=logits.dtype)
    if label_smoothing is not None:
        targets = (1 - label_smoothing) * targets + label_smoothing / classes
    terms = targets * log_p
    if focal_gamma is not None:
        # The power's derivative is infinite or NaN at 1 - p = 0, where the term itself vanishes.
        doubt = jnp.maximum(-jnp.expm1(log_p), jnp.finfo(logits.dtype).eps)
        terms = terms * doubt**focal_gamma
    return -terms.sum(-1)


def l2_penalty(params: dict, strength: jax.Array | float) -> jax.Array:
    """Returns strength times the sum of squares of all kernels, as Keras' `regularizers.L2`.

    Biases and BatchNorm are left alone.
    """
    kernels = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params) if is_kernel(path)]
    return strength * jnp.stack([jnp.sum(jnp.square(kernel)) for kernel in kernels]).sum()


def is_kernel(path: tuple) -> bool:
    """Returns whether a parameter's path names a kernel, the only thing the L2 penalty touches."""
    return getattr(path[-1], "key", None) == "kernel"
