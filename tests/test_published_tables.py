"""What studies say by class, and of five runs, is what the papers' tables print, and these agree
with each other.
"""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from fer_jax.studies import sweeps
from fer_jax.studies.paper import Published

SWEEPS = Path(__file__).parents[1] / "sweeps"
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# Metric and label, then the largest, the smallest, standard deviation, variance and mean of five
# runs.
HUST_TABLES = {
    "baseline": """
        precision 0 0.6435 0.5514 0.03682 0.0013558 0.60682
        precision 1 0.9 0.6939 0.0973 0.0094665 0.78948
        precision 2 0.6324 0.5649 0.02711 0.0007347 0.5915
        precision 3 0.9045 0.8675 0.01541 0.0002373 0.8857
        precision 4 0.5892 0.5628 0.01004 0.0001007 0.5796
        precision 5 0.8189 0.7921 0.00973 0.0000947 0.80606
        precision 6 0.6266 0.6096 0.00668 0.0000447 0.61646
        recall    0 0.6909 0.598 0.0362 0.0013107 0.6408
        recall    1 0.6727 0.4909 0.0673 0.0045289 0.59636
        recall    2 0.5781 0.457 0.05174 0.0026766 0.52342
        recall    3 0.881 0.8432 0.01445 0.0002089 0.85718
        recall    4 0.5674 0.5214 0.01931 0.0003728 0.54078
        recall    5 0.8075 0.78 0.01165 0.0001356 0.793
        recall    6 0.7435 0.7177 0.01047 0.0001097 0.7303
        f1        0 0.6417 0.5968 0.01624 0.0002637 0.62196
        f1        1 0.7033 0.6353 0.02889 0.0008345 0.67276
        f1        2 0.572 0.5306 0.02046 0.0004186 0.5532
        f1        3 0.8746 0.8618 0.00528 0.0000279 0.87104
        f1        4 0.5671 0.5489 0.00795 0.0000631 0.55926
        f1        5 0.8075 0.7954 0.00483 0.0000234 0.79938
        f1        6 0.673 0.6593 0.00552 0.0000305 0.66852
        accuracy  - 0.699 0.685 0.00512 0.0000262 0.6932
    """,
    "no augmentation": """
        precision 0 0.6325 0.57 0.023 0.00055 0.59662
        precision 1 0.78 0.6279 0.057 0.00324 0.70858
        precision 2 0.5945 0.53 0.025 0.00063 0.56032
        precision 3 0.85 0.7978 0.022 0.00049 0.82762
        precision 4 0.56 0.5067 0.021 0.00043 0.53736
        precision 5 0.8 0.7725 0.012 0.00014 0.7845
        precision 6 0.61 0.5447 0.029 0.00086 0.57614
        recall    0 0.6 0.5071 0.038 0.00147 0.56086
        recall    1 0.5636 0.4909 0.026 0.00066 0.52836
        recall    2 0.543 0.4238 0.046 0.00216 0.49112
        recall    3 0.8776 0.84 0.015 0.00023 0.85902
        recall    4 0.5576 0.53 0.011 0.00012 0.5466
        recall    5 0.8 0.76 0.015 0.00023 0.774
        recall    6 0.66 0.6016 0.024 0.00059 0.63296
        f1        0 0.59 0.5486 0.016 0.00025 0.57618
        f1        1 0.63 0.551 0.033 0.00107 0.60504
        f1        2 0.5472 0.4949 0.019 0.00037 0.52176
        f1        3 0.85 0.8358 0.007 0.00004 0.8447
        f1        4 0.5529 0.5309 0.008 0.00006 0.54072
        f1        5 0.79 0.77 0.009 0.00008 0.78018
        f1        6 0.64 0.5781 0.025 0.00064 0.60438
        accuracy  - 0.665 0.651 0.007 0.00005 0.6592
    """,
}
PISA_TABLES = {
    "val": """
        angry     0.82 0.86 0.84
        fear      0.83 0.80 0.81
        happy     0.93 0.90 0.92
        sad       0.82 0.86 0.84
        surprise  0.92 0.90 0.91
    """,
    "external": """
        angry     0.87 0.92 0.89
        fear      0.90 0.79 0.84
        happy     0.96 0.93 0.95
        sad       0.86 0.94 0.90
        surprise  0.93 0.95 0.94
    """,
}

# Recall, precision and F1 of a class number.
IMPERIAL_TABLES = {
    "feed-forward": """
        0 0.002 0.167 0.004
        1 0.000 nan nan
        2 0.002 0.077 0.004
        3 0.989 0.249 0.398
        4 0.003 0.333 0.006
        5 0.002 0.143 0.005
        6 0.000 0.000 0.000
    """,
    "CNN": """
        0 0.000 nan nan
        1 0.000 nan nan
        2 0.002 0.100 0.004
        3 0.949 0.244 0.388
        4 0.014 0.209 0.026
        5 0.000 nan nan
        6 0.028 0.140 0.046
    """,
}


