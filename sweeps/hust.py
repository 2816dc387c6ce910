"""The Hanoi experiments beside their means over five runs, by class where they give them;
configs/hust.py says what each is.
"""

import dataclasses
from typing import Any

from fer_jax.data.names import CSV_ORDER
from fer_jax.studies.paper import Conditions, Experiment, Published, Study

# One sweep and one stack serve all but the batch sizes, the frozen blocks and the block rates.
ALL = "configs/hust.py:all"
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
    unpublished=("random state of the split", "epochs", "early-stopping patience", "which epoch's weights count"),
)
AUGMENTED = dataclasses.replace(
    CONDITIONS, unpublished=(*CONDITIONS.unpublished, "strength of each augmentation", "whether shear is on")
)
DRAWN = dataclasses.replace(AUGMENTED, unpublished=(*AUGMENTED.unpublished, "initialiser of the random weights"))
BELOW_FULL = "below full scale an eighth of the width from random weights: compare differences, not levels"
UNPUBLISHED = "epochs and early-stopping patience unpublished: our choice"
CURVES = "no figure published: curves of the validation split"

# By metric, of each label from 0 to 6 and of all images: largest, smallest, standard deviation,
# variance and mean of five runs, as printed.
TABLE_BASELINE = {
    "precision": (
        (0.6435, 0.5514, 0.03682, 0.0013558, 0.60682),
        (0.9, 0.6939, 0.0973, 0.0094665, 0.78948),
        (0.6324, 0.5649, 0.02711, 0.0007347, 0.5915),
        (0.9045, 0.8675, 0.01541, 0.0002373, 0.8857),
        (0.5892, 0.5628, 0.01004, 0.0001007, 0.5796),
        (0.8189, 0.7921, 0.00973, 0.0000947, 0.80606),
        (0.6266, 0.6096, 0.00668, 0.0000447, 0.61646),
    ),
    "recall": (
        (0.6909, 0.598, 0.0362, 0.0013107, 0.6408),
        (0.6727, 0.4909, 0.0673, 0.0045289, 0.59636),
        (0.5781, 0.457, 0.05174, 0.0026766, 0.52342),
        (0.881, 0.8432, 0.01445, 0.0002089, 0.85718),
        (0.5674, 0.5214, 0.01931, 0.0003728, 0.54078),
        (0.8075, 0.78, 0.01165, 0.0001356, 0.793),
        (0.7435, 0.7177, 0.01047, 0.0001097, 0.7303),
    ),
    "f1": (
        (0.6417, 0.5968, 0.01624, 0.0002637, 0.62196),
        (0.7033, 0.6353, 0.02889, 0.0008345, 0.67276),
        (0.572, 0.5306, 0.02046, 0.0004186, 0.5532),
        (0.8746, 0.8618, 0.00528, 0.0000279, 0.87104),
        (0.5671, 0.5489, 0.00795, 0.0000631, 0.55926),
        (0.8075, 0.7954, 0.00483, 0.0000234, 0.79938),
        (0.673, 0.6593, 0.00552, 0.0000305, 0.66852),
    ),
    "accuracy": ((0.699, 0.685, 0.00512, 0.0000262, 0.6932),),
}
TABLE_NO_AUGMENTATION = {
    "precision": (
        (0.6325, 0.57, 0.023, 0.00055, 0.59662),
        (0.78, 0.6279, 0.057, 0.00324, 0.70858),
        (0.5945, 0.53, 0.025, 0.00063, 0.56032),
        (0.85, 0.7978, 0.022, 0.00049, 0.82762),
        (0.56, 0.5067, 0.021, 0.00043, 0.53736),
        (0.8, 0.7725, 0.012, 0.00014, 0.7845),
        (0.61, 0.5447, 0.029, 0.00086, 0.57614),
    ),
    "recall": (
        (0.6, 0.5071, 0.038, 0.00147, 0.56086),
        (0.5636, 0.4909, 0.026, 0.00066, 0.52836),
        (0.543, 0.4238, 0.046, 0.00216, 0.49112),
        (0.8776, 0.84, 0.015, 0.00023, 0.85902),
        (0.5576, 0.53, 0.011, 0.00012, 0.5466),
        (0.8, 0.76, 0.015, 0.00023, 0.774),
        (0.66, 0.6016, 0.024, 0.00059, 0.63296),
    ),
    "f1": (
        (0.59, 0.5486, 0.016, 0.00025, 0.57618),
        (0.63, 0.551, 0.033, 0.00107, 0.60504),
        (0.5472, 0.4949, 0.019, 0.00037, 0.52176),
        (0.85, 0.8358, 0.007, 0.00004, 0.8447),
        (0.5529, 0.5309, 0.008, 0.00006, 0.54072),
        (0.79, 0.77, 0.009, 0.00008, 0.78018),
        (0.64, 0.5781, 0.025, 0.00064, 0.60438),
    ),
    "accuracy": ((0.665, 0.651, 0.007, 0.00005, 0.6592),),
}


