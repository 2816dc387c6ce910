"""The Hanoi experiments beside their means over five runs, by class where they give them;
configs/hust.py says what each is.
"""

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
)
BELOW_FULL = "below full scale an eighth of the width from random weights: compare differences, not levels"
UNPUBLISHED = "epochs and early-stopping patience unpublished: our choice"
CURVES = "no figure published: curves of the validation split"

# By metric, mean and standard deviation of each label, 0 to 6.
TABLE_BASELINE = {
    "precision": (
        (0.60682, 0.03682), (0.78948, 0.0973), (0.5915, 0.02711), (0.8857, 0.01541), (0.5796, 0.01004),
        (0.80606, 0.00973),
        (0.61646, 0.00668),
    ),
    "recall": (
        (0.6408, 0.0362), (0.59636, 0.0673), (0.52342, 0.05174), (0.85718, 0.01445), (0.54078, 0.01931),
        (0.793, 0.01165),
        (0.7303, 0.01047),
    ),
    "f1": (
        (0.62196, 0.01624), (0.67276, 0.02889), (0.5532, 0.02046), (0.87104, 0.00528), (0.55926, 0.00795),
        (0.79938, 0.00483),
        (0.66852, 0.00552),
    ),
}  # fmt: skip
TABLE_NO_AUGMENTATION = {
    "precision": (
        (0.59662, 0.023), (0.70858, 0.057), (0.56032, 0.025), (0.82762, 0.022), (0.53736, 0.021), (0.7845, 0.012),
        (0.57614, 0.029),
    ),
    "recall": (
        (0.56086, 0.038), (0.52836, 0.026), (0.49112, 0.046), (0.85902, 0.015), (0.5466, 0.011), (0.774, 0.015),
        (0.63296, 0.024),
    ),
    "f1": (
        (0.57618, 0.016), (0.60504, 0.033), (0.52176, 0.019), (0.8447, 0.007), (0.54072, 0.008), (0.78018, 0.009),
        (0.60438, 0.025),
    ),
}  # fmt: skip


def _by_class(table: dict[str, tuple[tuple[float, float], ...]], where: str) -> tuple[Published, ...]:
    """The figures of a table; its labels follow the order of fer2013.csv."""
    return tuple(
        Published(f"test_{metric}_{name}", mean, sd=sd, n=5, where=where)
        for metric, labels in table.items()
        for name, (mean, sd) in zip(CSV_ORDER, labels, strict=True)
    )


STUDY = Study(
    name="hust",
    title="'Facial expression recognition with CNN approach', Hanoi University of Science and Technology, June 2023",
    experiments=(
        Experiment(
            name="baseline (their optimal setting)",
            config=ALL,
            point=BASELINE | {"model.init": "imagenet"},
            published=(
                Published("test_accuracy", 0.6932, sd=0.00512, n=5, where="section 4.1, table"),
                *_by_class(TABLE_BASELINE, "section 4.1, table"),
            ),
            conditions=CONDITIONS,
            smoke=True,
            note=f"{UNPUBLISHED}; accuracy of the five runs .685 to .699; {BELOW_FULL}",
        ),
        Experiment(
            name="no augmentation",
            config=ALL,
            point=BASELINE | {"augment.flip": 0.0},
            published=(
                Published("test_accuracy", 0.6592, sd=0.007, n=5, where="section 4.2, table"),
                *_by_class(TABLE_NO_AUGMENTATION, "section 4.2, table"),
            ),
            conditions=CONDITIONS,
            smoke=True,
            note=(
                "strength of each augmentation unpublished: our choice; accuracy of the five runs .651 to .665; "
                f"{BELOW_FULL}"
            ),
        ),
        Experiment(
            name="no normalisation",
            config=ALL,
            point=BASELINE | {"data.normalize": "none"},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.3"),),
            conditions=CONDITIONS,
            smoke=True,
            note=BELOW_FULL,
        ),
        Experiment(
            name="focal loss, gamma 2",
            config=ALL,
            point=BASELINE | {"loss.focal_gamma": 2.0},
            published=(Published("test_accuracy", 0.687, sd=0.01, n=5, where="section 4.4"),),
            conditions=CONDITIONS,
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
            conditions=CONDITIONS,
            smoke=True,
            note=BELOW_FULL,
        ),
        *(
            Experiment(
                name=f"batch size {size:,}",
                config="configs/hust.py:batch",
                point={"train.batch_size": size},
                published=(),
                conditions=CONDITIONS,
                note=f"{CURVES}, two runs (4.5); {BELOW_FULL}",
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
            note=f"theirs calls everything happy; {BELOW_FULL}",
        ),
        *(
            Experiment(
                name=f"first {count} of 5 blocks frozen",
                config="configs/hust.py:frozen",
                point={"model.freeze": (f"blocks={count}",)},
                published=(),
                conditions=CONDITIONS,
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
            published=(Published("test_accuracy", 0.68, sd=0.006, n=5, where="section 4.7"),),
            conditions=CONDITIONS,
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
            conditions=CONDITIONS,
            note=(
                "their future work (5.2), no figure; each block's rate 1 / 2.6 of the one above: our choice; "
                f"{BELOW_FULL}"
            ),
        ),
    ),
)
