"""A trial's network or a whole run, written for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from fer_jax.base.text import counted
from fer_jax.errors import RunError

if TYPE_CHECKING:
    from fer_jax.results.run import Run
    from fer_jax.results.trial import TrialResult

OF_TRIALS = ("safetensors", "orbax", "onnx")
OF_RUNS = ("tensorboard", "mlflow", "tables")


@overload
def export_model(of: TrialResult, to: str | Path, *, weights: str = ..., dtype: str = ...) -> Path: ...


@overload
def export_model(of: Run, to: str, out: str | Path | None = ...) -> str: ...


def export_model(of: TrialResult | Run, to: str | Path, out: str | Path | None = None, **options: Any) -> Path | str:
    """Writes a trial's network, or the curves, metrics or tables of a run, for other programs.

    Args:
        of: a trial or a run.
        to: of a trial, the file to write: weights alone where its name ends in '.safetensors', or
            in '.orbax', which is a folder; the whole network in '.onnx'. Of a run 'tensorboard',
            'mlflow' or 'tables'; what is there already is left alone, so that a later call adds
            what is new.
        out: of a run, where to; by default RUN/tensorboard, RUN/mlflow.db or RUN/tables.
        **options: of a trial, as for `export_trial`: `weights`, and `dtype` for ONNX.

    Returns:
        Of a trial, the path of the file; of a run, what was written, in words.

    Raises:
        RunError: neither a trial nor a run, another ending or word, no weights, or what cannot be
            written; see `exports.network` for ONNX.
        FerJaxError: the package that writes such files is not installed.
    """
    from fer_jax.results.run import Run
    from fer_jax.results.trial import TrialResult

    if isinstance(of, Run):
        if options:
            raise RunError(f"{next(iter(options))} is for the network of a trial; a run is exported whole")
        return export_run(of, str(to), out)
    if not isinstance(of, TrialResult):
        raise RunError(f"export_model writes a trial or a run, not a {type(of).__name__}: run.best() gives a trial")
    if out is not None:
        raise RunError(f"out = {str(out)!r}: a trial is written to one file, {to}")
    export_trial(of, to, **options)
    return Path(to)


def export_trial(trial: TrialResult, path: str | Path, weights: str = "best", dtype: str = "uint8") -> str:
    """Writes the network of a trial to a file of the kind that its name ends with.

    Args:
        trial: whose network is written.
        path: of the file, which ends in '.safetensors', '.orbax' or '.onnx'.
        weights: 'best' (of the epoch that validation chose) or 'last'.
        dtype: of the pixels that an ONNX network takes, 'uint8' or 'float32'.

    Returns:
        What there is to say of it; '' if nothing.

    Raises:
        RunError, FerJaxError: as `export_model`.
    """
    kind = Path(path).suffix.removeprefix(".")
    if kind == "safetensors":
        from fer_jax.exports import weights as file

        file.save(trial, path, weights)
        return ""
    if kind == "orbax":
        from fer_jax.exports import checkpoint

        checkpoint.save(trial, path, weights)
        return ""
    if kind == "onnx":
        from fer_jax.exports import network

        difference = network.save(trial, path, weights, dtype)
        return f"run with onnxruntime: probabilities differ from the trial's by {difference:.1g} at most"
    raise RunError(f"{path}: what a trial is exported to must end in .{' or .'.join(OF_TRIALS)}")


def export_run(run: Run, to: str, out: str | Path | None = None) -> str:
    """Writes what a run has and `out` has not yet, for a tracker or a paper.

    Args:
        run: the run, finished or not.
        to: 'tensorboard', 'mlflow' or 'tables'.
        out: where to; by default RUN/tensorboard, RUN/mlflow.db or RUN/tables.

    Returns:
        What was written, in words.

    Raises:
        RunError, FerJaxError: as `export_model`.
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
