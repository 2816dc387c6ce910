"""The features of a trial and layer: what XGBoost makes of them once serves every setting."""

import numpy as np
import pytest
import xgboost

from fer_jax import heads
from fer_jax.heads import Features
from tests.heads.conftest import K, make, values


def test_the_splits_are_binned_once_and_hold_their_labels():
    features = make()
    train, validation = features.matrices
    assert isinstance(train, xgboost.QuantileDMatrix) and features.matrices[0] is train
    for name, matrix in (("train", train), ("validation", validation)):
        assert (matrix.num_row(), matrix.num_col()) == features.splits[name].shape
        np.testing.assert_array_equal(matrix.get_label(), features.labels[name])


def test_a_validation_split_falls_into_the_bins_of_training():
    features = make()
    train, validation = features.matrices
    for found, expected in zip(validation.get_quantile_cut(), train.get_quantile_cut(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_maps_and_threads_change_no_bin(tmp_path, threads):
    features = make()
    np.save(tmp_path / "train.npy", features.splits["train"])
    mapped = {**features.splits, "train": np.load(tmp_path / "train.npy", mmap_mode="r")}
    train, _ = Features(mapped, features.labels, K, threads).matrices
    for found, expected in zip(train.get_quantile_cut(), features.matrices[0].get_quantile_cut(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_settings_fitted_on_shared_features_do_not_touch_each_other():
    shared, asked = make(), make(seed=1).splits["validation"]
    settings = [
        values(kind, **changed)
        for kind, changed in (("xgboost", {}), ("svm", {}), ("xgboost", {"max_depth": 2}), ("xgboost", {}))
    ]
    together = [heads.fit(setting, shared, 0).probabilities(asked) for setting in settings]
    alone = [heads.fit(setting, make(), 0).probabilities(asked) for setting in settings]
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found, expected)
