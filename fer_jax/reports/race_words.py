"""What a race over seeds came to, in words: who remains, at which error, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_jax.analysis import statistics
from fer_jax.analysis.ranking import Ranking
from fer_jax.base.text import counted
from fer_jax.search.racing import TIED, TOLD_APART, Race

_NAMED = 3  # points of a list that are named
_OVER = ("done", "diverged", "failed")


def sentences(ranking: Ranking, ties: Sequence[str] = ()) -> list[str]:
    """Returns what the race of a run came to.

    Args:
        ranking: of the run's points.
        ties: what is said of the points that cannot be told from the best where no race has told
            them apart.

    Returns:
        The `ties` alone for a run without a race, and after what is said of a race that is not
        over. A race that is over says what is tied, at an error that it holds in all.
    """
    record = ranking.record.get("race")
    if not record:
        return list(ties)
    race = Race.from_record(record)
    left = [p for look in race.looks for _, p in look.left]
    seeds = race.looks[-1].seeds if race.looks else race.first
    after = f"after {counted(seeds, 'seed')}"
    of = f"{len(race.racing)} of {counted(race.points, 'point')}"
    if (new := len(ranking.points) - int(record["of"])) > 0:
        return [f"The race was among {race.points} points; {new} came later and are not in it yet.", *ties]
    if not race.outcome:
        return [f"The race is not over: {of} are in it {after}.", *ties]
    if not race.points:
        return ["There was no race: no point had a result.", *ties]
    error = f"error {race.error:g}".replace(" 0.", " .")
    fallen = sum(map(math.isnan, left))
    if race.outcome == TOLD_APART:
        text = f"told apart from all others at {error} {after}" if fallen < len(left) else f"{of} remains {after}"
    else:
        apart = "exactly tied" if race.outcome == TIED else f"not told apart at {error}"
        text = f"{of} remain {after}, {apart}: {_names(ranking)}"
    if fallen:
        text += f" ({counted(fallen, 'point')} left because a trial diverged or failed)"
    return [f"The race: {text}.", _cost(ranking, race)]


def _names(ranking: Ranking) -> str:
    named = "; ".join(ranking.describe(int(point)) for point in ranking.leading[:_NAMED])
    more = len(ranking.leading) - _NAMED
    return named + (f" and {more} more" if more > 0 else "")


def _cost(ranking: Ranking, race: Race) -> str:
    """Returns the trials of the race beside those of as many seeds for every point."""
    own = statistics.rows_of(ranking.trials, ranking.swept, ranking.record["race"]["points"])
    trained = int((own & ranking.trials["status"].isin(_OVER).to_numpy()).sum())
    return (
        f"It took {counted(trained, 'trial')} of its {counted(race.points, 'point')}, where {race.most} seeds of each "
        f"would be {race.points * race.most:,}."
    )
