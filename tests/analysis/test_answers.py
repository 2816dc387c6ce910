"""Which networks are dead, by hand-counted answers, and how they are named."""

import numpy as np
import pytest

from fer_jax.analysis.answers import Answers, Dead, dead, dead_words

CLASSES = ("angry", "happy", "sad")


def answers(given, labels):
    return Answers(np.array(given), np.array(labels), CLASSES, "these")


def test_a_network_with_one_answer_for_all_is_dead():
    found = dead(answers([1] * 9, [0, 1, 2] * 3))
    assert found == Dead("happy", 0) and found.words == "answers “happy” to every validation picture"
    assert dead(answers([1] * 8 + [0], [0, 1, 2] * 3)) is None


def test_one_other_answer_in_two_hundred_is_still_dead_and_two_are_not():
    labels = [0, 1, 2, 1] * 50
    found = dead(answers([2] * 199 + [0], labels))
    assert found == Dead("sad", 1) and found.words == "answers “sad” to all but 1 of the validation pictures"
    assert dead(answers([2] * 198 + [0, 1], labels)) is None


def test_where_all_pictures_show_one_class_the_right_answer_is_no_death():
    assert dead(answers([1] * 200, [1] * 199 + [0])) is None and dead(answers([0] * 200, [1] * 200)) == Dead("angry", 0)
    assert dead(answers(np.empty(0, int), np.empty(0, int))) is None


@pytest.mark.parametrize(
    ("found", "total", "words"),
    [
        ([], 3, ""),
        ([Dead("sad", 0)], 1, "this network is dead: it answers “sad” to every validation picture"),
        ([Dead("sad", 0)], 4, "1 of 4 trials is a dead network: it answers “sad” to every validation picture"),
        (
            [Dead("sad", 0), Dead("sad", 2)],
            4,
            "2 of 4 trials are dead networks: they answer “sad” to all but 2 of the validation pictures",
        ),
        (
            [Dead("sad", 0)] * 2,
            2,
            "all 2 trials are dead networks: they answer “sad” to every validation picture",
        ),
        (
            [Dead("sad", 0), Dead("angry", 0), Dead("angry", 0)],
            4,
            "3 of 4 trials are dead networks: 2 answer “angry” and 1 answers “sad” to every validation picture",
        ),
    ],
)
def test_dead_networks_in_words(found, total, words):
    assert dead_words(found, total, "trial") == words
