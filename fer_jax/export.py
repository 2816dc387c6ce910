"""Hands a run or a trial to other programs:
`python -m fer_jax.export RUN --to=safetensors|onnx|tensorboard|mlflow|tables`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from fer_jax.base.text import counted
from fer_jax.config.program import Command, run_program
from fer_jax.errors import RunError

if TYPE_CHECKING:
    from fer_jax.results.run import Run
    from fer_jax.results.trial import TrialResult

USAGE = (
    "usage: python -m fer_jax.export RUN --to=safetensors|onnx|tensorboard|mlflow|tables "
    "[--trial=ID | --best] [--out=PLACE] [flags]"
)
OF_TRIALS = ("safetensors", "onnx")
OF_RUNS = ("tensorboard", "mlflow", "tables")


def export_trial(trial: TrialResult, path: str | Path, weights: str = "best", dtype: str = "uint8") -> str:
    """Writes the network of a trial to a file of the kind that its name ends with; see
    `TrialResult.export`.

    Returns:
        What there is to say of it; '' if nothing.
    """
    if weights not in ("best", "last"):
        raise RunError(f"weights = {weights!r}: must be 'best' or 'last'")
    kind = Path(path).suffix.removeprefix(".")
    if kind == "safetensors":
        from fer_jax.exports import weights as file

        file.save(trial, path, weights)
        return ""
    if kind == "onnx":
        from fer_jax.exports import network

        difference = network.save(trial, path, weights, dtype)
        return f"run with onnxruntime: probabilities differ from the trial's by {difference:.1g} at most"
    raise RunError(f"{path}: what a trial is exported to must end in .{' or .'.join(OF_TRIALS)}")


def export_run(run: Run, to: str, out: str | Path | None = None) -> str:
    """Writes what a run has and `out` has not yet, for a tracker or a paper.

    Args:
        to: 'tensorboard', 'mlflow' or 'tables'.
        out: where to; by default RUN/tensorboard, RUN/mlflow.db or RUN/tables.

    Returns:
        What was written, in words.

    Raises:
        RunError: another `to`, or what cannot be written.
        FerJaxError: the package that it takes is not installed.
    """
    if to not in OF_RUNS:
        raise RunError(f"a run is exported to {', '.join(OF_RUNS)}; {to!r} is none of these")
    out = out or run.path / {"mlflow": "mlflow.db"}.get(to, to)
    if to == "tensorboard":
        from fer_jax.exports import tensorboard

        return f"{out}: {counted(tensorboard.save(run, out), 'new file')}; look with: tensorboard --logdir={out}"
    if to == "mlflow":
        from fer_jax.exports import mlflow

        return f"{out}: {counted(mlflow.save(run, out), 'trial')} with something new"
    from fer_jax.reports import run_tables

    return "\n".join(str(path) for path in run_tables.save(run, Path(out)))


def _declare(values: flags.FlagValues) -> None:
    flags.DEFINE_string("to", None, f"What to write: {', '.join((*OF_TRIALS, *OF_RUNS))}.", flag_values=values)
    flags.DEFINE_string(
        "trial", None, "Id of the trial, or how it begins; for safetensors and onnx.", flag_values=values
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
        print(export_run(run, values.to, values.out))
        return 0
    trial = run.best() if values.best else run.trial(values.trial)
    path = Path(values.out or run.path / "exports" / f"{trial.id}.{values.to}")
    if path.suffix != f".{values.to}":
        raise RunError(f"--out={path}: must end in .{values.to}")
    said = export_trial(trial, path, values.weights, values.pixels)
    print(path, *([f"({said})"] if said else []))
    return 0


def _check(command: Command) -> str:
    runs, values = command.arguments, command.flags
    if len(runs) != 1:
        return "no run: name its directory" if not runs else f"one run at a time: {', '.join(runs)}"
    if values.to not in (*OF_TRIALS, *OF_RUNS):
        return f"--to={values.to or ''}: must be one of {', '.join((*OF_TRIALS, *OF_RUNS))}"
    if values.to in OF_TRIALS and bool(values.trial) == values.best:
        return f"--to={values.to} is of one trial: add --trial=ID or --best"
    if values.to in OF_RUNS and (values.trial or values.best):
        return f"--to={values.to} is of the whole run: leave out {'--trial' if values.trial else '--best'}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv))
