"""Runs as the store leaves them, with answers of their networks, for reports to be drawn of."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd

from fer_jax.config.values import default_config, to_json
from fer_jax.store import RunDirectory

SWEPT = ["train.learning_rate", "model.kernels"]


def run_directory(path, statuses=("done", "done", "diverged", "pending"), curves=True):
    """A run of two learning rates by two tuples of kernels, as the store leaves it."""
    base = to_json(default_config())
    record = {
        "config": base,
        "command": "python -m fer_jax.sweep --config=configs/oslo.py",
        "versions": {"jax": "0.10.2"},
        "devices": ["cpu:0 cpu"],
        "data": {
            "checksum": "ab" * 32, "classes": ["happy", "sad"], "split": "official", "majority_share": 0.6,
            "counts": {name: {"happy": 60, "sad": 40} for name in ("train", "validation", "test")},
            "label": "synthetic faces, official split",
        },
        "swept": SWEPT, "started": "2025-01-01T00:00:00+00:00", "finished": None, "seconds": None,
    }  # fmt: skip
    directory = RunDirectory(path)
    directory.write_config(record)
    rows, epochs = [], []
    points = [(rate, kernels) for rate in (1e-3, 1e-2) for kernels in ((32, 64, 64), (16, 32, 32))]
    for slot, ((rate, kernels), status) in enumerate(zip(points, statuses, strict=True)):
        row = {"id": f"12345e678{slot}", "status": status, SWEPT[0]: rate, SWEPT[1]: kernels, "seed": 0, "repeat": 0}
        row |= {"stack": "stack_0", "wave": "stack_0-wave_0", "slot": slot}
        done = status == "done"
        row |= {"epochs": 2 if done else None, "best_epoch": 2 if done else None}
        row["diverged_epoch"] = 1 if status == "diverged" else None
        for name in ("train", "val", "test"):
            row |= {f"{name}_loss": 0.5 if done else None, f"{name}_accuracy": 0.8 + slot / 100 if done else None}
        rows.append(row | {"error": ""})
        curve = {"train_loss": 0.6, "train_accuracy": 0.7, "val_loss": 0.6, "val_accuracy": 0.7}
        epochs += [{"id": row["id"], "epoch": epoch, **curve} for epoch in (1, 2) if done]
    directory.write_trials(pd.DataFrame(rows))
    if curves:
        directory.curves.write("stack_0-wave_0", 1, pd.DataFrame(epochs))
    return path


def with_answers(path, sure=8.0):
    """The run at `path` with stored predictions: at the best point, slot 1, the picture of number 2
    is surely wrong, no other is.
    """
    record = json.loads((path / "config.json").read_text())
    predictions = RunDirectory(path).predictions
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    logits = np.zeros((4, 5, 2), np.float32)
    logits[:, range(5), labels] = 2.0
    logits[1, 2] = (sure, 0.0)
    for split in ("validation", "test"):
        predictions.write("stack_0-wave_0", split, logits)
    kept = {
        f"{split}_{name}": values
        for split in ("validation", "test")
        for name, values in (("labels", labels), ("leaked", labels > 2))
    }
    predictions.write_targets(record["data"]["checksum"], kept)
    return path


def changed(path, held_out=None, **values):
    """The run at `path` with other config values, '__' for '.', or other held-out pictures."""
    record = json.loads((path / "config.json").read_text())
    record["data"] |= {"held_out": held_out} if held_out else {}
    record["config"] |= {name.replace("__", "."): value for name, value in values.items()}
    (path / "config.json").write_text(json.dumps(record))
    return path


def table_rows(html, name):
    """The cells of a table of the page, row by row, headings first."""
    content = re.search(rf'<table id="{name}".*?</table>', html, re.DOTALL)[0]
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr.*?</tr>", content)
    ]
