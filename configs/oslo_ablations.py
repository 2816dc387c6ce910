"""Oslo's ablations: what each part of their network is good for, one part at a time.

Sanfelici, Santona, Ditscheid and Alstad, 'Facial emotion recognition with gradient boosted CNNs',
University of Oslo, 2024, section 4.1, figures 10 to 23. Each word is one of their tests; several
words, or none for all, make one sweep. As theirs, later tests keep what earlier ones chose: dropout
.3 up to the dropout test, .4 after it.

    word                varies                                    figures  values
    pairs               convolution-pooling pairs, with dropout   10, 11   2 is our choice
    pairs_no_dropout    the same without dropout                  10, 11   the same
    kernels             16, 32 or 64 kernels, then doubled twice  12, 13   published
    kernel_size         size of kernels, no padding               14, 15   unpublished: our choice
    kernel_size_padded  size of kernels, padded with zeros        14, 15   unpublished: our choice
    dropout             dropout rate                              16, 17   our choice but .3 and .4
    pool_size           size of pools, padded                     18, 19   our choice but 2
    dense_1             64, 128 or 256 units, first dense layer   20, 21   published
    dense_2             7, 32, 64 or 128 units, second            22, 23   published

Published as curves only, no figures: three pairs with dropout are best and one pair with dropout
learns nothing; 16, 32 and 64 kernels differ negligibly; larger kernels, pools and dense layers gain
nothing. 50 epochs on Kaggle's test folder, one run each, selected on the images it reports.

    variant  data                        epochs  trials  time, 2 CPU cores  accuracy
    (none)   built-in, 1,000 of 48 px    10      23      10 min             .25 to .82, one seed
    smoke    built-in, 140 of 24 px      2       14      about 1 min        chance level
    full     FER-2013, Kaggle's folders  50      115     meant for a GPU    .57 published at best

    fer-jax sweep --config=oslo_ablations
    fer-jax sweep --config=oslo_ablations:pairs,pairs_no_dropout
    fer-jax sweep --config=oslo_ablations:dropout,full \
        --config.data.path=fer2013.zip
"""

from typing import Any

from fer_jax.config import ConfigDict, base, variants

WORDS = (
    "pairs",
    "pairs_no_dropout",
    "kernels",
    "kernel_size",
    "kernel_size_padded",
    "dropout",
    "pool_size",
    "dense_1",
    "dense_2",
)


def points(word: str, smoke: bool) -> list[dict[str, Any]]:
    """The settings of one test; at smoke's 24 pixels only those that leave something of the
    picture.
    """
    after: dict[str, Any] = {"model.dropout": 0.4}
    chosen: list[dict[str, Any]]
    match word:
        case "pairs" | "pairs_no_dropout":
            dropout = 0.3 if word == "pairs" else 0.0
            chosen = [
                {"model.pairs": pairs, "model.kernels": (32, 64, 64)[:pairs], "model.dropout": dropout}
                for pairs in (1, 2, 3)
            ]
        case "kernels":
            chosen = [{"model.kernels": (first, 2 * first, 2 * first)} for first in (16, 32, 64)]
        case "kernel_size":
            chosen = [{"model.kernel_size": size} for size in ((3, 2) if smoke else (3, 5))]
        case "kernel_size_padded":
            chosen = [{"model.kernel_size": size, "model.padding": "same"} for size in (3, 5, 7)]
        case "dropout":
            chosen = [{"model.dropout": rate} for rate in (0.3, 0.4, 0.5, 0.2)]
        case "pool_size":
            sizes = (2, 1) if smoke else (2, 3, 4)
            chosen = [{**after, "model.pool_size": size, "model.pool_padding": "same"} for size in sizes]
        case "dense_1":
            chosen = [{**after, "model.dense": (units, 7)} for units in (64, 128, 256)]
        case _:
            chosen = [{**after, "model.dense": (64, units)} for units in (7, 32, 64, 128)]
    return chosen[:2] if smoke else chosen


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, (*WORDS, "smoke", "full"))
    scale = ",".join(word for word in chosen if word not in WORDS)
    config = base(__file__, f"oslo.py:{scale}")

    if not scale:  # 23 networks within minutes
        config.data.train_size = 1000

    # Model
    config.model.dropout = 0.3  # theirs until the dropout test

    # Training
    config.train.epochs = {"smoke": 2, "full": 50}.get(scale, 10)

    # Sweep
    tests = [word for word in WORDS if word in chosen] or WORDS
    config.sweep.points = tuple(point for word in tests for point in points(word, scale == "smoke"))
    config.sweep.repeats = 5 if scale == "full" else 1

    return config
