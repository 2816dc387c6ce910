"""The Hanoi experiments, five repeats of each: augmentation, normalisation, focal loss, learning rate and batch size.

'Facial expression recognition with CNN approach', Hanoi University of Science and Technology, June 2023. VGG19 with
ImageNet weights, global max pooling and a softmax of 7; every class split 80/10/10, grey copied to three channels,
MinMax scaling, images mirrored, rotated and shifted; Adam 1e-4, batch 32, learning rate halved after 7 epochs
without progress.

The network here is a small one in its place, three pairs of convolution and pooling on grey images: VGG19 and its
pretrained weights are not in this version. So the comparisons between the experiments can be repeated, the
accuracies cannot, and what rests on pretrained weights is missing or void: there is no variant for frozen blocks,
and `random_init` is the same as `baseline`. Theirs and unpublished, so our choice: strength of each augmentation,
number of epochs, early-stopping patience, and which epoch's weights count.

Published, mean and standard deviation of test accuracy over five runs:

    baseline           all of the above                         .6932 sd .0051
    no_augmentation    images as they are                       .6592 sd .007
    no_normalisation   pixels from 0 to 255                     .687  sd .01
    focal              focal loss, gamma 2 and 5                .687  sd .01 and .670 sd .007
    batch              batch size 2, 32 and 2048                curves of the validation split only; two runs
    learning_rate      1e-4 and 1e-3                            1e-3 calls everything happy: validation .2505
    random_init        no pretrained weights                    .68   sd .006

`all`, which is also what no word gives, holds baseline, no_augmentation, no_normalisation, focal and the learning
rate 1e-3 in one sweep: they differ in traced fields only, so they are a single stack.

    variant   data                              epochs  repeats  time on two CPU cores     accuracy to expect
    (none)    built-in faces, 2,000 at 24 px    25      5        7 min 48 s, busy cores    .84 baseline to .99
    batch     built-in faces, 2,600 at 24 px    10      5        1 min 52 s                .84, .43, .21
    smoke     built-in faces, 280 at 24 px      2       2        23 s                      no better than chance
    full      FER-2013, 35,887 re-split         <= 100  5        meant for a GPU           VGG19's, as above

    python -m fer_jax.sweep --config=configs/hust.py
    python -m fer_jax.sweep --config=configs/hust.py:batch
    python -m fer_jax.sweep --config=configs/hust.py:focal,full --config.data.path=fer2013.zip
"""

from typing import Any

from fer_jax.config import ConfigDict, default_config, put, variants
from fer_jax.errors import ConfigError

# What each experiment changes in the baseline.
CHANGES: dict[str, dict[str, Any]] = {
    "baseline": {},
    "no_augmentation": {"augment.flip": 0.0, "augment.rotate": 0.0, "augment.shift": 0.0},
    "no_normalisation": {"data.normalize": "none"},
    "random_init": {},  # until there are pretrained weights to do without
}
GAMMAS = (2.0, 5.0)
TOO_HIGH = 1e-3
EXPERIMENTS = ("all", *CHANGES, "focal", "batch", "learning_rate")


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, (*EXPERIMENTS, "smoke", "full"))
    experiment, *more = [word for word in chosen if word in EXPERIMENTS] or ["all"]
    if more:
        raise ConfigError(f"variants {words!r}: give one experiment")
    config = default_config()

    # Data
    config.data.name = "synthetic"
    config.data.split = "stratified_80_10_10"
    config.data.image_size = 24
    config.data.train_size = 1600
    config.data.validation_size = 200
    config.data.test_size = 200
    config.data.channels = 1  # theirs: grey copied to 3, which VGG19 wants
    config.data.normalize = "minmax"
    config.augment.flip = 0.5
    config.augment.rotate = 10.0  # degrees; unpublished: our choice
    config.augment.shift = 0.1  # unpublished: our choice
    config.augment.shear = 0.0  # theirs is optional; unpublished whether on: our choice

    # Model: in VGG19's place
    config.model.name = "cnn"
    config.model.pairs = 3
    config.model.kernels = (32, 64, 64)
    config.model.dense = (64,)
    config.model.dropout = 0.0  # VGG19's convolutions have none

    # Training
    config.train.optimizer = "adam"
    config.train.learning_rate = 1e-4
    config.train.beta1 = 0.9
    config.train.beta2 = 0.999
    config.train.l2 = 0.0
    config.train.batch_size = 8  # theirs is 32: the learning rate of 1e-4 needs the updates
    config.train.epochs = 25
    config.train.plateau_patience = 7
    config.train.plateau_factor = 0.5
    config.train.learning_rate_floor = 1e-7
    config.train.stop_patience = 20  # unpublished: our choice, long enough for two steps of the plateau rule
    config.train.stop_metric = "val_loss"

    # Sweep
    config.sweep.repeats = 5  # theirs: five runs of every setting

    if "smoke" in chosen:
        config.data.train_size = 140
        config.data.validation_size = 70
        config.data.test_size = 70
        config.train.batch_size = 32
        config.train.epochs = 2
        config.checkpoint.every = 1
        config.sweep.repeats = 2

    if "full" in chosen:
        config.data.name = "fer2013"
        config.data.image_size = 48
        config.train.batch_size = 32
        config.train.epochs = 100  # the most; unpublished: our choice

    if experiment == "all":
        shared = [change for word, change in CHANGES.items() if word != "random_init"]
        focal = [{"loss.focal_gamma": gamma} for gamma in GAMMAS]
        config.sweep.points = (*shared, *focal, {"train.learning_rate": TOO_HIGH})
    elif experiment == "focal":
        config.sweep.grid.loss.focal_gamma = GAMMAS
    elif experiment == "learning_rate":
        config.sweep.grid.train.learning_rate = (1e-4, TOO_HIGH)
    elif experiment == "batch":  # a shape field: three stacks
        config.sweep.grid.train.batch_size = (2, 8, 32) if "smoke" in chosen else (2, 32, 2048)
        if not {"smoke", "full"} & set(chosen):
            config.data.train_size = 2200  # with the others 2,600, of which 2,080 train: one batch of 2,048
            config.train.epochs = 10
    else:
        for name, value in CHANGES[experiment].items():
            put(config, name, value)

    return config
