"""Trials -> stacks -> waves: what will run together, on what, in which order, and at what cost.

A stack holds the trials whose arrays have the same shapes; a wave is as many of them as the device
takes at once. A plan is made once, stored, and followed by every later start of the same run, so
that a resumed wave is the wave that was interrupted.

`plan` is what a plan is, `make` groups trials, `stack` plans one group, `work` says what its trials
compute, and `describe` prints. Running a plan belongs to launch/.
"""

from fer_jax.plan.candidates import Options
from fer_jax.plan.describe import describe
from fer_jax.plan.limits import remember_limit
from fer_jax.plan.make import check, make_plan
from fer_jax.plan.plan import DataSizes, Plan, Stack, Wave
from fer_jax.plan.room import Room
from fer_jax.plan.stack import cut_again
from fer_jax.plan.work import recipe_of, trained_part

__all__ = [
    "DataSizes",
    "Options",
    "Plan",
    "Room",
    "Stack",
    "Wave",
    "check",
    "cut_again",
    "describe",
    "make_plan",
    "recipe_of",
    "remember_limit",
    "trained_part",
]
