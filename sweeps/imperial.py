"""Imperial's networks, search and sanity checks beside the figures they printed;
configs/imperial.py says what each is.

Two data sets, so at full scale two commands, into the same table:

    fer-jax study --study=imperial --scale=full --only=feed --only=CNN --only=search \
        --config.data.path=fer2013.zip
    fer-jax study --study=imperial --scale=full --only=sanity \
        --config.data.path=cifar-10-python.tar.gz

The sanity checks are of CIFAR-10 at full scale alone, which the table's column of the data says. A
folder of its pictures is read with --config.data.name=folder.
"""

import math

from fer_jax.data.names import CLASSES, CSV_ORDER
from fer_jax.studies.paper import Conditions, Experiment, Published, PublishedMatrix, Study

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# A row for each answer, a column for each true class, both in the order of fer2013.csv: as printed.
TABLE_2 = (
    (1, 0, 1, 0, 1, 0, 3),
    (0, 0, 0, 0, 0, 0, 0),
    (3, 0, 1, 6, 1, 1, 1),
    (459, 56, 490, 885, 648, 412, 603),
    (1, 0, 2, 1, 2, 0, 0),
    (1, 0, 2, 3, 0, 1, 0),
    (2, 0, 0, 0, 0, 1, 0),
)
TABLE_4 = (
    (0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0),
    (0, 0, 1, 4, 1, 0, 4),
    (493, 52, 478, 849, 631, 389, 588),
    (9, 2, 3, 6, 9, 5, 9),
    (0, 0, 0, 0, 0, 0, 0),
    (19, 2, 14, 36, 12, 21, 17),
)
# Recall, precision and F1 of each class, in the same order; None where they print nan.
TABLE_3 = (
    (0.002, 0.167, 0.004), (0.0, None, None), (0.002, 0.077, 0.004), (0.989, 0.249, 0.398), (0.003, 0.333, 0.006),
    (0.002, 0.143, 0.005), (0.0, 0.0, 0.0),
)  # fmt: skip
TABLE_5 = (
    (0.0, None, None), (0.0, None, None), (0.002, 0.1, 0.004), (0.949, 0.244, 0.388), (0.014, 0.209, 0.026),
    (0.0, None, None), (0.028, 0.14, 0.046),
)  # fmt: skip
PUBLIC = "their test set has PublicTest's class counts, so it is our validation split"
NO_ANSWER = "precision and F1 of classes that are never answered are nan and left out"


def _by_class(table: tuple[tuple[float | None, ...], ...], where: str, weights: str) -> tuple[Published, ...]:
    return tuple(
        Published(f"val_{metric}_{name}", value, where=where, digits=3, weights=weights)
        for name, values in zip(CSV_ORDER, table, strict=True)
        for metric, value in zip(("recall", "precision", "f1"), values, strict=True)
        if value is not None
    )


def _share_happy(table: tuple[tuple[int, ...], ...], where: str, weights: str) -> Published:
    """Returns the share of the printed matrix that is answered 'happy'."""
    answered = [sum(row) for row in table]
    share = round(answered[CSV_ORDER.index("happy")] / sum(answered), 3)
    return Published("val_share_happy", share, where=f"{where}, computed", digits=3, weights=weights)


def _matrix(table: tuple[tuple[int, ...], ...], where: str, weights: str, note: str = "") -> PublishedMatrix:
    return PublishedMatrix("val", CSV_ORDER, tuple(zip(*table, strict=True)), where=where, weights=weights, note=note)


# Their solver of the feed-forward network keeps the weights that were best on validation (5.1);
# Keras, which they trained the CNN with, the last.
FOUND = Published("val_accuracy", 0.248, where="section 5.2, table 2", weights="best")
BEST = (
    Published("train_accuracy", 0.25, where="section 5.2, 'approximately'", digits=2, about=True),
    FOUND,
    _share_happy(TABLE_2, "table 2", "best"),
    *_by_class(TABLE_3, "table 3", "best"),
)
CNN = (
    Published("val_accuracy", 0.244, where="section 6, table 4"),
    _share_happy(TABLE_4, "table 4", "last"),
    *_by_class(TABLE_5, "table 5", "last"),
)


def _on_cifar10(epochs: int, *unpublished: str) -> Conditions:
    """Which images validated is unpublished; ours are all test images, or a share of them."""
    more = (*unpublished, "scale of the pixels", "rule of the decay .9", "initial weights")
    return Conditions(data="cifar10", split="kaggle", classes=CIFAR10, epochs=epochs, exact=False, unpublished=more)


def _on_fer2013(epochs: int | None, *unpublished: str) -> Conditions:
    more = ("their own validation set", *unpublished, "initial weights")
    return Conditions(data="fer2013", split="official", classes=CLASSES, epochs=epochs, unpublished=more)


