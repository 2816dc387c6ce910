"""Gobbin's versions beside the figures he printed, by class where he gives them; configs/pisa.py
says what each is.

The data are his, 'Human Face Emotions' of Kaggle, which has to be fetched there: without it
built-in faces stand in, and no row says anything of his figures. The external test is of FER-2013's
test folder, PublicTest and PrivateTest together; its two data sets are

    fer-jax study --study=pisa --scale=full \
        --only=: --config.data.path=human_face_emotions.zip --external=fer2013/test

MobileNetV2's versions can be trained on FER-2013 in place of his data: the same five classes, at
96 pixels, from the official split. What tests externally there is trained on here. Their names have
no colon, so that --only=: leaves them out above. A file of Keras' weights that is not in the cache
is named:

    fer-jax study --study=pisa --scale=full --only='other faces' \
        --config.data.path=fer2013.zip --config.model.init=mobilenet_v2_notop.h5

Whether the external .91 is a leak, `fer-jax predict RUN fer2013/test --labelled` answers
with and without the pictures that have a copy among those trained on (docs/predict.md), and `python
-m fer_jax.audit` for the two data sets without a network.
"""

import dataclasses

from fer_jax.studies.paper import Conditions, Experiment, Published, Study

CLASSES = ("angry", "fear", "happy", "sad", "surprise")
CONDITIONS = Conditions(
    data="folder",
    split="stratified_80_10_10",
    classes=CLASSES,
    epochs=None,  # of the second phase, and of every version but V13, unpublished
    exact=False,  # his internal validation set of 11,819 pictures is unpublished
    unpublished=("batch size", "shares of the split", "how class weights are computed"),
)
ONCE = (
    "one run; below full scale a quarter of the width, at smoke an eighth, from random weights, "
    "so frozen layers are random features"
)
OUR_READING = "that only the top trains, for V13's 30 epochs, is our reading"
# Precision, recall and F1 of each class in the order of CLASSES.
INTERNAL = ((0.82, 0.86, 0.84), (0.83, 0.80, 0.81), (0.93, 0.90, 0.92), (0.82, 0.86, 0.84), (0.92, 0.90, 0.91))
EXTERNAL = ((0.87, 0.92, 0.89), (0.90, 0.79, 0.84), (0.96, 0.93, 0.95), (0.86, 0.94, 0.90), (0.93, 0.95, 0.94))
AUGMENTATION = "configs/pisa.py:augmentation"  # one sweep and one stack
# The fields that tell its points apart, as V4 has them.
V4 = {"loss.class_weight": 1.0, "augment.rotate": 0.0, "augment.brightness": 0.0}
PHASES = "which layers are trained, and for how many epochs"
SECOND = "most epochs of the second phase"
STRENGTH = "strength of the augmentation"


def _printed(metric: str, value: float, where: str) -> Published:
    """Everything is printed with two decimals."""
    return Published(metric, value, where=where, digits=2)


def _by_class(split: str, table: tuple[tuple[float, float, float], ...], where: str) -> tuple[Published, ...]:
    return tuple(
        _printed(f"{split}_{metric}_{name}", value, where)
        for name, values in zip(CLASSES, table, strict=True)
        for metric, value in zip(("precision", "recall", "f1"), values, strict=True)
    )


def _where(*unpublished: str) -> Conditions:
    """Returns his conditions, of a version of which more is unpublished."""
    return dataclasses.replace(CONDITIONS, unpublished=(*CONDITIONS.unpublished, *unpublished))


def _augmented(name: str, point: dict[str, float], value: float, note: str) -> Experiment:
    return Experiment(
        name=name,
        config=AUGMENTATION,
        point=V4 | point,
        published=(_printed("val_accuracy", value, "table 1"),) if value else (),
        conditions=_where(PHASES, STRENGTH) if point else _where(PHASES),
        smoke=True,
        note=note,
    )


