"""What single networks answer on the validation images, and which of them are dead."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from fer_jax.base.text import counted

# Of 1,000 images a dead network may give a few another answer, where its output is nearly even.
DEAD_SHARE = 0.995


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What one trained network answers on the images of its validation split.

    Attributes:
        given: int (n,), the most probable class of each image, an index into `classes`.
        labels: int (n,), the true class of each image.
        classes: names of the classes.
        images: equal for two networks that were asked about the same images in the same order.
    """

    given: np.ndarray
    labels: np.ndarray
    classes: Sequence[str]
    images: Hashable

    @property
    def right(self) -> np.ndarray:
        """Whether each image is answered rightly, bool (n,)."""
        return self.given == self.labels


@dataclasses.dataclass(frozen=True)
class Dead:
    """A network that gives one answer whatever it is shown: its training has come to nothing.

    Attributes:
        answer: the class that it gives.
        others: validation images, few or none, to which it gives another answer.
    """

    answer: str
    others: int

    @property
    def words(self) -> str:
        """What it answers, such as 'answers “happy” to every validation picture'."""
        return f"answers “{self.answer}” to {_pictures(self.others)}"


def dead(asked: Answers) -> Dead | None:
    """Returns what a dead network answers; None for any other network.

    A network is dead where at least `DEAD_SHARE` of its answers are one class, unless as many of
    the labels are that class, for then so would a perfect network be.
    """
    counts = np.bincount(asked.given, minlength=len(asked.classes))
    answer, n = int(counts.argmax()), len(asked.given)
    if counts[answer] < DEAD_SHARE * n or np.count_nonzero(asked.labels == answer) >= DEAD_SHARE * n:
        return None
    return Dead(str(asked.classes[answer]), n - int(counts[answer]))


def dead_words(found: Iterable[Dead], total: int, of: str) -> str:
    """Returns how many networks are dead, and what they answer; '' where none is.

    Args:
        found: the dead ones.
        total: networks, dead or not.
        of: what one of them is called, such as 'trial'.

    Returns:
        Such as '3 of 8 trials are dead networks: 2 answer “happy” and 1 answers “sad” to every
        validation picture'.
    """
    found = list(found)
    if not found:
        return ""
    answers = Counter(one.answer for one in found).most_common()
    pictures = _pictures(max(one.others for one in found))
    if total == 1:
        return f"this network is dead: it {found[0].words}"
    which = f"all {counted(total, of)}" if len(found) == total else f"{len(found)} of {counted(total, of)}"
    if len(found) == 1:
        return f"{which} is a dead network: it {found[0].words}"
    if len(answers) == 1:
        return f"{which} are dead networks: they answer “{answers[0][0]}” to {pictures}"
    each = [f"{count} answer{'s' * (count == 1)} “{answer}”" for answer, count in answers]
    return f"{which} are dead networks: {', '.join(each[:-1])} and {each[-1]} to {pictures}"


def _pictures(others: int) -> str:
    if not others:
        return "every validation picture"
    return f"all but {others} of the validation pictures"
