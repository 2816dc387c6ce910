"""The external test: trained networks asked about another labelled data set than their own.

Classes are matched by name, and images of classes that the networks do not know are left out and
counted. So are the images with a copy among those that the networks were trained on or chosen by:
whether a high accuracy is one of remembered images shows in the accuracy without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis import metrics
from fer_jax.base.text import aligned, counted, did_you_mean, shown
from fer_jax.config import rules
from fer_jax.data import contents, duplicates, names, sizes
from fer_jax.data.contents import Contents
from fer_jax.data.duplicates import Whole
from fer_jax.errors import DataError, RunError
from fer_jax.results.ensemble import Ensemble
from fer_jax.results.trial import TrialResult

# Which images are looked at, and how a table calls them.
PARTS = {"all": "all", "exact": "without exact copies", "near": "without near copies either"}
_METRICS = ("accuracy", "precision", "recall", "f1", "auc", "log_loss")


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The answers of networks on another labelled data set: n images of their K classes.

    Attributes:
        path: of the data set, as the user wrote it.
        name: the `data.name` it was read as.
        splits: images by split of the data set, before any was left out.
        classes: of the networks.
        matched: class there -> class of the networks, of all that have images.
        left_out: class there -> its images, which are of no class of the networks.
        broken: images that could not be read.
        members: class probabilities of each network, float64 (m, n, K).
        labels: int (n,), indices into `classes`.
        copies: 'train' and 'validation', the splits of the networks' own data -> 'exact' and 'near'
            -> which of the images have an exact copy there, or an exact or near one, bool (n,).
            Empty where copies were not sought.
    """

    path: str
    name: str
    splits: Mapping[str, int]
    classes: tuple[str, ...]
    matched: Mapping[str, str]
    left_out: Mapping[str, int]
    broken: int
    members: np.ndarray
    labels: np.ndarray
    copies: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def probabilities(self) -> np.ndarray:
        """Means over the networks, float64 (n, K)."""
        return self.members.mean(axis=0)

    def copied(self, kind: str = "exact") -> np.ndarray:
        """Tells which images have a copy among those that some network was trained on or chosen by.

        Args:
            kind: 'exact', or 'near' for near copies as well.

        Returns:
            bool (n,).

        Raises:
            DataError: copies were not sought.
        """
        if not self.copies:
            raise DataError(f"copies of the pictures of {shown(self.path)} were not sought")
        return np.any([found[kind] for found in self.copies.values()], axis=0)

    def metrics(self, part: str = "all") -> dict[str, float]:
        """Returns `metrics.overall` of the mean probabilities, NaN where no image is left.

        It also has 'pictures', the number of images.

        Args:
            part: 'all' images, those without an 'exact' copy, or those without a 'near' one
                either.
        """
        kept = np.ones(len(self.labels), bool) if part == "all" else ~self.copied(part)
        if not kept.any():
            return {"pictures": 0, **dict.fromkeys(_METRICS, float("nan"))}
        found = metrics.overall(self.probabilities[None, kept], self.labels[kept])
        return {"pictures": int(kept.sum()), **{name: float(values[0]) for name, values in found.items()}}

    @property
    def accuracy(self) -> float:
        """Share of all images whose most probable class is theirs, in [0, 1]."""
        return self.metrics()["accuracy"]

    @property
    def accuracies(self) -> np.ndarray:
        """`accuracy` of each network alone, (m,)."""
        return (self.members.argmax(axis=-1) == self.labels).mean(axis=1)

    @property
    def parts(self) -> pd.DataFrame:
        """The `metrics` of all images and of those without an exact or without a near copy.

        Where no copies were sought it has only those of all images.
        """
        return pd.DataFrame({part: self.metrics(part) for part in (PARTS if self.copies else ("all",))}).T

    @property
    def report(self) -> pd.DataFrame:
        """Precision, recall, F1 and support (images) of each class, in the order of `classes`."""
        found = metrics.by_class(metrics.confusion(self.probabilities[None], self.labels))
        columns = {
            "precision": found.precision[0],
            "recall": found.recall[0],
            "f1": found.f1[0],
            "support": found.support,
        }
        return pd.DataFrame(columns, index=pd.Index(self.classes, name="class"))

    @property
    def confusion_matrix(self) -> pd.DataFrame:
        """Images by true class (rows) and predicted class (columns)."""
        counts = metrics.confusion(self.probabilities[None], self.labels)[0]
        return pd.DataFrame(
            counts, index=pd.Index(self.classes, name="true"), columns=pd.Index(self.classes, name="predicted")
        )

    def to_json(self) -> dict[str, Any]:
        """Returns all of it but single images, as JSON values; what is not a number is None."""
        parts = {part: {name: _plain(value) for name, value in row.items()} for part, row in self.parts.iterrows()}
        return {
            "data": {"path": self.path, "name": self.name, "splits": dict(self.splits), "broken": self.broken},
            "classes": list(self.classes),
            "matched": dict(self.matched),
            "left_out": dict(self.left_out),
            "parts": parts,
            "networks": [_plain(value) for value in self.accuracies],
            "copies": {
                split: {kind: int(which.sum()) for kind, which in found.items()} for split, found in self.copies.items()
            },
            "report": {
                name: {key: _plain(value) for key, value in row.items()} for name, row in self.report.iterrows()
            },
            "confusion_matrix": self.confusion_matrix.to_numpy().tolist(),
        }


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _members(networks: object) -> tuple[TrialResult, ...]:
    """Returns the trials that are asked; raises RunError for what is no trial and no ensemble."""
    if isinstance(networks, TrialResult):
        return (networks,)
    if isinstance(networks, Ensemble):
        return tuple(networks.members)
    raise RunError(
        f"evaluate asks a trial or an ensemble, not a {type(networks).__name__}: "
        "run.trial(id), run.best() and run.ensemble() give one"
    )


