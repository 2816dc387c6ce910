"""New places of what a user's own configs, studies and scripts may import from an old one."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from types import ModuleType

# Old module -> the one it is now.
MODULES = {
    "fer_jax.analysis.answered": "fer_jax.analysis.predictions",
    "fer_jax.analysis.classification": "fer_jax.analysis.metrics",
    "fer_jax.analysis.comparison": "fer_jax.analysis.against_published",
    "fer_jax.analysis.confusion": "fer_jax.figures.confusion",
    "fer_jax.analysis.curves": "fer_jax.figures.curves",
    "fer_jax.analysis.distribution": "fer_jax.figures.distribution",
    "fer_jax.analysis.effects": "fer_jax.figures.effects",
    "fer_jax.analysis.evidence": "fer_jax.analysis.ranking",
    "fer_jax.analysis.formats": "fer_jax.reports.text_tables",
    "fer_jax.analysis.importances": "fer_jax.figures.importances",
    "fer_jax.analysis.mistakes": "fer_jax.figures.mistakes",
    "fer_jax.analysis.page": "fer_jax.reports.page",
    "fer_jax.analysis.parallel": "fer_jax.figures.parallel",
    "fer_jax.analysis.published": "fer_jax.figures.published",
    "fer_jax.analysis.reliability": "fer_jax.figures.reliability",
    "fer_jax.analysis.roc": "fer_jax.figures.roc",
    "fer_jax.analysis.saliency": "fer_jax.saliency",
    "fer_jax.analysis.saliency.compute": "fer_jax.saliency.compute",
    "fer_jax.analysis.saliency.maps": "fer_jax.saliency.maps",
    "fer_jax.analysis.saliency.methods": "fer_jax.saliency.methods",
    "fer_jax.analysis.saliency.settings": "fer_jax.saliency.settings",
    "fer_jax.analysis.saliency.sheet": "fer_jax.figures.saliency_sheet",
    "fer_jax.analysis.scale": "fer_jax.figures.scale",
    "fer_jax.analysis.scatter": "fer_jax.figures.scatter",
    "fer_jax.analysis.side_by_side": "fer_jax.reports.side_by_side",
    "fer_jax.analysis.study_section": "fer_jax.reports.study_section",
    "fer_jax.analysis.study_table": "fer_jax.studies.table",
    "fer_jax.analysis.style": "fer_jax.figures.style",
    "fer_jax.analysis.surfaces": "fer_jax.figures.surfaces",
    "fer_jax.analysis.tables": "fer_jax.reports.html_tables",
    "fer_jax.analysis.verdict": "fer_jax.reports.verdict",
    "fer_jax.answers": "fer_jax.results.stored_metrics",
    "fer_jax.classify": "fer_jax.prediction.pictures",
    "fer_jax.comparing": "fer_jax.results.points",
    "fer_jax.data.archives": "fer_jax.data.reading.archives",
    "fer_jax.data.arrays": "fer_jax.data.reading.arrays",
    "fer_jax.data.augment": "fer_jax.train.augment",
    "fer_jax.data.cache": "fer_jax.base.cache",
    "fer_jax.data.cifar": "fer_jax.data.reading.cifar",
    "fer_jax.data.detection": "fer_jax.prediction.face_finder",
    "fer_jax.data.draws": "fer_jax.data.faces",
    "fer_jax.data.faults": "fer_jax.data.reading.problems",
    "fer_jax.data.gather": "fer_jax.data.reading.collect",
    "fer_jax.data.layout": "fer_jax.data.reading.layout",
    "fer_jax.data.origins": "fer_jax.data.reading.containers",
    "fer_jax.data.pickled": "fer_jax.data.reading.plain_pickles",
    "fer_jax.data.pictures": "fer_jax.data.reading.image_files",
    "fer_jax.data.progress": "fer_jax.base.console",
    "fer_jax.data.records": "fer_jax.data.reading.records",
    "fer_jax.data.sources": "fer_jax.data.reading.source",
    "fer_jax.data.stream": "fer_jax.train.stream",
    "fer_jax.data.tables": "fer_jax.data.reading.pixel_tables",
    "fer_jax.ensemble": "fer_jax.results.ensemble",
    "fer_jax.explained": "fer_jax.saliency.explain",
    "fer_jax.exports.tables": "fer_jax.reports.run_tables",
    "fer_jax.external": "fer_jax.prediction.external",
    "fer_jax.extras": "fer_jax.base.optional",
    "fer_jax.field": "fer_jax.config.field",
    "fer_jax.fitted": "fer_jax.results.trial",
    "fer_jax.flags": "fer_jax.config",
    "fer_jax.hashing": "fer_jax.models.hashed_bits",
    "fer_jax.inference": "fer_jax.models.inference",
    "fer_jax.launch.best": "fer_jax.launch.best_points",
    "fer_jax.launch.facts": "fer_jax.train.hyper",
    "fer_jax.launch.heads": "fer_jax.launch.head_fits",
    "fer_jax.launch.local": "fer_jax.launch.loop",
    "fer_jax.launch.record": "fer_jax.launch.config_json",
    "fer_jax.launch.starts": "fer_jax.launch.initial_weights",
    "fer_jax.launch.states": "fer_jax.train.trial",
    "fer_jax.launch.table": "fer_jax.launch.trial_table",
    "fer_jax.models.published": "fer_jax.models.pretrained",
    "fer_jax.plan.stacks": "fer_jax.plan.plan",
    "fer_jax.replication": "fer_jax.studies.paper",
    "fer_jax.report_answers": "fer_jax.results.best_point",
    "fer_jax.report_ensembles": "fer_jax.reports.ensembles",
    "fer_jax.report_pictures": "fer_jax.reports.pictures",
    "fer_jax.report_runs": "fer_jax.reports.several_runs",
    "fer_jax.rules": "fer_jax.config.rules",
    "fer_jax.run": "fer_jax.results.run",
    "fer_jax.search.space": "fer_jax.config.search_space",
    "fer_jax.store.files": "fer_jax.base.files",
    "fer_jax.study_rows": "fer_jax.studies.rows",
    "fer_jax.study_sweeps": "fer_jax.studies.sweeps",
    "fer_jax.train.candidates": "fer_jax.plan.candidates",
    "fer_jax.train.cost": "fer_jax.plan.cost",
    "fer_jax.train.findings": "fer_jax.plan.measurements",
    "fer_jax.train.memory": "fer_jax.plan.memory",
    "fer_jax.train.parts": "fer_jax.train.batch_parts",
    "fer_jax.train.tuning": "fer_jax.plan.tuning",
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
_SAID = re.compile(r"^fer_jax\S+ is now fer_jax\S+$")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


def new_place(error: Exception) -> str:
    """Returns a sentence that says where a module or name lies now; '' if it is none that moved.

    Args:
        error: what importing the module, or using it, has raised.
    """
    if _SAID.match(str(error)):
        return str(error)
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


def no_attribute(module: str, name: str) -> AttributeError:
    """Returns what a module's `__getattr__` raises: where the name lies now, if it has moved."""
    place = MODULES.get(f"{module}.{name}") or NAMES.get(module, {}).get(name, "")
    if not place:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    own = "" if f"{module}.{name}" in MODULES else f".{name}"
    return AttributeError(f"{module}.{name} is now {place}{own}")


class _Finder:
    """The last to be asked for a module: it finds none, and says where one that moved lies now."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name in MODULES:
            raise ModuleNotFoundError(f"{name} is now {MODULES[name]}", name=name)


def tell() -> None:
    """Lets an import of a module that moved end in a line that names the new place."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
