"""Which files of finished waves a run directory should have and does not.

Nothing is written, and of weights and curves nothing is read: to look costs milliseconds a wave.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fer_jax.analysis import statistics
from fer_jax.base.text import counted
from fer_jax.store import RunDirectory
from fer_jax.store.sealed import some

_AGAIN = "to have them again, train into a new --workdir"


@dataclasses.dataclass(frozen=True)
class Missing:
    """What finished waves lack.

    Attributes:
        curves, weights: names of the waves whose curves are gone or end early, or whose final
            weights are gone.
        predictions: (wave, split, 'gone' or 'damaged') where the logits of finished trials are not
            whole.
        tables: of 'summary.csv', 'heads.csv' and 'heads_summary.csv', those that are gone.
    """

    curves: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    predictions: tuple[tuple[str, str, str], ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def can_be_made(self) -> list[tuple[str, str, str]]:
        """Those of `predictions` for which there are weights."""
        return [one for one in self.predictions if one[0] not in self.weights]

    def lines(self, again: bool) -> list[str]:
        """Returns a line for each kind of file that is missing.

        Args:
            again: whether whoever asks makes again what can be made, so that only the rest is said.
        """
        lines = []
        if self.curves:
            lines.append(
                f"curves of {_waves(self.curves)} are gone, in part or whole: metrics stand, "
                f"figures of curves leave them out; {_AGAIN}"
            )
        if self.weights:
            lines.append(
                f"final weights of {_waves(self.weights)} are gone: metrics and stored predictions stand, but predict, "
                f"export, saliency and new heads have no network of these trials; {_AGAIN}"
            )
        for lost, advice in (
            ([one for one in self.predictions if one[0] in self.weights], ", and so are the weights that gave them"),
            ([] if again else self.can_be_made, "; the same command makes them again from the final weights"),
        ):
            if lost:
                words = " or ".join(sorted({word for *_, word in lost}))
                lines.append(
                    f"stored predictions of {_waves([wave for wave, *_ in lost])} are {words}{advice}: "
                    "confusion matrices, ensembles and tests by picture leave them out"
                )
        if self.tables and not again:
            verb = "is" if len(self.tables) == 1 else "are"
            lines.append(f"{' and '.join(self.tables)} {verb} gone: the same command makes them again")
        return lines


def find(directory: RunDirectory, record: Mapping[str, Any], trials: pd.DataFrame) -> Missing:
    """Returns what the waves lack whose trials all have ended, some of them well.

    Args:
        directory: the run.
        record: config.json.
        trials: a row a trial: status, wave, slot, epochs.
    """
    if not len(trials) or "wave" not in trials:
        return Missing()
    splits = [name for name in ("validation", "test") if (record["data"].get("counts") or {}).get(name)]
    curves, weights, predictions = [], [], []
    ended, phases = False, record["config"].get("phases.lengths") or "phases.lengths" in record.get("swept", ())
    for wave, rows in trials.groupby("wave", sort=False):
        answered = rows["status"].isin(statistics.ANSWERED)
        learnt = answered | (rows["status"] == "diverged")
        if not answered.any() or rows["status"].isin(statistics.UNFINISHED).any():
            continue
        ended = True
        # In phases, epochs that a trial was stopped before are counted and have no rows.
        trained = 1 if phases else int(pd.to_numeric(rows.loc[learnt, "epochs"]).sum())
        if directory.curves.rows(wave) < trained:
            curves.append(wave)
        if not directory.has_final(wave):
            weights.append(wave)
        slots = [int(slot) for slot in rows.loc[answered, "slot"]]
        for split in splits:
            if word := directory.predictions.check(wave, split, slots):
                predictions.append((wave, split, word))
    heads = directory.has_table("heads.csv")
    tables = [("summary.csv", ended), ("heads.csv", heads), ("heads_summary.csv", heads)]
    gone = tuple(name for name, due in tables if due and not directory.has(name))
    return Missing(tuple(curves), tuple(weights), tuple(predictions), gone)


def _waves(waves: Sequence[str]) -> str:
    names = list(dict.fromkeys(waves))
    return some(names) if len(names) < 3 else f"{counted(len(names), 'wave')} ({some(names)})"
