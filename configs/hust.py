"""The Hanoi experiments with VGG19, five repeats of each: augmentation, normalisation, loss, batch,
rate, frozen blocks.

'Facial expression recognition with CNN approach', Hanoi University of Science and Technology, June
2023. VGG19's convolutions with ImageNet weights, all five blocks trained, global max pooling and a
softmax of 7; every class split 80/10/10, grey copied to three channels, MinMax scaling, images
mirrored, rotated and shifted; Adam 1e-4, batch 32, learning rate halved after 7 epochs without
progress, early stopping. Theirs and unpublished, so our choice: strength of each augmentation,
number of epochs, early-stopping patience, and which epoch's weights count. Their five runs are
initial weights and orders of images on one split of a fixed random state, which is unpublished:
that of ours is our choice, so every repeat of `full` draws a split of its own as well
(sweep.seeds_of = everything) and its spread is wider than theirs by what the split does;
--config.sweep.seeds_of=all keeps one split. Each split is a data set and a stack by itself.

Published, mean and standard deviation of test accuracy over five runs; sweeps/hust.py has their
tables by class:

    baseline          all of the above (4.1)              .6932 sd .0051
    no_augmentation   images as they are (4.2)            .6592 sd .007
    no_normalisation  pixels from 0 to 255 (4.3)          .687  sd .01
    focal             focal loss, gamma 2 and 5 (4.4)     .687  sd .01 and .670 sd .007
    batch             batch size 2, 32 and 2048 (4.5)     validation curves only; two runs
    learning_rate     1e-4 and 1e-3 (4.5)                 1e-3: all happy, validation .2505
    frozen            the first 0, 1, ... 5 blocks (4.6)  curves of 3 and 1: fewer is better
    random_init       no pretrained weights (4.7)         .68   sd .006
    block_rates       a learning rate a block (5.2)       their future work: never run

`all`, which is also what no word gives, holds baseline, no_augmentation, no_normalisation, focal,
the learning rate 1e-3 and random_init in one sweep: they differ in traced fields only, so they are
a single stack, of each split. `frozen` and `batch` need one for each value. `block_rates` holds the
baseline and each block's rate 1 / 2.6 of the one above it (Howard and Ruder 2018, 'Universal
language model fine-tuning', their discriminative fine-tuning; the factor is our choice).

Published weights fit the full width only, so `full` begins with them (model.init = imagenet
downloads them, or says where to put the file) and the other two, at an eighth of the width, with
random ones: there `baseline` and `random_init` are the same, frozen blocks are random features, and
only differences between the experiments mean anything. They are drawn with he_normal: with Keras'
glorot_uniform, which `random_init` has in `full`, so narrow a VGG19 calls everything happy (tried
for 100 updates at 1e-4 and 1e-3).

    variant      data                       epochs  repeats  time, 2 CPU cores  accuracy
    (none)       built-in, 1,000 of 32 px   12      5        14:39 min (11:41)  .70, all .61 to .83
    batch        built-in, 2,600 of 32 px   4       5        14:51 min (8:58)   .79, .63, .20
    frozen       built-in, 1,000 of 32 px   12      5        4:09 min (plan)    .70, .69, .64
    block_rates  built-in, 1,000 of 32 px   12      5        2 min (plan)       not measured
    smoke        built-in, 280 of 32 px     2       2        1:19 min (1:20)    chance level
    full         FER-2013, 35,887 re-split  <= 100  5        meant for a GPU    as above

The accuracy of (none) is the baseline's, then the range of all; those of `frozen` are of 0, 1 and 2
frozen blocks. Times were taken beside other work, up to five programs on the two cores; in brackets
the processor time spent, of both cores together. Compilation takes part of it, which the cache
saves the next time; the plan's times are without it.

    fer-jax sweep --config=hust
    fer-jax sweep --config=hust:frozen
    fer-jax sweep --config=hust:focal,full --config.data.path=fer2013.zip
"""

from typing import Any

from fer_jax.config import ConfigDict, default_config, put, variants
from fer_jax.errors import ConfigError

