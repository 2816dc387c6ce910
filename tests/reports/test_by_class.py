"""Metrics class by class in the report, against scikit-learn's."""

import numpy as np
from sklearn import metrics as reference

from fer_jax.analysis.predictions import mean_and_spread
from fer_jax.reports import by_class


def test_class_table_has_a_row_a_class_and_the_means_of_scikit_learn(predictions):
    html = by_class.class_table(predictions)
    report = [
        reference.classification_report(
            predictions.labels, one.argmax(-1), target_names=predictions.classes, output_dict=True, zero_division=0
        )
        for one in predictions.probabilities
    ]
    for row in ("angry", "macro avg", "weighted avg"):
        for name in ("precision", "recall", "f1-score"):
            assert f">{mean_and_spread(np.array([each[row][name] for each in report]))}<" in html
    assert html.count("<tr") == 1 + 3 + 2
