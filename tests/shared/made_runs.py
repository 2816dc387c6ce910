"""A run that was never trained: tables with the columns, gaps and accidents of a real one."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_jax.analysis.predictions import Predictions

CURVES = ("id", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SHARES = (0.138, 0.015, 0.143, 0.250, 0.173, 0.169, 0.112)
OSLO_GRID = {
    "train.batch_size": (8, 16, 32, 64, 128),
    "train.learning_rate": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
    "train.l2": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
}
BASE = {
    "data.name": "synthetic",
    "data.split": "official",
    "model.name": "cnn",
    "model.dropout": 0.4,
    "train.batch_size": 64,
    "train.epochs": 12,
    "train.optimizer": "adam",
    "train.learning_rate": 1e-3,
    "train.l2": 1e-4,
    "train.seed": 0,
    "train.select": "val_accuracy",
    "report.title": "",
}


def record(swept: Sequence[str], epochs: int = 12, split: str = "official", **config: Any) -> dict[str, Any]:
    """config.json of a run on built-in faces."""
    sizes = {"train": 2000, "validation": 500, "test": 500}
    if split == "kaggle":
        sizes = {"train": 28709, "validation": 7178}
    counts = {name: {c: round(n * s) for c, s in zip(CLASSES, SHARES, strict=True)} for name, n in sizes.items()}
    return {
        "config": {
            **BASE,
            "train.epochs": epochs,
            "data.split": split,
            **{k.replace("__", "."): v for k, v in config.items()},
        },
        "command": "python -m fer_jax.sweep --config=configs/grid3d.py",
        "versions": {"python": "3.11.7", "fer_jax": "0.1.0", "jax": "0.10.2", "flax": "0.12.8", "numpy": "2.4.6"},
        "devices": ["cpu:0 cpu", "cpu:1 cpu"],
        "machine": "Linux x86_64",
        "data": {
            "checksum": "9f2c4be1a07d5c33" * 4,
            "classes": list(CLASSES),
            "split": split,
            "counts": counts,
            "majority_share": counts["validation"]["happy"] / sizes["validation"],
            "label": f"synthetic faces, {split} split",
        },
        "swept": list(swept),
        "started": "2025-11-22T03:40:12+00:00",
        "finished": "2025-11-22T03:45:24+00:00",
        "seconds": 312.4,
        "images_per_second": 9610.0,
    }


def skill(values: Mapping[str, Any]) -> float:
    """How well a point learns, 0 to 1: a ridge over learning rate and batch size, hurt by strong
    penalties.
    """
    rate = float(values.get("train.learning_rate", 1e-3))
    batch = float(values.get("train.batch_size", 64))
    penalty = float(values.get("train.l2", 1e-4)) or 1e-9
    effective = math.log10(rate) - 0.5 * math.log10(batch / 64)
    peak = math.exp(-(((effective + 3.0) / 0.95) ** 2))
    hurt = 1 / (1 + (penalty / 2e-2) ** 1.3)
    extra = sum(
        (zlib.crc32(str(v).encode()) % 7) / 100
        for k, v in values.items()
        if isinstance(v, (str, tuple)) and k in values
    )
    return float(np.clip(peak * hurt - extra, 0, 1))


def made_curves(values: Mapping[str, Any], epochs: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Epochs of one trial, a column each: a saturating rise from the majority share, overfitting
    where it is fast.
    """
    s = skill(values)
    t = np.arange(1, epochs + 1)
    rise = s * (1 - np.exp(-t * (0.15 + 0.6 * s)))
    noise = rng.normal(0, 0.006 + 0.01 * s, (4, epochs))
    accuracy = np.clip(0.25 + 0.64 * rise + noise[0] * (s > 0.05), 0, 1)
    train = np.clip(0.25 + 0.70 * rise + noise[1] * 0.5, 0, 1)
    loss = 1.87 - 1.45 * rise + 0.004 * s * t**1.5 + np.abs(noise[2])
    if float(values.get("train.learning_rate", 0)) >= 0.1 and s < 0.02:
        loss = loss + rng.lognormal(2, 1)
    return {
        "epoch": t, "train_loss": 1.87 - 1.6 * rise + noise[3] * 0.5, "train_accuracy": train,
        "val_loss": loss, "val_accuracy": accuracy,
    }  # fmt: skip