# What each experiment changes in the baseline.
CHANGES: dict[str, dict[str, Any]] = {
    "baseline": {},
    "no_augmentation": {"augment.flip": 0.0, "augment.rotate": 0.0, "augment.shift": 0.0},
    "no_normalisation": {"data.normalize": "none"},
    "random_init": {"model.init": "glorot_uniform"},  # Keras' for a VGG19 without weights
}
GAMMAS = (2.0, 5.0)
TOO_HIGH = 1e-3
BLOCKS = 5
BLOCK_RATES = tuple(round(2.6 ** (block - BLOCKS), 4) for block in range(BLOCKS))  # first to last; the top's is 1
SWEPT = ("focal", "batch", "learning_rate", "frozen", "block_rates")
EXPERIMENTS = ("all", *CHANGES, *SWEPT)


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, (*EXPERIMENTS, "smoke", "full"))
    experiment, *more = [word for word in chosen if word in EXPERIMENTS] or ["all"]
    if more:
        raise ConfigError(f"variants {words!r}: give one experiment")
    config = default_config()

    # Data
    config.data.name = "synthetic"
    config.data.split = "stratified_80_10_10"
    config.data.image_size = 32  # the smallest VGG19 takes: its five pools leave 1x1 of it
    config.data.train_size = 800
    config.data.validation_size = 100
    config.data.test_size = 100
    config.data.channels = 3  # grey is copied
    config.data.normalize = "minmax"
    config.augment.flip = 0.5
    config.augment.rotate = 10.0  # degrees; unpublished: our choice
    config.augment.shift = 0.1  # unpublished: our choice
    config.augment.shear = 0.0  # theirs is optional; unpublished whether on: our choice

    # Model
    config.model.name = "vgg19"
    config.model.pooling = "max"
    config.model.dense = ()  # the output layer of 7 only
    config.model.width_multiplier = 1 / 8
    config.model.init = "he_normal"

    # Training
    config.train.optimizer = "adam"
    config.train.learning_rate = 1e-4
    config.train.beta1 = 0.9
    config.train.beta2 = 0.999
    config.train.l2 = 0.0
    config.train.batch_size = 32
    config.train.epochs = 12
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
        config.train.epochs = 2
        config.checkpoint.every = 1
        config.sweep.repeats = 2

    if "full" in chosen:
        config.data.name = "fer2013"
        config.data.image_size = 48
        config.model.width_multiplier = 1.0
        config.model.init = "imagenet"
        config.train.epochs = 100  # the most; unpublished: our choice
        config.sweep.seeds_of = "everything"  # the random state of their split is unpublished

    _set_experiment(config, experiment, next((word for word in chosen if word in ("smoke", "full")), ""))
    return config


def _set_experiment(config: ConfigDict, experiment: str, scale: str) -> None:
    """What an experiment changes in the baseline, or sweeps."""
    # Where nothing is pretrained, the random initialisation is the baseline's own.
    changes = CHANGES if scale == "full" else CHANGES | {"random_init": {}}
    if experiment in changes:
        for name, value in changes[experiment].items():
            put(config, name, value)
    elif experiment == "all":
        alone = [change for word, change in changes.items() if change or word == "baseline"]
        focal = [{"loss.focal_gamma": gamma} for gamma in GAMMAS]
        config.sweep.points = (*alone, *focal, {"train.learning_rate": TOO_HIGH})
    elif experiment == "focal":
        config.sweep.grid.loss.focal_gamma = GAMMAS
    elif experiment == "learning_rate":
        config.sweep.grid.train.learning_rate = (config.train.learning_rate, TOO_HIGH)
    elif experiment == "block_rates":
        config.sweep.grid.train.block_rates = ((), BLOCK_RATES)
    elif experiment == "frozen":  # a shape field: a stack for each
        counts = (1, 3) if scale == "smoke" else range(BLOCKS + 1)
        config.sweep.grid.model.freeze = tuple((f"blocks={count}",) if count else () for count in counts)
    else:  # the batch size: a stack for each
        config.sweep.grid.train.batch_size = (2, 8, 32) if scale == "smoke" else (2, 32, 2048)
        if not scale:
            config.data.train_size = 2400  # with the others 2,600, of which 2,080 train: one batch of 2,048
            config.train.epochs = 4
