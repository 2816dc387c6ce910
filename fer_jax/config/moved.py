"""New places of what a user's own config or study file may import from an old one."""

from __future__ import annotations

import re

# Old module -> the one it is now.
MODULES = {
    "fer_jax.classify": "fer_jax.prediction.pictures",
    "fer_jax.data.augment": "fer_jax.train.augment",
    "fer_jax.data.sources": "fer_jax.data.reading.source",
    "fer_jax.ensemble": "fer_jax.results.ensemble",
    "fer_jax.explained": "fer_jax.saliency.explain",
    "fer_jax.external": "fer_jax.prediction.external",
    "fer_jax.field": "fer_jax.config.field",
    "fer_jax.flags": "fer_jax.config",
    "fer_jax.inference": "fer_jax.models.inference",
    "fer_jax.models.published": "fer_jax.models.pretrained",
    "fer_jax.replication": "fer_jax.studies.paper",
    "fer_jax.rules": "fer_jax.config.rules",
    "fer_jax.run": "fer_jax.results.run",
    "fer_jax.search": "fer_jax.config.search_space",
    "fer_jax.trained": "fer_jax.results.trial",
    "fer_jax.views": "fer_jax.models.test_time",
    "fer_jax.words": "fer_jax.base.text",
}
# Module -> names that have left it -> the module that has them.
NAMES = {
    "fer_jax.config": {
        **dict.fromkeys(("Field", "FieldError", "Need", "in_words"), "fer_jax.config.field"),
        **dict.fromkeys(("FIELDS", "SWEPT_KINDS", "TREES", "TRIAL_KINDS"), "fer_jax.config.fields"),
        **dict.fromkeys(("locate", "nearest", "sweepable"), "fer_jax.config.names"),
        **dict.fromkeys(
            ("canonical", "flatten", "from_json", "sweep_points", "sweep_tree", "to_json", "validate"),
            "fer_jax.config.values",
        ),
        **dict.fromkeys(("execute_file", "load", "read_file", "split_argv"), "fer_jax.config.command_line"),
        "resolve": "fer_jax.config.rules",
    },
}
_NO_NAME = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


def new_place(error: Exception) -> str:
    """Returns a sentence that says where a module or name lies now; '' if it is none that moved.

    Args:
        error: what importing the module, or using it, has raised.
    """
    if isinstance(error, ModuleNotFoundError):
        old = error.name or ""
    elif found := _NO_NAME.search(str(error)):
        old = f"{found[2]}.{found[1]}"
    elif found := _NO_ATTRIBUTE.search(str(error)):
        old = f"{found[1]}.{found[2]}"
    else:
        return ""
    module, _, name = old.rpartition(".")
    if place := NAMES.get(module, {}).get(name):
        return f"{old} is now {place}.{name}"
    return f"{old} is now {MODULES[old]}" if old in MODULES else ""
