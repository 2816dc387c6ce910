"""Silvestro's eight scenarios beside the figures she printed; configs/silvestro.py says what each
is.
"""

from fer_jax.studies.paper import Conditions, Experiment, Published, Study

FER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
LAST = "hers are the last epoch's, of one run"


def _conditions(*classes: str) -> Conditions:
    """Her split is random and its seed unpublished, so it cannot be had."""
    return Conditions(data="fer2013", split="stratified_70_20_10", classes=classes, epochs=40, exact=False)


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
            ),
            conditions=_conditions(*FER),
            note=(
                f"{LAST}; her supports (503, 47, 519, ...) are not a tenth of each class, so her split was not by class"
            ),
        ),
        Experiment(
            name="scenario 2: seven classes, undersampled to disgust",
            config="configs/silvestro.py:scenario2",
            published=(Published("val_accuracy", 0.38, where="section 2"),),
            conditions=_conditions(*FER),
            note=f"{LAST}; hers are 382, 111 and 56 images a class to train, validate and test; ours 383, 109 and 55",
        ),
        Experiment(
            name="scenario 3: seven classes, class weights",
            config="configs/silvestro.py:scenario3",
            published=(),
            conditions=_conditions(*FER),
            note="no figure published: 'the overall performance did not improve'",
        ),
        Experiment(
            name="scenario 4: without disgust, undersampled",
            config="configs/silvestro.py:scenario4",
            published=(
                Published("train_accuracy", 0.56, where="section 4"),
                Published("val_accuracy", 0.57, where="section 4"),
            ),
            conditions=_conditions("angry", "fear", "happy", "neutral", "sad", "surprise"),
            note=f"{LAST}; of the test split a report by class only",
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
            ),
            conditions=_conditions("happy", "neutral", "sad"),
            smoke=True,
            note=LAST,
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
                Published("binary_test_precision", 0.90, digits=2, where="section 6, after binarisation"),
                Published("binary_test_auc", 0.94, where="section 6, after binarisation"),
            ),
            conditions=_conditions("angry", "fear", "happy", "sad", "surprise"),
            positive=("happy", "surprise"),
            smoke=True,
            note=f"{LAST}; whether the binary precision is macro or of positive is unpublished",
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
            ),
            conditions=_conditions("negative", "positive"),
            smoke=True,
            note=f"{LAST}; the report by class printed under scenario 8 fits this one",
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
            note=f"{LAST}; the report by class printed here has unequal classes (1,670 and 1,298) and fits scenario 7",
        ),
    ),
)
