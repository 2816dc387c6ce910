"""Imperial's networks and sanity checks beside the figures they printed; configs/imperial.py says
what each is.

Two data sets, so at full scale two commands, into the same table:

    fer-jax study --study=imperial --scale=full --only=feed --only=CNN \
        --config.data.path=fer2013.zip
    fer-jax study --study=imperial --scale=full --only=CIFAR \
        --config.data.path=cifar-10-python.tar.gz
"""

from fer_jax.studies.paper import Conditions, Experiment, Published, Study

FER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BEST = (
    Published("train_accuracy", 0.25, where="section 5.2, 'approximately'"),
    Published("val_accuracy", 0.248, where="section 5.2, table 2"),
)
PUBLIC = "their test set has PublicTest's class counts, so it is our validation split"
STAND_IN = "on CIFAR-10 at full scale only: the others run on built-in faces in its place"


def _on_cifar10(epochs: int) -> Conditions:
    """Which images validated is unpublished; ours are all test images."""
    return Conditions(data="cifar10", split="kaggle", classes=CIFAR10, epochs=epochs, exact=False)


STUDY = Study(
    name="imperial",
    title=(
        "Wright, Tay, Juthaprachakul and Xia, 'Neural networks for classification of facial expressions', London, 2019"
    ),
    experiments=(
        Experiment(
            name="CIFAR-10: overfit 49 images, 2 layers of 40",
            config="configs/imperial.py:cifar10_overfit",
            published=(),
            conditions=_on_cifar10(20),
            note=(
                "no figure published: curves (figure 1); which images unpublished: ours are five of each class, "
                f"four of one; {STAND_IN}"
            ),
        ),
        Experiment(
            name="CIFAR-10: 2 layers of 80",
            config="configs/imperial.py:cifar10",
            published=(
                Published("train_accuracy", 0.61, where="section 4.2"),
                Published("val_accuracy", 0.45, where="section 4.2"),
            ),
            conditions=_on_cifar10(30),
            smoke=True,
            note=f"scale of the pixels unpublished: our choice; {STAND_IN}",
        ),
        Experiment(
            name="feed-forward, rate multiplied by .001 after each epoch",
            config="configs/imperial.py:mlp",
            point={"train.schedule": "exponential"},
            published=BEST,
            conditions=Conditions("fer2013", "official", FER),
            smoke=True,
            note=f"first reading of 'decay .001'; epochs and dropout unpublished: our choice; {PUBLIC}",
        ),
        Experiment(
            name="feed-forward, rate / (1 + .001 x updates)",
            config="configs/imperial.py:mlp",
            point={"train.schedule": "inverse_time"},
            published=BEST,
            conditions=Conditions("fer2013", "official", FER),
            smoke=True,
            note=f"second reading, Keras'; epochs and dropout unpublished: our choice; {PUBLIC}",
        ),
        Experiment(
            name="CNN",
            config="configs/imperial.py:cnn",
            published=(Published("val_accuracy", 0.244, where="section 6, table 4"),),
            conditions=Conditions("fer2013", "official", FER, epochs=50),
            smoke=True,
            note=(
                "units of the dense layers unpublished: our choice; the printed matrix sums to 3,654, not 3,589; "
                f"{PUBLIC}"
            ),
        ),
    ),
)
