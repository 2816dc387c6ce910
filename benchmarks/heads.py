"""Measures the prediction time of heads against that of the network whose features they take.

    python benchmarks/heads.py [--run=DIR] [--batches=1,64,0] [--images=0] [--repeats=15]
        [--json=FILE]

The network alone (`trial.predict`), the first head of each kind at each layer given its features
(`fit.head.probabilities`), and the same head given pictures (`fit.predict`) answer for the same
held-out pictures in calls of the same size (0: all in one call), and take turns. Everything is
called once before the clock starts, so nothing is compiled, read or fitted while it runs. A figure
is the median over the repeats; a ratio is a median over the network's, so above 1 is slower than
the network.

A network takes pictures in batches of 1, 8 or 64 and fills up what is missing: a call with nine
costs it 64. So small calls of other sizes are measured with a network that was compiled for their
size as well.

Without --run a network is trained for it (two epochs on 2,000 built-in faces of 48 px, XGBoost at
four places, a minute or two): the time of a prediction does not depend on how good the network is,
but that of trees on how many and how deep they are.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

import fer_jax
from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import flatten
from fer_jax.models import inference
from fer_jax.results.run import Run
from fer_jax.results.trial import FitResult, TrialResult
from fer_jax.train import hardware

ROOT = Path(__file__).parents[1]
MOST_CALLS, MOST_IMAGES = 16, 512
NETWORK = "network"
PACKAGES = ("fer_jax", "jax", "jaxlib", "numpy", "scikit-learn", "xgboost-cpu", "xgboost")


def train(folder: Path) -> Run:
    """Trains a run with boosted heads at four places, in a process of its own.

    This process keeps JAX as a user of `load_run` has it.
    """
    settings = {
        "sweep.repeats": 1,
        "train.seed": 1,
        "train.epochs": 2,
        "data.validation_size": 3589,
        "data.test_size": 3589,
    }
    flags = [f"--config.{name}={value}" for name, value in settings.items()]
    config = f"--config={ROOT / 'configs' / 'xgboost.py'}:placement"
    subprocess.run([sys.executable, "-m", "fer_jax.sweep", config, *flags, f"--workdir={folder}"], check=True)
    return fer_jax.load_run(folder)


def choose(run: Run) -> tuple[TrialResult, list[FitResult]]:
    """Returns the trial whose network validated best, and its first head of each kind and layer.

    So it is no network that collapsed. Only trials with heads count.
    """
    done = run.heads[run.heads["status"] == "done"]
    trials = run.trials[run.trials["id"].isin(done["id"])].sort_values("val_accuracy", ascending=False)
    if not len(trials):
        raise SystemExit(f"{run.path}: no fitted heads")
    trial = run.trial(trials["id"].iloc[0])
    rows = done[done["id"] == trial.id].drop_duplicates(["head.kind", "head.layer"])
    return trial, [FitResult(trial, row) for _, row in rows.iterrows()]


def held_out(trial: TrialResult) -> np.ndarray:
    """Returns pictures of the validation split, then of the test split, none of them trained on."""
    splits = trial.dataset().splits()
    return np.concatenate([splits[name].images for name in ("validation", "test") if name in splits])


def unpadded(trial: TrialResult, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the network compiled for calls with `batch` pictures.

    They are uint8 of shape (batch, size, size, channels).
    """
    values = resolve(flatten(trial.config))
    size, channels = values["data.image_size"], values["data.channels"]
    network = models.build(values, (size, size, channels), len(trial.classes))

    @jax.jit
    def forward(variables: dict, images: jax.Array) -> jax.Array:
        logits, _, _ = network.apply(
            variables["params"], variables["stats"], models.normalize(images, **variables["pixels"])
        )
        return jax.nn.softmax(logits)

    variables = trial.variables
    return lambda images: np.asarray(forward(variables, images.astype(np.float32)))


