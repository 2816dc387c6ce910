"""What a paper published beside ours as figures: experiments on one scale, confusion matrices."""

import numpy as np
import pandas as pd
import pytest

from fer_jax.figures import beside_published, style

CLASSES = ["angry", "happy", "sad"]


def row(name, published, mean, sd, n, compared="last", **more):
    other = "chosen" if compared == "last" else "last"
    ours = {f"{compared}_mean": mean, f"{compared}_sd": sd, f"{other}_mean": np.nan, f"{other}_sd": np.nan}
    return {"experiment": name, "metric": "test_accuracy", "published": published, "published_sd": np.nan, "n": n,
            "compared": compared, **ours, **more}  # fmt: skip


def test_every_experiment_stands_on_one_scale():
    rows = pd.DataFrame(
        [
            row("scenario 1", 0.61, 0.60, 0.01, 3, published_sd=0.02),
            row("scenario 2", np.nan, 0.40, np.nan, 1),
            row("scenario 3", 0.5, np.nan, np.nan, 0),
            row("head", 0.55, 0.57, 0.0, 2, compared="best") | {"chosen_mean": 0.57, "chosen_sd": 0.0},
        ]
    )
    (drawing,) = beside_published.experiments(rows)
    ax = drawing.figure.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["scenario 1", "scenario 2", "head"]
    assert drawing.finding == (
        "scenario 1: ours 0.600, published 0.61; scenario 2: ours 0.400; head: ours 0.570, published 0.55"
    )
    bars = [line for container in ax.containers for line in container[2]]
    left, right = bars[0].get_segments()[0][:, 0]  # Student's interval of three: 4.3027 sd / sqrt(3)
    assert (right - left) / 2 == pytest.approx(4.302653 * 0.01 / np.sqrt(3), rel=1e-5)
    assert beside_published.experiments(rows[:1]) == []  # one experiment needs no figure
    assert style.png(drawing.figure).startswith(b"\x89PNG")


def test_matrices_are_shares_of_the_true_class_and_their_difference():
    one = {
        "experiment": "final network", "split": "val", "classes": CLASSES, "where": "table 4", "n": 2, "data": "faces",
        "published": [[8, 2, 0], [1, 9, 0], [0, 0, 0]], "ours": [[50, 50, 0], [10, 90, 0], [0, 0, 4]],
        "note": "sums to 20, not 21",
    }  # fmt: skip
    drawing = beside_published.matrices(one)
    first, second, third = (ax.images[0].get_array() for ax in drawing.figure.axes)
    np.testing.assert_allclose(first, [[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0, 0]])
    np.testing.assert_allclose(third, second - first, atol=0.005)
    assert drawing.finding == "Largest difference: sad answered sad, published 0.00, ours 1.00."
    assert "Sums to 20, not 21." in drawing.caption
    low, high = drawing.figure.axes[2].images[0].get_clim()
    assert low == -high  # white is no difference