def build(
    grid: Mapping[str, Sequence[Any]] | None = None, points: Sequence[Mapping[str, Any]] | None = None,
    repeats: int = 1, epochs: int = 12, split: str = "official", done: float = 1.0, accidents: bool = True,
    seed: int = 0, **config: Any,
) -> SimpleNamespace:  # fmt: skip
    """A run as the report sees it: `.record`, `.trials` and `.curves`.

    Args:
        grid: swept fields and their values; or `points`, a list of points. Neither: nothing is
            swept.
        done: share of the trials that are over; the next one is running, the others pending.
        accidents: whether some trials of learning rate .1 diverge and one fails.
    """
    if points is None:
        grid = grid or {}
        points = [dict(zip(grid, combination, strict=True)) for combination in itertools.product(*grid.values())]
    swept = list(dict.fromkeys(field for point in points for field in point))
    rng = np.random.default_rng(seed)
    rows, curves = [], []
    for index, (point, repeat) in enumerate(itertools.product(points, range(repeats))):
        over = index < done * len(points) * repeats
        trial_id = f"{index:010x}"
        row = {
            "id": trial_id,
            "status": "done" if over else "pending",
            **point,
            "seed": repeat,
            "repeat": repeat,
            "stack": "stack_0",
            "wave": "stack_0-wave_0",
            "slot": index,
            "epochs": 0,
            "best_epoch": np.nan,
            "diverged_epoch": np.nan,
        }
        kinds = itertools.product(("", "last_"), ("train", "val", "test"), ("loss", "accuracy"))
        metrics: dict[str, Any] = dict.fromkeys(f"{last}{part}_{kind}" for last, part, kind in kinds)
        if over:
            curve = made_curves({**BASE, **point}, epochs, rng)
            if accidents and float(point.get("train.learning_rate", 0)) == 0.1 and index % 3 == 0:
                row |= {"status": "diverged", "diverged_epoch": 3, "epochs": 3}
                curve = {name: column[:3].copy() for name, column in curve.items()}
                curve["train_loss"][-1] = curve["val_loss"][-1] = np.nan
            elif accidents and index == 7:
                row |= {"status": "failed", "error": "out of memory at width 1 <even at one trial>"}
                curve = {name: column[:0] for name, column in curve.items()}
            else:
                best = int(curve["val_accuracy"].argmax())
                row |= {"epochs": epochs, "best_epoch": best + 1}
                for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
                    metrics[name], metrics[f"last_{name}"] = curve[name][best], curve[name][-1]
                if split != "kaggle":
                    for last in ("", "last_"):
                        metrics[f"{last}test_accuracy"] = metrics[f"{last}val_accuracy"] - 0.012 + rng.normal(0, 0.006)
                        metrics[f"{last}test_loss"] = metrics[f"{last}val_loss"] + 0.03
            curves.append(curve | {"id": np.full(len(curve["epoch"]), trial_id)})
        rows.append({"error": None, **row, **metrics})
    return SimpleNamespace(
        record=record(swept, epochs, split, **config),
        trials=pd.DataFrame(rows).astype({name: float for name in metrics}),
        curves=pd.DataFrame({name: np.concatenate([curve[name] for curve in curves]) for name in CURVES if curves}),
    )


@pytest.fixture(scope="session")
def made() -> Callable[..., SimpleNamespace]:
    return build


@pytest.fixture
def oslo() -> SimpleNamespace:
    """Oslo's 125 points, one seed, some trials diverged and one failed."""
    run = _oslo()
    return SimpleNamespace(record=copy.deepcopy(run.record), trials=run.trials.copy(), curves=run.curves.copy())


@functools.cache
def _oslo() -> SimpleNamespace:
    return build(OSLO_GRID)


@pytest.fixture(params=[1, 3])
def predictions(request) -> Predictions:
    """What one network, or three, answered to 60 images of three classes."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 60)
    powers = np.exp(rng.normal(size=(request.param, 60, 3)) + 1.5 * np.eye(3)[labels])
    probabilities = powers / powers.sum(-1, keepdims=True)
    return Predictions("learning rate 1e-3", "test", ("angry", "happy", "sad"), probabilities, labels)