def _on_other_faces(one: Experiment) -> Experiment:
    """Returns a version trained on FER-2013's five classes, with his conditions.

    It is a sweep of its own, without augmented versions: V4's frozen layers are computed once.
    """
    version, _, what = one.name.partition(": ")
    return dataclasses.replace(
        one,
        name=f"{version} on other faces",
        config=f"configs/pisa.py:{version.lower()},fer2013",
        point={},
        smoke=False,
        note=(
            f"{what}; his training data are not to be had: at full scale FER-2013's five classes, official split; his "
            f"external test set is internal here, PublicTest validates; {one.note}"
        ),
    )


VERSIONS = (
    Experiment(
        name="V1: a CNN of his own",
        config="configs/pisa.py:v1",
        published=(Published("val_accuracy", 0.68, where="section 2.1", about=True),),
        conditions=_where("network", "learning rate", "epochs"),
        note="architecture, rate and epochs unpublished: our choice; it overfits; one run",
    ),
    _augmented("V4: MobileNetV2, class weights", {}, 0.76, f"{OUR_READING}; {ONCE}"),
    Experiment(
        name="V5: MobileNetV2, class weights, fine-tuned",
        config="configs/pisa.py:v5",
        published=(
            _printed("val_accuracy", 0.79, "section 2.3.1"),
            _printed("val_f1_fear", 0.69, "section 2.3.1"),
        ),
        conditions=_where("where fine-tuning begins", SECOND),
        note=f"where fine-tuning begins is unpublished: our choice, V13's layer 140; {ONCE}",
    ),
    *(
        Experiment(
            name=f"V7: EfficientNetB0, class weights, fine-tuned, fed {pixels}",
            config="configs/pisa.py:v7",
            point={"data.normalize": normalize},
            published=(_printed("val_accuracy", 0.70, "section 2.3.2"),),
            conditions=_where("where fine-tuning begins", SECOND, "scale of the pixels"),
            note=f"which pixels it was fed is unpublished, the network expects 0..255; {ONCE}",
        )
        for pixels, normalize in (("0..255", "none"), ("x / 127.5 - 1", "symmetric"))
    ),
    _augmented(
        "V8: V4 rotated and zoomed", {"augment.rotate": 10.0}, 0.56, f"strength unpublished: our choice; {ONCE}"
    ),
    _augmented(
        "V9: V8 without class weights", {"augment.rotate": 10.0, "loss.class_weight": 0.0}, 0.57,
        f"strength unpublished: our choice; {ONCE}",
    ),
    _augmented(
        "V10: V11 without class weights", {"augment.brightness": 0.2, "loss.class_weight": 0.0}, 0.0,
        f"no figure published; that it has no class weights is our reading, by V9; {ONCE}",
    ),
    _augmented(
        "V11: V4 with other brightness, contrast and noise", {"augment.brightness": 0.2}, 0.49,
        f"strength unpublished: our choice; {ONCE}",
    ),
    Experiment(
        name="V12: ResNet50V2, class weights",
        config="configs/pisa.py:v12",
        published=(),
        conditions=_where(PHASES),
        note=f"no figure published; that it is V13's first phase is our reading of the listing's names; {ONCE}",
    ),
    Experiment(
        name="V13: ResNet50V2, class weights, fine-tuned",
        config="configs/pisa.py:v13",
        published=(
            _printed("val_accuracy", 0.87, "table 2"),
            *(_printed(f"val_{metric}", 0.86, "table 2") for metric in ("precision", "recall", "f1")),
            *_by_class("val", INTERNAL, "table 2"),
            *(
                _printed(f"external_{metric}", 0.91, "table 3")
                for metric in ("accuracy", "precision", "recall", "f1")
            ),
            *_by_class("external", EXTERNAL, "table 3"),
        ),
        conditions=_where(SECOND),
        external="FER-2013's test folder",
        smoke=True,
        note=(
            "most epochs of the second phase unpublished: our choice; external: 958, 1,024, 1,774, "
            f"1,247 and 831 pictures; {ONCE}"
        ),
    ),
)  # fmt: skip

STUDY = Study(
    name="pisa",
    title=(
        "Gobbin, 'Iterative development of a deep learning model for facial emotion recognition', Pisa, November 2025"
    ),
    experiments=(
        *VERSIONS,
        *(_on_other_faces(one) for one in VERSIONS if one.name.split(":")[0] in ("V4", "V5", "V8", "V9", "V11")),
    ),
)
