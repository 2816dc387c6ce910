"""A trial's weights as an Orbax checkpoint of their own, which says itself what they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fer_jax.base.files import explain_write
from fer_jax.errors import RunError
from fer_jax.exports.about import about
from fer_jax.store.checkpoint_arrays import import_orbax

if TYPE_CHECKING:
    from fer_jax.results.trial import TrialResult


def save(trial: TrialResult, path: str | Path, weights: str = "best") -> Path:
    """Writes the weights of a trial to a folder that `ocp.StandardCheckpointer` restores.

    Args:
        trial: whose weights are written.
        path: of the folder; a checkpoint that is there is replaced.
        weights: 'best' (chosen by validation) or 'last'.

    Returns:
        The path of the folder. What is restored from it is `TrialResult.variables`; the
        checkpoint's custom metadata are those of `about`.

    Raises:
        RunError: the trial has no weights, something else is there, or the disk refuses.
    """
    tree, folder = trial.variables_of(weights), Path(path).absolute()
    if folder.exists() and not (folder / "_CHECKPOINT_METADATA").is_file():
        raise RunError(f"{path} is there and is no checkpoint: choose another --out")
    ocp = import_orbax()
    with explain_write(folder, "--out"), ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder, tree, force=True, custom_metadata=about(trial, weights))
        checkpointer.wait_until_finished()
    return Path(path)
