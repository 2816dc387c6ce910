"""The fits of a sweep, once its networks are trained.

Features are computed once for each trial and layer; classifiers are fitted side by side on the
cores.
"""

from __future__ import annotations

import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fer_jax import heads
from fer_jax.analysis import fits, metrics, statistics
from fer_jax.analysis.fits import GAINS, METRICS, SPLITS
from fer_jax.base.text import counted, in_time
from fer_jax.config import fields, search_space
from fer_jax.config.values import to_json
from fer_jax.data import leaks
from fer_jax.errors import DamagedError
from fer_jax.heads import Features, Head
from fer_jax.launch.prepared import Prepared
from fer_jax.launch.progress import Progress
from fer_jax.models import inference
from fer_jax.results import judged_tables
from fer_jax.results.row_checks import CLEAN
from fer_jax.store import RunDirectory

SECONDS_BETWEEN_WRITES = 5.0
# What a probability of 0, which voting heads give, counts as: float32's smallest step below 1.
LEAST_PROBABILITY = float(np.finfo(np.float32).eps)
# The columns of heads.csv that say how a fit went; the others say what it is.
RESULTS = ("status", "features", *METRICS, "threads", "error")
# How many fits or files are named in a line.
NAMED = 3
# How long a request to stop waits for the fits before it says which it waits for.
SECONDS_TO_STOP = 1.0
HEAD_FIELDS = tuple(name for name, field in fields.FIELDS.items() if field.kind == "head")


def fit_heads(
    prepared: Prepared,
    directory: RunDirectory,
    trials: pd.DataFrame,
    progress: Progress,
    stop_requested: Callable[[], bool],
    retry_failed: bool,
) -> None:
    """Fits what heads.csv does not hold yet, and writes it and heads_summary.csv.

    Fits of earlier head settings stay in both.

    Args:
        prepared: the sweep.
        directory: its run directory, locked.
        trials: trials.csv, indexed by id.
        progress: told what happens.
        stop_requested: whether the user wants to stop; fits that are running then are given up.
        retry_failed: fit again what failed.

    Raises:
        RunError: the disk refuses.
        KeyboardInterrupt: the user stopped; the next start goes on.
    """
    if not prepared.fits:
        return
    stage = _Fits(prepared, directory, trials, progress, retry_failed)
    waiting = stage.pending()
    if not waiting:
        return
    started = time.monotonic()
    try:
        stage.extract(waiting, stop_requested)
        stage.fit(waiting, stop_requested)
    finally:
        stage.write()
    outcome = statistics.count_words(stage.table.loc[waiting, "status"])
    errors = [error for error in stage.table.loc[waiting, "error"] if error]
    reason = f"; {errors[0]} (heads.csv has all reasons, --retry_failed tries again)" if errors else ""
    progress.say(f"fits: {outcome} in {in_time(time.monotonic() - started)}{reason}")


