from fer_jax import models
from fer_jax.config.values import default_config, flatten
from fer_jax.plan import cost
from fer_jax.train.recipe import Recipe


def test_operations_are_those_counted_by_hand():
    values = flatten(default_config()) | {
        "model.name": "cnn",
        "model.pairs": 1,
        "model.kernels": (3,),
        "model.kernel_size": 3,
        "model.padding": "valid",
        "model.pool_size": 2,
        "model.dense": (5,),
    }
    found = cost.measure(models.build(values, (8, 8, 1), 4), Recipe(batch_size=2))
    convolution, hidden, output = 2 * 6 * 6 * 9 * 3, 2 * (3 * 3 * 3) * 5, 2 * 5 * 4
    assert found.evaluation_flops == convolution + hidden + output
    assert found.train_flops == 3 * found.evaluation_flops  # forward, gradient for the weights, gradient for the input
    assert found.parameters == (9 * 3 + 3) + (27 * 5 + 5) + (5 * 4 + 4)
