"""Draws docs/saliency.png: built-in faces under every method, the mean over the repeats of a run,
and prints what docs/saliency.md says.

    fer-jax sweep --config=oslo --config.data.image_size=32 \
        --config.model.dropout=0.2 --config.train.batch_size=32 --config.train.epochs=12 \
        --workdir=runs/saliency
    python docs/saliency_picture.py runs/saliency [FILE]

Only a run on built-in faces is drawn.
"""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import fer_jax
from fer_jax.figures import style
from fer_jax.figures.saliency_sheet import saliency_sheet
from fer_jax.saliency import METHODS

WIDTH, COLOURS = 900, 200  # pixels and colours of the picture: few enough for a small file
CHECKED = 64  # pictures of the checks
MARGIN = 6  # pixels at every side left out of the 'inside'
# The last layer with places has 2 x 2 of them at 32 pixels, conv_1 has 13 x 13.
SETTINGS = {method: {"layer": "conv_1"} if method == "grad_cam" else {} for method in METHODS}


def surest_of_each_class(run: fer_jax.Run) -> tuple[np.ndarray, np.ndarray]:
    """Of each class the validation picture to which the repeats give it the highest mean
    probability, and the labels.
    """
    trials = run.select(status="done")
    split = trials[0].dataset().validation
    likely = np.mean([trial.predict(split.images) for trial in trials], axis=0)
    labels = np.arange(len(trials[0].classes))
    rows = [np.where(split.labels == label, likely[:, label], -1).argmax() for label in labels]
    return split.images[rows], labels


def main(path: Path, out: Path) -> None:
    run = fer_jax.load_run(path)
    if run.record["data"]["kind"] != "synthetic":
        raise SystemExit(f"{path}: not a run on built-in faces")
    images, labels = surest_of_each_class(run)
    found = {method: fer_jax.saliency_maps(run, images, method, labels, **SETTINGS[method]) for method in METHODS}
    rows = {method: repeats.mean for method, repeats in found.items()}
    averages = {"gradient,\nclass mean": fer_jax.class_saliency(run, method="gradient").mean}
    sheet = saliency_sheet(images, rows | averages, found["gradient"].classes, alone=averages)
    drawn = Image.open(io.BytesIO(style.png(sheet.figure)))
    small = drawn.resize((WIDTH, round(drawn.height * WIDTH / drawn.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, optimize=True)
    checks(run)


def checks(run: fer_jax.Run) -> None:
    print(run.summary[["n", "val_accuracy_mean", "val_accuracy_sd"]].to_string())
    trial = run.select(status="done")[0]
    images = trial.dataset().validation.images[:CHECKED]
    rows = {}
    for method, settings in SETTINGS.items():
        anew, inner = (
            fer_jax.randomised_saliency(trial, images, method, margin=margin, **settings) for margin in (0, MARGIN)
        )
        ends = {"output anew": anew["correlation"].iloc[0], "all anew": anew["correlation"].iloc[-1]}
        ends |= {"inside": inner["correlation"].iloc[-1], "absolute, inside": inner["absolute"].iloc[-1]}
        repeats = fer_jax.saliency_maps(run, images, method, **settings)
        rows[method] = ends | {"repeats": np.nanmean(repeats.agreement)}
    print(pd.DataFrame(rows).T.round(2).to_string())
    for steps in (16, 64, 256):
        exact = fer_jax.saliency_maps(trial, images, "integrated_gradients", steps=steps).completeness()
        print(
            steps, "steps:", (exact["error"].abs() / exact["difference"].abs()).quantile([0.5, 0.95]).round(4).tolist()
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("saliency.png"))