def evaluate(
    networks: TrialResult | Ensemble,
    path: str,
    splits: Sequence[str] = (),
    classes: Mapping[str, str] | None = None,
    copies: bool = True,
    weights: str = "best",
    tta: str | None = None,
    train_path: str | None = None,
    kind: str = "auto",
) -> Evaluation:
    """Asks networks with the same classes about a labelled data set.

    Its images are made what each network's training images were made: the largest centred
    square at its size, grey copied to three channels or colour made grey. Classes are matched by
    name, other spellings understood ('Happiness' is happy, 'Suprise' surprise), those that a
    network trained under data.merge has joined by their parts.

    Args:
        networks: a trial, or an ensemble, whose mean probabilities are evaluated.
        path: folder, zip, tar or csv with the images by class, as data.path; broken ones are left
            out.
        splits: 'train', 'validation', 'test' or 'unassigned' images only, as the data set has
            them; () = all.
        classes: class there -> class of the networks, where the names say nothing, such as {'joy':
            'happy'}.
        copies: whether copies among the networks' own training and validation images are sought,
            which needs these data.
        weights, tta: as for `TrialResult.predict`.
        train_path: where the networks' own data lie now, if no longer at data.path.
        kind: as for `contents.read`.

    Raises:
        DataError: data that cannot be read, no such split or class there, or no image of any
            class of the networks.
        RunError: as for `TrialResult.predict`, the networks' own data are others than they were
            trained on, or what is given is neither a trial nor an ensemble.
    """
    members = _members(networks)
    asked = {_size(member) for member in members}
    there = {size: contents.read(path, kind, image_size=size[0], channels=size[1]) for size in sorted(asked)}
    first = there[min(asked)]  # labels and their order are the same at every size
    known = members[0].classes
    matched = _match(first, known, rules.merges({"data.merge": members[0].config.data.merge}), classes or {})
    rows, labels, counts = _labelled(first, _chosen(first, splits), known, matched)
    images = {size: found.images[rows] for size, found in there.items()}
    predicted = [member.predict(images[_size(member)], weights=weights, tta=tta) for member in members]
    return Evaluation(
        path=path,
        name=first.name,
        splits={name: len(part) for name, part in first.rows.items() if not splits or name in splits},
        classes=known,
        matched={name: matched[name] for name in counts if name in matched},
        left_out={name: count for name, count in counts.items() if name not in matched},
        broken=int(first.provenance.get("skipped", {}).get("count", 0)),
        members=np.asarray(predicted, np.float64),
        labels=labels,
        copies=_copies(members, images, first.whole.of(rows) if first.whole else None, train_path) if copies else {},
    )


def _size(member: TrialResult) -> tuple[int, int]:
    """Returns side and channels of the images that a network takes."""
    return member.config.data.image_size, member.config.data.channels


def _chosen(there: Contents, splits: Sequence[str]) -> np.ndarray:
    """Returns the rows of some splits, of all where none is named, ascending."""
    for name in splits:
        if name not in there.rows:
            raise DataError(f"{shown(there.path)}: has no {name} pictures; choose of {', '.join(there.rows)}")
    return np.sort(np.concatenate([part for name, part in there.rows.items() if not splits or name in splits]))


