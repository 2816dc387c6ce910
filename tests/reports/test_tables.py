"""The texts of cells: means rounded to their spread."""

import pytest

from fer_jax.reports import tables


@pytest.mark.parametrize(
    "mean, sd, n, text",
    [
        (
            0.827,
            0.119,
            5,
            "0.83 ± 0.12",
        ),  # the examples of the Review of Particle Physics: .827 +- .119 and .827 +- .367
        (0.827, 0.367, 5, "0.8 ± 0.4"),
        (0.5714, 0.00967, 3, "0.571 ± 0.010"),
        (0.5714, 0.0354, 3, "0.571 ± 0.035"),
        (0.5714, 0.0356, 3, "0.57 ± 0.04"),
        (0.5714, 0.0, 3, "0.5714 ± 0"),
        (1.94327, 0.0000019, 2, "1.9433 ± <0.0001"),
        (0.49996, 0.00012, 2, "0.5000 ± 0.0001"),
        (-0.00004, 0.02, 2, "0.000 ± 0.020"),
        (12345.6, 231.0, 2, "12350 ± 230"),
        (0.5714, float("nan"), 1, "0.5714"),
        (float("nan"), float("nan"), 0, "–"),
        (float("nan"), float("nan"), 2, "–"),
        (float("inf"), float("nan"), 2, "∞"),
    ],
)
def test_a_mean_keeps_the_digits_its_spread_leaves(mean, sd, n, text):
    assert tables.mean_cell(mean, sd, n) == text
