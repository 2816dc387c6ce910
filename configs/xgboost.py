"""Oslo's boosted heads: XGBoost in place of the last layers of their final network, at four places
and with tables 2 to 6.

Sanfelici, Santona, Ditscheid and Alstad, 'Facial emotion recognition with gradient boosted CNNs',
University of Oslo, 2024, sections 3.5 and 4.2. Published: accuracies of .535 to .579, beside
networks of .566 to .576. Their heads stand on networks after 50 epochs, among which nothing chose:
so do these at every scale, on the last epoch's weights (`head.weights`). Every network is trained
once, whatever is swept here; each head is set against its own network's output on the same images
and weights: `val_accuracy_gain` of heads.csv is the difference, their 'relative accuracy gain', the
difference as a share of the network's accuracy, is in the table of `fer-jax study --study=oslo`.
Words choose experiments; several words, or none for all, make one sweep.

    word              varies                                       published, their network
    placement         features: flatten, dense_0, dense_1, output  .5352, .5520, .5503, .5513
    depth             deepest tree, 4 to 12                        .5685 to .5786, .5759 (table 2)
    eta               learning rate, .05 to .3                     .5582 to .5655, .5659 (table 3)
    rounds            boosting rounds, 10 to 50                    .5548 to .5660, .5673 (table 4)
    reg_lambda        L2 penalty on leaves, 1e-4 to 1              .5644 to .5687, .5752 (table 5)
    gamma             least loss a split must save, 0 to .5        .5687 to .5745, .5709 (table 6)
    subsample         share of images a tree                       not tried by them: our choice
    colsample_bytree  share of features a tree                     not tried by them: our choice
    min_child_weight  least weight of a leaf                       not tried by them: our choice
    their_parameters  placement, the network's rate and penalty    tried first by them

Tables 2 to 6 are fed by the first dense layer. Unpublished: what the other parameters were; ours
are XGBoost's defaults and 50 rounds. Their 'output' is the softmax, here `probabilities`. One run
each, on Kaggle's test folder, which also chose. The .92 below is of heads on flatten.

    variant  data                        epochs  trials  fits  time, 2 CPU cores  accuracy
    (none)   built-in, 2,000 of 48 px    15      3       117   4 min 29 s         .92, networks .69
    smoke    built-in, 140 of 24 px      2       2       34    32 s               chance level
    full     FER-2013, Kaggle's folders  50      5       195   not measured       .55-.58 published

    fer-jax sweep --config=xgboost
    fer-jax sweep --config=xgboost:placement,depth
    fer-jax sweep --config=xgboost:full --config.data.path=fer2013.zip
"""

from typing import Any

from fer_jax.config import ConfigDict, base, variants

PLACES = ("flatten", "dense_0", "dense_1", "probabilities")
VALUES: dict[str, tuple[float, ...]] = {
    "depth": (4, 6, 8, 10, 12),
    "eta": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    "rounds": (10, 20, 30, 40, 50),
    "reg_lambda": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "gamma": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "subsample": (0.5, 0.7, 0.9),
    "colsample_bytree": (0.5, 0.7, 0.9),
    "min_child_weight": (0.1, 5.0, 25.0),
}
WORDS = ("placement", *VALUES, "their_parameters")


def points(word: str) -> list[dict[str, Any]]:
    """The head settings of one experiment."""
    if word == "placement":
        return [{"head.layer": place} for place in PLACES]
    if word == "their_parameters":
        return [{"head.layer": place, "head.eta": 1e-3, "head.reg_lambda": 1e-4} for place in PLACES]
    field = "head.max_depth" if word == "depth" else f"head.{word}"
    return [{field: value} for value in VALUES[word]]


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, (*WORDS, "smoke", "full"))
    scale = ",".join(word for word in chosen if word not in WORDS)
    config = base(__file__, f"oslo.py:{scale}")

    # Training
    config.train.epochs = {"smoke": 2, "full": 50}.get(scale, 15)

    # Head
    config.head.kind = "xgboost"
    config.head.layer = "dense_0"
    config.head.weights = "last"  # theirs: after 50 epochs, no checkpoint chosen
    config.head.rounds = 50  # unpublished, our choice: the most they tried

    # Sweep
    experiments = [word for word in WORDS if word in chosen] or WORDS
    config.sweep.points = tuple(
        point for word in experiments for point in points(word)[: 2 if scale == "smoke" else None]
    )
    config.sweep.repeats = {"smoke": 2, "full": 5}.get(scale, 3)

    return config
