"""From a study to the sweeps it needs: reading it, choosing experiments, finding their points."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.base import started
from fer_jax.base.text import did_you_mean
from fer_jax.config import command_line, fields, search_space, shipped
from fer_jax.config.names import sweepable
from fer_jax.errors import ConfigError
from fer_jax.studies.paper import SIZES, Experiment, Study


@dataclasses.dataclass(frozen=True)
class StudySweep:
    """One sweep of a study and whom it serves.

    Attributes:
        folder: of its run, below the study's workdir.
        file: config file with variants, the scale's word among them.
        overrides: dotted name -> value that its experiments set.
        experiments: in the study's order.
    """

    folder: str
    file: str
    overrides: Mapping[str, Any]
    experiments: tuple[Experiment, ...]


def read_study(path: str) -> Study:
    """Executes a study file, or the one of that name which comes with fer_jax; returns its `STUDY`.

    Raises:
        ConfigError: no such file, one that raises, or one without a `STUDY`; one line.
    """

    def study_of(module: types.ModuleType) -> Study:
        study = getattr(module, "STUDY", None)
        if not isinstance(study, Study):
            raise ConfigError("no STUDY of type fer_jax.studies.paper.Study")
        names = [experiment.name for experiment in study.experiments]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"two experiments are called {twice!r}")
        return study

    return command_line.execute_file(path, study_of, "study")


def choose(study: Study, only: Sequence[str], scale: str) -> tuple[Experiment, ...]:
    """Returns the experiments to run, in the study's order.

    Args:
        only: parts of names, in any case; an experiment counts if its name holds one of them.
            Empty: all experiments, or at scale smoke those marked for it.
        scale: one of `paper.SCALES`, or '' for the configs' default.

    Raises:
        ConfigError: an empty part, or one that no name holds; says which are near.
    """
    if not all(part.strip() for part in only):
        raise ConfigError("--only is empty: give a part of an experiment's name, or leave it out")
    if not only:
        return tuple(one for one in study.experiments if one.smoke or scale != "smoke")
    for part in only:
        if not any(part.lower() in one.name.lower() for one in study.experiments):
            known = [one.name for one in study.experiments]
            raise ConfigError(f"no experiment {part!r} in {study.name}; {did_you_mean(part, known)}")
    return tuple(one for one in study.experiments if any(part.lower() in one.name.lower() for part in only))


def sweeps(experiments: Sequence[Experiment], study_file: str, scale: str) -> tuple[StudySweep, ...]:
    """Returns the distinct sweeps behind experiments, in order of first need.

    Args:
        experiments: of one study.
        study_file: its path; configs are looked up beside the folder it lies in. Or the name of a
            study that comes with fer_jax, whose configs are then named as well.
        scale: as for `choose`.
    """
    groups: dict[tuple[str, str], list[Experiment]] = {}
    for one in experiments:
        key = (one.config, json.dumps(_overrides(one, scale), sort_keys=True, default=str))
        groups.setdefault(key, []).append(one)
    found = []
    for (config, setting), group in groups.items():
        file = _file(config, study_file, scale)
        # What tells sweeps of one config apart stands in their folders' names as a digest.
        digest = hashlib.sha256(setting.encode()).hexdigest()[:6] if setting != "{}" else ""
        path, words = command_line.split_variants(file)
        folder = "-".join(filter(None, (Path(path).stem, *words.split(","), digest)))
        found.append(StudySweep(folder, file, _overrides(group[0], scale), tuple(group)))
    return tuple(found)


def load(sweep: StudySweep, overrides: Mapping[str, Any], workdir: Path, scale: str) -> command_line.Loaded:
    """Returns the config of a sweep, with the user's overrides last, if it holds its experiments.

    Overrides that change nothing in this sweep are named in its `unused`: they may be meant for
    another of the study.

    Raises:
        ConfigError: as for `command_line.load`, or a point that the sweep does not hold.
    """
    settings = {**sweep.overrides, **overrides}
    words = [f"--config={sweep.file}", *(f"--config.{name}={value}" for name, value in settings.items())]
    command = f"{started.command('sweep')} {shlex.join([*words, f'--workdir={workdir / sweep.folder}'])}"
    loaded = command_line.load(sweep.file, settings, command, keep_unused=True)
    for one in sweep.experiments:
        try:
            find_point(one, loaded.config, scale)
        except ConfigError as error:
            raise ConfigError(f"{error}{_blame(loaded.config, sweep.experiments, overrides)}") from None
    return loaded


def _blame(config: ConfigDict, experiments: Sequence[Experiment], overrides: Mapping[str, Any]) -> str:
    """Returns which of the user's overrides tell a sweep's experiments apart; '' if none does."""
    apart = {*search_space.swept(config), *(name for one in experiments for name in one.point)}
    guilty = [
        f"--config.{name}={value}" for name, value in overrides.items() if name in apart or name.startswith("sweep.")
    ]
    if not guilty:
        return ""
    words = "sets what tells its experiments apart" if len(guilty) == 1 else "set what tells its experiments apart"
    them = "it" if len(guilty) == 1 else "them"
    return f"; {' and '.join(guilty)} {words}: leave {them} out, or choose others with --only"


def find_point(experiment: Experiment, config: ConfigDict, scale: str) -> dict[str, Any] | None:
    """Returns the values of every shape and traced field at the point that an experiment means.

    Where the experiment's `point` names head fields, it means one head setting, and their values
    are there as well. Below full scale, where sweeps are cut down, it is None if that point is not
    there.

    Which point is the `best` only a run tells. Of such an experiment these are the values that all
    points have which it may be; left out is what differs among them, and what counts or not with
    it.

    Raises:
        ConfigError: no such point at full scale, or several.
    """
    kinds = fields.SWEPT_KINDS if has_head(experiment) else fields.TRIAL_KINDS
    settings = [
        {name: value for name, value in setting.items() if fields.FIELDS[name].kind in kinds}
        for setting in search_space.settings(config)
    ]
    distinct = list({tuple(setting.items()): setting for setting in settings}.values())
    found = [setting for setting in distinct if is_meant(experiment, setting)]
    if experiment.best and found:
        return _shared(found)
    if len(found) == 1 or (scale != "full" and not found):
        return found[0] if found else None
    named = ", ".join(f"{name} = {value}" for name, value in experiment.point.items()) or "all of them"
    count = f"{len(found)} points are" if found else "no point is"
    raise ConfigError(f"experiment {experiment.name!r}: {count} {named} in the sweep of {experiment.config}, not one")


def _shared(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the values that all settings have, of fields that need none they differ in."""
    first = settings[0]
    same = {name for name, value in first.items() if all(setting[name] == value for setting in settings)}
    needed = {name: {need.name for need in fields.FIELDS[name].needs} for name in same}
    return {name: value for name, value in first.items() if name in same and needed[name] <= same}