def lines(table):
    return [line.split() for line in table.strip().splitlines()]


def experiments(study, start):
    read = sweeps.read_study(str(SWEEPS / f"{study}.py"))
    return [one for one in read.experiments if one.name.startswith(start)]


def half(number):
    """Half a unit of the last digit of a number as Python writes it."""
    return Published("val_accuracy", number).rounding


@pytest.mark.parametrize("name", HUST_TABLES)
def test_husts_five_runs_are_its_tables(name):
    (experiment,) = experiments("hust", name)
    ours = {one.metric: (one.high, one.low, one.sd, one.variance, one.value, one.n) for one in experiment.published}
    printed = {
        f"test_{metric}" if label == "-" else f"test_{metric}_{LABELS[int(label)]}": (*map(float, numbers), 5)
        for metric, label, *numbers in lines(HUST_TABLES[name])
    }
    assert ours == printed and len(ours) == 22


@pytest.mark.parametrize("name", HUST_TABLES)
def test_husts_means_lie_within_and_variances_are_squares_of_deviations(name):
    (experiment,) = experiments("hust", name)
    for one in experiment.published:
        assert one.low <= one.value <= one.high
        least, most = ((one.sd + sign * half(one.sd)) ** 2 for sign in (-1, 1))
        assert least - half(one.variance) <= one.variance <= most + half(one.variance)
        # Of five numbers between these ends.
        spread = one.high - one.low + half(one.high) + half(one.low)
        assert one.sd - half(one.sd) <= spread * np.sqrt(6 / 20)


def test_pisas_figures_by_class_are_its_tables():
    (champion,) = experiments("pisa", "V13")
    ours = {one.metric: (one.value, one.decimals) for one in champion.published if one.metric.count("_") == 2}
    printed = {
        f"{split}_{metric}_{label}": (float(number), 2)
        for split, table in PISA_TABLES.items()
        for label, *numbers in lines(table)
        for metric, number in zip(("precision", "recall", "f1"), numbers, strict=True)
    }
    assert ours == printed and len(ours) == 30


@pytest.mark.parametrize("name", IMPERIAL_TABLES)
def test_imperials_figures_by_class_are_its_tables(name):
    for experiment in (one for one in experiments("imperial", name) if one.matrices):
        ours = {
            one.metric: (one.value, one.decimals)
            for one in experiment.published
            if one.metric.count("_") == 2 and "share" not in one.metric
        }
        assert ours == {
            f"val_{metric}_{LABELS[int(label)]}": (float(number), 3)
            for label, *numbers in lines(IMPERIAL_TABLES[name])
            for metric, number in zip(("recall", "precision", "f1"), numbers, strict=True)
            if number != "nan"
        }


@pytest.mark.parametrize(
    ("name", "true", "answered_happy"),
    [  # PublicTest has 467, 56, 496, 895, 653, 415 and 607
        ("feed-forward", (467, 56, 496, 895, 652, 415, 607), 3553),
        ("CNN", (521, 56, 496, 895, 653, 415, 618), 3480),
    ],
)
def test_imperials_matrices_have_rows_of_true_classes_and_give_its_tables(name, true, answered_happy):
    for experiment in (one for one in experiments("imperial", name) if one.matrices):
        (matrix,) = experiment.matrices
        assert (matrix.split, matrix.classes) == ("val", LABELS)
        counts = np.array(matrix.counts)
        assert tuple(counts.sum(axis=1)) == true and counts[:, 3].sum() == answered_happy
        assert f"{counts.sum():,}" in matrix.note
        published = {one.metric: one for one in experiment.published}
        share = published.pop("val_share_happy")
        assert share.value == round(answered_happy / counts.sum(), 3) and share.decimals == 3
        truth, answers = (np.repeat(labels.ravel(), counts.ravel()) for labels in np.indices(counts.shape))
        precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, answers, zero_division=0)
        for metric, found in (("precision", precision), ("recall", recall), ("f1", f1)):
            for label, value in zip(LABELS, found, strict=True):
                if one := published.get(f"val_{metric}_{label}"):
                    assert abs(one.value - value) <= one.rounding


def test_what_is_printed_as_about_says_so():
    about = {
        (study, experiment.name.partition(":")[0].partition(",")[0], one.metric)
        for study in ("hust", "imperial", "pisa")
        for experiment in experiments(study, "")
        for one in experiment.published
        if one.about
    }
    assert about == {
        ("hust", "random initial weights", "test_accuracy"),
        ("imperial", "feed-forward", "train_accuracy"),
        ("pisa", "V1", "val_accuracy"),
    }
