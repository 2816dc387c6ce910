"""What a race came to, in words."""

import math

import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.reports import race_words, verdict
from fer_jax.search.racing import Look, Race

RATES = (1e-4, 1e-3, 1e-2)


@pytest.fixture
def run_of(made):
    """run_of(looks) gives the ranking of three points with four seeds each and a race of these."""

    def build(looks, most=4, points=3, of=3):
        run = made({"train.learning_rate": RATES}, repeats=4, accidents=False)
        race = Race(points, 1, most, 0.05, looks)
        named = [{"train.learning_rate": rate} for rate in RATES[:points]]
        run.record["race"] = {**race.to_record(), "points": named, "of": of}
        run.record["config"].setdefault("sweep", {})["raced"] = [
            {"point": point, "repeats": 4, "racing": number in race.racing} for number, point in enumerate(named)
        ]
        return rank_points(run.record, run.trials, run.curves, "a run")

    return build


def test_a_race_with_a_winner(run_of):
    found = run_of((Look(2, 1, ((0, 1e-4),), False), Look(3, 1, ((2, 1e-3),), True)), most=10)
    first, cost = race_words.sentences(found, ["ties"])
    assert first == "The race: told apart from all others at error .05 after 3 seeds."
    assert cost == "It took 12 trials of its 3 points, where 10 seeds of each would be 30."
    assert found.points.loc[found.best, "train.learning_rate"] == 1e-3
    text = " ".join(verdict.closing(found))
    assert first in text and cost in text and "paired t over seeds" not in text


def test_a_race_whose_seeds_ended_names_who_remains(run_of):
    found = run_of((Look(2, 1, ((0, math.nan),), False), Look(3, 1, (), False), Look(4, 1, (), False)))
    names = {found.describe(point) for point in found.leading}
    assert len(names) == 2
    first = race_words.sentences(found)[0]
    assert first.startswith("The race: 2 of 3 points remain after 4 seeds, not told apart at error .05: ")
    assert all(name in first for name in names)
    assert first.endswith(" (1 point left because a trial diverged or failed).")
    tied = run_of((Look(2, 1, (), False), Look(3, 1, (), False), Look(4, 1, (), True)))
    assert "3 of 3 points remain after 4 seeds, exactly tied: " in race_words.sentences(tied)[0]


def test_a_winner_by_the_accidents_of_others_is_not_called_told_apart(run_of):
    found = run_of((Look(2, 1, ((0, math.nan), (2, math.nan)), False),))
    assert race_words.sentences(found)[0] == (
        "The race: 1 of 3 points remains after 2 seeds (2 points left because a trial diverged or failed)."
    )


def test_a_race_that_is_not_over_leaves_the_ties_to_be_said(run_of):
    found = run_of((Look(2, 1, ((0, 1e-4),), False),))
    assert race_words.sentences(found, ["ties"]) == [
        "The race is not over: 2 of 3 points are in it after 2 seeds.",
        "ties",
    ]
    newer = run_of((Look(2, 1, ((0, 1e-4),), True),), points=2, of=2)
    assert race_words.sentences(newer, ["ties"]) == [
        "The race was among 2 points; 1 came later and are not in it yet.",
        "ties",
    ]
    none = run_of((), points=0)
    assert race_words.sentences(none) == ["There was no race: no point had a result."]


def test_a_run_without_a_race_says_only_the_ties(made):
    run = made({"train.learning_rate": RATES}, repeats=2)
    assert race_words.sentences(rank_points(run.record, run.trials, run.curves, "a run"), ["ties"]) == ["ties"]
