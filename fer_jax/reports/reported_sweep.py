"""A sweep from its config to its report: what `fer_jax.run_sweep` and the programs start."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.analysis.parts import part_names
from fer_jax.base import console
from fer_jax.errors import RunError
from fer_jax.launch import loop
from fer_jax.reports import answer, run_report, verdict
from fer_jax.results import rankings
from fer_jax.results.run import Run, load_run

_DRAWING = "drawing the report"


def run_sweep(
    config: ConfigDict, workdir: str | Path, *, before_report: Callable[[], None] = lambda: None, **options: Any
) -> Run:
    """Trains what `config` asks for and `workdir` does not hold yet, and writes tables and report.

    After an interruption the report shows what there is.

    Args:
        config, workdir, **options: as for `fer_jax.launch.loop.run_sweep`, errors too.
        before_report: called once all is trained, such as to write what the report is to show.

    Returns:
        The run, as `load_run` gives it.
    """
    try:
        loop.run_sweep(config, workdir, **options)
    except KeyboardInterrupt:
        # Stopped before there was a run: nothing to report.
        with contextlib.suppress(RunError), console.working(_DRAWING):
            run_report.write_report(workdir)
        raise
    before_report()
    with console.working(_DRAWING):
        run_report.write_report(workdir)
    return load_run(workdir)


@dataclasses.dataclass(frozen=True)
class Closing:
    """What a sweep ends with on a terminal.

    Attributes:
        preface: why there are several answers; empty where there is one.
        answers: a title, and rows of names and texts, for each part of the run that is ranked by
            itself.
        sentences: what the answers stand on.
        report: the path of the report.
        why, command: what to type next, and what for; empty where no command is known.
    """

    preface: str
    answers: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    sentences: Sequence[str]
    report: str
    why: str = ""
    command: str = ""


def closing(run: Run, command: str = "") -> Closing:
    """Returns what a sweep ends with on a terminal, part by part where its points are not ranked.

    Args:
        run: as it is, also where the sweep was stopped.
        command: the command line that trained it, from which the next is made; empty for none.
    """
    parts = rankings.parts(run)
    names = part_names(parts) if len(parts) > 1 else [""]
    answers = [
        (f"{name}: {answer.title(part)}" if name else answer.title(part), answer.rows(part))
        for name, part in zip(names, parts, strict=True)
    ]
    sentences = [
        f"{name}: {sentence}" if name else sentence
        for name, part in zip(names, parts, strict=True)
        for sentence in verdict.closing(part)
    ]
    following = answer.following(parts, str(run.path), command, run.has_failures) if command else ("", "")
    preface = verdict.not_ranked(parts) if len(parts) > 1 else ""
    return Closing(preface, answers, sentences, str(run.path / "report.html"), *following)
