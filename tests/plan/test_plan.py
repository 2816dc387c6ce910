"""A plan on its way to plan.json and back."""

import json

import pytest

from fer_jax import plan as planning
from fer_jax.errors import RunError


def test_a_plan_stored_before_there_was_measuring_still_loads(plan, config):
    stack = plan(config)
    document = planning.Plan((stack,), "2 x cpu").to_json()
    for name in ("chosen_by", "images_per_second"):
        del document["stacks"][0][name]
    assert planning.Plan.from_json(document).stacks == (stack,)


@pytest.mark.parametrize("lost", ["engine", "waves", "flops"])
def test_a_plan_that_was_edited_by_hand_is_one_line(plan, config, lost):
    document = json.loads(json.dumps(planning.Plan((plan(config),), "2 x cpu").to_json()))
    del document["stacks"][0][lost]
    with pytest.raises(RunError, match=f"plan.json is no plan of this version.*{lost}"):
        planning.Plan.from_json(document)


def test_a_plan_stored_before_data_could_be_streamed_is_resident(plan, config):
    document = planning.Plan((plan(config),), "2 x cpu").to_json()
    for stack in document["stacks"]:
        del stack["data"]
    assert {stack.data for stack in planning.Plan.from_json(document).stacks} == {"resident"}
