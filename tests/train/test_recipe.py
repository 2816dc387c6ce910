"""What is compiled in: whole parts of a batch, optional fields by block, and the phases."""

import jax.numpy as jnp
import pytest

from fer_jax.train.recipe import Phase, Recipe


def test_a_micro_batch_that_does_not_divide_the_batch_is_refused():
    with pytest.raises(ValueError, match="micro_batch 3 does not divide batch_size 8"):
        Recipe(8, micro_batch=3)


def test_parts_that_do_not_divide_the_batch_are_refused():
    with pytest.raises(ValueError, match="parts 3 does not divide batch_size 8"):
        Recipe(8, parts=3)


def test_optional_fields_are_found_by_name_and_by_block():
    recipe = Recipe(8, optional=("model.dropout", "augment.flip", "augment.mixup"))
    assert recipe.uses("train.warmup", "model.dropout") and not recipe.uses("train.warmup")
    assert recipe.used("augment") == ("augment.flip", "augment.mixup")


def test_phases_follow_each_other_and_train_what_they_do_not_freeze():
    recipe = Recipe(8, phases=(Phase(2, ("a", "b")), Phase(3, ("a",)), Phase(4, ("a", "c"))))
    assert recipe.ends == (2, 5) and [recipe.phase_after(epoch) for epoch in (0, 1, 2, 4, 5, 9)] == [0, 0, 1, 1, 2, 2]
    assert [recipe.of_phase(phase).first_epoch for phase in range(3)] == [0, 2, 5]
    layers = {"a": 1, "b": 2, "c": 3}
    assert recipe.learning(layers) == {"c": 3} and recipe.of_phase(2).learning(layers) == {"b": 2}
    assert recipe.always_frozen == ("a",) and recipe.remembered(layers) == {"b": 2, "c": 3}


def test_activations_are_16_bits_only_where_the_precision_says_so():
    assert Recipe(8, precision="bfloat16").dtype == jnp.bfloat16
    assert Recipe(8).dtype == Recipe(8, precision="tf32").dtype == jnp.float32
