"""What the done trials of a run answered on their validation images, read wave by wave."""

from __future__ import annotations

import numpy as np

from fer_jax.analysis.answers import Answers
from fer_jax.errors import RunError
from fer_jax.results.record import RunRecord
from fer_jax.results.trial import TrialResult


def read(run: RunRecord) -> dict[str, Answers]:
    """Returns the answers of each done trial with stored predictions, by its id.

    They are those of the weights that validation chose. Each file is opened once. Trials whose
    predictions were not kept, are damaged or are not finite are absent.
    """
    if "wave" not in run.trials or "slot" not in run.trials:
        return {}
    kept = (run.trials["status"] == "done") & run.trials["wave"].fillna("").ne("") & run.trials["slot"].notna()
    found: dict[str, Answers] = {}
    for wave, rows in run.trials[kept].groupby("wave", sort=False):
        # A wave's trials share their data.
        trial = TrialResult(run, rows.iloc[0])
        held_out = (trial.data.get("held_out") or {}).get("validation")
        try:
            labels = trial.labels("validation")
            logits = run.directory.predictions.read(str(wave), "validation", rows["slot"].astype(int).tolist())
        except RunError:
            continue
        if logits is None or logits.shape[1] != len(labels):
            continue
        images = (trial.classes, held_out, labels.tobytes())
        answers = logits.argmax(axis=2).astype(np.int32)
        finite = np.isfinite(logits).all(axis=(1, 2))
        for id, given, known in zip(rows["id"], answers, finite, strict=True):
            if known:
                found[id] = Answers(given, labels, trial.classes, images)
    return found
