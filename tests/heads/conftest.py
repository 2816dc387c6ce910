"""Features with labels, and the settings of every kind of head that is fitted to them."""

import numpy as np
import pytest

from fer_jax.config import fields
from fer_jax.heads import Features

K, WIDTH = 4, 6
KINDS = ("xgboost", "logistic", "svm", "forest", "neighbors")
DEFAULTS = {name: field.default for name, field in fields.FIELDS.items() if field.kind == "head"}
KEPT = KINDS[:-1]
# Few and small, so that a fit takes milliseconds.
SMALL = {"rounds": 6, "trees": 12}
# Another value of every field that counts, at which the classifier is another one.
OTHER = {
    "xgboost": {
        "rounds": 3, "max_depth": 2, "eta": 0.1, "reg_lambda": 8.0, "gamma": 1.0, "subsample": 0.5,
        "colsample_bytree": 0.5, "min_child_weight": 6.0,
    },
    "logistic": {"C": 0.01},
    "svm": {"C": 0.01},
    "forest": {"trees": 5, "tree_depth": 2},
    "neighbors": {"neighbors": 9, "vote": "distance"},
}  # fmt: skip
ONE_BY_ONE = [(kind, {name: value}) for kind, changes in OTHER.items() for name, value in changes.items()]
ALL_CASES = [(kind, {}) for kind in KINDS] + ONE_BY_ONE + [("xgboost", {"max_depth": 0})]


def values(kind, **changed):
    """Settings of a head; in `changed` without 'head.'."""
    return DEFAULTS | {f"head.{name}": value for name, value in (SMALL | {"kind": kind} | changed).items()}


def make(num_classes=K, only=None, scale=1.0, seed=0, n=150):
    """Overlapping blobs; `only` some of the classes have training images."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_classes, WIDTH))

    def draw(n, some):
        labels = rng.choice(some, n)
        features = centres[labels] + 1.2 * rng.normal(size=(n, WIDTH))
        return (features * np.geomspace(1, scale, WIDTH)).astype(np.float32), labels

    everything = np.arange(num_classes)
    parts = {"train": draw(n, everything if only is None else only), "validation": draw(60, everything)}
    return Features(
        {name: x for name, (x, _) in parts.items()}, {name: y for name, (_, y) in parts.items()}, num_classes
    )


@pytest.fixture(scope="module")
def features():
    return make(scale=30.0)


def train_of(features):
    return features.splits["train"], features.labels["train"]
