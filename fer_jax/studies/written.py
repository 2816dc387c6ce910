"""The files of a study beside its runs: study.md, study.csv and study.json."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from fer_jax.base import files
from fer_jax.reports import study_section
from fer_jax.studies import table
from fer_jax.studies.paper import Study
from fer_jax.studies.rows import Matrix, Row, gather
from fer_jax.studies.sweeps import StudySweep, sweeps

MARKDOWN = "study.md"


class StudyFiles:
    """The files of one study, and what they are made of; each run is read once.

    Args:
        study: it.
        study_file: its path.
        workdir: holds the runs and these files.
        scale: one of `paper.SCALES`, or '' for the configs' default.
        asked: the experiments that are shown though they were not run. Others are shown if they
            were; at scale smoke those that are meant for it.
        external: path of the labelled data set that 'external_' metrics are of; '' for none.

    Attributes:
        outdated: folders of runs whose report shows other rows than the files hold.
    """

    def __init__(
        self, study: Study, study_file: str, workdir: Path, scale: str, asked: frozenset[str], external: str = ""
    ):
        self.study, self.study_file, self.workdir, self.scale = study, study_file, workdir, scale
        self.asked, self.external = asked, external
        self.outdated: set[str] = set()
        self._sweeps = sweeps(study.experiments, study_file, scale)
        self._found: dict[str, tuple[list[Row], list[Matrix]]] = {}

    def forget(self, sweep: StudySweep) -> None:
        """Has a sweep read again, as it was trained since."""
        self._found.pop(sweep.folder, None)

    @property
    def rows(self) -> list[Row]:
        """All rows that are shown, in the order of the study."""
        experiments = self.study.experiments
        order = [experiment.name for experiment in experiments]
        fit = {experiment.name for experiment in experiments if self.scale != "smoke" or experiment.smoke}
        found = [row for sweep in self._sweeps for row in self._gathered(sweep)[0]]
        shown = [row for row in found if row.experiment in self.asked or (row.run and row.experiment in fit)]
        return sorted(shown, key=lambda row: order.index(row.experiment))

    @property
    def matrices(self) -> list[Matrix]:
        """All confusion matrices that have one of ours beside them."""
        return [matrix for sweep in self._sweeps for matrix in self._gathered(sweep)[1]]

    def _gathered(self, sweep: StudySweep) -> tuple[list[Row], list[Matrix]]:
        if sweep.folder not in self._found:
            self._found[sweep.folder] = gather(sweep, self.study_file, self.workdir, self.scale, self.external)
        return self._found[sweep.folder]

    def write(self) -> None:
        """Writes the files, each in full, and notes whose reports are now outdated."""
        rows, runs = self.rows, [self.workdir / sweep.folder for sweep in self._sweeps]
        before = [_shown(run) for run in runs]
        files.write_bytes(self.workdir / MARKDOWN, table.to_markdown(self.study.title, rows).encode())
        frame = table.to_frame(rows).to_csv(index=False)
        files.write_bytes(self.workdir / study_section.STUDY_TABLE, frame.encode())
        document = json.dumps(table.to_document(self.matrices), allow_nan=False)
        files.write_bytes(self.workdir / study_section.STUDY_MATRICES, document.encode())
        self.outdated |= {run.name for run, old in zip(runs, before, strict=True) if _shown(run) != old}


def _shown(run: Path) -> tuple[str, str]:
    """Returns what a run's report shows of a study, as text that can be compared."""
    found = study_section.beside(run)
    rows = found.rows if len(found.rows) else pd.DataFrame()
    return rows.to_csv(index=False), json.dumps(list(found.matrices), sort_keys=True)
