"""Imperial's feed-forward network: two hidden layers of 1,000 ReLU units and a softmax.

The network of the Imperial College report on classifying facial expressions, after its random
search: SGD with learning rate 1e-3, momentum .5, batch 10.

Published: accuracy .248 on FER-2013's PublicTest, nearly everything called happy (the majority
share is .249), one run. Epochs and dropout rate are unpublished, and so is what their learning-rate
decay of .001 multiplies: there is none here.

    variant  data                      epochs  repeats  time, 2 CPU cores  accuracy
    (none)   built-in, 2,000 of 24 px  20      3        1 min 30 s         .71
    smoke    built-in, 140 of 16 px    2       2        under 30 s         chance level
    full     FER-2013, official split  10      5        8 min by the plan  .248 published

    fer-jax sweep --config=mlp
    fer-jax sweep --config=mlp:full --config.data.path=fer2013.zip
    fer-jax sweep --config=mlp \
        --config.sweep.grid.model.hidden='((40,40),(1000,1000))'
"""

from fer_jax.config import ConfigDict, default_config, variants


def get_config(words: str = "") -> ConfigDict:
    chosen = variants(words, ("smoke", "full"))
    config = default_config()

    # Data
    config.data.name = "synthetic"
    config.data.split = "official"  # theirs: PublicTest validates
    config.data.image_size = 24
    config.data.train_size = 2000
    config.data.validation_size = 500
    config.data.test_size = 500

    # Model
    config.model.name = "mlp"
    config.model.hidden = (1000, 1000)
    config.model.dropout = 0.0  # unpublished, our choice

    # Training
    config.train.optimizer = "sgd"
    config.train.learning_rate = 1e-2  # where their search began; their final 1e-3 learns nothing in so few updates
    config.train.momentum = 0.9
    config.train.l2 = 0.0
    config.train.batch_size = 32
    config.train.epochs = 20

    # Sweep
    config.sweep.repeats = 3

    if "smoke" in chosen:
        config.data.image_size = 16
        config.data.train_size = 140
        config.data.validation_size = 70
        config.data.test_size = 70
        config.model.hidden = (40, 40)
        config.train.epochs = 2
        config.checkpoint.every = 1
        config.sweep.repeats = 2

    if "full" in chosen:
        config.data.name = "fer2013"
        config.data.image_size = 48  # 2,304 inputs
        config.train.learning_rate = 1e-3
        config.train.momentum = 0.5
        config.train.batch_size = 10
        config.train.epochs = 10  # unpublished, our choice: the longest their finer search went
        config.sweep.repeats = 5

    return config
