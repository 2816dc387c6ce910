"""A wave's state between the trainer and the disk: named arrays there, `TrialState` here."""

import dataclasses
from typing import Any

import jax

from fer_jax.train.patience import Watch
from fer_jax.train.trial import TrialState

WATCHES = ("plateau", "stop")  # the fields of a state that are a Watch


def named(state: TrialState) -> dict[str, Any]:
    """The arrays of a state, nested by name."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    watches = {name: {"best": fields[name].best, "wait": fields[name].wait} for name in WATCHES}
    # An optimiser's state is nested tuples whose types belong to Optax; only its leaves are data.
    return {**fields, **watches, "opt": {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state.opt))}}


def from_named(found: dict[str, Any], like: TrialState) -> TrialState:
    """The state whose arrays `named` gave; `like` has the structure of its optimiser's part."""
    opt = jax.tree.unflatten(
        jax.tree.structure(like.opt), [found["opt"][f"leaf_{i}"] for i in range(len(found["opt"]))]
    )
    return TrialState(**{**found, "opt": opt, **{name: Watch(**found[name]) for name in WATCHES}})
