"""What the repeats of a point vary (`sweep.seeds_of`), and whether they would differ at all.

A trial draws from four streams of random numbers, each with a seed of its own: `train.seed` for all
of them, or one a stream in `train.seeds`. A repeat moves all of these, that of one stream, that of
the split (`data.seed`), or all of these and that of the split. A repeat whose seeds are those of
another mode is the same trial there: the first one is in every mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.config import fields
from fer_jax.config.field import FieldError

# The streams, in the order of train.seeds.
STREAMS = ("weights", "order", "dropout", "augmentation")
# What 'n seeds' are seeds of; empty for all those of training.
SOURCES = {
    "all": "",
    "everything": "of training and the split",
    "weights": "of the initial weights",
    "order": "of the order of images",
    "augmentation": "of the augmentation",
    "dropout": "of dropout",
    "split": "of the split",
}
# Those of all that training draws.
WHOLE = ("all", "everything")
# Those under which repeats have splits, and so data sets, of their own.
NEW_SPLITS = ("everything", "split")
# The values of data.split that `data.seed` draws for each trial; folds are drawn once for all of
# a point.
DRAWN_SPLITS = ("stratified_80_10_10", "stratified_70_20_10", "kaggle_eighth", "kaggle_eighth_mixed")


def stream_seeds(values: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns the seeds of initial weights, order of images, dropout and augmentation.

    Args:
        values: by dotted name, with train.seed and train.seeds.
    """
    return tuple(values["train.seeds"]) or (values["train.seed"],) * len(STREAMS)


def resolve(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with train.seeds empty where it says nothing that train.seed does not.

    Raises:
        FieldError: train.seeds has another number of items than there are streams.
    """
    seeds = values["train.seeds"]
    if len(seeds) not in (0, len(STREAMS)):
        raise FieldError(
            ["train.seeds"],
            f"train.seeds = {seeds}: must be four seeds, of initial weights, order of images, dropout and "
            "augmentation, or () for train.seed in all of them",
        )
    return {**values, "train.seeds": () if set(seeds) == {values["train.seed"]} else seeds}


def repeated(values: Mapping[str, Any], repeat: int, seeds_of: str = "all") -> dict[str, Any]:
    """Returns the values of a point's trial number `repeat`, with its own seeds and fold.

    Args:
        values: of the point, as `rules.resolve` gives them.
        repeat: 0, 1, ...; the first has the point's own values.
        seeds_of: see `sweep.seeds_of`.
    """
    if seeds_of in NEW_SPLITS:
        values = {**values, "data.seed": values["data.seed"] + repeat}
    if seeds_of == "split":
        return dict(values)
    if seeds_of in STREAMS:
        seeds = list(stream_seeds(values))
        seeds[STREAMS.index(seeds_of)] += repeat
        return resolve({**values, "train.seeds": tuple(seeds)})
    seeds = [seed + repeat for seed in values["train.seeds"]]
    own = {**values, "train.seed": values["train.seed"] + repeat, "train.seeds": tuple(seeds)}
    return {**own, "data.fold": values["data.fold"] + repeat} if values["data.split"] == "kfold" else own


def varied_seed(values: Mapping[str, Any], seeds_of: str) -> int:
    """Returns the seed of a trial that tells it from the other repeats of its point."""
    if seeds_of in STREAMS:
        return stream_seeds(values)[STREAMS.index(seeds_of)]
    return values["data.seed" if seeds_of == "split" else "train.seed"]


def check(found: Sequence[Mapping[str, Any]], seeds_of: str, repeats: int) -> None:
    """Refuses repeats that could not differ, or not in what `sweep.seeds_of` says.

    Args:
        found: the values of every setting of a sweep.
        seeds_of: see `sweep.seeds_of`.
        repeats: the most trials of a point.

    Raises:
        FieldError: folds that are to vary anything but 'all'; augmentation, dropout or a split that
            some point does not draw; or seeds that leave the range of their field.
    """
    if repeats > 1 and seeds_of != "all":
        for values in found:
            if why := _why_alike(values, seeds_of):
                raise FieldError(["sweep.seeds_of", "sweep.repeats"], f"sweep.seeds_of = {seeds_of}: {why}")
    for values in found:
        _check_range(values, seeds_of, repeats)


def _why_alike(values: Mapping[str, Any], seeds_of: str) -> str:
    """Returns why repeats of a point would not vary what is asked for; '' if they would."""
    if values["data.split"] == "kfold":
        return "repeats under data.split = kfold are folds; set sweep.seeds_of = all, or another data.split"
    if seeds_of == "augmentation" and not any(
        _used(values, name) for name in fields.FIELDS if name.startswith("augment.")
    ):
        return (
            "a point without augmentation would have repeats that are all the same; "
            "set an augment field, such as augment.flip, or vary something else"
        )
    if seeds_of == "dropout" and not _drops(values):
        return (
            "a point without dropout would have repeats that are all the same; "
            "set model.dropout or model.dense_dropout above 0 at every point, or vary something else"
        )
    drawn = values["data.split"] in DRAWN_SPLITS or values["data.name"] == "synthetic"
    if seeds_of in NEW_SPLITS and not drawn:
        return (
            f"data.split = {values['data.split']} is the same whatever the seed; "
            f"set data.split = {' or '.join(DRAWN_SPLITS)}, or vary something else"
        )
    return ""


def _used(values: Mapping[str, Any], name: str) -> bool:
    field = fields.FIELDS[name]
    return field.has_effect(values) and values[name] != field.neutral


def _drops(values: Mapping[str, Any]) -> bool:
    """Returns whether training draws anything for dropout."""
    if values["model.name"] == "efficientnet_b0":
        return True  # its branches are dropped at a rate of its own
    has_dense = bool(values["model.dense"]) or values["model.name"] == "silvestro"
    return _used(values, "model.dropout") or (has_dense and _used(values, "model.dense_dropout"))


def _check_range(values: Mapping[str, Any], seeds_of: str, repeats: int) -> None:
    """Refuses repeats whose seeds would leave the range of their field."""
    if seeds_of in STREAMS:
        name, seed = "train.seeds" if values["train.seeds"] else "train.seed", varied_seed(values, seeds_of)
    else:
        name, seed = "train.seed", max(values["train.seed"], *stream_seeds(values))
    if seeds_of == "split" or (seeds_of == "everything" and values["data.seed"] > seed):
        name, seed = "data.seed", values["data.seed"]
    last, most = seed + repeats - 1, fields.FIELDS["train.seed"].high
    if most is not None and last > most:
        raise FieldError(
            [name, "sweep.repeats"],
            f"{name} = {seed} with sweep.repeats = {repeats:,} makes seeds up to {last}: {most} is the highest; "
            f"lower {name}",
        )