def has_head(experiment: Experiment) -> bool:
    """Returns whether an experiment is about a head: its `point` names a head field."""
    return any(fields.FIELDS[name].kind == "head" for name in experiment.point if name in fields.FIELDS)


def is_meant(experiment: Experiment, setting: Mapping[str, Any]) -> bool:
    """Returns whether a setting, as `find_point` gives it, has every value of the `point`."""
    return all(setting[name] == value for name, value in wanted(experiment).items())


def wanted(experiment: Experiment) -> dict[str, Any]:
    """Returns the experiment's `point`, each value in its field's own type."""
    return {name: sweepable(name, "point").coerce(value) for name, value in experiment.point.items()}


def paper_values(experiment: Experiment, study_file: str) -> dict[str, Any]:
    """Returns the values of the paper's own setting, as `find_point` gives them.

    It is the full variant, at the experiment's point.
    """
    file = _file(experiment.config, study_file, "full")
    overrides = dict(experiment.overrides)
    if overrides.get("data.name", command_line.read_file(*command_line.split_variants(file)).data.name) != "synthetic":
        overrides.setdefault("data.path", "unread")  # a config that reads data is refused without one
    point = find_point(experiment, command_line.load(file, overrides, keep_unused=True).config, "full")
    assert point is not None
    return point


def _overrides(experiment: Experiment, scale: str) -> dict[str, Any]:
    return {name: value for name, value in experiment.overrides.items() if scale == "full" or name not in SIZES}


def _file(config: str, study_file: str, scale: str) -> str:
    path, words = command_line.split_variants(config)
    if not shipped.is_name(path, "config"):
        folder = Path(study_file).parent
        root = folder.resolve().parent if folder.name in ("", "..") else folder.parent
        path = Path(path).stem if shipped.is_name(study_file, "study") else str(root / path)
    return ":".join(filter(None, (path, ",".join(filter(None, (words, scale))))))
