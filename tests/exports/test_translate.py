"""Operations of larger networks, JAX beside onnxruntime: strides, depthwise kernels, borders,
pools, gates, normalisation.
"""

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from jax import lax

from fer_jax.exports.graph import Untranslatable
from fer_jax.exports.translate import to_onnx
from fer_jax.models import pooling

RNG = np.random.default_rng(0)
SHAPE = (7, 8, 4)
NHWC = ("NHWC", "HWIO", "NHWC")


def normal(*shape):
    return jnp.asarray(RNG.normal(0, 1, shape), jnp.float32)


K3, K1, DEPTH, ROW = normal(3, 3, 4, 5), normal(1, 1, 4, 6), normal(3, 3, 1, 8), normal(4)
DOWN, UP, ALL = normal(4, 2), normal(2, 4), normal(7 * 8 * 4, 3)


def gate(x):
    """Squeeze and excitation, as EfficientNet has it."""
    weights = jax.nn.sigmoid(jax.nn.swish(x.mean(axis=(1, 2)) @ DOWN) @ UP)
    return x * weights[:, None, None, :]


CASES = {
    "stride": lambda x: lax.conv_general_dilated(x, K3, (2, 2), "SAME", dimension_numbers=NHWC),
    "depthwise": lambda x: lax.conv_general_dilated(
        x, DEPTH, (1, 1), "SAME", dimension_numbers=NHWC, feature_group_count=4
    ),
    "dilated": lambda x: lax.conv_general_dilated(x, K3, (1, 1), "VALID", rhs_dilation=(2, 2), dimension_numbers=NHWC),
    "cropping": lambda x: lax.conv_general_dilated(x, K3, (1, 1), ((1, -1), (-2, 1)), dimension_numbers=NHWC),
    "channels_first": lambda x: lax.conv(x.transpose(0, 3, 1, 2), K1.transpose(3, 2, 0, 1), (1, 1), "VALID"),
    "max_pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"),
    "sum_pool": lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 3, 2, 1), (1, 2, 2, 1), "SAME"),
    "own_max_pool": lambda x: pooling.max_pool(x, 2, "same"),
    "own_average_pool": lambda x: pooling.average_pool(x, 3, "same"),
    "own_odd_pool": lambda x: pooling.max_pool(x, 3),
    "gate": gate,
    "relu6": lambda x: jax.nn.relu6(3 * x),
    "residual": lambda x: (
        x
        + jnp.pad(
            jax.nn.gelu(lax.slice(x, (0, 1, 0, 0), x.shape, (1, 1, 2, 1))),
            ((0, 0), (1, 0), (0, 4), (0, 0)),
            constant_values=2,
        )
    ),
    "layer_norm": lambda x: jax.nn.standardize(x, axis=-1) * ROW,
    "batch_norm": lambda x: (x - ROW) * lax.rsqrt(ROW**2 + 1e-3) + 1,
    "attention": lambda x: jnp.einsum("nhwc,nhvc->nhwv", x, lax.rev(x, (1,))),
    "concatenate": lambda x: jnp.concatenate([x, x**3, jnp.ones_like(x)], axis=-1),
    "select": lambda x: jnp.where(x > 0.5, x, -jnp.expm1(0.1) * jnp.clip(x, -1, 0.2)).max(axis=2),
    "whole_map": lambda x: x.reshape(x.shape[0], -1) @ ALL,
}


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_computes_what_jax_does(name):
    model = to_onnx(CASES[name], SHAPE, "float32", ("x", "y"), {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        x = np.random.default_rng(count).normal(0, 1, (count, *SHAPE)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, CASES[name](x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda x: jnp.sort(x, axis=1), "'sort' has no rule"),
        (lambda x: lax.slice_in_dim(x, 0, 1), "part of the batch"),
        (lambda x: lax.conv_transpose(x, K3, (2, 2), "SAME"), "transposed"),
    ],
)
def test_what_cannot_be_translated_is_named(function, said):
    with pytest.raises(Untranslatable, match=said) as caught:
        to_onnx(function, SHAPE, "float32", ("x", "y"), {})
    assert "\n" not in str(caught.value)


def test_what_depends_on_weights_alone_is_computed_once():
    model = to_onnx(lambda x: x * jnp.exp(jnp.flip(ROW) * 2).sum(), SHAPE, "float32", ("x", "y"), {})
    assert {node.op_type for node in model.graph.node} <= {"Mul", "Identity"}
