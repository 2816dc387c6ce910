"""New places of what a user's own config or study file may import from an old one."""

from __future__ import annotations

import re

# Old module -> the one it is now.
MODULES = {
    "fer_jax.answers": "fer_jax.results.stored_metrics",
    "fer_jax.classify": "fer_jax.prediction.pictures",
    "fer_jax.comparing": "fer_jax.results.points",
    "fer_jax.data.augment": "fer_jax.train.augment",
    "fer_jax.data.cache": "fer_jax.base.cache",
    "fer_jax.data.cifar": "fer_jax.data.reading.cifar",
    "fer_jax.data.detection": "fer_jax.prediction.face_finder",
    "fer_jax.data.faults": "fer_jax.data.reading.problems",
    "fer_jax.data.layout": "fer_jax.data.reading.layout",
    "fer_jax.data.origins": "fer_jax.data.reading.containers",
    "fer_jax.data.pictures": "fer_jax.data.reading.pictures",
    "fer_jax.data.progress": "fer_jax.base.console",
    "fer_jax.data.sources": "fer_jax.data.reading.source",
    "fer_jax.data.tables": "fer_jax.data.reading.pixel_tables",
    "fer_jax.ensemble": "fer_jax.results.ensemble",
    "fer_jax.explained": "fer_jax.saliency.explain",
    "fer_jax.external": "fer_jax.prediction.external",
    "fer_jax.extras": "fer_jax.base.optional",
    "fer_jax.field": "fer_jax.config.field",
    "fer_jax.flags": "fer_jax.config",
    "fer_jax.hashing": "fer_jax.models.hashed_bits",
    "fer_jax.inference": "fer_jax.models.inference",
    "fer_jax.models.published": "fer_jax.models.pretrained",
    "fer_jax.replication": "fer_jax.studies.paper",
    "fer_jax.rules": "fer_jax.config.rules",
    "fer_jax.run": "fer_jax.results.run",
    "fer_jax.search": "fer_jax.config.search_space",
    "fer_jax.study_rows": "fer_jax.studies.rows",
    "fer_jax.study_sweeps": "fer_jax.studies.sweeps",
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
