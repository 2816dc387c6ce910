"""The trials of a run's best point, and the answers that were stored when their training ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_jax.analysis import varied
from fer_jax.analysis.predictions import Predictions
from fer_jax.analysis.ranking import Ranking
from fer_jax.results.run import Run
from fer_jax.results.trial import TrialResult, with_answers


def best_trials(run: Run, ranking: Ranking) -> list[TrialResult]:
    """Returns the done trials of the best point, in plan order; [] without a result.

    Where repeats have splits of their own (sweep.seeds_of = split or everything) it is the first
    alone: the others were asked about other images, and may have learnt those that it was asked
    about.
    """
    if not len(ranking.ranked):
        return []
    rows = ranking.trials[(ranking.trials["point"] == ranking.best) & (ranking.trials["status"] == "done")]
    alike = rows.iloc[:1] if varied.new_splits(ranking.config) else rows
    return [run.trial(id) for id in alike["id"]]


def one_an_image(trials: Sequence[TrialResult], split: str) -> list[TrialResult]:
    """Returns the trials of a point whose images of a split together are all images, each once.

    These are the first trial, or one of each fold.
    """
    if split == "test" or trials[0].config.data.split != "kfold":
        return [trials[0]]
    return list({trial.data["checksum"]: trial for trial in reversed(trials)}.values())[::-1]


def of_best_point(run: Run, ranking: Ranking, splits: Sequence[str] = ("test", "validation")) -> Predictions | None:
    """Returns what the best point's done trials answered on a held-out split; None without any.

    It is the first of `splits` that they answered: validation where there is no test split.
    """
    trials = best_trials(run, ranking)
    for split in splits if trials else ():
        answered = with_answers(trials, split)
        by_data = {trial.data["checksum"]: trial for trial in reversed(answered)}
        wanted = [trial.data["checksum"] for trial in one_an_image(trials, split)]
        if not all(checksum in by_data for checksum in wanted):
            continue
        sources = [by_data[checksum] for checksum in wanted]
        labels = np.concatenate([trial.labels(split) for trial in sources])
        if len(sources) > 1:
            probabilities = np.concatenate([trial.probabilities(split) for trial in sources])[None]
        else:
            probabilities = np.stack([trial.probabilities(split) for trial in answered])
        leaked = np.concatenate([trial.leaked(split) for trial in sources])
        setting = ranking.describe(ranking.best)
        if varied.new_splits(ranking.config) and ranking.repeats > 1:
            setting += ", on the first of its splits"
        folds = len(sources) if len(sources) > 1 else 0
        return Predictions(setting, split, trials[0].classes, probabilities, labels, folds, leaked)
    return None
