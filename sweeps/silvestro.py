"""Silvestro's eight scenarios beside the figures she printed; configs/silvestro.py says what each
is, and which of the image counts she prints are ours.
"""

from collections.abc import Mapping

from fer_jax.studies.paper import Conditions, Experiment, Published, Study

FER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
LAST = "hers are the last epoch's, of one run"


def _conditions(*classes: str, split: str = "kaggle_eighth") -> Conditions:
    """Which eighth of the training folder she drew is unpublished, so her split cannot be had."""
    return Conditions(data="fer2013", split=split, classes=classes, epochs=40, exact=False)


def _report(where: str, rows: Mapping[str, tuple[float, float, float]]) -> tuple[Published, ...]:
    """Returns a classification report: class -> precision, recall and F1 on the test split."""
    return tuple(
        Published(f"test_{metric}_{name}", value, digits=2, where=where)
        for name, row in rows.items()
        for metric, value in zip(("precision", "recall", "f1"), row, strict=True)
    )


STUDY = Study(
    name="silvestro",
    title="Silvestro, 'Facial expression classifier', February 2025",
    experiments=(
        Experiment(
            name="scenario 1: seven classes as they are",
            config="configs/silvestro.py:scenario1",
            published=(
                Published("train_accuracy", 0.62, where="section 1"),
                Published("val_accuracy", 0.62, where="section 1"),
                Published("test_accuracy", 0.61, where="section 1"),
                Published("test_precision", 0.57, where="section 1"),
                *_report(
                    "section 1, classification report",
                    {
                        "angry": (0.57, 0.50, 0.53),
                        "disgust": (0.40, 0.17, 0.24),
                        "fear": (0.50, 0.32, 0.39),
                        "happy": (0.84, 0.80, 0.82),
                        "neutral": (0.50, 0.61, 0.55),
                        "sad": (0.46, 0.59, 0.52),
                        "surprise": (0.74, 0.79, 0.77),
                    },
                ),
            ),
            conditions=_conditions(*FER, split="kaggle_eighth_mixed"),
            note=(
                f"{LAST}; her supports (503 angry, 47 disgust, 519 fear, 905 happy, 621 neutral, 591 sad, 403 "
                "surprise: 3,589) are an eighth of the training folder drawn without regard to class"
            ),
        ),
        Experiment(
            name="scenario 2: seven classes, undersampled to disgust",
            config="configs/silvestro.py:scenario2",
            published=(Published("val_accuracy", 0.38, where="section 2"),),
            conditions=_conditions(*FER),
            note=f"{LAST}; hers are 382, 111 and 56 images a class to train, validate and test; ours 381, 111 and 55",
        ),
        Experiment(
            name="scenario 3: seven classes, class weights",
            config="configs/silvestro.py:scenario3",
            published=(),
            conditions=_conditions(*FER, split="kaggle_eighth_mixed"),
            note="no figure published: 'the overall performance did not improve'",
        ),
        Experiment(
            name="scenario 4: without disgust, undersampled",
            config="configs/silvestro.py:scenario4",
            published=(
                Published("train_accuracy", 0.56, where="section 4"),
                Published("val_accuracy", 0.57, where="section 4"),
                *_report(
                    "section 4, classification report",
                    {
                        "angry": (0.59, 0.47, 0.52),
                        "fear": (0.46, 0.24, 0.32),
                        "happy": (0.81, 0.70, 0.75),
                        "neutral": (0.45, 0.56, 0.50),
                        "sad": (0.40, 0.58, 0.47),
                        "surprise": (0.73, 0.83, 0.78),
                    },
                ),
            ),
            conditions=_conditions("angry", "fear", "happy", "neutral", "sad", "surprise"),
            note=f"{LAST}; her supports are 396, of fear and sad 397 (2,378), ours 396: she balanced before she split",
        ),
        Experiment(
            name="scenario 5: happy, neutral, sad, undersampled",
            config="configs/silvestro.py:scenario5",
            published=(
                Published("train_accuracy", 0.72, where="section 5"),
                Published("val_accuracy", 0.73, where="section 5"),
                Published("test_accuracy", 0.72, where="section 5"),
                Published("test_precision", 0.73, where="section 5"),
                Published("test_auc", 0.88, where="section 5"),
                *_report(
                    "section 5, classification report",
                    {"happy": (0.87, 0.77, 0.82), "neutral": (0.63, 0.72, 0.67), "sad": (0.68, 0.66, 0.67)},
                ),
            ),
            conditions=_conditions("happy", "neutral", "sad"),
            smoke=True,
            note=f"{LAST}; her supports are 605, 604 and 604 (1,813), which no eighth explains; ours 604 each",
        ),
        Experiment(
            name="scenario 6: without disgust and neutral, class weights, then made binary",
            config="configs/silvestro.py:scenario6",
            published=(
                Published("train_accuracy", 0.66, where="section 6"),
                Published("val_accuracy", 0.66, where="section 6"),
                Published("test_accuracy", 0.67, where="section 6"),
                Published("test_precision", 0.65, where="section 6"),
                Published("test_auc", 0.88, where="section 6"),
                Published("binary_test_accuracy", 0.87, where="section 6, after binarisation"),
                Published("binary_test_precision_positive", 0.90, digits=2, where="section 6, after binarisation"),
                Published("binary_test_auc", 0.94, where="section 6, after binarisation"),
            ),
            conditions=_conditions("angry", "fear", "happy", "sad", "surprise"),
            positive=("happy", "surprise"),
            smoke=True,
            note=(
                f"{LAST}; the binary precision she prints is taken for that of positive: a mean over both of .90 at an "
                "accuracy of .87 would take one of positive of .96 or more at a recall of .75 or less"
            ),
        ),
        Experiment(
            name="scenario 7: positive against negative, class weights",
            config="configs/silvestro.py:scenario7",
            published=(
                Published("train_accuracy", 0.87, where="section 7"),
                Published("val_accuracy", 0.88, where="section 7"),
                Published("test_accuracy", 0.87, where="section 7"),
                Published("test_precision", 0.87, where="section 7"),
                Published("test_auc", 0.95, where="section 7"),
                *_report(
                    "section 8, classification report",
                    {"negative": (0.87, 0.91, 0.89), "positive": (0.88, 0.83, 0.85)},
                ),
            ),
            conditions=_conditions("negative", "positive"),
            smoke=True,
            note=(
                f"{LAST}; the report by class is printed under scenario 8 but fits this one: its supports, 1,670 and "
                "1,298, are an eighth of unequal classes, and its recalls give an accuracy of .87"
            ),
        ),
        Experiment(
            name="scenario 8: positive against negative, undersampled",
            config="configs/silvestro.py:scenario8",
            published=(
                Published("train_loss", 0.31, where="section 8"),
                Published("val_loss", 0.31, where="section 8"),
                Published("train_accuracy", 0.86, where="section 8"),
                Published("val_accuracy", 0.87, where="section 8"),
                Published("test_accuracy", 0.86, where="section 8"),
                Published("test_precision", 0.86, where="section 8"),
                Published("test_auc", 0.94, where="section 8"),
            ),
            conditions=_conditions("negative", "positive"),
            note=f"{LAST}; the report by class printed here has unequal classes and fits scenario 7, where it stands",
        ),
    ),
)
