"""silvestro's network has the layers and sizes of the paper; tests/train compares it with Keras."""

import jax
import pytest

from fer_jax import models
from tests.models.conftest import values


def network(**changed):
    return models.build(values(model__name="silvestro", **changed), (48, 48, 1), 7)


def test_layers_and_parameters_are_those_of_the_papers_table():
    net = network()
    assert net.layer_names[:7] == ("conv_0", "norm_0", "conv_1", "norm_1", "pool_0", "dropout_0", "conv_2")
    assert net.layer_names[-5:] == ("flatten", "dense_0", "norm_6", "dense_dropout_0", "output")
    assert sum(leaf.size for leaf in jax.tree.leaves(net.shapes)) == 1_394_183


@pytest.mark.parametrize("width, filters, units", [(0.25, 8, 64), (2, 64, 512)])
def test_a_multiplier_widens_kernels_and_units(width, filters, units):
    params, _ = network(model__width_multiplier=width).shapes
    assert params["conv_0"]["kernel"].shape == (3, 3, 1, filters)
    assert params["dense_0"]["bias"].shape == (units,) and params["output"]["bias"].shape == (7,)
