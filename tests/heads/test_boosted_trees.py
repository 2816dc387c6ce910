"""Trees that XGBoost wrote are read; what a stranger made of them is refused before."""

import hashlib
import struct

import numpy as np
import pytest

from fer_jax.errors import RunError
from fer_jax.heads import boosted_trees, classifiers

xgboost = pytest.importorskip("xgboost")


def booster(classes=3, **settings):
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(200, 6)).astype(np.float32), rng.integers(0, classes, 200)
    train, rest = xgboost.DMatrix(features[:150], labels[:150]), xgboost.DMatrix(features[150:], labels[150:])
    chosen = {"objective": "multi:softprob", "num_class": classes, "max_depth": 4, "nthread": 1, "seed": 0} | settings
    stop = xgboost.callback.EarlyStopping(rounds=2, save_best=True)
    return xgboost.train(chosen, train, 8, evals=[(rest, "rest")], callbacks=[stop], verbose_eval=False)


@pytest.mark.parametrize("settings", [{}, {"classes": 2}, {"classes": 7, "gamma": 2.0}, {"gamma": 1e6}])
def test_what_xgboost_writes_passes_and_reads_the_same(settings):
    written = booster(**settings)
    content = bytes(written.save_raw("ubj"))
    boosted_trees.check(content, settings.get("classes", 3))
    document = boosted_trees._Reader(content).document()
    found = document["learner"]["gradient_booster"]["model"]["trees"]
    assert len(found) == settings.get("classes", 3) * written.num_boosted_rounds()


def changed(content, name, value):
    """The bytes with another first number in the first list of this name."""
    # A list of one type has it once, '[$l#L' and eight bytes of length; another has it each time.
    typed, untyped = name.encode() + b"[$l#L", name.encode() + b"[#L"
    if typed in content:
        start = content.index(typed) + len(typed) + 8
        return content[:start] + struct.pack(">i", value) + content[start + 4 :]
    start = content.index(untyped) + len(untyped) + 8 + 1
    return content[:start] + struct.pack(">b", value) + content[start + 1 :]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("left_children", 10**6, "leads nowhere"),
        ("left_children", 0, "leads nowhere"),
        ("right_children", 1, "leads nowhere"),
        ("split_indices", 6, "a feature that there is not"),
        ("split_indices", -2, "a feature that there is not"),
        ("tree_info", 3, "of no class"),
        ("iteration_indptr", 1, "its rounds"),
    ],
)
def test_trees_that_lead_elsewhere_are_refused(name, value, said):
    content = bytes(booster().save_raw("ubj"))
    with pytest.raises(ValueError, match=said):
        boosted_trees.check(changed(content, name, value), 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{L" + struct.pack(">q", 7) + b"learner" + b"[" * 10**6, "nested deeper than 32"),
        (b"{L" + struct.pack(">q", 7) + b"learner[$l#L" + struct.pack(">q", 1 << 62), "more than it holds"),
        (b"{L" + struct.pack(">q", -1), "more than it holds"),
        (b"{}", "it holds no trees"),
        (b"", "more than it holds"),
        (b"{}x", "something follows"),
    ],
)
def test_bytes_that_are_no_trees_are_refused_with_the_right_checksum_too(content, said):
    with pytest.raises(ValueError, match=said):
        boosted_trees.check(content, 3)
    with pytest.raises(RunError, match=f"a xgboost head cannot be read .*{said}"):
        classifiers.load({"head.kind": "xgboost"}, content + hashlib.sha256(content).digest(), 3)
