"""The counting of a compiled program, on a text small enough to count by hand."""

import pytest

TEXT = """HloModule jit_f

%fused (p0: f32[100,8], p1: s32[], p2: f32[8]) -> f32[8] {
  %p0 = f32[100,8]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  %p2 = f32[8]{0} parameter(2)
  %zero = s32[] constant(0)
  %row = f32[1,8]{1,0} dynamic-slice(%p0, %p1, %zero), dynamic_slice_sizes={1,8}
  %flat = f32[8]{0} bitcast(%row)
  ROOT %sum = f32[8]{0} add(%flat, %p2)
}

%body (state: (s32[], f32[100,8], f32[8,8])) -> (s32[], f32[100,8], f32[8,8]) {
  %state = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %data = f32[100,8]{1,0} get-tuple-element(%state), index=1
  %square = f32[8,8]{1,0} get-tuple-element(%state), index=2
  %line = f32[8]{0} constant({0, 0, 0, 0, 0, 0, 0, 0})
  %own = f32[8]{0} fusion(%data, %i, %line), kind=kLoop, calls=%fused
  %dot.1 = f32[8,8]{1,0} dot(%square, %square), lhs_contracting_dims={1}, rhs_contracting_dims={0}, operand_precision={highest,highest}
  ROOT %next = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) tuple(%i, %data, %dot.1)
}

%condition (state: (s32[], f32[100,8], f32[8,8])) -> pred[] {
  %state = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %end = s32[] constant(7)
  ROOT %less = pred[] compare(%i, %end), direction=LT
}

ENTRY %main (a: (s32[], f32[100,8], f32[8,8])) -> (s32[], f32[100,8], f32[8,8]) {
  %a = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) parameter(0)
  ROOT %loop = (s32[], f32[100,8]{1,0}, f32[8,8]{1,0}) while(%a), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"7"}}
}
"""  # noqa: E501


@pytest.fixture
def module(scripts):
    return scripts("gpu_hlo").Module(TEXT)


def test_loops_are_found_with_their_trips(module):
    assert [(loop.body, loop.trips) for loop in module.loops()] == [("body", 7)]


def test_a_slice_of_the_data_counts_and_not_all_of_it(scripts, module):
    own, dot = scripts("gpu_count").kernels(module, "body")
    # A row of 8 numbers, the number of the row, and 8 numbers read; 8 written.
    assert (own.name, own.kind, own.bytes, own.flops) == ("own", "kLoop", 4 * (8 + 1 + 8 + 8), 0)
    assert (dot.bytes, dot.flops, dot.precision) == (4 * 3 * 64, 2 * 8**3, "float32")


def test_a_kernel_takes_the_longest_of_launch_memory_and_products(scripts):
    count = scripts("gpu_count")
    assert count.Kernel("a", "", 8).seconds == count.LAUNCH_SECONDS
    assert count.Kernel("a", "", int(count.BANDWIDTH)).seconds == 1
    assert count.Kernel("a", "", 8, int(2 * count.RATES["tf32"]), "tf32").seconds == 2


def test_a_program_costs_what_its_loop_costs_as_often_as_it_runs(scripts, module):
    count = scripts("gpu_count")
    once, all_of_it = count.cost(module, "body"), count.cost(module)
    assert once.kernels == 2 and once.seconds == pytest.approx(2 * count.LAUNCH_SECONDS)
    assert (all_of_it.kernels, all_of_it.flops) == (14, 7 * 2 * 8**3)