FEED_FORWARD = _on_fer2013(None, "meaning of 'decay .001'", "scale of the pixels", "dropout rate")
SEARCH = _on_fer2013(None, "ranges", "number of draws", "meaning of the decay", "scale of the pixels", "dropout rate")
OF_CNN = _on_fer2013(50, "units of the dense layers", "scale of the pixels")


def _feed_forward() -> tuple[Experiment, ...]:
    readings = {
        "exponential": ("rate multiplied by .001 after each epoch", "first reading of 'decay .001'"),
        "inverse_time": ("rate / (1 + .001 x updates)", "second reading of 'decay .001', Keras'"),
    }
    return tuple(
        Experiment(
            name=f"feed-forward, {name}, pixels {pixels}",
            config="configs/imperial.py:readings",
            point={"train.schedule": schedule, "data.normalize": normalize},
            published=BEST,
            conditions=FEED_FORWARD,
            matrices=(_matrix(TABLE_2, "table 2", "best", "sums to 3,588, not 3,589: one too few of 'sad'"),),
            smoke=True,
            note=f"{note}; epochs, scale of the pixels and dropout unpublished: our choice; {NO_ANSWER}; {PUBLIC}",
        )
        for schedule, (name, note) in readings.items()
        for normalize, pixels in (("unit", "in [0, 1]"), ("none", "0..255"))
    )


def _search() -> tuple[Experiment, ...]:
    lengths = {"coarse": ("2 epochs", "'1 or 2'"), "fine": ("10 epochs", "'5 to 10'")}
    readings = {"exponential": "rate x decay after each epoch", "inverse_time": "rate / (1 + decay x updates)"}
    return tuple(
        Experiment(
            name=f"random search, {word}, {epochs}, {name}",
            config=f"configs/imperial.py:{word}",
            point={"train.schedule": schedule},
            best=True,
            published=(FOUND,),
            conditions=SEARCH,
            note=(
                f"the best point by validation, one seed; theirs: rate .001, decay .001, momentum .5, batch 10, 2 x "
                f"1,000; {theirs} epochs (5.1); ranges and number of draws unpublished: our choice; {PUBLIC}"
            ),
        )
        for word, (epochs, theirs) in lengths.items()
        for schedule, name in readings.items()
    )


def _cnns() -> tuple[Experiment, ...]:
    parts = {
        "no_dropout": ("without dropout", "'overfits after 20 epochs'"),
        "no_pools": ("without pools", "'also overfits without the layers'; dense layers on maps of 40x40"),
        "max_pools": ("with max for average pools", "average pools 'performed better in preventing overfitting'"),
    }
    return (
        Experiment(
            name="CNN",
            config="configs/imperial.py:cnn",
            published=CNN,
            conditions=OF_CNN,
            matrices=(
                _matrix(
                    TABLE_4,
                    "table 4",
                    "last",
                    "sums to 3,654, not 3,589: 54 too many of 'angry', 11 of 'neutral'; .244 is 876 of 3,589",
                ),
            ),
            smoke=True,
            note=(
                "units of the dense layers unpublished: our choice; the printed matrix sums to 3,654, not 3,589, and "
                f"the share of 'happy' is of that sum; {NO_ANSWER}; {PUBLIC}"
            ),
        ),
        *(
            Experiment(
                name=f"CNN {name}",
                config=f"configs/imperial.py:cnn_{word}",
                published=(),
                conditions=OF_CNN,
                note=f"no figure published, curves: {claim} (section 6); {PUBLIC}",
            )
            for word, (name, claim) in parts.items()
        ),
    )


STUDY = Study(
    name="imperial",
    title=(
        "Wright, Tay, Juthaprachakul and Xia, 'Neural networks for classification of facial expressions', London, 2019"
    ),
    experiments=(
        Experiment(
            name="sanity check: overfit 49 images, 2 layers of 40",
            config="configs/imperial.py:cifar10_overfit",
            published=(Published("train_accuracy", math.nan, where="figure 1, a curve"),),
            conditions=_on_cifar10(20, "which 49 images"),
            note=(
                "CIFAR-10 at full scale; whether it fits them is the question, a curve without a figure; ours are five "
                "of each class, four of one, with ten of the test images to validate on, not one"
            ),
        ),
        Experiment(
            name="sanity check: 2 layers of 80",
            config="configs/imperial.py:cifar10",
            published=(
                Published("train_accuracy", 0.61, where="section 4.2"),
                Published("val_accuracy", 0.45, where="section 4.2"),
            ),
            conditions=_on_cifar10(30),
            smoke=True,
            note="CIFAR-10 at full scale; all of its test images validate: our choice, as is the scale of the pixels",
        ),
        *_feed_forward(),
        *_search(),
        *_cnns(),
    ),
)
