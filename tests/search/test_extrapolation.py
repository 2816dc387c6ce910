"""Forecasts of curves, against power laws of known parameters and numbers by hand."""

import numpy as np
import pytest

from fer_jax.search.extrapolation import DRAWS, FEWEST_EPOCHS, _drawn, _squares, forecast, unlikely

END = 50


def power_laws(points, seed, end=END):
    """Curves a - b t^-c with noise, as (points, end), and no score above 1."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(0.3, 0.95, points), rng.uniform(0.05, 0.6, points), rng.uniform(0.3, 2, points)
    noise = rng.choice([0.003, 0.01, 0.02], points)[:, None] * rng.standard_normal((points, end))
    return np.minimum(a[:, None] - b[:, None] * np.arange(1, end + 1) ** -c[:, None] + noise, 1)


@pytest.mark.parametrize("length", [4, 10, 25])
def test_intervals_hold_what_curves_come_to(length):
    curves = power_laws(1000, seed=length)
    found, truth = forecast(curves[:, :length], END), curves.max(axis=1)
    assert (truth > found.quantile(0.95)).mean() <= 0.05
    assert (truth > found.quantile(0.5)).mean() <= 0.5
    inside = (found.quantile(0.05) <= truth) & (truth <= found.quantile(0.95))
    assert inside.mean() >= 0.7
    assert abs(found.mean - truth).mean() < abs(curves[:, :length].max(axis=1) - truth).mean() + 0.05


def test_more_epochs_tell_more():
    curves = power_laws(300, seed=5)
    widths, errors = [], []
    for length in (4, 10, 25, 45):
        found = forecast(curves[:, :length], END)
        widths.append((found.quantile(0.95) - found.quantile(0.05)).mean())
        errors.append(abs(found.mean - curves.max(axis=1)).mean())
    assert widths == sorted(widths, reverse=True) and errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_curve_without_noise_is_carried_on(power):
    curve = 0.8 - 0.5 * np.arange(1, END + 1.0) ** -power
    found = forecast(curve[None, :25], END)
    assert found.quantile(0.05)[0] - 0.01 <= curve[-1] <= found.quantile(0.95)[0] + 0.01
    assert found.mean[0] == pytest.approx(curve[-1], abs=0.02)


def test_a_forecast_is_neither_below_what_is_reached_nor_above_the_ceiling():
    curves = power_laws(200, seed=3)
    draws = forecast(curves[:, :5], END).draws
    assert (draws >= curves[:, :5].max(axis=1)[:, None]).all() and (draws <= 1).all()
    assert (np.diff(draws, axis=1) >= 0).all()
    losses = -np.abs(curves) - 0.5
    assert (forecast(losses[:, :5], END, ceiling=0.0).draws <= 0).all()


def test_at_the_end_nothing_is_left_to_forecast():
    curves = power_laws(20, seed=4)
    assert (forecast(curves, END).draws == curves.max(axis=1)[:, None]).all()


def test_a_point_does_not_depend_on_its_neighbours():
    curves = power_laws(60, seed=6)[:, :12]
    curves[::2, 7:] = np.nan
    together = forecast(curves, END)
    for point in (0, 1, 37):
        alone = forecast(curves[point : point + 1], END)
        assert (alone.draws[0] == together.draws[point]).all()
    shorter = forecast(curves[::2, :7], END)
    assert (shorter.draws == together.draws[::2]).all()


def test_what_a_rise_leaves_is_the_least_squares_of_its_level():
    rng = np.random.default_rng(0)
    curves, shapes, rises = rng.random((2, 6)), rng.random((3, 6)), rng.random((2, 4))
    counts = np.arange(1, 7) / 21
    found = _squares(curves, shapes, rises, counts)
    for point in range(2):
        for power in range(3):
            for rise in range(4):
                rest = curves[point] - rises[point, rise] * shapes[power]
                level = np.polyfit(np.arange(6), rest, 0, w=np.sqrt(counts))[0]
                assert found[point, power, rise] == pytest.approx(((rest - level) ** 2 * counts).sum())


def test_choices_are_drawn_by_their_weights():
    weights = np.array([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    found = _drawn(weights, (np.arange(8) + 0.5) / 8)
    assert found.tolist() == [[0, 0, 2, 2, 2, 2, 2, 2], [1] * 8]


def test_the_best_of_a_field_is_hardly_ever_given_up():
    """Forty fields of thirty points, asked after five epochs and after ten."""
    wrong, dropped = 0, []
    for field in range(40):
        curves = power_laws(30, seed=100 + field)
        for length in (5, 10):
            leaves = unlikely(curves[:, :length], END, 0.05)
            wrong += leaves[curves.max(axis=1).argmax()]
            dropped.append(leaves.mean())
    assert wrong / 80 <= 0.05
    assert np.mean(dropped[1::2]) > 0.5


def test_a_higher_level_gives_up_more():
    curves = power_laws(200, seed=8)[:, :8]
    strict, loose = unlikely(curves, END, 0.01), unlikely(curves, END, 0.2)
    assert strict.sum() < loose.sum() and (strict <= loose).all()


def test_who_is_never_unlikely():
    leader = 0.9 - 0.1 / np.arange(1, 11)
    hopeless = np.full(10, 0.25)
    young = np.where(np.arange(10) < FEWEST_EPOCHS - 1, 0.25, np.nan)
    nothing = np.full(10, np.nan)
    rising = np.linspace(0.1, 0.8, 10)
    curves = np.array([hopeless, leader, young, nothing, rising])
    assert unlikely(curves, 12, 0.05).tolist() == [True, False, False, False, False]
    assert not unlikely(curves[:, : FEWEST_EPOCHS - 1], 12, 0.05).any()
    assert unlikely(curves[1:2], 12, 0.05).tolist() == [False]
    assert unlikely(np.empty((0, 5)), 12, 0.05).shape == (0,)
    # One that leads after two epochs only cannot be forecast, so nobody is compared with it.
    curves[2] = np.where(np.isfinite(young), 0.95, np.nan)
    assert not unlikely(curves, 12, 0.05).any()


def test_equal_curves_stay_together():
    curves = np.tile(np.linspace(0.5, 0.6, 8), (4, 1))
    assert not unlikely(curves, 20, 0.3).any()
    assert forecast(curves, 20).draws.shape == (4, DRAWS)