class _Fits:
    """The fits of one start of a sweep."""

    def __init__(
        self, prepared: Prepared, directory: RunDirectory, trials: pd.DataFrame, progress: Progress, retry_failed: bool
    ):
        self.prepared, self.directory, self.trials, self.progress = prepared, directory, trials, progress
        self.swept = list(search_space.swept(prepared.config))
        self.threads = prepared.config.head.threads
        self.table = self._table(retry_failed)

    def _table(self, retry_failed: bool) -> pd.DataFrame:
        """Returns a row for each fit, trial by trial, with the results of earlier starts.

        The fits of earlier head settings follow.
        """
        rows = []
        for identity, (trial, fit) in self.prepared.fits.items():
            of_trial = self.trials.loc[trial]
            # A network that was not trained to its end has no features to fit on; its status says
            # why there is no result.
            status = "pending" if of_trial["status"] == "done" else of_trial["status"]
            place = {"id": trial, "seed": fit.trial.seed, "repeat": fit.trial.repeat, **fit.trial.point}
            rows.append({"fit": identity, **place, **fit.head, "status": status})
        columns = ["id", "seed", "repeat", *self.swept, *HEAD_FIELDS, *RESULTS]
        table = pd.DataFrame(rows).set_index("fit").reindex(columns=columns).astype(object)
        table["error"] = ""
        if not self.directory.has_table("heads.csv"):
            return table
        old = judged_tables.read_heads(self.directory)[0].set_index("fit")
        old = old.reindex(columns=columns).astype(object)
        old = old[old["status"].isin(["done"] if retry_failed else ["done", "failed"])]
        old = old[old["id"].isin(list(self.prepared.trials))]
        lost = {identity: reason for identity, row in old.iterrows() if (reason := self._lost(str(identity), row))}
        if lost:
            self._say_lost(lost)
        kept = old.drop(index=list(lost))
        # The trial of a fit may have been trained again since, and not to its end.
        known = [identity for identity in kept.index if identity in table.index]
        known = [identity for identity in known if table.at[identity, "status"] == "pending"]
        table.loc[known, list(RESULTS)] = kept.loc[known, list(RESULTS)]
        earlier = kept.drop(index=kept.index.intersection(table.index))
        points = [self.prepared.trials[trial].point for trial in earlier["id"]]
        for name in self.swept:
            earlier[name] = [point[name] for point in points]
        return pd.concat([table, earlier]) if len(earlier) else table

    def _say_lost(self, lost: dict[str, str]) -> None:
        shown = "; ".join(list(lost.values())[:NAMED]) + ("; ..." if len(lost) > NAMED else "")
        self.progress.say(f"{counted(len(lost), 'fit')} to do again: {shown}")
        for identity, reason in lost.items():
            self.progress.note(f"fit {identity} is done again: {reason}")

    def _lost(self, identity: str, row: pd.Series) -> str:
        """Returns why a fit that was done has to be done again, '' where it has not.

        Its classifier, or what stands for it, is gone or damaged.
        """
        known = self.prepared.fits.get(identity)
        if known is None or row["status"] != "done":
            return ""
        trial, head = known[0], known[1].head
        if not heads.kept(head):
            layer, weights = head["head.layer"], head["head.weights"]
            if self.directory.features.has(trial, layer, self._rows(trial), weights):
                return ""
            return f"the features of trial {trial} at {layer} are gone or damaged"
        suffix = heads.suffix(head)
        name = f"heads/{identity}.{suffix}"
        if not self.directory.has(name):
            return f"{name} is gone"
        try:
            problem = heads.damage(head, self.directory.read_head(identity, suffix))
        except DamagedError:
            return f"{name} is damaged"
        return f"{name} is damaged ({problem})" if problem else ""

    def pending(self) -> list[str]:
        """Returns the ids of the fits to do."""
        return list(self.table.index[self.table["status"] == "pending"])

    def write(self) -> None:
        """Writes heads.csv and its summary."""
        table = self.table.infer_objects()
        self.directory.write_heads(table.reset_index())
        overlap = statistics.fold_overlap(to_json(self.prepared.config))
        self.directory.write_heads_summary(fits.summarise(table, self.swept, overlap))

    # Features

    def extract(self, waiting: list[str], stop_requested: Callable[[], bool]) -> None:
        """Writes the features that the fits need and the run does not hold.

        There is one pass through each network.
        """
        features = self.directory.features
        layers: dict[tuple[str, str], dict[str, None]] = {}
        for identity in waiting:
            trial, fit = self.prepared.fits[identity]
            layers.setdefault((trial, fit.head["head.weights"]), {})[fit.head["head.layer"]] = None
        missing = {}
        for (trial, weights), some in layers.items():
            rows = self._rows(trial)
            if absent := tuple(layer for layer in some if not features.has(trial, layer, rows, weights)):
                missing[trial, weights] = absent
        if not missing:
            return
        files = [
            features.damaged(trial, layer, weights) for (trial, weights), some in missing.items() for layer in some
        ]
        if damaged := list(filter(None, files)):
            shown = ", ".join(damaged[:NAMED]) + (", ..." if len(damaged) > NAMED else "")
            self.progress.say(f"features that are damaged are extracted again: {shown}")
        images = sum(sum(self._rows(trial).values()) for trial, _ in missing)
        names = ", ".join(dict.fromkeys(layer for some in missing.values() for layer in some))
        with self.progress.counting(
            f"features of {counted(len({trial for trial, _ in missing}), 'trial')} ({names})", images, "img"
        ) as advance:
            for (trial, weights), absent in missing.items():
                if stop_requested():
                    self.progress.say("stopped while extracting features; the same command goes on from there")
                    raise KeyboardInterrupt
                self._extract(trial, weights, absent, advance)

    def _extract(self, trial: str, weights: str, layers: tuple[str, ...], advance: Callable[[int], None]) -> None:
        values, row = self.prepared.values(trial), self.trials.loc[trial]
        dataset = self.prepared.dataset(self.prepared.trials[trial])
        arrays_of = self.directory.load_trial(row["wave"], int(row["slot"]))
        variables = {**arrays_of[weights], "pixels": arrays_of["pixels"]}
        shapes = self.prepared.layer_shapes(trial)
        widths = {layer: shapes[layer] for layer in layers}
        with self.directory.features.writers(trial, widths, self._rows(trial), weights) as arrays:
            place = 0
            for split in dataset.splits().values():
                for batch in inference.activations(values, dataset.num_classes, variables, split.images, layers):
                    count = len(batch[layers[0]])
                    for layer in layers:
                        arrays[layer][place : place + count] = batch[layer].reshape(count, -1)
                    place += count
                    advance(count)

    def _rows(self, trial: str) -> dict[str, int]:
        return {name: len(split) for name, split in self.prepared.dataset(self.prepared.trials[trial]).splits().items()}

    # Fits

    def fit(self, waiting: list[str], stop_requested: Callable[[], bool]) -> None:
        """Runs the fits, as many at once as there are cores for."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        boosted = any(self.prepared.fits[identity][1].head["head.kind"] == "xgboost" for identity in waiting)
        workers = 1 if boosted and heads.on_gpu() else max(1, min(len(waiting), cores // self.threads))
        stopping = threading.Event()
        desk = threading.local()
        with (
            self.progress.counting(
                f"{counted(len(waiting), 'fit')}, {workers} at once", len(waiting), "fit"
            ) as advance,
            # A fit's own threads are `head.threads`: those of the linear algebra below it would
            # come on top.
            threadpool_limits(self.threads),
            ThreadPoolExecutor(workers, "fit") as pool,
        ):
            running = {pool.submit(self._fit, identity, desk, stopping): identity for identity in waiting}
            try:
                self._collect(running, advance, stop_requested)
            except BaseException:
                stopping.set()
                for future in running:
                    future.cancel()
                self._stop(running)
                raise

    def _collect(
        self, running: dict[Future, str], advance: Callable[[int], None], stop_requested: Callable[[], bool]
    ) -> None:
        left, written = set(running), time.monotonic()
        while left:
            done, left = wait(left, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                for name, value in future.result().items():
                    self.table.at[running[future], name] = value
                advance(1)
            if left and stop_requested():
                self.progress.say(
                    f"stopped with {counted(len(left), 'fit')} to do; the same command goes on from there"
                )
                raise KeyboardInterrupt
            if done and time.monotonic() - written > SECONDS_BETWEEN_WRITES:
                self.write()
                written = time.monotonic()

    def _stop(self, running: dict[Future, str]) -> None:
        """Writes what is done, and says which fits have to be waited for.

        Boosting ends after its round; what runs inside scikit-learn cannot be interrupted.
        """
        self.write()
        begun = [future for future in running if not future.cancelled()]
        if left := wait(begun, timeout=SECONDS_TO_STOP).not_done:
            names = [self._describe(running[future]) for future in left]
            shown = "; ".join(names[:NAMED]) + ("; ..." if len(names) > NAMED else "")
            self.progress.say(f"waiting for {counted(len(left), 'fit')} that cannot be interrupted: {shown}")

    def _describe(self, identity: str) -> str:
        """Returns a fit in words: 'svm on flatten, head.C = 10 (trial 0123456789)'."""
        trial, fit = self.prepared.fits[identity]
        place = ("head.kind", "head.layer", "head.weights")
        settings = "".join(f", {name} = {value}" for name, value in fit.head.items() if name not in place)
        at = "" if fit.head["head.weights"] == "best" else " at the last epoch"
        return f"{fit.head['head.kind']} on {fit.head['head.layer']}{at}{settings} (trial {trial})"

    def _fit(self, identity: str, desk: Any, stopping: threading.Event) -> dict[str, Any]:
        """Does one fit, in a thread of its own, and returns its columns of heads.csv."""
        trial, fit = self.prepared.fits[identity]
        started = time.monotonic()
        try:
            features = self._features(trial, fit.head, desk)
            head = heads.fit(fit.head, features, fit.trial.values["train.seed"], stopping.is_set)
            seconds = time.monotonic() - started
            scores = self._scores(trial, fit.head, head, features)
            if stopping.is_set():
                return {}
            if heads.kept(fit.head):
                self.directory.write_head(identity, heads.suffix(fit.head), head.to_bytes())
        except Exception as error:
            self.progress.note(traceback.format_exc())
            return {"status": "failed", "error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        width = features.splits["train"].shape[1]
        rounds = math.nan if head.rounds is None else head.rounds
        return {
            "status": "done",
            "features": width,
            **scores,
            "rounds": rounds,
            "seconds": seconds,
            "threads": self.threads,
        }

    def _features(self, trial: str, settings: Mapping[str, Any], desk: Any) -> Features:
        """Returns the features of a fit.

        A thread keeps those of its last fit, so that settings of one trial, layer and weights share
        them.
        """
        place = trial, settings["head.layer"], settings["head.weights"]
        if getattr(desk, "key", None) != place:
            dataset = self.prepared.dataset(self.prepared.trials[trial])
            labels = {name: split.labels for name, split in dataset.splits().items()}
            splits = self.directory.features.read(*place)
            desk.features = Features(splits, labels, dataset.num_classes, self.threads)
            desk.key = place
        return desk.features

    def _scores(self, trial: str, settings: Mapping[str, Any], head: Head, features: Features) -> dict[str, float]:
        row, scores = self.trials.loc[trial], {}
        for short, split in SPLITS.items():
            if split not in features.splits:
                continue
            probabilities, labels = head.probabilities(features.splits[split]), features.labels[split]
            right = probabilities.argmax(axis=1) == labels
            scores[f"{short}_accuracy"] = float(np.mean(right))
            # Margins that were never fitted as probabilities have no loss to compare.
            scores[f"{short}_loss"] = (
                math.nan
                if settings["head.kind"] == "svm"
                else float(metrics.log_loss(probabilities[None], labels, LEAST_PROBABILITY)[0])
            )
            if f"{short}_accuracy_gain" in GAINS:
                column = fits.network_column(short, settings["head.weights"])
                scores[f"{short}_accuracy_gain"] = scores[f"{short}_accuracy"] - float(row[column])
            if split in self.prepared.with_copies:
                leaked = self.prepared.dataset(self.prepared.trials[trial]).leaked[split]
                own = row[column.replace("accuracy", CLEAN)]
                clean = scores[f"{short}_{CLEAN}"] = float(leaks.accuracy_without(right, leaked))
                scores[f"{short}_{CLEAN}_gain"] = clean - (math.nan if pd.isna(own) else float(own))
        return scores
