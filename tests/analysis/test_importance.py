"""Analysis of variance of full grids, against numbers by hand, SciPy, and least squares."""

import itertools

import numpy as np
import pytest
from scipy import stats
from searched_runs import grid, halved

from fer_jax.analysis import importance
from fer_jax.analysis.ranking import rank_points


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def row(found, *names):
    places = tuple(found.fields.index(name) for name in names)
    return found.effects[found.effects["fields"] == places].iloc[0]


def test_a_table_of_two_by_two_by_hand():
    # Cell means 2, 4, 6, 12 around 6; rows 3 and 9, columns 4 and 8.
    values = np.array([[[1.0, 3.0], [3.0, 5.0]], [[5.0, 7.0], [11.0, 13.0]]])
    found = importance.of_values(values, ("a", "b"), blocked=False)
    assert [row(found, *of)["squares"] for of in ("a", "b", "ab")] == pytest.approx([72, 32, 8])
    assert [row(found, *of)["share"] for of in ("a", "b", "ab")] == pytest.approx([72 / 112, 32 / 112, 8 / 112])
    assert (found.error_df, found.error) == (4, 2.0)
    assert row(found, "a")["f"] == pytest.approx(36) and row(found, "a")["p"] == pytest.approx(stats.f.sf(36, 1, 4))
    assert row(found, *"ab")["chance"] == pytest.approx(2 / 112)
    p = {of: stats.f.sf(f, 1, 4) for of, f in (("a", 36), ("b", 16), ("ab", 4))}
    assert row(found, "b")["p_holm"] == pytest.approx(2 * p["b"]) and row(found, *"ab")["p_holm"] == pytest.approx(
        p["ab"]
    )
    # Every seed is 2 better than the other at all points: in blocks nothing is left of the error.
    blocked = importance.of_values(values, ("a", "b"), blocked=True)
    assert blocked.error_df == 3 and blocked.error == 0 and "do not differ" in blocked.why_untested
    assert blocked.effects["p"].isna().all()


def test_one_field_is_scipys_test():
    values = np.random.default_rng(0).normal(size=(4, 6))
    found = importance.of_values(values, ("a",), blocked=False)
    wanted = stats.f_oneway(*values)
    assert found.effects.loc[0, ["f", "p"]].tolist() == pytest.approx([wanted.statistic, wanted.pvalue])


@pytest.mark.parametrize("blocked", [False, True])
def test_unequal_levels_against_least_squares(blocked):
    rng = np.random.default_rng(1)
    shape = (3, 2, 4, 3)
    values = rng.normal(size=shape) + rng.normal(size=(3, 1, 4, 1)) + rng.normal(size=(1, 1, 1, 3)) * 3
    found = importance.of_values(values, "abc", blocked)
    index = np.indices(shape).reshape(4, -1)
    response = values.ravel()

    def columns(of):
        """Dummies of an effect: products of the deviations of its fields' levels from the first."""
        made = np.ones((len(response), 1))
        for axis in of:
            dummies = (index[axis][:, None] == np.arange(1, shape[axis])).astype(float)
            made = (made[:, :, None] * dummies[:, None]).reshape(len(response), -1)
        return made

    def left_over(effects):
        design = np.hstack([np.ones((len(response), 1)), *(columns(of) for of in effects)])
        return float(((response - design @ np.linalg.lstsq(design, response, rcond=None)[0]) ** 2).sum())

    sets = [of for size in (1, 2, 3) for of in itertools.combinations(range(3), size)]
    for of in sets:
        # What the effect explains beyond all others that do not contain it.
        others = [other for other in sets if not set(of) <= set(other)]
        gained = left_over(others) - left_over([*others, of])
        of_found = row(found, *("abc"[k] for k in of))
        assert of_found["squares"] == pytest.approx(gained)
        assert of_found["df"] == np.prod([shape[k] - 1 for k in of])
    full = left_over([*sets, *([(3,)] if blocked else [])])
    assert found.error_df == (23 * 2 if blocked else 24 * 2) and found.error == pytest.approx(full / found.error_df)
    assert found.effects["share"].sum() == pytest.approx(1) and found.effects["share"].is_monotonic_decreasing


def test_one_trial_a_point_is_not_tested():
    found = importance.of_values(np.random.default_rng(2).normal(size=(3, 3, 1)), "ab", blocked=True)
    assert "one trial" in found.why_untested and found.error_df == 0 and np.isnan(found.error)
    assert found.effects[["chance", "f", "p", "p_holm"]].isna().all(axis=None)
    alike = importance.of_values(np.full((2, 3, 2), 0.3), "ab", blocked=True)
    assert alike.effects["share"].isna().all()
    folds = importance.of_values(np.random.default_rng(2).normal(size=(3, 3, 2)), "ab", True, independent=False)
    assert "folds" in folds.why_untested and folds.effects["p"].isna().all()


def test_a_sweep_is_laid_out_by_its_values_whatever_their_order():
    run = grid(repeats=3)
    run.trials = run.trials.sample(frac=1, random_state=0).reset_index(drop=True)
    found = importance.of_ranking(gather(run))
    assert found.fields == ("train.learning_rate", "train.l2") and found.levels == (5, 3) and found.blocked
    table = run.trials.groupby(["train.learning_rate", "train.l2"])["val_accuracy"].mean().unstack()
    main = 9 * ((table.mean(axis=1) - table.to_numpy().mean()) ** 2).sum()
    assert row(found, "train.learning_rate")["squares"] == pytest.approx(main)
    assert found.error_df == 28


def test_reasons_why_there_is_none():
    run = grid(repeats=2)
    whole = run.trials
    run.trials = whole.iloc[2:]
    assert "14 of the 15 combinations" in importance.of_ranking(gather(run))
    run.trials = whole.copy()
    run.trials.loc[3, "status"] = "diverged"
    assert importance.of_ranking(gather(run)) == "the points have 1 to 2 done trials each, not the same number"
    run.trials = whole.assign(val_accuracy=0.25)
    assert importance.of_ranking(gather(run)) == "all points have the same mean val_accuracy"
    run.trials = whole.copy()
    run.trials.loc[3, "val_accuracy"] = np.inf
    assert "finite" in importance.of_ranking(gather(run))
    assert "left at a rung" in importance.of_ranking(gather(halved(grid(), 1, 3)))


def test_other_seeds_at_some_points_are_no_blocks():
    run = grid(repeats=2)
    run.trials["seed"] += 10 * (run.trials["train.l2"] == 1e-3)
    assert not importance.of_ranking(gather(run)).blocked