def _five_runs(table: dict[str, tuple[tuple[float, ...], ...]], where: str) -> tuple[Published, ...]:
    """Returns the values of a table, accuracy first; its labels follow the order of fer2013.csv."""

    def published(metric: str, numbers: tuple[float, ...]) -> Published:
        high, low, sd, variance, mean = numbers
        return Published(f"test_{metric}", mean, sd=sd, n=5, where=where, low=low, high=high, variance=variance)

    return (
        published("accuracy", *table["accuracy"]),
        *(
            published(f"{metric}_{name}", numbers)
            for metric in ("precision", "recall", "f1")
            for name, numbers in zip(CSV_ORDER, table[metric], strict=True)
        ),
    )


STUDY = Study(
    name="hust",
    title="'Facial expression recognition with CNN approach', Hanoi University of Science and Technology, June 2023",
    experiments=(
        Experiment(
            name="baseline (their optimal setting)",
            config=ALL,
            point=BASELINE | {"model.init": "imagenet"},
            published=_five_runs(TABLE_BASELINE, "section 4.1, table"),
            conditions=AUGMENTED,
            smoke=True,
            note=f"{UNPUBLISHED}; {BELOW_FULL}",
        ),
        Experiment(
            name="no augmentation",
            config=ALL,
            point=BASELINE | {"augment.flip": 0.0},
            published=_five_runs(TABLE_NO_AUGMENTATION, "section 4.2, table"),
            conditions=CONDITIONS,
            smoke=True,
            note=f"{UNPUBLISHED}; {BELOW_FULL}",
        ),
        Experiment(
            name="no normalisation",
            config=ALL,
            point=BASELINE | {"data.normalize": "none"},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.3"),),
            conditions=AUGMENTED,
            smoke=True,
            note=BELOW_FULL,
        ),
        Experiment(
            name="focal loss, gamma 2",
            config=ALL,
            point=BASELINE | {"loss.focal_gamma": 2.0},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.4"),),
            conditions=AUGMENTED,
            smoke=True,
            note=BELOW_FULL,
        ),
        Experiment(
            name="focal loss, gamma 5",
            config=ALL,
            point=BASELINE | {"loss.focal_gamma": 5.0},
            published=(
                Published("test_accuracy", 0.670, digits=3, sd=0.007, n=5, where="section 4.4"),
                Published("test_f1_surprise", 0.75678, where="section 4.4, spread unpublished"),
            ),
            conditions=AUGMENTED,
            smoke=True,
            note=BELOW_FULL,
        ),
        *(
            Experiment(
                name=f"batch size {size:,}",
                config="configs/hust.py:batch",
                point={"train.batch_size": size},
                published=(),
                conditions=AUGMENTED,
                note=f"{CURVES}, two runs (4.5); {BELOW_FULL}",
            )
            for size in (2, 32, 2048)
        ),
        Experiment(
            name="learning rate 1e-3",
            config=ALL,
            point=BASELINE | {"train.learning_rate": 1e-3},
            published=(
                Published("val_accuracy", 0.2505, where="section 4.5"),
                Published("val_share_happy", 1.0, where="section 4.5, implied", digits=2),
            ),
            conditions=AUGMENTED,
            smoke=True,
            note=f"theirs is stuck at .2505, 'the proportion of Happy labels': all of them called happy; {BELOW_FULL}",
        ),
        *(
            Experiment(
                name=f"first {count} of 5 blocks frozen",
                config="configs/hust.py:frozen",
                point={"model.freeze": (f"blocks={count}",)},
                published=(),
                conditions=AUGMENTED,
                note=note,
            )
            for count, note in (
                (
                    1,
                    f"{CURVES}, five runs (4.6): better than 3 frozen blocks; {BELOW_FULL}: "
                    "frozen blocks are random features",
                ),
                (2, f"not run by them; {BELOW_FULL}"),
                (
                    3,
                    f"{CURVES}, five runs (4.6): worse than 1 frozen block; {BELOW_FULL}: "
                    "frozen blocks are random features",
                ),
                (4, f"no figure published: 'freezing 3 or more (up to 5)' underfits (4.6); {BELOW_FULL}"),
                (5, f"no figure published: 'freezing 3 or more (up to 5)' underfits (4.6); {BELOW_FULL}"),
            )
        ),
        Experiment(
            name="random initial weights",
            config=ALL,
            point=BASELINE | {"model.init": "glorot_uniform"},
            published=(Published("test_accuracy", 0.68, sd=0.006, n=5, where="section 4.7", about=True),),
            conditions=DRAWN,
            smoke=True,
            note=(
                "initialiser unpublished: our choice, Keras' own; below full scale the baseline's trials, "
                "which begin with random weights"
            ),
        ),
        Experiment(
            name="a learning rate a block",
            config="configs/hust.py:block_rates",
            point={"train.block_rates": tuple(round(2.6**power, 4) for power in range(-5, 0))},
            published=(),
            conditions=AUGMENTED,
            note=(
                "their future work (5.2), no figure; each block's rate 1 / 2.6 of the one above: our choice; "
                f"{BELOW_FULL}"
            ),
        ),
    ),
)
