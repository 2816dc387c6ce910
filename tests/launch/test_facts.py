"""What the traced values of a trial need to know of its data, against numpy."""

import dataclasses

import numpy as np
import pytest

from fer_jax.data.dataset import Split
from fer_jax.launch.prepared import prepare
from fer_jax.train import hyper
from fer_jax.train.hyper import DataStatistics


def test_facts_of_the_pixels_are_those_numpy_finds(config, monkeypatch):
    monkeypatch.setattr(hyper, "BLOCK", 32)  # 70 images in three blocks
    (dataset,) = prepare(config).datasets.values()
    known, pixels = DataStatistics.of(dataset), dataset.train.images
    found = (known.low, known.high, known.mean, known.sd)
    assert found == pytest.approx((pixels.min(), pixels.max(), pixels.mean(), pixels.std()), rel=1e-9)
    one_shade = dataclasses.replace(dataset, train=Split(np.full((3, 4, 4, 1), 7, np.uint8), np.zeros(3, np.int32)))
    known = DataStatistics.of(one_shade)
    assert (known.low, known.high, known.mean, known.sd) == (7, 7, 7, 0)