def take_turns(candidates: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Returns the seconds of each candidate; a, b, c, a, b, c ... take turns.

    One round before is not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + 1):
        for name, candidate in candidates.items():
            start = time.perf_counter()
            candidate()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def measure(trial: TrialResult, fits: list[FitResult], images: np.ndarray, batch: int, repeats: int) -> list[dict]:
    """Returns rows of the network and every head, called with `batch` pictures at a time.

    0 is all at once. They take turns.

    A turn is up to 16 calls with up to 512 pictures in all, or one call with more. Features are cut
    like the pictures they come from.
    """
    batch = batch or len(images)
    calls = max(1, min(MOST_CALLS, MOST_IMAGES // batch, len(images) // batch))
    parts = np.split(images[: calls * batch], calls)

    def over(function: Callable[[np.ndarray], np.ndarray], inputs: list[np.ndarray]) -> Callable[[], object]:
        return lambda: [function(one) for one in inputs]

    candidates = {NETWORK: over(trial.predict, parts)}
    described: dict[str, dict] = {NETWORK: {}}
    if batch < inference.LARGEST_BATCH and batch not in inference.BATCH_SIZES:
        name = f"{NETWORK}, compiled for {batch}"
        candidates[name], described[name] = over(unpadded(trial, batch), parts), {}
    for fit in fits:
        features = [trial.features(part, fit.layer, fit.weights).reshape(len(part), -1) for part in parts]
        about = {"kind": fit.settings["head.kind"], "layer": fit.layer, "features": features[0].shape[1]}
        for extraction in (False, True):
            name = f"{about['kind']} on {fit.layer}, extraction {'included' if extraction else 'excluded'}"
            candidates[name] = over(fit.predict, parts) if extraction else over(fit.head.probabilities, features)
            described[name] = {**about, "extraction": extraction}
    seconds = take_turns(candidates, repeats)
    network = statistics.median(seconds[NETWORK])
    rows = []
    for name, own in seconds.items():
        median = statistics.median(own)
        lower, upper = np.quantile(own, (0.25, 0.75)).tolist()
        rows.append(
            {
                "batch": batch,
                "calls": calls,
                "candidate": name,
                **described[name],
                "seconds": {"median": median, "min": min(own), "lower_quartile": lower, "upper_quartile": upper},
                "milliseconds_per_call": 1e3 * median / calls,
                "images_per_second": calls * batch / median,
                "ratio": median / network,
            }
        )
    return rows


def describe(fit: FitResult) -> dict:
    """Returns what of a head its time depends on; leaves are a tree's mean."""
    found = {"layer": fit.layer, **{name: value for name, value in fit.settings.items() if name != "head.layer"}}
    if fit.settings["head.kind"] == "xgboost":
        trees = fit.head.booster.get_dump()
        threads = json.loads(fit.head.booster.save_config())["learner"]["generic_param"]["nthread"]
        found |= {"trees": len(trees), "leaves": round(sum(tree.count("leaf=") for tree in trees) / len(trees), 1)}
        found["threads"] = "all" if int(threads) <= 0 else int(threads)
    return found


def report(run: Run, options: argparse.Namespace) -> dict:
    """Measures a run, printing as it goes, and returns what goes into the JSON file."""
    trial, fits = choose(run)
    images = held_out(trial)[: options.images or None]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before = hardware.detect().product_rate
    heads = [describe(fit) for fit in fits]
    for head in heads:
        print(", ".join(f"{name.removeprefix('head.')} {value}" for name, value in head.items()))
    rows = []
    for batch in map(int, options.batches.split(",")):
        for row in measure(trial, fits, images, batch, options.repeats):
            rows.append(row)
            spread = row["seconds"]
            low, high = (1e3 * spread[name] / row["calls"] for name in ("lower_quartile", "upper_quartile"))
            print(
                f"{row['calls']:2d} x {row['batch']:5d}  {row['candidate']:45s} {row['milliseconds_per_call']:10.3f} "
                f"ms a call ({low:.3f} to {high:.3f})  {row['images_per_second']:11,.0f} img/s  x {row['ratio']:.4f}",
                flush=True,
            )
    found = hardware.detect()
    print(f"float32 matrix product: {before / 1e9:.0f} GFLOP/s before, {found.product_rate / 1e9:.0f} after")
    values = flatten(trial.config)
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except ModuleNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "hardware": f"{found.devices} x {found.kind} ({platform.machine()}), {cores} cores",
        "load_before": load,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "product_gflops": [round(before / 1e9, 1), round(found.product_rate / 1e9, 1)],
        "versions": {"python": platform.python_version(), **installed},
        "options": {name: getattr(options, name) for name in ("batches", "images", "repeats")},
        "data": run.record["data"].get("label"),
        "network": {name: value for name, value in values.items() if name.startswith("model.")}
        | {name: values[name] for name in ("data.image_size", "data.channels", "data.train_size")},
        "padded_to": inference.BATCH_SIZES,
        "images": len(images),
        "heads": heads,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a run directory with fitted heads; without it one is trained")
    parser.add_argument("--batches", default="1,64,0", help="pictures a call; 0: all")
    parser.add_argument("--images", type=int, default=0, help="at most so many held-out pictures; 0: all")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.run:
        document = report(fer_jax.load_run(options.run), options)
    else:
        with tempfile.TemporaryDirectory() as folder:
            document = report(train(Path(folder) / "run"), options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
