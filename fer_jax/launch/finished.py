"""Finished waves at a start: what they lack is said, and made again where what is left suffices."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from fer_jax.analysis import fits, statistics
from fer_jax.base.text import counted
from fer_jax.config.values import to_json
from fer_jax.errors import RunError
from fer_jax.launch.prepared import Prepared
from fer_jax.launch.progress import Progress
from fer_jax.launch.trial_table import kept_aside
from fer_jax.models import inference
from fer_jax.results import judged_tables, left_files
from fer_jax.store import RunDirectory

# Images that answers computed anew may differ in from the tabled accuracy: a network is asked in
# float32 and in other batches than those it was validated in.
_TOLERATED = 2


def look_after(prepared: Prepared, directory: RunDirectory, trials: pd.DataFrame, progress: Progress) -> None:
    """Makes again what finished waves lack, and says what cannot be made.

    Where nothing is missing, no weights are read and nothing is compiled.

    Args:
        prepared: the sweep.
        directory: its run directory, locked.
        trials: trials.csv, indexed by id.
        progress: told what happens.

    Raises:
        RunError: the disk refuses.
    """
    record = directory.read_config()
    missing = left_files.find(directory, record, trials.reset_index())
    for line in missing.lines(again=True):
        progress.say(line)
    for wave in dict.fromkeys(wave for wave, *_ in missing.can_be_made):
        lacking = {split: word for one, split, word in missing.predictions if one == wave}
        _predict(prepared, directory, trials, wave, lacking, progress)
    _restore_heads(prepared, directory, missing.tables, progress)
    if "summary.csv" in missing.tables:
        progress.say("summary.csv was gone: it is made again from trials.csv")


def _predict(
    prepared: Prepared,
    directory: RunDirectory,
    trials: pd.DataFrame,
    wave: str,
    lacking: dict[str, str],
    progress: Progress,
) -> None:
    """Writes a wave's predictions again, as its final weights give them."""
    rows = trials[trials["wave"] == wave].sort_values("slot")
    answers: dict[str, list[np.ndarray]] = {split: [] for split in lacking}
    try:
        for identity, row in rows.iterrows():
            dataset = prepared.dataset(prepared.trials[str(identity)])
            weights = directory.load_trial(wave, int(row["slot"])) if row["best_epoch"] else None
            for split, found in answers.items():
                images, labels = dataset.splits()[split].images, dataset.splits()[split].labels
                if weights is None:  # diverged in its first epoch
                    found.append(np.full((len(images), dataset.num_classes), np.nan, np.float32))
                    continue
                variables = {**weights["best"], "pixels": weights["pixels"]}
                values = prepared.values(str(identity))
                found.append(inference.logits(values, dataset.num_classes, variables, images))
                _check_right(str(identity), row, split, found[-1], labels)
    except RunError as error:
        progress.say(f"stored predictions of {wave} are {_words(lacking)} and cannot be made again: {error}")
        return
    for split, found in answers.items():
        directory.predictions.write(wave, split, np.stack(found))
    progress.say(
        f"stored predictions of {wave} were {_words(lacking)}: the final weights of its {counted(len(rows), 'trial')} "
        "gave them again, which may differ from the first in the last digits"
    )


def _check_right(identity: str, row: pd.Series, split: str, logits: np.ndarray, labels: np.ndarray) -> None:
    """Raises RunError where a done trial's weights are not those that trials.csv tells of."""
    tabled = row[f"{'val' if split == 'validation' else split}_accuracy"] * len(labels)
    right = int((logits.argmax(axis=1) == labels).sum())
    if row["status"] in statistics.ANSWERED and not abs(right - tabled) <= _TOLERATED:
        raise RunError(
            f"the final weights of trial {identity} answer {right} of {len(labels)} {split} images rightly, "
            f"by trials.csv {tabled:.0f}: they are damaged"
        )


def _restore_heads(prepared: Prepared, directory: RunDirectory, gone: Collection[str], progress: Progress) -> None:
    """Writes heads.csv back where it is gone or changed, and its summary where that is gone."""
    if not directory.has_table("heads.csv"):
        return
    table, said = judged_tables.read_heads(directory)
    for line in (*said, *kept_aside(directory, "heads.csv")):
        progress.say(line)
    if "heads.csv" in gone and not said:
        # Its copy is sealed first: where it was written only once, a kill may have come between.
        progress.say("heads.csv was gone: it is made again from its sealed copy")
    if said or "heads.csv" in gone:
        directory.write_heads(table)
    if said or "heads_summary.csv" in gone:
        config = to_json(prepared.config)
        swept = directory.read_config()["swept"]
        directory.write_heads_summary(fits.summarise(table, swept, statistics.fold_overlap(config)))
    if "heads_summary.csv" in gone:
        progress.say("heads_summary.csv was gone: it is made again from heads.csv")


def _words(lacking: dict[str, str]) -> str:
    return " or ".join(sorted(set(lacking.values())))
