"""Imperial's two networks, the random search and the sanity checks: feed-forward with two readings
of 'decay', a CNN and its parts, CIFAR-10.

Wright, Tay, Juthaprachakul and Xia, 'Neural networks for classification of facial expressions',
Imperial College London, 29 January 2019. Their feed-forward network after a random search (learning
rate 1e-3, decay 1e-3, momentum .5, batch 10, two layers of 1,000) and a CNN of five convolutions
(SGD 1e-3, decay 1e-5, momentum .9, batch 32, 50 epochs); both collapsed.

What 'decay .001' means is unpublished. Multiplied by it each epoch, as the solver of CS231n does, a
course they cite, the rate is gone after the first; Keras' rule is rate / (1 + decay x updates).
`mlp`, which is also what no word gives, runs both in one sweep, and whatever else is swept with
each of them (sweep.cross); the words for one of them run it alone. How the pixels were scaled is
unpublished as well: `readings` holds both decays, each with pixels in [0, 1] and as they are in the
files, 0..255. configs/mlp.py is the same network without decay.

Published, each a single run, on FER-2013's PublicTest by its class counts:

    mlp              both readings of the decay           .248: nearly all happy; train about .25
    readings         the same for both scales of pixels   the same figure
    decay_per_epoch  rate x .001 after each epoch         the same figure
    decay_keras      rate / (1 + .001 x updates)          the same figure
    coarse           random search, 2 epochs              finds where it learns at all; no figure
    fine             random search, 10 epochs             its best: the same figure
    cnn              five convolutions, average pooling   .244: so too; matrix of 3,654, not 3,589
    cnn_no_dropout   the same without dropout             'overfits after 20 epochs'; no figure
    cnn_no_pools     the same without pools               'also overfits'; no figure
    cnn_max_pools    the same with max pooling            overfits sooner, they say; no figure
    cifar10_overfit  CIFAR-10, 49 images, 2 layers of 40  curves only: to show that it overfits
    cifar10          CIFAR-10, 2 layers of 80             .61 train, .45 validation

The search draws what table 1 lists: rate, decay, momentum, batch size, layers and units, on
logarithmic ranges, 1 or 2 epochs on coarse ranges and 5 to 10 on narrower ones around the best.
Ranges and number of draws are unpublished, our choice: `coarse` reaches two decades or more to
either side of what they chose, `fine` half a decade. Each draw is trained with both readings of the
decay, with one seed at any scale; --config.sweep.repeats=5 gives it more.

CIFAR-10's variants read CIFAR-10 in `full` only. Without its files, as (none) and smoke, they run
on built-in faces, which says that they run and nothing of CIFAR-10. Which 49 images they overfit is
unpublished: here, five of each class and four of one, and ten of the test images to validate on,
not their one. The other experiment validates on all of CIFAR-10's test images, our choice as well.
How they scaled its pixels is unpublished too, our choice: mean 0 and standard deviation 1. A folder
of its pictures, train/airplane/0001.jpg and so on, takes --config.data.name=folder; pictures that
were stored as JPEG are not the original pixels, and no verdict is given on them.

    variant  data                          epochs  repeats  time, 2 CPU cores   accuracy
    (none)   built-in, 2,000 of 24 px      20      3        2 min 15 s (busy)   .39 and .68 (Keras')
    smoke    built-in, 140 of 16 or 24 px  2       2        16 s                chance level
    full     FER-2013, official split      10, 50  5        5 min, 1.5 h (plan)  as above
    full     the same, coarse or fine      2, 10   1        4 and 9 min (plan)   as above
    full     the same, cnn_no_pools        50      5        16 h (plan)          no figure
    full     CIFAR-10, a cifar10 word      20, 30  5        not measured        as above

    fer-jax sweep --config=imperial
    fer-jax sweep --config=imperial:cnn
    fer-jax sweep --config=imperial:full --config.data.path=fer2013.zip
    fer-jax sweep --config=imperial:fine,full --config.data.path=fer2013.zip
    fer-jax sweep --config=imperial:cifar10,full \
        --config.data.path=cifar-10-python.tar.gz
    fer-jax sweep --config=imperial:cifar10,full \
        --config.data.name=folder --config.data.path=cifar10_jpeg
"""

from typing import Any

from fer_jax.config import ConfigDict, base, put, variants
from fer_jax.errors import ConfigError

