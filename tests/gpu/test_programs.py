"""What a GPU would be given, held against a baseline: docs/gpu.md has the numbers and reasons."""

import pytest

PLAY = 0.05
ORDER_BYTES = 8  # the order of an epoch: a row's number, and one sorted beside it


@pytest.mark.parametrize("name", ["stack", "few_images", "float32", "tf32", "bfloat16", "mapped"])
@pytest.mark.parametrize("count", ["kernels_a_step", "bytes_an_image", "temporary_bytes_a_trial", "starts_a_step"])
def test_no_count_has_grown(compiled, baseline, name, count):
    assert compiled[name][count] <= baseline[name][count] * (1 + PLAY)


@pytest.mark.parametrize("name", ["stack", "few_images", "mapped"])
def test_the_planners_estimate_stands_to_the_compilers_number_as_it_did(compiled, baseline, name):
    key = "estimate_to_compiler"
    assert compiled[name][key] == pytest.approx(baseline[name][key], rel=PLAY)
    assert compiled[name][key] > 0.8  # less would plan for more trials than there is room for


def test_a_trial_needs_no_more_temporary_memory_for_more_images(compiled):
    many, few = compiled["stack"], compiled["few_images"]
    orders = ORDER_BYTES * (28_709 - 320)
    assert abs(many["temporary_bytes_a_trial"] - few["temporary_bytes_a_trial"]) <= orders


@pytest.mark.parametrize("name", ["stack", "few_images", "float32", "tf32", "bfloat16"])
def test_a_step_of_a_stack_is_started_once(compiled, name):
    assert compiled[name]["starts_a_step"] == 1


def test_every_compiled_program_is_sound(compiled):
    for name, row in compiled.items():
        assert row["donated"] == pytest.approx(1, abs=0.01), name
        assert row["loops_without_known_trips"] == 0, name
        assert row["compiled_float64"] == row["compiled_callbacks"] == row["compiled_collectives"] == 0, name
        # The kernels are of 3 x 3 pixels; side by side there are products in place of convolutions.
        assert row["largest_window"] == (3 if name == "mapped" else 0), name
        assert row["sums_of_16_bits"] == 0, name


def test_tensor_cores_compute_what_was_asked_for(compiled):
    kinds = {name: set(row["instructions"]) - {"other"} for name, row in compiled.items()}
    assert {name: kinds[name] for name in ("float32", "tf32", "bfloat16")} == {
        "float32": set(),
        "tf32": {"tf32"},
        "bfloat16": {"bf16"},
    }


def test_the_baseline_is_of_the_same_versions(facts, baseline_document):
    assert facts["versions"] == baseline_document["versions"], "write it anew: benchmarks/gpu.py check --json=…"


@pytest.mark.parametrize("name", ["float32", "tf32", "bfloat16"])
def test_as_many_products_are_on_tensor_cores_as_were(compiled, baseline, name):
    assert compiled[name]["instructions"] == baseline[name]["instructions"]


def test_every_product_computes_in_the_type_it_did(facts, baseline_document):
    before = {row["program"]: row["factors"] for row in (*baseline_document["lowered"], *baseline_document["compiled"])}
    after = {row["program"]: row.get("factors") for row in (*facts["lowered"], *facts["compiled"])}
    assert after == before


def test_every_lowered_program_asks_for_its_precision_and_nothing_strange(scripts, facts):
    problems = scripts("gpu_facts").problems
    assert len(facts["lowered"]) >= 25
    assert [problem for row in (*facts["lowered"], *facts["compiled"]) for problem in problems(row)] == []


def test_what_is_strange_is_seen(scripts, facts):
    problems, row = scripts("gpu_facts").problems, facts["lowered"][0]
    for change in (
        {"precisions": {}},
        {"precisions": {"DEFAULT": 1}},
        {"factors": {"bf16": 2}},
        {"float64": 1},
        {"donated_arguments": 0},
        {"failed": "no"},
    ):
        assert problems(row | change), change


def test_the_list_covers_every_network_engine_precision_and_option(facts):
    from fer_jax.config.fields import FIELDS

    words = {word.partition("=")[0] for row in facts["lowered"] for word in row["program"].split()}
    assert words >= {*FIELDS["model.name"].choices, "map", "vmap", "grouped", *FIELDS["train.precision"].choices}
    values = {word.partition("=")[2] for row in facts["lowered"] for word in row["program"].split()}
    assert values >= {*FIELDS["train.optimizer"].choices} - {"adam"}
    optional = {name.partition(".")[2] for name, field in FIELDS.items() if field.neutral is not None}
    # A backbone's own rates are an affine factor, and oslo's dropout is in every row.
    assert words >= optional - {"block_rates", "dropout"}
