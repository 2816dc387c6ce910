"""Runs in order of their best points."""

import pandas as pd
import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.analysis.run_entry import Entry, in_order


@pytest.mark.parametrize(("metric", "order"), [("val_accuracy", "bca"), ("val_loss", "acb"), ("val_ece", "bac")])
def test_order_is_by_what_chooses_and_of_equals_as_given(metric, order):
    figures = {"a": (0.5, 1.0, 0.2), "b": (0.7, 2.0, 0.1), "c": (0.6, 1.5, 0.2)}
    entries = []
    for name, values in figures.items():
        trials = pd.DataFrame([dict(zip(("val_accuracy", "val_loss", "val_ece"), values, strict=True))])
        record = {"config": {"train.select": metric}, "swept": [], "data": {}}
        ranking = rank_points(record, trials.assign(id="0", status="done", seed=0), pd.DataFrame(), name)
        entries.append(Entry(name, ranking, {}))
    assert [entry.name for entry in in_order(entries)] == list(order)
    assert [entry.mean(metric) for entry in entries] == [
        values[["val_accuracy", "val_loss", "val_ece"].index(metric)] for values in figures.values()
    ]
