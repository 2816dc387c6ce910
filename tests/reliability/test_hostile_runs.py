"""A short share of the hostile run directories, of each kind one; the script tries them all."""

import pytest

from tests.reliability import hostile_runs
from tests.reliability.hostile_cases import CASES

SHARE = {
    "a wave of the plan leads out": ("sweep",),
    "a trial's id leads out": ("export",),
    "a fit leads out": ("load",),
    "checkpoints is a link": ("load", "sweep"),
    "tables is a link": ("report",),
    "log.txt has a second name": ("sweep",),
    ".lock is a pipe": ("sweep",),
    "temporary names are second names": ("load",),
    "study.csv beside the run is a pipe": ("compare",),
    "plan.json, nested 100,000 deep": ("sweep",),
    "labels of 10^12 rows": ("load",),
    "labels that are pickled": ("load",),
    "labels of other classes": ("load",),
    "weights of 10^12 rows": ("predict",),
    "weights in chunks of 10^11 rows": ("load",),
    "an estimator that is pickled": ("load",),
    "scripts in the names": ("report",),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return hostile_runs.train(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", SHARE)
def test_a_strangers_run_touches_nothing_beside_it_and_is_one_line_at_most(trained, name):
    assert {action: hostile_runs.attempt(trained, name, action) for action in SHARE[name]} == dict.fromkeys(
        SHARE[name], ""
    )


def test_there_are_as_many_as_were_tried_before():
    assert len(CASES) >= 41