DECAY = 1e-3  # what it means is unpublished
DECAYS = ("mlp", "readings", "decay_per_epoch", "decay_keras")
# Ranges and number of draws: unpublished, our choice.
SEARCHES: dict[str, dict[str, str]] = {
    "coarse": {
        "train.learning_rate": "log 1e-5 1e-1",
        "train.decay": "log 1e-5 1",
        "train.decay_factor": "log 1e-5 1",
        "train.momentum": "uniform 0 .95",
        "train.batch_size": "choice 10 100",
        "model.hidden": "choice (100,) (1000,) (100,100) (1000,1000)",
    },
    "fine": {
        "train.learning_rate": "log 3e-4 3e-3",
        "train.decay": "log 3e-4 3e-3",
        "train.decay_factor": "log 3e-4 3e-3",
        "train.momentum": "uniform .3 .7",
        "train.batch_size": "choice 10 20",
        "model.hidden": "choice (500,500) (1000,1000)",
    },
}
DRAWS = {"coarse": 24, "fine": 12}
CNNS: dict[str, dict[str, Any]] = {
    "cnn": {},
    "cnn_no_dropout": {"model.dense_dropout": 0.0},
    "cnn_no_pools": {"model.pool_size": 1},
    "cnn_max_pools": {"model.pooling": "max"},
}
EXPERIMENTS = (*DECAYS, *SEARCHES, *CNNS, "cifar10_overfit", "cifar10")


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, (*EXPERIMENTS, "smoke", "full"))
    experiment, *more = [word for word in chosen if word in EXPERIMENTS] or ["mlp"]
    if more:
        raise ConfigError(f"variants {words!r}: give one experiment")
    scale = next((word for word in chosen if word in ("smoke", "full")), "")
    config = base(__file__, f"mlp.py:{scale}")
    if experiment in CNNS:
        _set_cnn(config, scale)
        for name, value in CNNS[experiment].items():
            put(config, name, value)
    elif experiment in ("cifar10", "cifar10_overfit"):
        _set_cifar10(config, scale, overfit=experiment == "cifar10_overfit")
    elif experiment in SEARCHES:
        _set_search(config, scale, experiment)
    else:
        _set_decay(config, experiment)
    return config


def _set_decay(config: ConfigDict, experiment: str) -> None:
    """The readings of 'decay .001': the one that is asked for, or both as points of a sweep."""
    per_epoch = {"train.schedule": "exponential", "train.decay_factor": DECAY}
    keras = {"train.schedule": "inverse_time", "train.decay": DECAY}
    if experiment in ("decay_per_epoch", "decay_keras"):
        for name, value in (per_epoch if experiment == "decay_per_epoch" else keras).items():
            put(config, name, value)
    else:
        config.sweep.points = (per_epoch, keras)  # the schedule is a shape field: two stacks
        config.sweep.cross = True  # what is swept besides has a decay too
    if experiment == "readings":
        config.sweep.grid.data.normalize = ("unit", "none")


def _set_search(config: ConfigDict, scale: str, experiment: str) -> None:
    """Their random search: each draw with both readings of the decay."""
    config.sweep.points = ({"train.schedule": "exponential"}, {"train.schedule": "inverse_time"})
    config.sweep.cross = True
    for name, text in SEARCHES[experiment].items():
        put(config, f"sweep.draw.{name}", text)
    config.search.kind = "random"
    config.search.draws = 2 if scale == "smoke" else DRAWS[experiment]
    config.sweep.repeats = 1
    if scale != "smoke":
        config.train.epochs = 2 if experiment == "coarse" else 10


def _set_cnn(config: ConfigDict, scale: str) -> None:
    config.data.image_size = 48 if scale == "full" else 24  # of 24 the pools leave 1x1

    config.model.name = "imperial"
    config.model.hidden = (1000, 1000)  # the default: the feed-forward network's, and no field of this one
    config.model.dropout = 0.0  # none after the convolutions
    config.model.dense_dropout = 0.5
    config.model.dense = (1024, 1024)  # unpublished: our choice; the third of their dense layers is the output
    config.model.width_multiplier = 1.0 if scale == "full" else 0.25

    config.train.momentum = 0.9
    config.train.schedule = "inverse_time"
    config.train.decay = 1e-5  # Keras', which they used here
    config.train.batch_size = 32
    if scale == "full":
        config.train.learning_rate = 1e-3
        config.train.epochs = 50


def _set_cifar10(config: ConfigDict, scale: str, overfit: bool) -> None:
    config.data.image_size = 32 if scale == "full" else config.data.image_size
    config.data.channels = 3
    config.data.normalize = "standardize"  # unpublished: our choice

    config.model.hidden = (40, 40) if overfit else (80, 80)

    config.train.learning_rate = 1e-3 if scale == "full" else 1e-2  # theirs does little in the stand-in's few updates
    config.train.momentum = 0.0
    config.train.schedule = "exponential"  # which rule is unpublished: our choice, the solver of CS231n's
    config.train.decay_factor = 0.9
    config.train.batch_size = 20 if overfit else 10
    if scale != "smoke":
        config.train.epochs = 20 if overfit else 30

    if overfit:
        config.data.train_size = 49
    if scale == "full":
        config.data.name = "cifar10"
        config.data.split = "kaggle"  # 50,000 train, the 10,000 test images validate
        if overfit:
            config.data.fraction = 49 / 50_000
            config.data.train_size = 2000  # the default: built-in faces only
