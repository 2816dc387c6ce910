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


@pytest.mark.parametrize(
    ("where", "name", "value", "said"),
    [
        ("wave", "name", "../../victim", "wave of stack_0 '../../victim' is no name"),
        ("wave", "trials", ["../x"], "trial of stack_0-wave_0 '../x' is no name"),
        ("wave", "width", -1, "width of stack_0-wave_0 is -1"),
        ("wave", "parts", 10**12, "parts of stack_0-wave_0 is 1000000000000"),
        ("stack", "name", "/tmp", "stack '/tmp' is no name"),
        ("stack", "width", 10**12, "width of stack_0 is 1000000000000"),
        ("stack", "devices", True, "devices of stack_0 is True"),
        ("stack", "flops", "many", "flops of stack_0 is 'many'"),
        ("stack", "engine", "../x", "engine of stack_0 must be one of map"),
        ("stack", "data", "elsewhere", "data of stack_0 must be one of resident, stream"),
    ],
)
def test_a_plan_that_leads_elsewhere_or_claims_too_much_is_one_line(plan, config, where, name, value, said):
    document = json.loads(json.dumps(planning.Plan((plan(config),), "2 x cpu").to_json()))
    stack = document["stacks"][0]
    (stack if where == "stack" else stack["waves"][0])[name] = value
    with pytest.raises(RunError, match=f"^plan.json: {said}"):
        planning.Plan.from_json(document)


def test_a_wave_or_a_trial_that_is_planned_twice_is_one_line(plan, config):
    document = json.loads(json.dumps(planning.Plan((plan(config),), "2 x cpu").to_json()))
    (stack,) = document["stacks"]
    first = stack["waves"][0]
    stack["waves"].append({**first, "name": "stack_0-wave_99"})
    with pytest.raises(RunError, match=f"^plan.json: trial {first['trials'][0]} is there twice"):
        planning.Plan.from_json(document)
    stack["waves"][-1] = {**first, "trials": ["abc"]}
    with pytest.raises(RunError, match=f"^plan.json: name {first['name']} is there twice"):
        planning.Plan.from_json(document)