def _labelled(
    there: Contents, asked: np.ndarray, known: Sequence[str], matched: Mapping[str, str]
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Returns which of the asked rows are of a class that the networks know.

    Args:
        there: the data set.
        asked: rows of it.
        known: classes of the networks.
        matched: class there -> class of the networks.

    Returns:
        The rows, their labels as indices into `known`, and the images of each class there among all
        that were asked.

    Raises:
        DataError: there is no such row.
    """
    column = np.array([known.index(matched[name]) if name in matched else -1 for name in there.classes])
    labels, counts = column[there.labels[asked]], np.bincount(there.labels[asked], minlength=len(there.classes))
    by_name = {name: int(count) for name, count in zip(there.classes, counts, strict=True) if count}
    if not (labels >= 0).any():
        raise DataError(
            f"{shown(there.path)}: no picture in it is of {', '.join(known)}; its classes are {', '.join(by_name)}: "
            "say which is which, as in --same_class=joy=happy"
        )
    return asked[labels >= 0], labels[labels >= 0], by_name


def _match(
    there: Contents, known: Sequence[str], merges: Mapping[str, Sequence[str]], named: Mapping[str, str]
) -> dict[str, str]:
    """Returns class there -> class of the networks, where there is one.

    Args:
        there: the data set.
        known: classes of the networks.
        merges: those of them that are joined -> their parts.
        named: what the user says, in any spelling.
    """
    ours = {names.canonical(name): name for name in known}
    ours |= {
        names.canonical(part): name
        for new, parts in merges.items()
        for part in parts
        if (name := names.spelled(new, known)) in known
    }
    found = {name: ours[names.canonical(name)] for name in there.classes if names.canonical(name) in ours}
    for theirs, wanted in named.items():
        name, own = names.spelled(theirs, there.classes), names.spelled(wanted, known)
        if name not in there.classes:
            raise DataError(f"{shown(there.path)}: no class {theirs!r} in it; {did_you_mean(theirs, there.classes)}")
        if own not in known:
            raise DataError(f"{theirs}={wanted}: the networks know no class {wanted!r}; {did_you_mean(wanted, known)}")
        found[name] = own
    return found


def _copies(
    members: Sequence[TrialResult],
    images: Mapping[tuple[int, int], np.ndarray],
    whole: Whole | None,
    train_path: str | None,
) -> dict[str, dict[str, np.ndarray]]:
    """Returns `Evaluation.copies` over the data of all networks; labels do not enter."""
    own = {(member.data["checksum"], *_size(member)): member for member in members}
    found: dict[str, dict[str, np.ndarray]] = {}
    for member in own.values():
        asked, splits = images[_size(member)], member.dataset(train_path).splits()
        earlier = {name: splits[name].images for name in ("train", "validation")}
        wholes = [splits[name].whole for name in earlier]
        copies = duplicates.find([*earlier.values(), asked], near=True, wholes=[*wholes, whole])
        rows = len(copies.group) - len(asked) + np.arange(len(asked))
        start = 0
        for name, own_images in earlier.items():
            among = start + np.arange(len(own_images))
            start += len(own_images)
            which = {"exact": copies.exact().found(rows, among), "near": copies.found(rows, among)}
            before = found.setdefault(name, {kind: np.zeros(len(asked), bool) for kind in which})
            found[name] = {kind: before[kind] | which[kind] for kind in which}
    return found


def describe(found: Evaluation, why_not: str = "") -> list[str]:
    """Says what was found, line by line.

    Args:
        found: the evaluation.
        why_not: why copies were not sought, where they were not.
    """
    whole = sum(found.splits.values())
    splits = ", ".join(f"{count:,} {name}" for name, count in found.splits.items())
    lines = [f"{shown(found.path)} ({found.name}): {counted(whole, 'picture')} ({splits})"]
    if found.left_out:
        each = sizes.of_split(found.left_out)
        lines.append(f"left out, of no class of the networks: {sum(found.left_out.values()):,} ({each})")
    if found.broken:
        lines.append(f"left out, broken: {found.broken:,}")
    if renamed := [f"{shown(name)} as {own}" for name, own in found.matched.items() if name != own]:
        lines.append(f"taken for another name: {', '.join(renamed)}")
    head = ["", "pictures", "accuracy", "precision", "recall", "F1", "AUC"]
    rows = [
        [
            PARTS[part],
            f"{int(row['pictures']):,}",
            *(_number(row[name]) for name in ("accuracy", "precision", "recall", "f1", "auc")),
        ]
        for part, row in found.parts.iterrows()
    ]
    lines += ["", *aligned([head, *rows], "lr")]
    if len(found.accuracies) > 1:
        own = found.accuracies
        lines.append(f"accuracy of the {len(own)} networks alone: {own.mean():.3f} ± {own.std(ddof=1):.3f}")
    for split, which in found.copies.items():
        lines.append(
            f"with a copy among the {split} pictures: {which['exact'].sum():,} exact, "
            f"{which['near'].sum():,} exact or near"
        )
    if not found.copies:
        lines.append(f"copies among the training pictures were not sought{': ' if why_not else ''}{why_not}")
    report = [[name, *map(_number, row[:3]), f"{int(row['support']):,}"] for name, row in found.report.iterrows()]
    lines += ["", *aligned([["class", "precision", "recall", "F1", "pictures"], *report], "lr")]
    matrix = [[name, *(f"{count:,}" for count in row)] for name, row in found.confusion_matrix.iterrows()]
    return [*lines, "", *aligned([["class \\ answer", *found.classes], *matrix], "lr")]


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"
