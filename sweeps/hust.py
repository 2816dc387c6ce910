"""The Hanoi experiments beside their means over five runs; configs/hust.py says what each is and what is missing.

Missing: three frozen blocks of VGG19 against one. Nothing is frozen without pretrained weights, and the report has
curves of it and no figure: accuracy grows with the number of blocks that train.
"""

from typing import Any

from fer_jax.replication import Conditions, Experiment, Published, Study

ALL = "configs/hust.py:all"  # one sweep and one stack serve all but the batch sizes
# The fields that tell its points apart, as the baseline has them.
BASELINE: dict[str, Any] = {
    "data.normalize": "minmax",
    "augment.flip": 0.5,
    "loss.focal_gamma": 0.0,
    "train.learning_rate": 1e-4,
}
CONDITIONS = Conditions(
    data="fer2013",
    split="stratified_80_10_10",
    classes=("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    epochs=None,
    exact=False,  # drawn with a random state of theirs that is unpublished
)
STAND_IN = (
    "theirs is VGG19 with ImageNet weights, ours a small network from random ones: compare differences, not levels"
)
UNPUBLISHED = "epochs and early-stopping patience unpublished: our choice"
CURVES = "no figure published: curves of the validation split, two runs"

STUDY = Study(
    name="hust",
    title="'Facial expression recognition with CNN approach', Hanoi University of Science and Technology, June 2023",
    experiments=(
        Experiment(
            name="baseline (their optimal setting)",
            config=ALL,
            point=BASELINE,
            published=(Published("test_accuracy", 0.6932, sd=0.00512, n=5, where="section 4.1, table"),),
            conditions=CONDITIONS,
            smoke=True,
            note=f"{STAND_IN}; {UNPUBLISHED}; highest of the five .699, lowest .685",
        ),
        Experiment(
            name="no augmentation",
            config=ALL,
            point=BASELINE | {"augment.flip": 0.0},
            published=(Published("test_accuracy", 0.6592, sd=0.007, n=5, where="section 4.2, table"),),
            conditions=CONDITIONS,
            smoke=True,
            note=f"{STAND_IN}; strength of each augmentation unpublished: our choice; highest .665, lowest .651",
        ),
        Experiment(
            name="no normalisation",
            config=ALL,
            point=BASELINE | {"data.normalize": "none"},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.3"),),
            conditions=CONDITIONS,
            smoke=True,
            note=STAND_IN,
        ),
        Experiment(
            name="focal loss, gamma 2",
            config=ALL,
            point=BASELINE | {"loss.focal_gamma": 2.0},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.4"),),
            conditions=CONDITIONS,
            smoke=True,
            note=STAND_IN,
        ),
        Experiment(
            name="focal loss, gamma 5",
            config=ALL,
            point=BASELINE | {"loss.focal_gamma": 5.0},
            published=(Published("test_accuracy", 0.670, digits=3, sd=0.007, n=5, where="section 4.4"),),
            conditions=CONDITIONS,
            smoke=True,
            note=STAND_IN,
        ),
        *(
            Experiment(
                name=f"batch size {size:,}",
                config="configs/hust.py:batch",
                point={"train.batch_size": size},
                published=(),
                conditions=CONDITIONS,
                note=f"{CURVES}; {STAND_IN}",
            )
            for size in (2, 32, 2048)
        ),
        Experiment(
            name="learning rate 1e-3",
            config=ALL,
            point=BASELINE | {"train.learning_rate": 1e-3},
            published=(Published("val_accuracy", 0.2505, where="section 4.5"),),
            conditions=CONDITIONS,
            smoke=True,
            note=f"theirs calls everything happy; {STAND_IN}",
        ),
        Experiment(
            name="random initial weights",
            config=ALL,
            point=BASELINE,
            published=(Published("test_accuracy", 0.68, sd=0.006, n=5, where="section 4.7"),),
            conditions=CONDITIONS,
            smoke=True,
            note="the same trials as the baseline's: without pretrained weights both begin at random ones; theirs is VGG19",
        ),
    ),
)
