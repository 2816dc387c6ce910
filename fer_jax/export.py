"""Hands a run or a trial to other programs:
`python -m fer_jax.export RUN --to=safetensors|orbax|onnx|tensorboard|mlflow|tables`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import flags

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.config.program import Command, run_program
from fer_jax.errors import RunError
from fer_jax.exports.export import OF_RUNS, OF_TRIALS, export_run, export_trial

USAGE = (
    "usage: python -m fer_jax.export RUN --to=safetensors|orbax|onnx|tensorboard|mlflow|tables "
    "[--trial=ID | --best] [--out=PLACE] [flags]"
)


def _declare(values: flags.FlagValues) -> None:
    flags.DEFINE_string("to", None, f"What to write: {', '.join((*OF_TRIALS, *OF_RUNS))}.", flag_values=values)
    flags.DEFINE_string(
        "trial", None, "Id of the trial, or how it begins; for safetensors, orbax and onnx.", flag_values=values
    )
    flags.DEFINE_bool("best", False, "The best single trial by train.select, in place of --trial.", flag_values=values)
    flags.DEFINE_string(
        "weights", "best", "best: of the epoch validation chose; last: of the last epoch.", flag_values=values
    )
    flags.DEFINE_string(
        "pixels", "uint8", "Type of the pixels an ONNX network takes, uint8 or float32.", flag_values=values
    )
    flags.DEFINE_string(
        "out", None, "File or folder to write, or an MLflow tracking URI; by default in the run.", flag_values=values
    )


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit status: 0 done, 2 an error of the user's, 130 stopped."""
    return run_program(argv, __doc__, USAGE, _declare, _check, _run)


def _run(command: Command) -> int:
    # JAX takes seconds to import; errors of the command line need not wait for it.
    from fer_jax.results.run import load_run

    values = command.flags
    run = load_run(command.arguments[0])
    if values.to in OF_RUNS:
        with console.working(f"writing for {values.to}", plain=False):
            found = export_run(run, values.to, values.out)
        console.show(str(found))
        return 0
    trial = run.best() if values.best else run.trial(values.trial)
    path = Path(values.out or run.path / "exports" / f"{trial.id}.{values.to}")
    if path.suffix != f".{values.to}":
        raise RunError(f"--out={path}: must end in .{values.to}")
    with console.working(f"writing {shown(path.name)}", plain=False):
        said = export_trial(trial, path, values.weights, values.pixels)
    console.show(f"{path} ({said})" if said else str(path))
    return 0


def _check(command: Command) -> str:
    runs, values = command.arguments, command.flags
    if len(runs) != 1:
        return "no run: name its directory" if not runs else f"one run at a time: {', '.join(runs)}"
    if not values.to:
        return "no format: add --to=FORMAT, such as --to=tables"
    if values.to not in (*OF_TRIALS, *OF_RUNS):
        return f"--to={values.to}: must be one of {', '.join((*OF_TRIALS, *OF_RUNS))}"
    if values.to in OF_TRIALS and bool(values.trial) == values.best:
        return f"--to={values.to} is of one trial: add --trial=ID or --best"
    if values.to in OF_RUNS and (values.trial or values.best):
        return f"--to={values.to} is of the whole run: leave out {'--trial' if values.trial else '--best'}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv))
